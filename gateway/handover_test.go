package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// unheard is the store of a process that gets no answer about leases and replicas from a time on, and works otherwise.
type unheard struct {
	gateway.Store
	now atomic.Bool
}

func (d *unheard) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	if d.now.Load() {
		return l, errors.New("no answer")
	}
	return d.Store.Renew(ctx, l, ttl)
}

func (d *unheard) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	if d.now.Load() {
		return gateway.Lease{}, errors.New("no answer")
	}
	return d.Store.Acquire(ctx, p, replica, ttl)
}

func (d *unheard) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error) {
	if d.now.Load() {
		return nil, errors.New("no answer")
	}
	return d.Store.Announce(ctx, replica, note, ttl)
}

// TestLongMessageChangesHands: a message whose pieces wait longer for their turn than a lease lives is said once, whether its shard goes to
// another process in order, which waits for it, or is taken over, which its former owner notices before it says the next piece.
func TestLongMessageChangesHands(t *testing.T) {
	for _, tt := range []struct {
		name string
		goes func(first *gateway.Gateway, store *unheard)
		in   time.Duration
	}{
		{"in order", func(first *gateway.Gateway, _ *unheard) { first.Retire(context.Background()) }, 45 * time.Second}, // as if nothing were
		{"taken over", func(_ *gateway.Gateway, store *unheard) { store.now.Store(true) }, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Echo, caps.TextMax, caps.TextUnit = false, 6, gateway.CodePoints
				p := &platform{caps: caps}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				store := &unheard{Store: r.store}
				r.store, r.limits = store, []gateway.Limit{{Scope: gateway.LimitAccount, Every: 20 * time.Second, Burst: 1}}
				r.start(gateway.Config{Replica: "r1"})
				first, stopFirst := r.gw, r.stop
				r.mustAsk(r.contact("juliet"), "s1", "first:secondthird.")
				gatewaytest.Advance(time.Second)
				r.store = store.Store
				r.startOn(gateway.Config{Replica: "r2"}, &wire{})
				stopSecond := r.stop
				defer func() { stopFirst(); stopSecond() }()
				gatewaytest.Advance(time.Second)
				diff(t, "sent before", p.taken(), []string{"juliet first:"})
				tt.goes(first, store)
				gatewaytest.Advance(tt.in)
				diff(t, "sent", p.taken(), []string{"juliet first:", "juliet second", "juliet third."})
			})
		})
	}
}

// shardOf returns the shard of a contact.
func shardOf(alias gateway.Alias) gateway.Partition {
	return gateway.LaneKey{Adapter: wall, Local: alias}.Shard()
}

// sameShard returns contacts of one shard.
func (r *rig) sameShard(n int) (ids []gateway.ContactID, aliases []gateway.Alias) {
	r.t.Helper()
	for i := 0; len(ids) < n; i++ {
		id := gateway.ContactID(fmt.Sprint("c", i))
		alias := r.account.Keys.Alias(id)
		if len(ids) == 0 || shardOf(alias) == shardOf(aliases[0]) {
			ids, aliases = append(ids, id), append(aliases, r.contact(id))
		}
	}
	return ids, aliases
}

// TestPieceWaitsAndLeaseIsLost: a piece that waits for its turn, for a moment or for hours, keeps neither its shard from its next owner, be
// that the same process, nor the process from stopping; it is said once, when it may be, and before what was written after it.
func TestPieceWaitsAndLeaseIsLost(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits []gateway.Limit
		pause  time.Duration // that another chat of the account is told while the first piece is under way
		rest   time.Duration // after which all has gone
	}{
		{"a limit", []gateway.Limit{{Scope: gateway.LimitAccount, Every: 50 * time.Second, Burst: 1}}, 0, 5 * time.Minute},
		{"a pause of an hour", nil, time.Hour, 2 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Idempotent, caps.Echo, caps.TextMax, caps.TextUnit = false, false, 6, gateway.CodePoints
				p := &platform{caps: caps}
				refused := tt.pause == 0
				p.send = func(op gateway.Op) (gateway.Sent, error) {
					switch body := text(op); {
					case body == "first:":
						<-time.After(time.Second)
					case body == "other" && !refused:
						refused = true
						return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: tt.pause, Scope: gateway.LimitAccount}
					}
					return gateway.Sent{}, nil
				}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				store := &unheard{Store: r.store}
				r.store, r.limits = store, tt.limits
				r.start(gateway.Config{})
				ids, chats := r.sameShard(3)
				r.mustAsk(chats[0], "s1", "first:second")
				r.mustAsk(chats[0], "s2", "third.")
				gatewaytest.Advance(time.Second / 2)
				if tt.pause > 0 {
					r.mustAsk(chats[1], "s3", "other")
				}
				gatewaytest.Advance(2 * time.Second)
				diff(t, "sent before", p.taken(), []string{"c0 first:"})
				store.now.Store(true)
				gatewaytest.Advance(20 * time.Second)
				store.now.Store(false)
				gatewaytest.Advance(10 * time.Second)
				r.mustEvent(said(ids[2], "n1", "hello", 0))
				gatewaytest.Advance(5 * time.Second)
				diff(t, "shown meanwhile", shownTexts(r.wire.lines()), []string{"hello"})
				began := time.Now()
				r.stop()
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("the process stops after %s", took)
				}
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				gatewaytest.Advance(tt.rest)
				var one []string
				for _, s := range p.taken() {
					if s != string(ids[1])+" other" {
						one = append(one, s)
					}
				}
				diff(t, "sent", one, []string{"c0 first:", "c0 second", "c0 third."})
				diff(t, "the sender hears", r.heard(), []string(nil))
			})
		})
	}
}

// TestStopLetsPiecesFollow: a process that stops says the rest of a message that waits for nothing.
func TestStopLetsPiecesFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := textCaps()
		caps.TextMax, caps.TextUnit = 6, gateway.CodePoints
		p := &platform{caps: caps}
		p.sendCtx = func(context.Context) { <-time.After(2 * time.Second) }
		r := newRig(t, p, gateway.Config{})
		r.mustAsk(r.contact("juliet"), "s1", "first:secondthird.")
		gatewaytest.Advance(time.Second)
		r.stop()
		diff(t, "sent", p.taken(), []string{"juliet first:", "juliet second", "juliet third."})
	})
}

// TestPiecesFarApart: of a message whose pieces may follow each other after minutes only, each go that is granted sends one.
func TestPiecesFarApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := textCaps()
		caps.Idempotent, caps.Echo, caps.TextMax, caps.TextUnit = false, false, 6, gateway.CodePoints
		p := &platform{caps: caps, final: true}
		p.desc.Limits = []gateway.Limit{{Scope: gateway.LimitChat, Every: 5 * time.Minute, Burst: 1}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		calls := timed(p)
		r.askReceipt(r.contact("juliet"), "s1", "first:secondthird.")
		gatewaytest.Advance(20 * time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet first:", "juliet second", "juliet third."})
		if got := calls.fastest(1); got < 5*time.Minute {
			t.Errorf("a piece followed after %s, want five minutes of peace", got)
		}
		diff(t, "the sender hears", r.heard(), []string{"receipt for s1"})
	})
}
