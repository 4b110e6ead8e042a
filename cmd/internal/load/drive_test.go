//go:build servers

package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/adapters/control"
	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
)

const (
	// perChat is how many messages a second are written in a chat in each direction.
	perChat = 0.5
	// idPrefix stands before a message's text in its stanza id.
	idPrefix = "load "
	// turn is how long the faults are of one kind.
	turn = time.Second
	// patience is how long a run may take after the last message was written.
	patience = 4 * time.Minute
)

// take books a stanza that came to a user.
func (r *rig) take(n int, s *user.Stanza) {
	from, _, _ := strings.Cut(s.From, "/")
	_, domain, contact := strings.Cut(from, "@")
	if s.Kind != user.Message || !contact || s.Received == "" && s.Body == "" && s.Type != "error" {
		return
	}
	for p, side := range r.sides {
		var chat int
		_, err := fmt.Sscanf(s.Body, "hello %d", &chat)
		switch {
		case domain != side.domain(), strings.HasPrefix(s.Body, "Who can read this chat"):
		case err == nil:
			r.book.met(n, chat, from)
		default:
			r.book.in(p, n, from, s)
		}
	}
}

// play lets both sides write so many messages in every chat while things go wrong, and waits until all have come to their end.
func (r *rig) play(ctx context.Context, each int) []Result {
	r.t.Helper()
	began := time.Now()
	spare, stop := r.trouble(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.pace(ctx, chaos.In, each, r.sayNext) })
	wg.Go(func() { r.pace(ctx, chaos.Out, each, r.writeNext) })
	wg.Wait()
	spare()
	r.t.Logf("%.0f s  all is written", time.Since(began).Seconds())
	settle, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := r.lastWords(settle, each)
	if err == nil {
		err = stand.Poll(settle, r.over)
	}
	if err != nil {
		r.t.Errorf("not settled: %v", err)
	}
	stop()
	r.t.Logf("%.0f s  all has come to its end", time.Since(began).Seconds())
	var out []Result
	for n, s := range r.sides {
		out = append(out, r.judge(ctx, n, s, each*r.chats(), chaos.Fault{Kind: "dice", From: began, To: time.Now()}))
	}
	return out
}

// lastWords lets people say one more thing where webhooks were lost, once all that users wrote is there: only a later event
// tells that one before it is missing.
func (r *rig) lastWords(ctx context.Context, each int) error {
	for n, s := range r.sides {
		if !s.Keeps {
			continue
		}
		if err := stand.Poll(ctx, func() error {
			posts, err := s.control.Posts(ctx, 0, 1)
			if want := int64(each * r.chats()); err == nil && posts.Total < want {
				err = fmt.Errorf("%s: %d of %d messages accepted", s.Name, posts.Total, want)
			}
			return errors.Join(err, s.idle(ctx))
		}); err != nil {
			return err
		}
		for chat := n * r.chats(); chat < (n+1)*r.chats(); chat++ {
			k := chaos.Key{Dir: chaos.In, Chat: chat, N: each + 1}
			r.book.sent(n, k)
			if err := r.sayNext(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// trouble sets the faults of all platforms, in turns, until stop is called. From spare on no webhook is lost.
func (r *rig) trouble(ctx context.Context) (spare, stop func()) {
	var mu sync.Mutex
	n, spared := 0, false
	set := func(change func()) {
		mu.Lock()
		defer mu.Unlock()
		change()
		for _, s := range r.sides {
			f := s.faults(n)
			if spared {
				f.WebhookDropRate = 0
			}
			if err := s.control.SetFaults(ctx, f); err != nil {
				r.t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
	set(func() {})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(turn)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				set(func() { n++ })
			}
		}
	})
	return func() { set(func() { spared = true }) }, func() { close(done); wg.Wait() }
}

// pace lets one direction write: message after message in each chat, chat after chat.
func (r *rig) pace(ctx context.Context, dir chaos.Direction, each int, send func(context.Context, chaos.Key) error) {
	chats := len(r.sides) * r.chats()
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	began := time.Now()
	for sent := 0; sent < chats*each; {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for due := int(perChat * float64(chats) * time.Since(began).Seconds()); sent <= due && sent < chats*each; sent++ {
			k := chaos.Key{Dir: dir, Chat: sent % chats, N: sent/chats + 1}
			p, _, _ := r.place(k.Chat)
			r.book.sent(p, k)
			if err := send(ctx, k); err != nil {
				r.t.Errorf("%s: %v", k, err)
				return
			}
		}
	}
}

func (r *rig) sayNext(ctx context.Context, k chaos.Key) error {
	_, err := r.say(ctx, k.Chat, k.String())
	return err
}

func (r *rig) writeNext(ctx context.Context, k chaos.Key) error {
	_, u, _ := r.place(k.Chat)
	_, err := r.clients[u].SendMessage(ctx, user.Outgoing{
		To: r.book.address[k.Chat], Body: k.String(), ID: idPrefix + k.String(), Receipt: true, OriginID: true,
	})
	return err
}

// over says whether nothing is under way any more.
func (r *rig) over() error {
	if err := r.book.pending(); err != nil {
		return err
	}
	for _, s := range r.sides {
		if err := s.idle(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// idle says whether no webhook of a platform waits.
func (s *side) idle(ctx context.Context) error {
	var got control.Waited
	if err := s.control.Do(ctx, http.MethodPost, "/wait", control.Condition{Kind: "idle"}, &got); err != nil {
		return err
	}
	if !got.OK {
		return fmt.Errorf("%s: %d webhooks wait", s.Name, got.Count)
	}
	return nil
}

// judge adds what a platform saw to what its users saw.
func (r *rig) judge(ctx context.Context, n int, s *side, messages int, f chaos.Fault) Result {
	r.t.Helper()
	h := r.book.histories[n]
	h.Faults = []chaos.Fault{f}
	h.Arrivals = append(h.Arrivals, r.posts(ctx, n, s, &h)...)
	faults, over := r.faults(ctx, s)
	return Result{
		Platform: s.Name, Judged: chaos.Judge(h, chaos.Minimum{Messages: messages}), Once: s.caps.Idempotent, Faults: faults, Over: over,
		TwiceIn: Duplicates(h.Arrivals, chaos.Live), TwiceOut: Duplicates(h.Arrivals, chaos.Platform),
	}
}

// posts reads what a platform accepted, in its order.
func (r *rig) posts(ctx context.Context, n int, s *side, h *chaos.History) []chaos.Arrival {
	r.t.Helper()
	var out []chaos.Arrival
	for after := int64(0); ; {
		page, err := s.control.Posts(ctx, after, 10_000)
		if err != nil {
			r.t.Fatalf("%s: %v", s.Name, err)
		}
		if len(page.Items) == 0 {
			return out
		}
		for _, p := range page.Items {
			k, ok := chaos.ParseKey(p.Text)
			if !ok {
				h.Strays = append(h.Strays, p.Text)
				continue
			}
			chat, known := r.book.talks[n][p.Conversation]
			if !known {
				chat = -1
			}
			out = append(out, chaos.Arrival{Key: k, Place: chaos.Platform, Chat: chat, At: p.At, ID: p.IdempotencyKey + p.ClientID})
		}
		after = page.Next
	}
}

// faults counts what went wrong on purpose, and what was asked above the limits.
func (r *rig) faults(ctx context.Context, s *side) (map[string]int64, int64) {
	r.t.Helper()
	var state struct {
		Counts struct{ Faults map[string]int64 }
		Limits *control.Limits
	}
	if err := s.control.Do(ctx, http.MethodGet, "/state", nil, &state); err != nil {
		r.t.Fatalf("%s: %v", s.Name, err)
	}
	out, over := state.Counts.Faults, int64(-1)
	if state.Limits != nil {
		over = 0
		for _, rule := range state.Limits.Rules {
			over += rule.Violations
			r.t.Logf("%s: %s: %d requests, %.2g a second and %g at once allowed", s.Name, rule.Name, rule.Taken, rule.Rate, rule.Burst)
		}
	}
	for after := int64(0); ; {
		page, err := s.control.Deliveries(ctx, after, 10_000)
		if err != nil {
			r.t.Fatalf("%s: %v", s.Name, err)
		}
		if len(page.Items) == 0 {
			return out, over
		}
		for _, d := range page.Items {
			switch {
			case d.Fault != "":
				out["webhook "+d.Fault]++
			case d.Result == "dropped":
				out["webhook dropped"]++
			}
		}
		after = page.Next
	}
}
