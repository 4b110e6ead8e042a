package xmpp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func testMessage(t testing.TB, user, contact, id string) *Element {
	t.Helper()
	from, err := ParseJID(user)
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseJID(contact)
	if err != nil {
		t.Fatal(err)
	}
	return NewMessage(from, to, "chat", id)
}

func TestDispatchOrder(t *testing.T) {
	const conversations, each = 40, 500
	var mu sync.Mutex
	last := make(map[string]int)
	wrong := 0
	d := &dispatcher{log: slog.New(slog.DiscardHandler), count: (&counter{}).count, handle: func(_ context.Context, el *Element) {
		key := el.From().Bare().String() + " " + el.To().Bare().String()
		var n int
		if _, err := fmt.Sscan(el.ID(), &n); err != nil {
			t.Errorf("stanza id %q: %v", el.ID(), err)
		}
		mu.Lock()
		defer mu.Unlock()
		if n != last[key]+1 {
			wrong++
		}
		last[key] = n
	}}
	d.run(t.Context(), func(take func(context.Context, *Element)) {
		for n := range each {
			for c := range conversations {
				// Resources differ; the conversation is the same.
				take(t.Context(), testMessage(t, fmt.Sprintf("u%d@example/r%d", c%7, n), fmt.Sprintf("c%d@gw.example", c), fmt.Sprint(n+1)))
			}
		}
	})
	if wrong != 0 || len(last) != conversations {
		t.Errorf("got %d out of order in %d conversations, want 0 in %d", wrong, len(last), conversations)
	}
	for key, n := range last {
		if n != each {
			t.Errorf("%s: got %d handled, want %d", key, n, each)
		}
	}
}

func TestDispatchSlowConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		at := make(map[string]time.Duration)
		d := &dispatcher{log: slog.New(slog.DiscardHandler), count: (&counter{}).count, handle: func(_ context.Context, el *Element) {
			if el.From().Local() == "slow" {
				<-time.After(time.Minute)
			}
			mu.Lock()
			at[el.From().Local()] = time.Since(began)
			mu.Unlock()
		}}
		d.run(t.Context(), func(take func(context.Context, *Element)) {
			take(t.Context(), testMessage(t, "slow@example", "c@gw.example", "1"))
			for i := range 30 {
				take(t.Context(), testMessage(t, fmt.Sprintf("u%d@example", i), "c@gw.example", "1"))
			}
		})
		prompt := 0
		for _, d := range at {
			if d == 0 {
				prompt++
			}
		}
		// Few share the slow one's worker; most must not have waited.
		if prompt < 20 || at["slow"] != time.Minute {
			t.Errorf("got %d of 30 handled at once, slow after %v", prompt, at["slow"])
		}
	})
}

func TestDispatchBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handled := 0
		d := &dispatcher{workers: 1, depth: 2, log: slog.New(slog.DiscardHandler), count: (&counter{}).count, handle: func(context.Context, *Element) {
			<-release
			handled++
		}}
		taken := make(chan int, 16)
		go d.run(t.Context(), func(take func(context.Context, *Element)) {
			for i := range 5 {
				take(t.Context(), testMessage(t, "u@example", "c@gw.example", "1"))
				taken <- i
			}
			close(taken)
		})
		synctest.Wait()
		if got := len(taken); got != 3 { // one in hand, two queued
			t.Errorf("got %d taken while the handler was stuck, want 3", got)
		}
		close(release)
		synctest.Wait()
		if handled != 5 {
			t.Errorf("got %d handled, want 5", handled)
		}
	})
}

func TestDispatchPanic(t *testing.T) {
	var logged bytes.Buffer
	events := &counter{}
	handled := 0
	d := &dispatcher{workers: 1, log: slog.New(slog.NewTextHandler(&logged, nil)), count: events.count, handle: func(_ context.Context, el *Element) {
		if el.ID() == "2" {
			panic("quoting secret-content")
		}
		handled++
	}}
	d.run(t.Context(), func(take func(context.Context, *Element)) {
		for _, id := range []string{"1", "2", "3"} {
			take(t.Context(), testMessage(t, "u@example", "c@gw.example", id))
		}
	})
	if handled != 2 || events.of(eventPanic) != 1 {
		t.Errorf("got %d handled and %d panics, want 2 and 1", handled, events.of(eventPanic))
	}
	if s := logged.String(); !strings.Contains(s, "handler panicked") || strings.Contains(s, "secret-content") {
		t.Errorf("got log %s, want the panic without its content", s)
	}
}
