package xmpp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/gateway"
)

// message takes one message from a user, or the server's bounce of one of ours.
func (c *Component) message(ctx context.Context, el *Element) {
	switch {
	case c.gw.Echoed(gateway.StanzaID(el.ID())):
		if el.Type() == "error" { // the user's server did not say it for the user, or said so and could not
			c.count(eventOwnRefused)
		}
	case el.Type() == "error":
		c.bounce(ctx, el)
	case el.To().Local() == "":
		c.chat(ctx, el)
	case c.declineCall(ctx, el):
	default:
		c.ask(ctx, el)
	}
}

// bounce reports that a stanza of ours came back. An error is never answered
// (RFC 6120 §8.3.1).
func (c *Component) bounce(ctx context.Context, el *Element) {
	if el.ID() == "" || !c.serves(el.From()) {
		return
	}
	v, alias, id, condition := c.visitor(el), gateway.Alias(el.To().Local()), gateway.StanzaID(el.ID()), string(ParseStanzaError(el).Condition)
	record := func(ctx context.Context) error { return c.gw.Bounced(ctx, v.Adapter, alias, v.User, id, condition) }
	err := record(ctx)
	if err == nil {
		return
	}
	// The server says it once. A store that does not take it now is asked again, apart from what else users write.
	if !c.errands.offer(string(v.User), func(ctx context.Context) { c.bounceAgain(ctx, record, err) }) {
		c.log.Error("bounce not recorded", "error", err.Error())
	}
}

// bouncePause is how long a bounce waits between two tries to record it.
const bouncePause = time.Second

// bounceAgain records a bounce as soon as the store takes it, within the patience of an errand. It runs on the user's errand worker.
func (c *Component) bounceAgain(ctx context.Context, record func(context.Context) error, err error) {
	defer func() {
		if recover() != nil {
			c.panicked("bounce")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	for err != nil {
		select {
		case <-time.After(bouncePause):
			err = record(ctx)
		case <-ctx.Done():
			c.log.Error("bounce not recorded", "error", err.Error())
			return
		}
	}
}

// ask hands what a message wants of a contact to the gateway.
func (c *Component) ask(ctx context.Context, el *Element) {
	defer func() {
		if recover() == nil {
			return
		}
		c.panicked("message")
		if _, written := el.Body(); written { // what somebody wrote never vanishes without a word
			c.refuse(ctx, el, gateway.Refusal{Condition: gateway.InternalServerError, Text: c.say(c.visitor(el), gateway.TextInternal)})
		}
	}()
	r := readMessage(el)
	v := c.visitor(el)
	switch {
	case r.op == nil && r.refused == "" && r.held == nil:
		return
	case !c.serves(el.From()):
		c.unlessQuiet(ctx, el, r, gateway.Refusal{Condition: gateway.Forbidden, Text: c.say(v, gateway.TextForeign)})
		return
	case r.refused != "":
		refusal := gateway.Refusal{Condition: r.refused}
		if r.text != "" {
			refusal.Text = c.say(v, r.text)
		}
		c.refuse(ctx, el, refusal)
		return
	}
	if typing, ok := r.op.(gateway.OpTyping); ok && !c.typists.pass(v.User, gateway.Alias(el.To().Local()), typing.On) {
		return
	}
	out := c.outbound(el, v, r.op)
	c.share(r, &out)
	if out.Op.Body == nil {
		return
	}
	if c.outbox.Overtaken() {
		// Taken now, it would come behind what its sender wrote later. They get no receipt, and this error if the stream still lives.
		c.unlessQuiet(ctx, el, r, gateway.Refusal{Condition: gateway.ResourceConstraint, Text: c.say(v, gateway.TextBusy)})
		return
	}
	digest, err := payloadDigest(out.Op.Body)
	if err == nil {
		err = c.gw.Ask(ctx, out, digest)
	}
	if err == nil {
		return
	}
	var refusal *gateway.Refusal
	if !errors.As(err, &refusal) {
		c.log.Error("message not taken", "op", gateway.OpKind(r.op), "error", err.Error())
		refusal = &gateway.Refusal{Condition: gateway.InternalServerError, Text: c.say(v, gateway.TextInternal)}
	}
	c.unlessQuiet(ctx, el, r, *refusal)
}

// outbound describes what a message asks and where its answers go.
func (c *Component) outbound(el *Element, v gateway.Visitor, op gateway.OpBody) gateway.Outbound {
	id, origin := el.ID(), el.Child(nsSID, "origin-id").Attr("id")
	if id == "" {
		id = origin
	}
	if origin == id {
		origin = ""
	}
	return gateway.Outbound{
		Op:       gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect}, At: time.Now().UTC(), Lang: v.Lang, Body: op},
		Adapter:  v.Adapter,
		Alias:    gateway.Alias(el.To().Local()),
		User:     v.User,
		Resource: v.Resource,
		Stanza:   gateway.StanzaID(id),
		Origin:   gateway.StanzaID(origin),
		Receipt:  el.Child(nsReceipts, "request") != nil,
		Markable: el.Child(nsChatMarkers, "markable") != nil,
	}
}

// payloadDigest is the same for every resend of a message, which may differ in
// stamps that servers and clients add.
func payloadDigest(op gateway.OpBody) ([]byte, error) {
	b, ok := plainPayload(op)
	if !ok {
		var err error
		if b, err = json.Marshal(gateway.Op{Body: op}); err != nil {
			return nil, fmt.Errorf("xmpp: message: digest: %w", err)
		}
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// What stands around the text in the JSON of such a message.
var (
	plainBefore = []byte(`{"v":1,"id":"","chat":{"kind":""},"at":"0001-01-01T00:00:00Z","kind":"message","body":{"Content":[{"kind":"text","body":{"text":`)
	plainBehind = []byte(`}}],"ReplyTo":null}}`)
)

// plainPayload is the JSON of a message that is nothing but a text, as nearly all are: only the text of it differs. The digest stays
// the same as of all others, for a tenth of what reading a message costs.
func plainPayload(op gateway.OpBody) ([]byte, bool) {
	m, ok := op.(gateway.OpMessage)
	if !ok || m.ReplyTo != nil || len(m.Content.Parts) != 1 {
		return nil, false
	}
	t, ok := m.Content.Parts[0].(gateway.Text)
	if !ok || len(t.Spans) > 0 || len(t.Previews) > 0 {
		return nil, false
	}
	text, err := json.Marshal(t.Text)
	return slices.Concat(plainBefore, text, plainBehind), err == nil
}

func (c *Component) unlessQuiet(ctx context.Context, el *Element, r reading, refusal gateway.Refusal) {
	if !r.quiet {
		c.refuse(ctx, el, refusal)
	}
}

// refuse answers a message with an error to the client that sent it. When the
// stream is gone the error waits for the next one: a refusal is never lost in
// silence.
func (c *Component) refuse(ctx context.Context, el *Element, why gateway.Refusal) {
	v := c.visitor(el)
	reply := c.errorReply(el, v, &StanzaError{Condition: Condition(why.Condition), Text: why.Text})
	if reply == nil || c.send(ctx, reply) == nil {
		return
	}
	err := c.gw.Show(ctx, v.Adapter, gateway.Rendering{
		Component: c.self.String(), From: gateway.Alias(el.To().Local()), Local: gateway.Alias(el.To().Local()), // as it was written to
		To: v.User, Resource: v.Resource, Lang: v.Lang,
		What: gateway.ShowError{Of: gateway.StanzaID(el.ID()), Refusal: why},
	})
	if err != nil {
		c.log.Error("refusal not delivered", "condition", string(why.Condition), "error", err.Error())
	}
}
