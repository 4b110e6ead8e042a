package api

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

func viewLetter(l gateway.Letter) DeadLetterView {
	return DeadLetterView{
		l.ID, l.Adapter, l.Account, l.Where, l.What, l.Chat, l.Why.Class.String(), l.Why.Code, l.Why.Text, l.At.UTC(), l.Died.UTC(),
	}
}

func (v v1) letters(r *http.Request) (any, error) {
	q, err := query(r, "adapter", "account", "where", "chat", "code", "after", "limit")
	if err != nil {
		return nil, err
	}
	n, err := pageSize(q)
	if err != nil {
		return nil, err
	}
	f, err := v.filter(q.Get)
	if err != nil {
		return nil, err
	}
	page, next, err := v.Operations.Letters(r.Context(), f, gateway.LetterID(q.Get("after")), n)
	if err != nil {
		return nil, err
	}
	out := DeadLettersView{[]DeadLetterView{}, next}
	for _, l := range page {
		out.Items = append(out.Items, viewLetter(l))
	}
	return out, nil
}

// filter reads which dead letters are meant.
func (v v1) filter(get func(string) string) (gateway.LetterFilter, error) {
	f := gateway.LetterFilter{
		Adapter: gateway.AdapterID(get("adapter")), Account: gateway.AccountID(get("account")), Where: get("where"), Chat: get("chat"), Code: get("code"),
	}
	switch f.Where {
	case "", "in", "out", "outbox", "webhook":
	default:
		return f, &wrong{"where", "It is in, out, outbox or webhook.", false}
	}
	known := f.Adapter == ""
	for _, i := range v.Instances {
		known = known || i.ID == f.Adapter
	}
	if !known {
		return f, &wrong{"adapter", "No adapter has this name.", false}
	}
	return f, nil
}

// letterID is the dead letter that the address names.
func letterID(r *http.Request) gateway.LetterID {
	part, _ := url.PathUnescape(chi.URLParam(r, "partition")) // what cannot be read names nothing
	entry, _ := url.PathUnescape(chi.URLParam(r, "entry"))
	return gateway.LetterID(part + "/" + entry)
}

func (v v1) replayLetter(r *http.Request) (any, error) {
	id := letterID(r)
	if err := v.note(r, "dead-letter.replay", string(id)); err != nil {
		return nil, err
	}
	return nil, v.Operations.ReplayLetter(r.Context(), id)
}

func (v v1) dropLetter(r *http.Request) (any, error) {
	id := letterID(r)
	if err := v.note(r, "dead-letter.drop", string(id)); err != nil {
		return nil, err
	}
	return nil, v.Operations.DropLetter(r.Context(), id)
}

func (v v1) replayLetters(r *http.Request) (any, error) {
	f, object, err := v.order(r)
	if err != nil {
		return nil, err
	}
	if err := v.note(r, "dead-letters.replay", object); err != nil {
		return nil, err
	}
	n, err := v.Operations.ReplayLetters(r.Context(), f)
	return CountView{n}, err
}

func (v v1) dropLetters(r *http.Request) (any, error) {
	f, object, err := v.order(r)
	if err != nil {
		return nil, err
	}
	if err := v.note(r, "dead-letters.drop", object); err != nil {
		return nil, err
	}
	n, err := v.Operations.DropLetters(r.Context(), f)
	return CountView{n}, err
}

// order reads which dead letters are meant, and how the audit log names them.
func (v v1) order(r *http.Request) (gateway.LetterFilter, string, error) {
	var o DeadLetterOrder
	if err := decode(r, &o); err != nil {
		return gateway.LetterFilter{}, "", err
	}
	values := url.Values{}
	for name, value := range map[string]string{"adapter": o.Adapter, "account": o.Account, "where": o.Where, "chat": o.Chat, "code": o.Code} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 != o.All {
		return gateway.LetterFilter{}, "", &wrong{"all", "It is true for all dead letters, and left out beside a filter.", false}
	}
	f, err := v.filter(values.Get)
	if o.All {
		return f, "all", err
	}
	return f, values.Encode(), err
}
