package xmpp

import (
	"context"
	"errors"
	"strings"

	"postern/gateway"
)

// presence takes one presence stanza and sends at once what the gateway shows
// for it. Presence errors say that somebody is gone; they are never answered.
func (c *Component) presence(ctx context.Context, el *Element) {
	kind, ok := presenceKind(el.Attr("type"))
	if !ok || el.From().Local() == "" {
		return
	}
	v := c.visitor(el)
	if !c.serves(el.From()) {
		if kind == gateway.PresenceSubscribe {
			c.reply(ctx, c.errorReply(el, v, &StanzaError{Condition: Forbidden, Text: c.say(v, gateway.TextForeign)}))
		}
		return
	}
	if kind == gateway.PresenceAvailable && el.Child(nsMUC, "x") != nil {
		// XEP-0045 §7.2: nobody can enter what is no room, and a client waits for an answer.
		c.reply(ctx, ErrorReply(el, &StanzaError{Condition: ServiceUnavailable}))
		return
	}
	switch kind {
	case gateway.PresenceSubscribe, gateway.PresenceSubscribed, gateway.PresenceUnsubscribe, gateway.PresenceUnsubscribed:
		c.rosters.Load().forget(el.From().Bare())
	case gateway.PresenceAvailable:
		if el.To().Local() == "" {
			c.healRoster(v, el.From().Bare())
		}
	case gateway.PresenceUnavailable, gateway.PresenceProbe:
	}
	show, err := c.gw.Presence(ctx, v, gateway.Alias(el.To().Local()), kind)
	if err != nil {
		c.presenceFailed(ctx, el, v, err)
		return
	}
	for _, g := range show {
		c.showNow(ctx, g)
	}
	if el.To().Local() == "" {
		if kind == gateway.PresenceAvailable && c.gw.Returns(v) {
			c.showContacts(v)
		}
		c.noticed(el, v, kind)
	}
}

// showContacts tells a user at the pace of presence how all their contacts look.
func (c *Component) showContacts(v gateway.Visitor) {
	v.User, v.Resource, v.Lang = gateway.UserID(strings.Clone(string(v.User))), "", strings.Clone(v.Lang) // not the stanza that they are a part of
	if live := c.live.Load(); live != nil && !live.pace.offerAll(v) {
		c.count(eventPresenceDropped)
	}
}

// page reads some of a user's contacts. What cannot be read is left untold: presence heals
// by probes.
func (c *Component) page(ctx context.Context, k *everybody) []gateway.Rendering {
	shown, next, err := c.gw.Contacts(ctx, k.v, k.page)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("contacts not shown to a user", "error", err.Error())
	}
	k.page = next
	return shown
}

// presenceFailed answers a request that could not be decided; whoever asks
// nothing gets nothing.
func (c *Component) presenceFailed(ctx context.Context, el *Element, v gateway.Visitor, err error) {
	if _, ok := errors.AsType[*gateway.Refusal](err); !ok {
		c.log.Error("presence not handled", "error", err.Error())
	}
	if el.Attr("type") == "subscribe" {
		c.reply(ctx, c.errorReply(el, v, c.stanzaError(v, err)))
	}
}

// presenceKind maps the type of RFC 6121 §4.7.1; ok is false for an error and
// for a type that does not exist.
func presenceKind(typ string) (gateway.PresenceKind, bool) {
	switch typ {
	case "":
		return gateway.PresenceAvailable, true
	case "unavailable":
		return gateway.PresenceUnavailable, true
	case "probe":
		return gateway.PresenceProbe, true
	case "subscribe":
		return gateway.PresenceSubscribe, true
	case "subscribed":
		return gateway.PresenceSubscribed, true
	case "unsubscribe":
		return gateway.PresenceUnsubscribe, true
	case "unsubscribed":
		return gateway.PresenceUnsubscribed, true
	}
	return "", false
}

// showNow sends what is not worth storing: answers about subscriptions at once,
// everything else at the pace of presence. When the stream is gone, presence is
// told anew on the next one.
func (c *Component) showNow(ctx context.Context, g gateway.Rendering) {
	live := c.live.Load()
	if live == nil {
		return
	}
	if _, subscription := g.What.(gateway.ShowSubscription); subscription {
		_ = c.present(ctx, live.stream, g) // as above
		return
	}
	if !live.pace.offer(g) {
		c.count(eventPresenceDropped)
	}
}
