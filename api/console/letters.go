package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"postern/api"
	"postern/gateway"
)

// lettersPage is how many dead letters a page shows.
const lettersPage = 50

// gather is gateway.GatherLetters for the pages.
func (c *Console) gather(ctx context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) (all []gateway.Letter, next gateway.LetterID, err error) {
	return gateway.GatherLetters(ctx, c.Control.Operations.Letters, f, after, n)
}

// latest are the n that died last.
func latest(all []gateway.Letter, n int) []gateway.Letter {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b gateway.Letter) int { return b.Died.Compare(a.Died) })
	return all[:min(n, len(all))]
}

// lettersView is the list of dead letters.
type lettersView struct {
	Filter   gateway.LetterFilter
	Some     bool // a filter is set
	Items    []gateway.Letter
	Adapters []gateway.Instance
	Wheres   []string
	Next     string
	First    string // the address of the first page, where this is another
	Say      string
}

func (c *Console) letters(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, err := c.Control.Filter(q.Get)
	if err != nil {
		c.fail(w, r, http.StatusUnprocessableEntity, "There is no such filter.", err.Error()+" Choose one on the page of dead letters.")
		return
	}
	all, next, err := c.gather(r.Context(), f, gateway.LetterID(q.Get("after")), lettersPage)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	v := lettersView{
		Filter: f, Some: f != gateway.LetterFilter{}, Items: all, Adapters: c.Control.Instances,
		Wheres: []string{"in", "out", "outbox", "webhook"}, Say: fmt.Sprintf("%d dead letters on this page", len(all)),
	}
	if next != "" {
		v.Next = lettersPath(f, "after", string(next))
	}
	if q.Get("after") != "" {
		v.First = lettersPath(f)
	}
	c.show(w, r, http.StatusOK, "letters", "Dead letters", v)
}

// All and One are where it is asked once more whether all that the filter takes, or one, are to be replayed or dropped.
func (v lettersView) All(do string) string { return v.confirm(do, "") }

// One is about one letter.
func (v lettersView) One(do string, id gateway.LetterID) string { return v.confirm(do, string(id)) }

func (v lettersView) confirm(do, id string) string {
	q := api.FilterQuery(v.Filter)
	q.Set("do", do)
	if id != "" {
		q.Set("id", id)
	}
	return (&url.URL{Path: "/console/dead-letters/confirm", RawQuery: q.Encode()}).String()
}

// lettersPath is the address of the list with a filter, and another parameter.
func lettersPath(f gateway.LetterFilter, more ...string) string {
	q := api.FilterQuery(f)
	if len(more) == 2 {
		q.Set(more[0], more[1])
	}
	return (&url.URL{Path: "/console/dead-letters", RawQuery: q.Encode()}).String()
}

// order is what is to be done with which dead letters: one, or all that a filter takes.
type order struct {
	Do     string // replay or drop
	ID     gateway.LetterID
	Filter gateway.LetterFilter
}

// ordered reads an order; it reports why there is none.
func (c *Console) ordered(q url.Values) (o order, wrong string) {
	f, err := c.Control.Filter(q.Get)
	o = order{q.Get("do"), gateway.LetterID(q.Get("id")), f}
	switch {
	case o.Do != "replay" && o.Do != "drop":
		return o, "It is replay or drop."
	case err != nil:
		return o, err.Error()
	case o.ID != "" && strings.Count(string(o.ID), "/") != 1:
		return o, "This is no id of a dead letter."
	}
	return o, ""
}

// confirmView asks once more.
type confirmView struct {
	order
	Query  url.Values
	Count  string
	Letter *gateway.Letter // the one that is meant, where it was found
	Back   string
}

// Fields are the hidden ones of the form, and of the way back.
func (v confirmView) Fields() map[string]string {
	out := map[string]string{"do": v.Do}
	if v.ID != "" {
		out["id"] = string(v.ID)
	}
	for name := range v.Query {
		out[name] = v.Query.Get(name)
	}
	return out
}

func (c *Console) confirmLetters(w http.ResponseWriter, r *http.Request) {
	o, wrong := c.ordered(r.URL.Query())
	if wrong != "" {
		c.fail(w, r, http.StatusUnprocessableEntity, "This is nothing that can be done.", wrong+" Choose it on the page of dead letters.")
		return
	}
	v := confirmView{order: o, Query: api.FilterQuery(o.Filter), Back: lettersPath(o.Filter)}
	if o.ID != "" {
		l, err := c.letter(r.Context(), o.ID)
		if err != nil {
			c.refuse(w, r, err)
			return
		}
		v.Letter = &l
	} else {
		all, next, err := c.gather(r.Context(), o.Filter, "", maxCounted)
		if err != nil {
			c.refuse(w, r, err)
			return
		}
		if len(all) == 0 {
			c.refuse(w, r, gateway.ErrNotFound)
			return
		}
		v.Count = lettersIn(counts{letters: len(all), more: next != ""})
	}
	c.show(w, r, http.StatusOK, "confirm", "Confirm", v)
}

// letter looks for one dead letter where it lies: those of its partition are few, or it is somewhere among the first thousand.
func (c *Console) letter(ctx context.Context, id gateway.LetterID) (gateway.Letter, error) {
	part, _, _ := strings.Cut(string(id), "/")
	all, _, err := c.gather(ctx, gateway.LetterFilter{}, gateway.LetterID(part+"/0-0"), maxCounted)
	if err != nil {
		return gateway.Letter{}, err
	}
	for _, l := range all {
		if l.ID == id {
			return l, nil
		}
	}
	return gateway.Letter{}, gateway.ErrNotFound
}

func (c *Console) changeLetters(w http.ResponseWriter, r *http.Request) {
	o, wrong := c.ordered(r.PostForm)
	if wrong != "" {
		c.fail(w, r, http.StatusUnprocessableEntity, "This is nothing that can be done.", wrong+" Choose it on the page of dead letters.")
		return
	}
	v := visitOf(r)
	said, err := c.carryOut(r.Context(), v.token.Name, o)
	c.forget()
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	c.sessions.say(v.id, said)
	http.Redirect(w, r, lettersPath(o.Filter), http.StatusSeeOther)
}

// carryOut does what was ordered, and says what came of it.
func (c *Console) carryOut(ctx context.Context, actor string, o order) (said string, err error) {
	n := 1
	switch {
	case o.ID != "" && o.Do == "replay":
		err = c.Control.ReplayLetter(ctx, actor, o.ID)
	case o.ID != "":
		err = c.Control.DropLetter(ctx, actor, o.ID)
	case o.Do == "replay":
		n, err = c.Control.ReplayLetters(ctx, actor, o.Filter)
	default:
		n, err = c.Control.DropLetters(ctx, actor, o.Filter)
	}
	done := map[string]string{"replay": "is tried once more.", "drop": "is forgotten."}[o.Do]
	if n != 1 {
		done = strings.Replace(done, "is", "are", 1)
		return fmt.Sprintf("%s dead letters %s", number(float64(n)), done), err
	}
	return "One dead letter " + done, err
}
