package xmpp

import (
	"context"

	"postern/gateway"
)

// formSession carries the desk's dialogue through a registration form, which has
// no session of its own (XEP-0077).
const formSession = "postern#session"

// getRegister says whether the user is registered, or asks the first question
// (XEP-0077 §3.1).
func (c *Component) getRegister(ctx context.Context, _ *Element, v gateway.Visitor) (answer, error) {
	shown, ok, err := c.desk.Registered(ctx, v)
	if err != nil {
		return answer{}, err
	}
	if ok {
		q := NewElement(nsRegister, "query").Add(NewElement(nsRegister, "registered"))
		if shown != "" {
			q.AddTextChild("username", shown)
		}
		return answer{payload: q}, nil
	}
	r, err := c.desk.Start(ctx, v, gateway.NodeRegister)
	if err != nil {
		return answer{}, err
	}
	return answer{payload: registerQuery(r), after: r.After}, nil
}

// setRegister takes the answers of a form, or withdraws the registration.
func (c *Component) setRegister(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	q := el.FirstChild()
	if q.Child(nsRegister, "remove") != nil {
		if len(q.Children()) != 1 {
			return answer{}, &StanzaError{Condition: BadRequest} // XEP-0077 §3.2: the only child
		}
		r, err := c.desk.Remove(ctx, v)
		return answer{after: r.After}, err
	}
	session, answers, act := "", map[string]string{}, gateway.ActionComplete
	if x := q.Child(nsForm, "x"); x != nil {
		// XEP-0077 §5: a form takes precedence over fields.
		answers = formAnswers(x)
		session = answers[formSession]
		delete(answers, formSession)
		if x.Attr("type") == "cancel" {
			act = gateway.ActionCancel
		}
	} else {
		for _, f := range q.Children() {
			answers[f.Name.Local] = f.Text()
		}
	}
	if session == "" {
		r, err := c.desk.Start(ctx, v, gateway.NodeRegister)
		if err != nil {
			return answer{}, err
		}
		session = r.Session
	}
	r, err := c.desk.Continue(ctx, v, session, act, answers)
	if err != nil {
		return answer{}, err
	}
	switch {
	case r.NoteError:
		return answer{after: r.After}, &StanzaError{Condition: NotAcceptable, Text: r.Note}
	case r.Status == gateway.ReplyExecuting:
		// XEP-0077 §3.1.1 knows no second step, so the registration is not complete yet: the next form comes with the error.
		return answer{beside: registerQuery(r), after: r.After}, &StanzaError{Condition: NotAcceptable, Text: joined(r.Title, r.Text)}
	}
	return answer{after: r.After}, nil
}

// registerQuery renders a step as a registration form.
func registerQuery(r gateway.Reply) *Element {
	q := NewElement(nsRegister, "query")
	if r.Text != "" {
		q.AddTextChild("instructions", r.Text)
	}
	x := formOf(r)
	x.Nodes = append([]Node{
		{Element: hidden("FORM_TYPE", nsRegister)},
		{Element: hidden(formSession, r.Session)},
	}, x.Nodes...)
	q.Add(x)
	if r.Redirect != "" {
		q.Add(NewElement(nsOOB, "x").AddTextChild("url", r.Redirect))
	}
	return q
}

func hidden(name, value string) *Element {
	return NewElement(nsForm, "field", "type", "hidden", "var", name).AddTextChild("value", value)
}

// formOf renders the questions of a step as a data form (XEP-0004 §3.2).
func formOf(r gateway.Reply) *Element {
	x := NewElement(nsForm, "x", "type", "form")
	if r.Title != "" {
		x.AddTextChild("title", r.Title)
	}
	if r.Text != "" {
		x.AddTextChild("instructions", r.Text)
	}
	for _, f := range r.Fields {
		x.Add(formField(f))
	}
	return x
}

func formField(f gateway.Field) *Element {
	el := NewElement(nsForm, "field", "type", formType(f.Kind))
	if f.Kind == gateway.FieldDisplay {
		return el.AddTextChild("value", joined(f.Label, f.Value))
	}
	el.SetAttr("var", f.Name)
	if f.Label != "" {
		el.SetAttr("label", f.Label)
	}
	if f.Required {
		el.Add(NewElement(nsForm, "required"))
	}
	if f.Value != "" && f.Kind != gateway.FieldSecret {
		el.AddTextChild("value", f.Value)
	}
	for _, o := range f.Options {
		el.Add(NewElement(nsForm, "option", "label", o.Title).AddTextChild("value", o.ID))
	}
	return el
}

// formType maps a kind to the types of XEP-0004 §3.3.
func formType(k gateway.FieldKind) string {
	switch k {
	case gateway.FieldSecret:
		return "text-private"
	case gateway.FieldBool:
		return "boolean"
	case gateway.FieldChoice:
		return "list-single"
	case gateway.FieldDisplay:
		return "fixed"
	case gateway.FieldText:
	}
	return "text-single"
}

// formAnswers reads the answers of a submitted form. Several values of one field
// come as lines.
func formAnswers(x *Element) map[string]string {
	out := make(map[string]string)
	for _, f := range x.ChildrenNamed(nsForm, "field") {
		name := f.Attr("var")
		if name == "" || name == "FORM_TYPE" {
			continue
		}
		values := f.ChildrenNamed(nsForm, "value")
		lines := make([]string, len(values))
		for i, v := range values {
			lines[i] = v.Text()
		}
		out[name] = joined(lines...)
	}
	return out
}
