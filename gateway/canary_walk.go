package gateway

import (
	"context"
	"regexp"
	"strings"
	"time"
)

// canaryMark begins the id of a canary's stanza, which stands in its words as well.
const canaryMark = "canary-"

var canaryWords = regexp.MustCompile(canaryMark + `[0-9A-Z]{26}`)

// expect says which message is waited for; empty for none any more.
func (c *canary) expect(alias Alias, id StanzaID) <-chan CanaryResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alias, c.awaited, c.heard = alias, id, make(chan CanaryResult, 1)
	return c.heard
}

// hears takes what is told of a message; what nobody waits for any more is nothing.
func (c *canary) hears(id StanzaID, result CanaryResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != c.awaited {
		return
	}
	select {
	case c.heard <- result:
	default: // it has its result
	}
}

// canaryOf returns the canary that a stanza's id is of, or nil: then its fate is told to the user's client, as that of any other.
func (g *Gateway) canaryOf(a AdapterID, user UserID, id StanzaID) *canary {
	c, ok := g.canaries[a]
	if !ok || c.User != user || !strings.HasPrefix(string(id), canaryMark) {
		return nil
	}
	return c
}

// canary returns whose canary an op is, or nil.
func (w *outWalk) canary() *canary { return w.o.g.canaryOf(w.out.Adapter, w.out.User, w.out.Stanza) }

// stale ends a canary that nobody waits for any more: after an outage none goes out late, and none is asked about or becomes a dead letter.
func (w *outWalk) stale(ctx context.Context) *verdict {
	if c := w.canary(); c != nil && time.Since(w.entry.At) > c.Within {
		return new(w.finish(ctx))
	}
	return nil
}

// canaryArrived takes that a canary has arrived; false for what is no canary's.
func (g *Gateway) canaryArrived(a AdapterID, user UserID, id StanzaID) bool {
	c := g.canaryOf(a, user, id)
	if c != nil && !c.Echo {
		c.hears(id, CanaryOK)
	}
	return c != nil
}

// canaryFailed takes that the platform would not have a canary; false for what is no canary's.
func (g *Gateway) canaryFailed(a AdapterID, user UserID, id StanzaID) bool {
	c := g.canaryOf(a, user, id)
	if c != nil {
		c.hears(id, CanaryFailed)
	}
	return c != nil
}

// canaryEcho takes an answer that contains a canary's words, also one that comes too late; false for everything else.
func (w *inWalk) canaryEcho(content Content) bool {
	c, ok := w.o.g.canaries[w.inst.ID]
	if !ok || w.in.Event.FromMe || w.account.User != c.User {
		return false
	}
	c.mu.Lock()
	other := w.in.Alias != c.alias
	c.mu.Unlock()
	if other {
		return false
	}
	for _, p := range content.Parts {
		if t, ok := p.(Text); ok {
			if id := canaryWords.FindString(t.Text); id != "" {
				if c.Echo {
					c.hears(StanzaID(id), CanaryOK)
				}
				return true
			}
		}
	}
	return false
}

// laneWaits reports whether anything waits on its way to a contact, in a lane whose shard is ours.
func (g *Gateway) laneWaits(key LaneKey) bool {
	v, _ := g.owners.Load(key.Shard())
	o, ok := v.(*ownership)
	if !ok {
		return false
	}
	id := laneID{QueueOut, g.keys.Lane(key)}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, parked := o.parked[id]
	return parked || o.byID[id] != nil
}
