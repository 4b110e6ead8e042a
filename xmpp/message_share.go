package xmpp

import (
	"context"
	"slices"
	"sync"
	"time"

	"postern/gateway"
)

const (
	shareLasts = time.Hour // how long a description waits for its file's address: uploads take their time
	shareCheck = 5 * time.Minute
	maxShares  = 1024 // descriptions that wait at a time
)

// shares keeps what a client said of a file before it has uploaded it (XEP-0447
// §3.3): the address comes in a message of its own, attached to this one.
type shares struct {
	mu   sync.Mutex
	wait map[string]share
}

type share struct {
	media         gateway.Media
	receipt, mark bool
	by            gateway.Visitor
	to            gateway.Alias
	until         time.Time
}

func shareKey(user gateway.UserID, alias gateway.Alias, id string) string {
	return string(alias) + " " + string(user) + " " + id
}

// keep remembers a description. When too many wait, the oldest of a few is forgotten: its file passes without it.
func (s *shares) keep(key string, what share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait == nil {
		s.wait = make(map[string]share)
	}
	now := time.Now()
	if len(s.wait) >= maxShares {
		oldest := ""
		for k, w := range s.wait {
			if now.After(w.until) {
				delete(s.wait, k)
			} else if oldest == "" || w.until.Before(s.wait[oldest].until) {
				oldest = k
			}
		}
		if len(s.wait) >= maxShares {
			delete(s.wait, oldest)
		}
	}
	what.until = now.Add(shareLasts)
	s.wait[key] = what
}

// take returns a description that waits, and forgets it.
func (s *shares) take(key string) (share, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.wait[key]
	delete(s.wait, key)
	return w, ok && time.Now().Before(w.until)
}

// overdue returns the descriptions whose files never came, and forgets them.
func (s *shares) overdue() []share {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []share
	for k, w := range s.wait {
		if !time.Now().Before(w.until) {
			out = append(out, w)
			delete(s.wait, k)
		}
	}
	return out
}

// watchShares tells users of files that they described and that never came,
// until ctx ends.
func (c *Component) watchShares(ctx context.Context) {
	ticker := time.NewTicker(shareCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, w := range c.shares.overdue() {
			at := w.until.Add(-shareLasts).UTC().Format("15:04 UTC")
			err := c.gw.Show(ctx, w.by.Adapter, gateway.Rendering{
				Component: c.self.String(), From: w.to, Local: w.to, To: w.by.User, Lang: w.by.Lang,
				What: gateway.ShowMessage{
					IDs:     []gateway.StanzaID{gateway.StanzaID(newID())},
					Content: gateway.PlainText(c.say(w.by, gateway.TextLate, at, c.say(w.by, gateway.TextFileOutMissing))), Notice: true,
				},
			})
			if err != nil {
				c.log.Error("missing file not told", "error", err.Error())
			}
		}
	}
}

// share keeps the description of a file whose address is still to come, and gives
// a file whose address came later its description. The message that described it
// is the one that the user's client shows, so everything that follows is about
// that one.
func (c *Component) share(r reading, out *gateway.Outbound) {
	if r.held != nil && out.Stanza != "" {
		c.shares.keep(shareKey(out.User, out.Alias, string(out.Stanza)), share{
			media: *r.held, receipt: out.Receipt, mark: out.Markable, to: out.Alias,
			by: gateway.Visitor{Adapter: out.Adapter, User: out.User, Lang: out.Op.Lang},
		})
	}
	op, ok := r.op.(gateway.OpMessage)
	if !ok || r.joins == "" {
		return
	}
	first, ok := op.Content.Parts[0].(gateway.Media)
	if !ok {
		return
	}
	w, ok := c.shares.take(shareKey(out.User, out.Alias, r.joins))
	if !ok {
		return
	}
	op.Content.Parts = slices.Clone(op.Content.Parts)
	op.Content.Parts[0] = completed(w.media, first)
	out.Op.Body = op
	out.Stanza, out.Receipt, out.Markable = gateway.StanzaID(r.joins), w.receipt, w.mark
}
