package user

import (
	"context"
	"crypto/sha1" //nolint:gosec // XEP-0115 §5.1: "sha-1" is what every implementation must support
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

const clientName = "Postern test client"

// features are what the client says of itself (XEP-0030), sorted as XEP-0115 §5.1 wants them.
func (cfg Config) features() []string {
	all := []string{nsCaps, nsStates, nsDiscoInfo, nsMarkers, nsPing, nsReceipts}
	for _, node := range cfg.Notify {
		all = append(all, node+"+notify")
	}
	slices.Sort(all)
	return all
}

// caps is the entity capabilities of the presence.
func (cfg Config) caps() string {
	sum := sha1.Sum([]byte("client/pc//" + clientName + "<" + strings.Join(cfg.features(), "<") + "<")) //nolint:gosec // as above
	return "<c xmlns='" + nsCaps + "' hash='sha-1' node='https://postern.example/client' ver='" + base64.StdEncoding.EncodeToString(sum[:]) + "'/>"
}

// take books one stanza; it runs on the reading goroutine.
func (c *Client) take(l *link, e *Element) {
	if c.takeArchived(e) || c.takeAnswer(e) {
		return
	}
	s := newStanza(e, c.JID())
	s.At = time.Now()
	c.mu.Lock()
	c.read++
	s.N = c.read
	if c.cfg.Sink == nil {
		c.record = append(c.record, s)
		if c.cfg.Keep > 0 && len(c.record) > c.cfg.Keep {
			c.record[0] = nil
			c.record = c.record[1:]
		}
	}
	for w := range c.waiters {
		if w.match(s) {
			delete(c.waiters, w)
			w.found <- s
		}
	}
	c.mu.Unlock()
	// An answer that cannot be written is lost with its connection, as any client's.
	_ = c.respond(l, s)
	if c.cfg.Sink != nil {
		c.cfg.Sink(s)
	}
}

// respond says what a client says by itself.
func (c *Client) respond(l *link, s *Stanza) error {
	to := Escape(s.From)
	switch {
	case s.Carbon != "":
		return nil
	case s.Kind == Presence && s.Type == "subscribe" && c.cfg.Accept:
		return l.write("<presence type='subscribed' to='" + to + "'/><presence type='subscribe' to='" + to + "'/>")
	case s.Kind == Message && s.WantsReceipt && s.ID != "" && s.Type != "error" && c.cfg.Receipts:
		return l.write("<message to='" + to + "' id='" + c.NewID() + "' type='" + Escape(s.Type) + "'><received xmlns='" + nsReceipts + "' id='" + Escape(s.ID) + "'/></message>")
	case s.Kind == IQ && (s.Type == "get" || s.Type == "set"):
		return l.write(c.cfg.answerIQ(s, to))
	}
	return nil
}

// answerIQ is what the client answers to a request: every request gets an answer (RFC 6120 §8.2.3).
func (cfg Config) answerIQ(s *Stanza, to string) string {
	head := " id='" + Escape(s.ID) + "'"
	if to != "" {
		head += " to='" + to + "'"
	}
	result := "<iq type='result'" + head
	switch {
	case s.Element.Child(nsRoster, "query") != nil && s.Type == "set", s.Element.Child(nsPing, "ping") != nil:
		return result + "/>"
	case s.Element.Child(nsDiscoInfo, "query") != nil && s.Type == "get":
		var b strings.Builder
		b.WriteString(result + "><query xmlns='" + nsDiscoInfo + "'")
		if node := s.Element.Child(nsDiscoInfo, "query").Attr("node"); node != "" {
			b.WriteString(" node='" + Escape(node) + "'")
		}
		b.WriteString("><identity category='client' type='pc' name='" + clientName + "'/>")
		for _, f := range cfg.features() {
			b.WriteString("<feature var='" + f + "'/>")
		}
		b.WriteString("</query></iq>")
		return b.String()
	}
	return "<iq type='error'" + head + "><error type='cancel'><service-unavailable xmlns='" + nsStanzas + "'/></error></iq>"
}

// waiter waits for one stanza.
type waiter struct {
	match func(*Stanza) bool
	found chan *Stanza // of one; closed when there will be none
}

// Wait returns the first stanza for which match is true: of those recorded, or the next to come. match must be quick and must
// not call the client.
func (c *Client) Wait(ctx context.Context, match func(*Stanza) bool) (*Stanza, error) {
	return c.WaitAfter(ctx, 0, match)
}

// WaitMessage is Wait for messages, copies (XEP-0280) excluded.
func (c *Client) WaitMessage(ctx context.Context, match func(*Stanza) bool) (*Stanza, error) {
	return c.Wait(ctx, func(s *Stanza) bool { return s.Kind == Message && s.Carbon == "" && match(s) })
}

// WaitAfter is Wait among the stanzas that came after the n-th, as Count returned it before.
func (c *Client) WaitAfter(ctx context.Context, n int, match func(*Stanza) bool) (*Stanza, error) {
	c.mu.Lock()
	for _, s := range c.record {
		if s.N > n && match(s) {
			c.mu.Unlock()
			return s, nil
		}
	}
	if c.over {
		c.mu.Unlock()
		return nil, c.ended("wait")
	}
	w := &waiter{match: match, found: make(chan *Stanza, 1)}
	c.waiters[w] = struct{}{}
	c.mu.Unlock()
	select {
	case s, ok := <-w.found:
		if !ok {
			return nil, c.ended("wait")
		}
		return s, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiters, w)
		c.mu.Unlock()
		select {
		case s, ok := <-w.found: // it came at the last moment
			if ok {
				return s, nil
			}
		default:
		}
		return nil, fmt.Errorf("user: %s: wait: %w", c.bare, ctx.Err())
	}
}

// ended is the error of what the connection's end cut off.
func (c *Client) ended(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastErr == nil {
		return fmt.Errorf("user: %s: %s: %w", c.bare, what, ErrOffline)
	}
	return fmt.Errorf("user: %s: %s: %w: %w", c.bare, what, ErrOffline, c.lastErr)
}

func (c *Client) failWaiters(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastErr, c.over = err, true
	for w := range c.waiters {
		delete(c.waiters, w)
		close(w.found)
	}
}

// Count returns how many stanzas were read so far.
func (c *Client) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}

// Stanzas returns what was recorded after the n-th stanza, in order of arrival.
func (c *Client) Stanzas(n int) []*Stanza {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Stanza
	for _, s := range c.record {
		if s.N > n {
			out = append(out, s)
		}
	}
	return out
}
