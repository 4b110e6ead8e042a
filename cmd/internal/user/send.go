package user

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// Outgoing is a message to send. To is needed; ID is made when empty.
type Outgoing struct {
	To, Body string
	ID       string
	// Type is "chat" when empty.
	Type string
	// Receipt asks for a delivery receipt (XEP-0184), Markable for markers (XEP-0333).
	Receipt, Markable bool
	// OriginID repeats the id as origin-id (XEP-0359), as clients do.
	OriginID bool
	// Lang is the message's xml:lang; empty: the client's.
	Lang string
	// Extra is XML put behind the body.
	Extra string
}

// Send sends a chat message with all that a modern client adds: request for a receipt, markable, origin-id, chat state.
func (c *Client) Send(ctx context.Context, to, body string) (id string, err error) {
	return c.SendMessage(ctx, Outgoing{
		To: to, Body: body, Receipt: true, Markable: true, OriginID: true, Extra: "<active xmlns='" + nsStates + "'/>",
	})
}

// SendMessage sends a message and returns its id.
func (c *Client) SendMessage(ctx context.Context, m Outgoing) (id string, err error) {
	if m.ID == "" {
		m.ID = c.NewID()
	}
	if m.Type == "" {
		m.Type = "chat"
	}
	var b strings.Builder
	b.WriteString("<message to='" + Escape(m.To) + "' id='" + Escape(m.ID) + "' type='" + Escape(m.Type) + "'")
	if lang := cmp.Or(m.Lang, c.cfg.Lang); lang != "" {
		b.WriteString(" xml:lang='" + Escape(lang) + "'")
	}
	b.WriteByte('>')
	if m.Body != "" {
		b.WriteString("<body>" + Escape(m.Body) + "</body>")
	}
	if m.Receipt {
		b.WriteString("<request xmlns='" + nsReceipts + "'/>")
	}
	if m.Markable {
		b.WriteString("<markable xmlns='" + nsMarkers + "'/>")
	}
	if m.OriginID {
		b.WriteString("<origin-id xmlns='" + nsIDs + "' id='" + Escape(m.ID) + "'/>")
	}
	b.WriteString(m.Extra + "</message>")
	return m.ID, c.SendXML(ctx, b.String())
}

// SendXML puts XML on the stream exactly as it is written, right or wrong. It returns once the system took it.
func (c *Client) SendXML(ctx context.Context, xml string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("user: %s: send: %w", c.bare, err)
	}
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return c.ended("send")
	}
	return l.write(xml)
}

// Received acknowledges a message (XEP-0184).
func (c *Client) Received(ctx context.Context, to, id string) error {
	return c.extra(ctx, to, "<received xmlns='"+nsReceipts+"' id='"+Escape(id)+"'/>")
}

// Displayed says that a message was read (XEP-0333).
func (c *Client) Displayed(ctx context.Context, to, id string) error {
	return c.extra(ctx, to, "<displayed xmlns='"+nsMarkers+"' id='"+Escape(id)+"'/>")
}

// Composing says that the user types, Paused that they stopped (XEP-0085).
func (c *Client) Composing(ctx context.Context, to string) error {
	return c.extra(ctx, to, "<composing xmlns='"+nsStates+"'/>")
}

// Paused says that the user stopped typing (XEP-0085).
func (c *Client) Paused(ctx context.Context, to string) error {
	return c.extra(ctx, to, "<paused xmlns='"+nsStates+"'/>")
}

func (c *Client) extra(ctx context.Context, to, xml string) error {
	_, err := c.SendMessage(ctx, Outgoing{To: to, Extra: xml})
	return err
}

// Subscribe asks for somebody's presence (RFC 6121 §3.1).
func (c *Client) Subscribe(ctx context.Context, to string) error {
	return c.presence(ctx, to, "subscribe")
}

// Subscribed grants our presence to somebody.
func (c *Client) Subscribed(ctx context.Context, to string) error {
	return c.presence(ctx, to, "subscribed")
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, to string) error {
	return c.presence(ctx, to, "unsubscribe")
}

// SendPresence shows a presence to somebody, or to all when to is empty; typ is that of RFC 6121 §4.7.1.
func (c *Client) SendPresence(ctx context.Context, to, typ string) error {
	return c.presence(ctx, to, typ)
}

func (c *Client) presence(ctx context.Context, to, typ string) error {
	xml := "<presence"
	if to != "" {
		xml += " to='" + Escape(to) + "'"
	}
	if typ != "" {
		return c.SendXML(ctx, xml+" type='"+Escape(typ)+"'/>")
	}
	return c.SendXML(ctx, xml+">"+c.cfg.caps()+"</presence>")
}
