package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"postern/gateway"
)

// poll wants events to be asked for until the caller has had enough, and none to be confirmed before it is durable.
func (h Harness) poll(t *testing.T) {
	b := h.open(t)
	p, ok := b.Adapter.(gateway.Poller)
	if !ok {
		return
	}
	if b.Polled == nil {
		t.Fatal("the adapter is a Poller, harness polls not")
	}
	polled, ok := b.Polled.Adapter.(gateway.Poller)
	if !ok || !polled.Polls() || p.Polls() {
		t.Fatalf("Polls: got %v where it was asked for and %v elsewhere", polled.Polls(), p.Polls())
	}
	t.Run("durable", func(t *testing.T) { b.pollDurably(t, polled) })
	t.Run("conflict", func(t *testing.T) { b.pollConflict(t, polled) })
	t.Run("trouble", func(t *testing.T) { b.pollThroughTrouble(t, polled) })
}

// takenEvents collects what a poller gives; it refuses the first refuse times.
type takenEvents struct {
	mu       sync.Mutex
	refuse   int
	refused  []string // ids of messages that were not taken
	messages []gateway.MessageID
	keys     map[string]bool
}

var errFull = errors.New("not stored")

// Bury implements gateway.Intake.
func (e *takenEvents) Bury(context.Context, []byte) error { return nil }

// Take implements gateway.Intake.
func (e *takenEvents) Take(_ context.Context, events []gateway.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range events {
		m, ok := ev.Body.(gateway.Message)
		if !ok {
			continue
		}
		if e.refuse > 0 {
			e.refuse--
			e.refused = append(e.refused, ev.Dedupe)
			return errFull
		}
		if e.keys == nil {
			e.keys = map[string]bool{}
		}
		if !e.keys[ev.Dedupe] { // the core knows duplicates by their keys
			e.keys[ev.Dedupe] = true
			e.messages = append(e.messages, m.ID)
		}
	}
	return nil
}

func (e *takenEvents) has(want ...gateway.MessageID) func() bool {
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.messages) != len(want) {
			return false
		}
		for i, id := range want {
			if e.messages[i] != id {
				return false
			}
		}
		return true
	}
}

// polling runs a poller until stop is called, which returns what Run did.
func (b *bench) polling(t *testing.T, p gateway.Poller, e *takenEvents) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, b.Polled.Account, e) }()
	return func() error {
		t.Helper()
		cancel()
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case err := <-done:
			b.tellError(err)
			return err
		case <-timer.C:
			t.Errorf("Run did not return within %s of its end", patience)
			b.wire.release()
			return <-done
		}
	}
}

func (b *bench) pollDurably(t *testing.T, p gateway.Poller) {
	first := b.Polled.Say("one")
	e := &takenEvents{refuse: 1}
	stop := b.polling(t, p, e)
	b.eventually("the event again after it could not be stored", e.has(first))
	if len(e.refused) != 1 || !e.keys[e.refused[0]] {
		t.Errorf("got keys %v refused and %v taken, want the same", e.refused, e.keys)
	}
	second := b.Polled.Say("two")
	b.eventually("the next event", e.has(first, second))
	seen := b.wire.Total()
	b.eventually("a request that confirms them", func() bool { return b.wire.Total() > seen || len(b.wire.Take()) > 0 })
	third := b.Polled.Say("three")
	b.eventually("one more", e.has(first, second, third))
	if err := stop(); err != nil {
		t.Errorf("Run whose context ended: got %v, want nil", err)
	}
	again, ok := b.Polled.Reopen().(gateway.Poller)
	if !ok {
		t.Fatal("reopened adapter is no Poller")
	}
	fourth := b.Polled.Say("four")
	after := &takenEvents{keys: map[string]bool{}}
	stop = b.polling(t, again, after)
	b.eventually("what came meanwhile", func() bool {
		after.mu.Lock()
		defer after.mu.Unlock()
		return len(after.messages) > 0 && after.messages[len(after.messages)-1] == fourth
	})
	for _, id := range after.messages {
		if id == first || id == second {
			t.Errorf("message %s was told after a restart, although it was confirmed", id)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run whose context ended: got %v, want nil", err)
	}
}

// pollConflict wants a poller to stop and say so when somebody else takes the events.
func (b *bench) pollConflict(t *testing.T, p gateway.Poller) {
	c := b.Polled.Conflict
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	b.wire.SetAll(always(Fault{Kind: FaultAnswer, Status: c.Status, Header: header, Body: c.Body}))
	defer b.wire.SetAll(nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := p.Run(ctx, b.Polled.Account, &takenEvents{})
	b.tellError(err)
	se, ok := errors.AsType[*gateway.SendError](err)
	if !ok || se.Class != c.Class || c.Code != "" && se.Code != c.Code {
		t.Errorf("Run: got %v, want class %s, code %q", err, c.Class, c.Code)
	}
}

// pollThroughTrouble wants a poller to go on after what passes.
func (b *bench) pollThroughTrouble(t *testing.T, p gateway.Poller) {
	b.wire.SetAll(func(n int) Fault {
		return Fault{Kind: FaultAnswer, Status: http.StatusServiceUnavailable, Header: http.Header{}}
	})
	e := &takenEvents{}
	stop := b.polling(t, p, e)
	before := b.wire.Total()
	b.eventually("a request that fails", func() bool { return b.wire.Total() > before })
	b.wire.SetAll(nil)
	id := b.Polled.Say("after the trouble")
	b.eventually("an event after the trouble", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.messages) > 0 && e.messages[len(e.messages)-1] == id
	})
	if err := stop(); err != nil {
		t.Errorf("Run whose context ended: got %v, want nil", err)
	}
}
