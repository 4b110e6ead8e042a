package api

import (
	"errors"
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
	if q.Has("where") && q.Get("where") == "" {
		return nil, &wrong{"where", "It is in, out, outbox or webhook.", false}
	}
	f, err := v.Filter(q.Get)
	if err != nil {
		return nil, err
	}
	page, next, err := v.Operations.Letters(r.Context(), f, gateway.LetterID(q.Get("after")), n)
	switch {
	case errors.Is(err, gateway.ErrCursor):
		return nil, &wrong{"after", "It is not the next of a page.", false}
	case err != nil:
		return nil, err
	}
	out := DeadLettersView{[]DeadLetterView{}, next}
	for _, l := range page {
		out.Items = append(out.Items, viewLetter(l))
	}
	return out, nil
}

// letterID is the dead letter that the address names.
func letterID(r *http.Request) gateway.LetterID {
	part, _ := url.PathUnescape(chi.URLParam(r, "partition")) // what cannot be read names nothing
	entry, _ := url.PathUnescape(chi.URLParam(r, "entry"))
	return gateway.LetterID(part + "/" + entry)
}

func (v v1) replayLetter(r *http.Request) (any, error) {
	return nil, v.ReplayLetter(r.Context(), token(r).Name, letterID(r))
}

func (v v1) dropLetter(r *http.Request) (any, error) {
	return nil, v.DropLetter(r.Context(), token(r).Name, letterID(r))
}

func (v v1) replayLetters(r *http.Request) (any, error) {
	f, err := v.order(r)
	if err != nil {
		return nil, err
	}
	n, err := v.ReplayLetters(r.Context(), token(r).Name, f)
	return CountView{n}, err
}

func (v v1) dropLetters(r *http.Request) (any, error) {
	f, err := v.order(r)
	if err != nil {
		return nil, err
	}
	n, err := v.DropLetters(r.Context(), token(r).Name, f)
	return CountView{n}, err
}

// order reads which dead letters are meant.
func (v v1) order(r *http.Request) (gateway.LetterFilter, error) {
	var o DeadLetterOrder
	if err := decode(r, &o); err != nil {
		return gateway.LetterFilter{}, err
	}
	f, err := v.Filter(func(name string) string {
		return map[string]string{"adapter": o.Adapter, "account": o.Account, "where": o.Where, "chat": o.Chat, "code": o.Code}[name]
	})
	if (f == gateway.LetterFilter{}) != o.All {
		return f, &wrong{"all", "It is true for all dead letters, and left out beside a filter.", false}
	}
	return f, err
}
