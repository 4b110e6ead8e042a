package xmpp

import (
	"context"

	"postern/gateway"
)

// declineCall answers the proposal of a call: a caller would ring for ever
// otherwise (XEP-0353 §3.4). Calls do not cross the gateway, whoever is called, so
// the answer says nothing about contacts; the user reads why, once a day for each.
func (c *Component) declineCall(ctx context.Context, el *Element) bool {
	propose := el.Child(nsCallMessage, "propose")
	if propose == nil || propose.Attr("id") == "" {
		return false
	}
	from, err := el.To().WithResource(contactResource)
	if err != nil || !c.serves(el.From()) {
		return true
	}
	reason := NewElement(nsJingle, "reason").Add(NewElement(nsJingle, "unsupported-applications"))
	reply := NewMessage(from, el.From(), "chat", "")
	c.reply(ctx, reply.Add(
		NewElement(nsCallMessage, "reject", "id", propose.Attr("id")).Add(reason),
		NewElement(nsSID, "origin-id", "id", reply.ID()), hint("store")))
	if err := c.gw.CallDeclined(ctx, c.visitor(el), gateway.Alias(el.To().Local())); err != nil {
		c.log.Warn("declined call not explained", "error", err.Error())
	}
	return true
}
