package xmpp

import (
	"context"

	"postern/gateway"
)

// runCommand executes or continues an ad-hoc command (XEP-0050 §2).
func (c *Component) runCommand(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	cmd := el.FirstChild()
	node, session := cmd.Attr("node"), cmd.Attr("sessionid")
	act, ok := commandAction(cmd.Attr("action"))
	switch {
	case !ok:
		return answer{}, commandError(gateway.MalformedAction)
	case node == "" && session == "":
		return answer{}, &StanzaError{Condition: BadRequest}
	case session == "" && act != "":
		return answer{}, commandError(gateway.BadAction) // there is no step yet to go on from
	}
	var r gateway.Reply
	var err error
	if session == "" {
		r, err = c.desk.Start(ctx, v, node)
	} else {
		answers := map[string]string{}
		if x := cmd.Child(nsForm, "x"); x != nil {
			switch x.Attr("type") {
			case "submit", "cancel": // a form of type cancel goes with whatever the action says
			default:
				return answer{}, commandError(gateway.BadPayload)
			}
			answers = formAnswers(x)
		}
		r, err = c.desk.Continue(ctx, v, session, act, answers)
	}
	if err != nil {
		return answer{}, err
	}
	if r.Node == "" {
		r.Node = node
	}
	if r.Session == "" {
		r.Session = session
	}
	return answer{payload: commandElement(r), after: r.After}, nil
}

// commandAction maps the action attribute; the empty action is the step's default.
func commandAction(s string) (gateway.Action, bool) {
	switch s {
	case "", "execute":
		return "", true
	case "next", "prev", "complete", "cancel":
		return gateway.Action(s), true
	}
	return "", false
}

// commandError is a bad-request with its own condition (XEP-0050 §4.4).
func commandError(kind gateway.SessionErrorKind) *StanzaError {
	return &StanzaError{Condition: BadRequest, App: NewElement(nsCommands, kind)}
}

// commandElement renders a step or an outcome.
func commandElement(r gateway.Reply) *Element {
	el := NewElement(nsCommands, "command", "node", r.Node, "status", string(r.Status))
	if r.Session == "" {
		r.Session = newID() // XEP-0050 §3.2: every answer has one, that of a finished dialogue leads nowhere
	}
	el.SetAttr("sessionid", r.Session)
	if r.Status == gateway.ReplyExecuting {
		el.Add(commandActions(r), formOf(r))
	} else if text := joined(r.Title, r.Text); text != "" {
		el.Add(NewElement(nsCommands, "note", "type", "info").AddText(text))
	}
	if r.Note != "" {
		kind := "info"
		if r.NoteError {
			kind = "error"
		}
		el.Add(NewElement(nsCommands, "note", "type", kind).AddText(r.Note))
	}
	if r.Redirect != "" {
		el.Add(NewElement(nsOOB, "x").AddTextChild("url", r.Redirect))
	}
	return el
}

// commandActions always names the default: without it the default is next, which
// the step may not have (XEP-0050 §3.4).
func commandActions(r gateway.Reply) *Element {
	first := string(gateway.ActionComplete)
	if r.Next {
		first = string(gateway.ActionNext)
	}
	el := NewElement(nsCommands, "actions", "execute", first)
	if r.Prev {
		el.Add(NewElement(nsCommands, "prev"))
	}
	if r.Next {
		el.Add(NewElement(nsCommands, "next"))
	}
	if r.Complete || !r.Next {
		el.Add(NewElement(nsCommands, "complete"))
	}
	return el
}
