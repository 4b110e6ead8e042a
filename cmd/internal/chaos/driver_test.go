//go:build servers

package chaos_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
)

const (
	rate        = 230 // messages per second and direction
	tick        = 5 * time.Millisecond
	twiceRate   = 0.05
	fileEvery   = 51 // messages; no divisor of the number of chats, so that all have files
	resendAfter = 20 * time.Second
)

// talk sends both ways until stop is called. While the gateway is not available, users hold their messages; people go on.
func (r *rig) talk(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.pace(ctx, chaos.In, func() bool { return true }, r.sayNext) })
	wg.Go(func() { r.pace(ctx, chaos.Out, r.available.Load, r.writeNext) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// pace calls send at the rate while open, and books the rate that came of it.
func (r *rig) pace(ctx context.Context, dir chaos.Direction, open func() bool, send func(ctx context.Context, chat int, file bool) bool) {
	t := time.NewTicker(tick)
	defer t.Stop()
	order := r.shuffled()
	most := r.most
	var active time.Duration
	sent, at := 0, time.Now()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			if sent > 0 {
				r.burst(chaos.Burst{Dir: dir, N: sent, Time: active})
			}
			return
		}
		now := time.Now()
		if open() {
			active += now.Sub(at)
			for sent < int(r.rate*active.Seconds()) && (most == 0 || sent < most) && open() {
				if !send(ctx, r.first+order[sent%chats], sent%fileEvery == fileEvery-1) {
					break
				}
				sent++
			}
		}
		at = now
	}
}

func (r *rig) shuffled() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Perm(chats)
}

func (r *rig) sayNext(ctx context.Context, chat int, file bool) bool {
	k := r.begin(chaos.In, chat, as{file: file})
	event, err := r.tell(ctx, k, file)
	if err != nil {
		r.t.Errorf("say: %v", err)
		return false
	}
	r.said(k, event)
	return true
}

func (r *rig) writeNext(ctx context.Context, chat int, file bool) bool {
	r.mu.Lock()
	twice := r.rng.Float64() < twiceRate
	r.mu.Unlock()
	k := r.begin(chaos.Out, chat, as{file: file, twice: twice, stanza: r.run})
	err := r.write(ctx, k)
	if errors.Is(err, user.ErrOffline) {
		r.undo(k) // it never left
		return false
	}
	if twice && err == nil {
		err = r.write(ctx, k)
	}
	return err == nil // a message that was cut off is sent again later
}

// write sends an outbound message, the first time or again.
func (r *rig) write(ctx context.Context, k chaos.Key) error {
	m := user.Outgoing{To: r.address(k.Chat), Body: k.String(), ID: r.run + k.String(), Receipt: true, OriginID: true}
	if r.isFile(k) {
		m.Body = r.shared.URL + "/" + k.FileName()
		m.Extra = "<x xmlns='" + nsOOB + "'><url>" + user.Escape(m.Body) + "</url></x>"
	}
	// A message that was begun is sent, even when the talk ends now.
	_, err := r.clients[r.sides[k.Chat].user].SendMessage(context.WithoutCancel(ctx), m)
	return err
}

// resend repeats what has neither receipt nor error for a while, during which the gateway was available: what waits in its
// queues while it is not is not lost.
func (r *rig) resend(ctx context.Context) {
	if !r.available.Load() || time.Since(time.Unix(0, r.since.Load())) < r.patience {
		return
	}
	for _, k := range r.overdue(r.patience) {
		_ = r.write(ctx, k) // what cannot be sent now is overdue again later
	}
}

// settle waits until nothing is under way any more: no webhook, no entry, no message without an end. It reports what was
// still open when the time was up.
func (r *rig) settle(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var last error // what was open when all could be asked; the time may be up in the middle of a question
	caught := time.Now()
	return stand.Poll(ctx, func() error {
		r.resend(ctx)
		open := r.open()
		left, err := r.pending(ctx)
		if err != nil && ctx.Err() != nil {
			return cmp.Or(last, err)
		}
		if err != nil {
			return err
		}
		waiting := struct{ Count int }{}
		if err := r.control(ctx, "POST", "/wait", map[string]any{"kind": "idle"}, &waiting); err != nil {
			return err
		}
		if open > 0 || len(left) > 0 || waiting.Count > 0 {
			if open > 0 && len(left) == 0 && waiting.Count == 0 && time.Since(caught) > r.patience {
				caught = time.Now()
				if err := r.catchUp(ctx); err != nil {
					return err
				}
			}
			last = fmt.Errorf("%d messages without an end, %v in queues, %d webhooks waiting", open, left, waiting.Count)
			return last
		}
		return nil
	})
}

// catchUp reads the receipts that only the archive has, as clients do that were away (XEP-0313): a server that starts may file one and
// show it to nobody, and none follows to a message that comes again. What else is in the archive is read at the end.
func (r *rig) catchUp(ctx context.Context) error {
	for n, c := range r.clients {
		all, err := c.Archive(ctx, r.began)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Kind == user.Message && s.Received != "" {
				r.book(n, s, chaos.Archive, nil) // a receipt is no arrival
			}
		}
	}
	return nil
}

// collect adds what is read at the end: the archives, the platform's ledger, the results of the webhooks.
func (r *rig) collect(ctx context.Context) (chaos.History, error) {
	var archived []chaos.Arrival
	for n, c := range r.clients {
		all, err := c.Archive(ctx, r.began)
		if err != nil {
			return chaos.History{}, err
		}
		for _, s := range all {
			if s.Kind == user.Message {
				r.book(n, s, chaos.Archive, func(a chaos.Arrival) { archived = append(archived, a) })
			}
		}
	}
	posted, err := r.posts(ctx)
	if err != nil {
		return chaos.History{}, err
	}
	taken, err := r.taken(ctx)
	if err != nil {
		return chaos.History{}, err
	}
	h := r.history()
	h.Arrivals = slices.Concat(h.Arrivals, archived, posted)
	r.readFiles(ctx, h.Arrivals)
	for i, s := range h.Sent {
		h.Sent[i].Taken = taken[s.Key]
	}
	slices.SortFunc(h.Sent, func(a, b chaos.Sent) int { return a.At.Compare(b.At) })
	return h, nil
}

// posts reads the ledger of accepted messages.
func (r *rig) posts(ctx context.Context) ([]chaos.Arrival, error) {
	var out []chaos.Arrival
	for after := r.messages; ; {
		var page struct {
			Items []struct {
				At      time.Time `json:"at"`
				Key     string    `json:"idempotency_key"`
				Replays int       `json:"replays"`
				Sender  string    `json:"sender"`
				To      string    `json:"to"`
				Text    string    `json:"text"`
				Files   []struct {
					MediaID string `json:"media_id"`
					Name    string `json:"name"`
				} `json:"files"`
			} `json:"items"`
			Next int64 `json:"next"`
		}
		if err := r.control(ctx, "GET", fmt.Sprintf("/ledger/messages?limit=10000&after=%d", after), nil, &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			r.messages = after
			return out, nil
		}
		senders, err := r.senders(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			k, ok := chaos.ParseKey(p.Text)
			file := ""
			if len(p.Files) == 1 && p.Text == "" {
				file = p.Files[0].MediaID
				k, ok = chaos.ParseFileName(p.Files[0].Name)
			}
			if !ok {
				r.stray(p.Text)
				continue
			}
			chat := slices.IndexFunc(r.sides, func(s side) bool {
				return senders[p.Sender] == fmt.Sprintf("u%d@localhost", s.user) && p.To == "gku_"+s.person
			})
			out = append(out, chaos.Arrival{Key: k, Place: chaos.Platform, Chat: chat, At: p.At, ID: p.Key, Replays: p.Replays, File: file})
		}
		after = page.Next
	}
}

// senders maps the platform's ids of our users to their addresses.
func (r *rig) senders(ctx context.Context) (map[string]string, error) {
	var state struct {
		Users []struct {
			ID         string `json:"internal_id"`
			Identifier struct{ Value string }
		}
	}
	if err := r.control(ctx, "GET", "/state", nil, &state); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, u := range state.Users {
		out[u.ID] = u.Identifier.Value
	}
	return out, nil
}

// taken reads which messages' webhooks were answered 200.
func (r *rig) taken(ctx context.Context) (map[chaos.Key]bool, error) {
	r.mu.Lock()
	byEvent := maps.Clone(r.byEvent)
	r.mu.Unlock()
	out := map[chaos.Key]bool{}
	for after := r.hooks; ; {
		var page struct {
			Items []struct {
				Event  string `json:"event_id"`
				Result string `json:"result"`
			} `json:"items"`
			Next int64 `json:"next"`
		}
		if err := r.control(ctx, "GET", fmt.Sprintf("/ledger/webhooks?limit=10000&after=%d", after), nil, &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			r.hooks = after
			return out, nil
		}
		for _, d := range page.Items {
			if k, ok := byEvent[d.Event]; ok && d.Result == "200" {
				out[k] = true
			}
		}
		after = page.Next
	}
}
