package user

import (
	"context"
	"fmt"
	"time"
)

// Error is an error stanza that answered a request (RFC 6120 §8.3).
type Error struct {
	// From is who refused, Condition the name of the defined condition, Text what the sender of the error says.
	From, Condition, Text string
	// Element is the whole answer.
	Element *Element
}

func (e *Error) Error() string {
	if e.Text == "" {
		return "user: " + e.From + " answers " + e.Condition
	}
	return "user: " + e.From + " answers " + e.Condition + ": " + e.Text
}

// question is an IQ that waits for its answer.
type question struct {
	peer   string
	answer chan *Element // of one; closed when the connection ended
}

// IQ sends a request and returns the answer. An answer of type error is an *Error. The payload is XML.
func (c *Client) IQ(ctx context.Context, to, typ, payload string) (*Element, error) {
	return c.ask(ctx, c.NewID(), to, typ, payload)
}

func (c *Client) ask(ctx context.Context, id, to, typ, payload string) (*Element, error) {
	q := &question{peer: to, answer: make(chan *Element, 1)}
	c.mu.Lock()
	l := c.link
	if l != nil {
		c.asked[id] = q
	}
	c.mu.Unlock()
	if l == nil {
		return nil, c.ended("ask")
	}
	defer func() {
		c.mu.Lock()
		delete(c.asked, id)
		c.mu.Unlock()
	}()
	head := "<iq type='" + Escape(typ) + "' id='" + Escape(id) + "'"
	if to != "" {
		head += " to='" + Escape(to) + "'"
	}
	if c.cfg.Lang != "" {
		head += " xml:lang='" + Escape(c.cfg.Lang) + "'"
	}
	if err := l.write(head + ">" + payload + "</iq>"); err != nil {
		return nil, err
	}
	select {
	case e, ok := <-q.answer:
		if !ok {
			return nil, c.ended("ask")
		}
		if e.Attr("type") == "error" {
			s := parseStanza(e)
			return e, &Error{From: s.From, Condition: s.Condition, Text: s.ErrorText, Element: e}
		}
		return e, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("user: %s: ask %s: %w", c.bare, to, ctx.Err())
	}
}

// takeAnswer hands an answer to who asked. Only the one who was asked may answer (RFC 6120 §8.2.3); for our own account the
// server answers with our bare JID or none.
func (c *Client) takeAnswer(e *Element) bool {
	if e.Name.Local != IQ || (e.Attr("type") != "result" && e.Attr("type") != "error") {
		return false
	}
	id, from := e.Attr("id"), e.Attr("from")
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.asked[id]
	if q == nil || (from != q.peer && (q.peer != "" || from != c.bare.String())) {
		return false
	}
	delete(c.asked, id)
	q.answer <- e
	return true
}

// Ping asks somebody for a sign of life (XEP-0199) and returns how long it took.
func (c *Client) Ping(ctx context.Context, to string) (time.Duration, error) {
	start := time.Now()
	_, err := c.IQ(ctx, to, "get", "<ping xmlns='"+nsPing+"'/>")
	return time.Since(start), err
}

// Info asks for service discovery information (XEP-0030) and returns the query element.
func (c *Client) Info(ctx context.Context, to, node string) (*Element, error) {
	return c.disco(ctx, nsDiscoInfo, to, node)
}

// Items asks for service discovery items (XEP-0030) and returns the query element.
func (c *Client) Items(ctx context.Context, to, node string) (*Element, error) {
	return c.disco(ctx, nsDiscoItem, to, node)
}

func (c *Client) disco(ctx context.Context, ns, to, node string) (*Element, error) {
	xml := "<query xmlns='" + ns + "'"
	if node != "" {
		xml += " node='" + Escape(node) + "'"
	}
	e, err := c.IQ(ctx, to, "get", xml+"/>")
	if err != nil {
		return nil, err
	}
	return e.Child(ns, "query"), nil
}

// Item is an entry of the roster (RFC 6121 §2.1.2).
type Item struct {
	JID, Name, Subscription string
	// Asked is true while our subscription request is open.
	Asked bool
}

// Roster returns the user's contact list.
func (c *Client) Roster(ctx context.Context) ([]Item, error) {
	e, err := c.IQ(ctx, "", "get", "<query xmlns='"+nsRoster+"'/>")
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, i := range e.Child(nsRoster, "query").Children("item") {
		out = append(out, Item{i.Attr("jid"), i.Attr("name"), i.Attr("subscription"), i.Attr("ask") == "subscribe"})
	}
	return out, nil
}
