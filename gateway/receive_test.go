package gateway_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestReplayOfAMalformedWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		var updated atomic.Bool
		r.platform.hook = func(q gateway.Request) ([]gateway.Event, error) {
			if !updated.Load() {
				return nil, errors.New("not understood")
			}
			return []gateway.Event{said("juliet", "n1", string(q.Body), 0)}, nil
		}
		call := gateway.Request{Header: map[string][]string{"Signature": {"good"}}, Body: []byte("{}")}
		if err := r.gw.Receive(t.Context(), wall, call); !errors.Is(err, gateway.ErrMalformed) {
			t.Fatalf("got %v, want malformed", err)
		}
		replay := func() {
			part := gateway.LaneKey{Adapter: wall}.Shard()
			dead := r.dead(part)
			if len(dead) != 1 || dead[0].Kind != gateway.EntryRaw {
				t.Fatalf("got %v, want the body kept", dead)
			}
			if _, err := r.store.Replay(t.Context(), part, dead[0].ID); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(3 * time.Second)
		}
		replay() // too early: it is kept once more
		updated.Store(true)
		replay()
		if got := texts(r.wire.lines()); len(got) != 2 || !strings.HasSuffix(got[1], `"{}"`) {
			t.Errorf("got %q, want the message", got)
		}
	})
}

// Of a webhook that is understood in part the events count, and the whole is kept, at once and when it is replayed.
func TestWebhookBrokenInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.platform.hook = func(gateway.Request) ([]gateway.Event, error) {
			return []gateway.Event{said("juliet", "n1", "the good part", 0)}, errors.New("not all understood")
		}
		call := gateway.Request{Header: map[string][]string{"Signature": {"good"}}, Body: []byte("{}")}
		if err := r.gw.Receive(t.Context(), wall, call); !errors.Is(err, gateway.ErrMalformed) {
			t.Fatalf("got %v, want malformed", err)
		}
		gatewaytest.Advance(3 * time.Second)
		part := gateway.LaneKey{Adapter: wall}.Shard()
		for range 2 {
			if got := texts(r.wire.lines()); len(got) != 2 || !strings.HasSuffix(got[1], `"the good part"`) {
				t.Errorf("got %q, want the part that is understood, once", got)
			}
			dead := r.dead(part)
			if len(dead) != 1 || dead[0].Kind != gateway.EntryRaw {
				t.Fatalf("got %v, want the body kept", dead)
			}
			if _, err := r.store.Replay(t.Context(), part, dead[0].ID); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(3 * time.Second)
		}
	})
}

// What a platform that is asked says, and nobody understands, is kept like a webhook, and understood later as that account's.
func TestReplayOfAMalformedUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{platform: &platform{caps: textCaps()}, feed: make(chan []gateway.Event), bad: make(chan []byte), runs: make(chan string, 10)}
		r := newRig(t, a.platform, gateway.Config{})
		r.stop()
		r.adapter = a
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(5 * time.Second)
		a.bad <- []byte(`{"update_id": 13}`)
		gatewaytest.Advance(time.Second)
		part := gateway.LaneKey{Adapter: wall}.Shard()
		dead := r.dead(part)
		if len(dead) != 1 || dead[0].Kind != gateway.EntryRaw || dead[0].Why.Code != "malformed" {
			t.Fatalf("got %v, want the update kept", dead)
		}
		a.hook = func(q gateway.Request) ([]gateway.Event, error) {
			ev := said("juliet", "n1", string(q.Body), 0)
			ev.Endpoint = gateway.Endpoint(strings.Join(q.Query["token"], ","))
			return []gateway.Event{ev}, nil
		}
		if _, err := r.store.Replay(t.Context(), part, dead[0].ID); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(3 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 2 || !strings.Contains(got[1], "update_id") {
			t.Errorf("got %q, want the message", got)
		}
	})
}

func TestAccountEventsOfManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop() // nobody works them off
		r.start(gateway.Config{LaneMax: 1})
		r.stop()
		for n := range 20 {
			end := gateway.Endpoint(fmt.Sprint("end", n))
			_, err := r.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: end, User: gateway.UserID(fmt.Sprintf("u%d@example.org", n)), Standing: gateway.AccountActive})
			if err != nil {
				t.Fatal(err)
			}
			ev := gateway.Event{Dedupe: "a", Endpoint: end, At: time.Now(), Body: gateway.AccountState{State: gateway.AccountExpiring}}
			if err := r.event(ev); err != nil {
				t.Fatalf("account %d: got %v, want its event taken", n, err)
			}
		}
	})
}
