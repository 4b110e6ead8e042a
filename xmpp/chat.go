package xmpp

import (
	"context"
	"errors"
	"strings"

	"postern/gateway"
)

// chat takes a message to the gateway itself: most clients have no other way to
// register or to add somebody. The answer is chat text to the client that asked.
func (c *Component) chat(ctx context.Context, el *Element) {
	v := c.visitor(el)
	text := strings.TrimSpace(bodyFor(el, el.Lang()))
	state := guard(el)
	switch {
	case el.From().Local() == "", state == cipherKeys, text == "" && state == cipherNone:
		return // servers' announcements, markers, chat states, unknown payloads
	case !c.serves(el.From()):
		c.refuse(ctx, el, gateway.Refusal{Condition: gateway.Forbidden, Text: c.say(v, gateway.TextForeign)})
		return
	case el.Type() == "groupchat", el.Type() == "headline":
		c.refuse(ctx, el, gateway.Refusal{Condition: gateway.BadRequest})
		return
	case state == cipherPayload:
		c.refuse(ctx, el, gateway.Refusal{Condition: gateway.NotAcceptable, Text: c.say(v, gateway.TextEncrypted)})
		return
	}
	taken := c.errands.offer(string(v.User), func(ctx context.Context) { c.converse(ctx, el, v, text) })
	if !taken {
		c.refuse(ctx, el, gateway.Refusal{Condition: gateway.ResourceConstraint, Text: c.say(v, gateway.TextBusy)})
	}
}

// converse puts one line to the desk and sends what it says. It runs on the
// user's errand worker.
func (c *Component) converse(ctx context.Context, el *Element, v gateway.Visitor, text string) {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	defer func() {
		if recover() != nil {
			c.panicked("chat")
			c.refuse(ctx, el, gateway.Refusal{Condition: gateway.InternalServerError, Text: c.say(v, gateway.TextInternal)})
		}
	}()
	r, err := c.desk.Say(ctx, v, text)
	if err != nil {
		var refusal *gateway.Refusal
		if errors.As(err, &refusal) && refusal.Text != "" && refusal.Condition != gateway.ResourceConstraint {
			// A refusal in a dialogue is part of it: the line itself was taken.
			r = gateway.Reply{Text: refusal.Text}
		} else {
			e := c.stanzaError(v, err)
			c.refuse(ctx, el, gateway.Refusal{Condition: gateway.Condition(e.Condition), Text: e.Text})
			return
		}
	}
	if el.Child(nsReceipts, "request") != nil && el.ID() != "" {
		id := newID()
		c.reply(ctx, NewMessage(c.self, el.From(), "chat", id).Add(
			NewElement(nsReceipts, "received", "id", el.ID()), originID(gateway.StanzaID(id)), hint("store")))
	}
	if strings.Contains(r.Text, r.Redirect) {
		r.Redirect = ""
	}
	for _, part := range chunks(cleaned(joined(r.Text, r.Note, r.Redirect)), maxBody) {
		if part == "" {
			continue
		}
		id := newID()
		el := NewMessage(c.self, el.From(), "chat", id).SetLang(c.spoken(v)).AddTextChild("body", part)
		c.reply(ctx, el.Add(originID(gateway.StanzaID(id))))
	}
	c.after(ctx, r.After)
}
