package xmpp

import (
	"context"
	"strings"

	"postern/gateway"
)

// getPrompt says what to type to find somebody (XEP-0100 §6.3, jabber:iq:gateway).
func (c *Component) getPrompt(_ context.Context, _ *Element, v gateway.Visitor) (answer, error) {
	desc, prompt := c.desk.Prompt(v)
	q := NewElement(nsGateway, "query")
	if desc != "" {
		q.AddTextChild("desc", desc)
	}
	return answer{payload: q.AddTextChild("prompt", prompt)}, nil
}

// setPrompt turns what was typed into an address. An empty field is an answer like any other: clients show the text of the
// refusal below it.
func (c *Component) setPrompt(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	typed := el.FirstChild().Child(nsGateway, "prompt")
	if typed == nil {
		return answer{}, &StanzaError{Condition: BadRequest}
	}
	alias, err := c.desk.Resolve(ctx, v, strings.TrimSpace(typed.Text()))
	if err != nil {
		return answer{}, err
	}
	j, err := NewJID(string(alias), c.self.Domain(), "")
	if err != nil {
		return answer{}, err
	}
	return answer{payload: NewElement(nsGateway, "query").AddTextChild("jid", j.String())}, nil
}
