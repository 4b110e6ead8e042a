package xmpp

import (
	"context"

	"postern/gateway"
)

const nsSearch = "jabber:iq:search" // XEP-0055

// Names of the fields of a search. Clients without data forms know those of XEP-0055 §4.
const (
	searchName   = "name"
	searchNumber = "number"
)

// getSearch says what can be searched for (XEP-0055 §3.1), to those who have contacts here.
func (c *Component) getSearch(ctx context.Context, _ *Element, v gateway.Visitor) (answer, error) {
	if _, ok, err := c.desk.Registered(ctx, v); err != nil || !ok {
		if err == nil {
			err = gateway.ErrNoAccount
		}
		return answer{}, err
	}
	desc, prompt := c.desk.Prompt(v)
	x := NewElement(nsForm, "x", "type", "form").AddTextChild("title", c.say(v, gateway.TextSearch)).AddTextChild("instructions", desc)
	x.Add(hidden("FORM_TYPE", nsSearch),
		NewElement(nsForm, "field", "type", "text-single", "var", searchName, "label", c.say(v, gateway.TextSearchName)),
		NewElement(nsForm, "field", "type", "text-single", "var", searchNumber, "label", prompt))
	q := NewElement(nsSearch, "query").AddTextChild("instructions", desc)
	return answer{payload: q.Add(NewElement(nsSearch, "nick"), NewElement(nsSearch, "email"), x)}, nil
}

// setSearch finds among the user's own contacts, and one person on the platform by their exact identifier.
func (c *Component) setSearch(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	q := el.FirstChild()
	asked := map[string]string{}
	form := q.Child(nsForm, "x")
	if form != nil {
		asked = formAnswers(form)
	} else {
		for _, f := range q.Children() {
			asked[f.Name.Local] = f.Text()
		}
	}
	first := func(names ...string) string {
		for _, n := range names {
			if asked[n] != "" {
				return asked[n]
			}
		}
		return ""
	}
	found, err := c.desk.Search(ctx, v, first(searchName, "nick", "first", "last"), first(searchNumber, "email"))
	if err != nil {
		return answer{}, err
	}
	if form == nil {
		return c.plainResults(found)
	}
	return c.formResults(found)
}

// plainResults are results as XEP-0055 §3.1 has them without data forms.
func (c *Component) plainResults(found []gateway.Found) (answer, error) {
	q := NewElement(nsSearch, "query")
	for _, f := range found {
		j, err := NewJID(string(f.Local), c.self.Domain(), "")
		if err != nil {
			return answer{}, err
		}
		q.Add(NewElement(nsSearch, "item", "jid", j.String()).AddTextChild("first", f.Name).AddTextChild("nick", f.Name))
	}
	return answer{payload: q}, nil
}

// formResults are results as a data form (XEP-0055 §4, XEP-0004 §3.4). Nobody found is a form without items.
func (c *Component) formResults(found []gateway.Found) (answer, error) {
	x := NewElement(nsForm, "x", "type", "result").Add(hidden("FORM_TYPE", nsSearch))
	x.Add(NewElement(nsForm, "reported").Add(
		NewElement(nsForm, "field", "var", "jid", "type", "jid-single", "label", "JID"),
		NewElement(nsForm, "field", "var", "nick", "type", "text-single", "label", "Name"),
		NewElement(nsForm, "field", "var", "first", "type", "text-single", "label", "Name")))
	for _, f := range found {
		j, err := NewJID(string(f.Local), c.self.Domain(), "")
		if err != nil {
			return answer{}, err
		}
		item := NewElement(nsForm, "item")
		for _, value := range [][2]string{{"jid", j.String()}, {"nick", f.Name}, {"first", f.Name}} {
			item.Add(NewElement(nsForm, "field", "var", value[0]).AddTextChild("value", value[1]))
		}
		x.Add(item)
	}
	return answer{payload: NewElement(nsSearch, "query").Add(x)}, nil
}
