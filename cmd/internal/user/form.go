package user

import (
	"context"
	"strings"
)

// Form is a data form (XEP-0004).
type Form struct {
	Type, Title string
	// Instructions are the lines of them.
	Instructions []string
	Fields       []Field
}

// Field is a field of a form.
type Field struct {
	Var, Type, Label string
	Required         bool
	Values           []string
	// Options are the values to choose from, by label.
	Options map[string]string
}

// Field returns the field of this name, nil when there is none.
func (f *Form) Field(name string) *Field {
	if f == nil {
		return nil
	}
	for i := range f.Fields {
		if f.Fields[i].Var == name {
			return &f.Fields[i]
		}
	}
	return nil
}

// Text is all that a form says: title, instructions, fixed fields and labels, one line each.
func (f *Form) Text() string {
	if f == nil {
		return ""
	}
	out := append([]string{f.Title}, f.Instructions...)
	for _, field := range f.Fields {
		if field.Type == "hidden" {
			continue
		}
		out = append(out, strings.TrimSpace(field.Label+" "+strings.Join(field.Values, " ")))
	}
	return strings.Join(out, "\n")
}

// parseForm reads the data form inside an element, nil when there is none.
func parseForm(in *Element) *Form {
	x := in.Child(nsForm, "x")
	if x == nil {
		return nil
	}
	f := &Form{Type: x.Attr("type"), Title: x.Child(nsForm, "title").Text()}
	for _, i := range x.Children("instructions") {
		f.Instructions = append(f.Instructions, i.Text())
	}
	for _, e := range x.Children("field") {
		field := Field{Var: e.Attr("var"), Type: e.Attr("type"), Label: e.Attr("label"), Required: e.Child(nsForm, "required") != nil}
		for _, v := range e.Children("value") {
			field.Values = append(field.Values, v.Text())
		}
		for _, o := range e.Children("option") {
			if field.Options == nil {
				field.Options = map[string]string{}
			}
			field.Options[o.Attr("label")] = o.Child(nsForm, "value").Text()
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}

// answerForm is the submission of a form: answers over the values that the form came with.
func answerForm(f *Form, answers map[string]string) string {
	var b strings.Builder
	b.WriteString("<x xmlns='" + nsForm + "' type='submit'>")
	put := func(name string, values ...string) {
		b.WriteString("<field var='" + Escape(name) + "'>")
		for _, v := range values {
			b.WriteString("<value>" + Escape(v) + "</value>")
		}
		b.WriteString("</field>")
	}
	if f != nil {
		for _, field := range f.Fields {
			if v, ok := answers[field.Var]; ok {
				put(field.Var, v)
			} else if field.Var != "" && field.Type != "fixed" {
				put(field.Var, field.Values...)
			}
		}
	}
	for name, v := range answers {
		if f.Field(name) == nil {
			put(name, v)
		}
	}
	b.WriteString("</x>")
	return b.String()
}

// Agree returns the answers that say yes to every required yes-or-no field of a form.
func (f *Form) Agree() map[string]string {
	out := map[string]string{}
	if f == nil {
		return out
	}
	for _, field := range f.Fields {
		if field.Type == "boolean" && field.Required {
			out[field.Var] = "true"
		}
	}
	return out
}

// Command is the state of an ad-hoc command (XEP-0050).
type Command struct {
	To, Node, Session, Status string
	// Notes are what it says beside the form.
	Notes []string
	// Actions are what may be done next; Default is what "execute" stands for.
	Actions []string
	Default string
	Form    *Form
	// Element is the command element.
	Element *Element
}

// Text is all that the answer says, for people.
func (c *Command) Text() string {
	return strings.TrimSpace(strings.Join(append([]string{c.Form.Text()}, c.Notes...), "\n"))
}

// Command starts an ad-hoc command (XEP-0050).
func (c *Client) Command(ctx context.Context, to, node string) (*Command, error) {
	return c.command(ctx, to, "<command xmlns='"+nsCommand+"' node='"+Escape(node)+"' action='execute'/>")
}

// Submit takes a command on: action is "next", "prev", "complete", "cancel", or empty for the default.
func (c *Client) Submit(ctx context.Context, cmd *Command, action string, answers map[string]string) (*Command, error) {
	xml := "<command xmlns='" + nsCommand + "' node='" + Escape(cmd.Node) + "' sessionid='" + Escape(cmd.Session) + "'"
	if action != "" {
		xml += " action='" + Escape(action) + "'"
	}
	if action == "cancel" || action == "prev" {
		return c.command(ctx, cmd.To, xml+"/>")
	}
	return c.command(ctx, cmd.To, xml+">"+answerForm(cmd.Form, answers)+"</command>")
}

func (c *Client) command(ctx context.Context, to, payload string) (*Command, error) {
	e, err := c.IQ(ctx, to, "set", payload)
	if err != nil {
		return nil, err
	}
	in := e.Child(nsCommand, "command")
	if in == nil {
		return nil, &Error{From: to, Condition: "undefined-condition", Text: "an answer without a command", Element: e}
	}
	cmd := &Command{
		To: to, Node: in.Attr("node"), Session: in.Attr("sessionid"), Status: in.Attr("status"), Form: parseForm(in), Element: in,
	}
	for _, n := range in.Children("note") {
		cmd.Notes = append(cmd.Notes, n.Text())
	}
	if actions := in.Child(nsCommand, "actions"); actions != nil {
		cmd.Default = actions.Attr("execute")
		for _, a := range actions.Children("") {
			cmd.Actions = append(cmd.Actions, a.Name.Local)
		}
	}
	return cmd, nil
}

// Registration is what a service asks of who registers (XEP-0077).
type Registration struct {
	Registered   bool
	Instructions string
	// Form is nil when the service asks with the old fields only; those are in Fields, by name.
	Form   *Form
	Fields map[string]string
}

// Registration asks a service what it wants to know.
func (c *Client) Registration(ctx context.Context, to string) (*Registration, error) {
	e, err := c.IQ(ctx, to, "get", "<query xmlns='"+nsRegister+"'/>")
	if err != nil {
		return nil, err
	}
	return parseRegistration(e), nil
}

// Registration is the form that came beside a refusal, which is how a service asks for more than one form; its Form is nil when
// none came.
func (e *Error) Registration() *Registration { return parseRegistration(e.Element) }

func parseRegistration(e *Element) *Registration {
	q := e.Child(nsRegister, "query")
	r := &Registration{
		Registered: q.Child(nsRegister, "registered") != nil, Instructions: q.Child(nsRegister, "instructions").Text(),
		Form: parseForm(q), Fields: map[string]string{},
	}
	for _, f := range q.Children("") {
		if f.Name.Space == nsRegister && f.Name.Local != "registered" && f.Name.Local != "instructions" {
			r.Fields[f.Name.Local] = f.Text()
		}
	}
	return r
}

// Register submits answers to a registration form.
func (c *Client) Register(ctx context.Context, to string, r *Registration, answers map[string]string) error {
	var xml strings.Builder
	xml.WriteString("<query xmlns='" + nsRegister + "'>")
	if r.Form != nil {
		xml.WriteString(answerForm(r.Form, answers))
	} else {
		for name, v := range answers {
			xml.WriteString("<" + name + ">" + Escape(v) + "</" + name + ">")
		}
	}
	_, err := c.IQ(ctx, to, "set", xml.String()+"</query>")
	return err
}

// Unregister cancels a registration (XEP-0077 §3.2).
func (c *Client) Unregister(ctx context.Context, to string) error {
	_, err := c.IQ(ctx, to, "set", "<query xmlns='"+nsRegister+"'><remove/></query>")
	return err
}
