package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// beating counts how often a store is written to about the health of accounts.
type beating struct {
	gateway.Store
	writes atomic.Int64
}

func (b *beating) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	for _, c := range cs {
		if c.Kind == gateway.RecordHealth {
			b.writes.Add(1)
			break
		}
	}
	return b.Store.Save(ctx, o, cs...)
}

// health is what an operator sees of the rig's user; the export has to say the same.
func (r *rig) health() gateway.Health {
	r.t.Helper()
	desk := gateway.NewDesk(gateway.DeskConfig{
		Identity: gateway.NewIdentity(r.store, r.keys), Store: r.store, Keyring: r.keys, Texts: gateway.NewTexts(), Log: slog.New(slog.DiscardHandler),
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: r.adapter}},
	})
	held, err := desk.Holdings(r.t.Context(), romeo)
	if err != nil || len(held) != 1 {
		r.t.Fatalf("got %v, %v, want one account", held, err)
	}
	h := held[0].Health
	page, _, err := desk.Export(r.t.Context(), romeo, "")
	if err != nil {
		r.t.Fatal(err)
	}
	got := page[0].Account
	diff(r.t, "exported", gateway.Health{Standing: got.Standing, Why: got.Why, Code: got.Code, Since: got.Since, LastEvent: got.LastEvent, LastSend: got.LastSend}, h)
	return h
}

// beats are what the store holds of when the rig's account last did something.
func (r *rig) beats() (n int) {
	r.t.Helper()
	owner := gateway.Owner("a:" + string(r.account.ID))
	got, err := r.store.Load(r.t.Context(), gateway.RecordKey{Owner: owner, Kind: gateway.RecordHealth, Name: "event"}, gateway.RecordKey{Owner: owner, Kind: gateway.RecordHealth, Name: "send"})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, v := range got {
		if v != nil {
			n++
		}
	}
	return n
}

// When an account last heard from its platform and reached it is known to the minute, for one write a minute, whatever goes through it.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuses := false
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			if refuses {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "190"}
			}
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{})
		counted := &beating{Store: r.store}
		r.stop()
		r.store, r.identity = counted, gateway.NewIdentity(counted, r.keys)
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		diff(t, "before anything", r.health(), gateway.Health{Standing: gateway.AccountActive})

		for n := range 40 {
			r.mustEvent(said("juliet", fmt.Sprint("m", n), "hello", 0))
			r.mustAsk(juliet, fmt.Sprint("s", n), "hello")
			gatewaytest.Advance(100 * time.Millisecond)
		}
		last := time.Now()
		if n := counted.writes.Load(); n != 0 {
			t.Errorf("got %d writes while messages went through, want none", n)
		}
		gatewaytest.Advance(time.Minute)
		if n := counted.writes.Load(); n != 1 {
			t.Errorf("got %d writes after a minute with 80 messages, want 1", n)
		}
		h := r.health()
		for what, at := range map[string]time.Time{"event": h.LastEvent, "send": h.LastSend} {
			if d := last.Sub(at); d < 0 || d > 2*time.Second {
				t.Errorf("last %s: got %s, want about %s", what, at, last)
			}
		}
		gatewaytest.Advance(10 * time.Minute)
		if n := counted.writes.Load(); n != 1 {
			t.Errorf("got %d writes, want no more while nothing happens", n)
		}

		// What came just before the end of the process is not lost with it, and an older time never follows a newer one.
		r.mustEvent(said("juliet", "last", "bye", 0))
		at := time.Now()
		r.stop()
		if h := r.health(); h.LastEvent.Before(at.Truncate(time.Second)) {
			t.Errorf("after the stop: got %s, want %s", h.LastEvent, at)
		}

		r.start(gateway.Config{})
		refuses = true
		r.mustAsk(juliet, "refused", "hello")
		gatewaytest.Advance(2 * time.Minute)
		was := h
		h = r.health()
		if h.Standing != gateway.AccountReauthNeeded || h.Why != gateway.CauseRefused || h.Code != "190" || time.Since(h.Since) > 3*time.Minute {
			t.Errorf("refused: got %+v", h)
		}
		if !h.LastSend.Equal(was.LastSend) {
			t.Errorf("a send that was refused counts: got %s, want %s", h.LastSend, was.LastSend)
		}
	})
}

// The platform's word for a standing is kept with it.
func TestHealthOfStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		r.mustEvent(gateway.Event{Dedupe: "state", Endpoint: "ep1", At: time.Now(), Body: gateway.AccountState{State: gateway.AccountSuspended, Reason: "spam"}})
		gatewaytest.Advance(time.Second)
		h := r.health()
		if h.Standing != gateway.AccountSuspended || h.Why != gateway.CausePlatform || h.Code != "spam" || h.Since.IsZero() {
			t.Errorf("got %+v", h)
		}
		r.platform.desc.Version = 9 // terms that nobody has come by yet
		if _, err := r.identity.Amend(t.Context(), r.account.ID, func(a *gateway.Account) { a.Standing = gateway.AccountActive }); err != nil {
			t.Fatal(err)
		}
		if h := r.health(); h.Standing != gateway.AccountReconsentNeeded || h.Why != gateway.CauseTerms || h.Code != "" {
			t.Errorf("under other terms: got %+v", h)
		}
	})
}

// What is noted of an account that is erased before it is written down is not written at all.
func TestHealthOfErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		r.mustEvent(said("juliet", "m1", "hello", 0))
		gatewaytest.Advance(70 * time.Second)
		if n := r.beats(); n != 1 {
			t.Fatalf("got %d times kept, want 1", n)
		}
		r.mustEvent(said("juliet", "m2", "hello", 0))
		if err := r.identity.Remove(t.Context(), r.account); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(70 * time.Second)
		if n := r.beats(); n != 0 {
			t.Errorf("got %d times kept of an account that is gone, want none", n)
		}
		if _, err := r.identity.ByID(t.Context(), r.account.ID); !errors.Is(err, gateway.ErrNoAccount) {
			t.Errorf("the account: got %v, want ErrNoAccount", err)
		}
	})
}
