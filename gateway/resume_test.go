package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// unanswered is a store one of whose calls fails, with its effect or without.
type unanswered struct {
	gateway.Store
	mu     sync.Mutex
	effect bool
	nth    int // the call that fails, counted from 1; 0 for none
	calls  int
	verbs  []string
	full   time.Time // until when the outbox takes nothing
}

// call makes a call, and reports what its caller hears.
func (u *unanswered) call(verb string, do func() error) error {
	u.mu.Lock()
	u.calls++
	fails := u.calls == u.nth
	u.verbs = append(u.verbs, verb)
	u.mu.Unlock()
	if fails && !u.effect {
		return errBlip
	}
	err := do()
	if fails && err == nil {
		return errBlip
	}
	return err
}

// arm makes a call fail, counted from now on.
func (u *unanswered) arm(nth int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.nth, u.calls, u.verbs = nth, 0, nil
}

func (u *unanswered) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (id gateway.EntryID, fresh bool, err error) {
	if q == gateway.QueueXMPP && time.Now().Before(u.full) {
		return "", false, gateway.ErrFull
	}
	if q != gateway.QueueXMPP {
		return u.Store.Ingest(ctx, p, q, e, o)
	}
	err = u.call("ingest", func() error {
		id, fresh, err = u.Store.Ingest(ctx, p, q, e, o)
		return err
	})
	return id, fresh, err
}

func (u *unanswered) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (try gateway.Attempt, err error) {
	err = u.call("begin", func() error {
		try, err = u.Store.Begin(ctx, l, q, id, maps)
		return err
	})
	return try, err
}

func (u *unanswered) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	if q == gateway.QueueXMPP {
		return u.Store.Finish(ctx, l, q, done, maps)
	}
	return u.call("finish", func() error { return u.Store.Finish(ctx, l, q, done, maps) })
}

func (u *unanswered) Fail(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	return u.call("fail", func() error { return u.Store.Fail(ctx, l, q, id) })
}

func (u *unanswered) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) error {
	return u.call("dead", func() error { return u.Store.Dead(ctx, l, q, id, why) })
}

func (u *unanswered) Lookup(ctx context.Context, p gateway.Partition, lane string, fields []string) (got map[string][]byte, err error) {
	err = u.call("lookup", func() error {
		got, err = u.Store.Lookup(ctx, p, lane, fields)
		return err
	})
	return got, err
}

// unansweredRig is a rig on such a store, and the one contact.
func unansweredRig(t *testing.T, p *platform, adapter gateway.Adapter) (*rig, *unanswered, gateway.Alias) {
	t.Helper()
	r := newRig(t, p, gateway.Config{})
	r.stop()
	u := &unanswered{Store: r.store}
	r.store, r.adapter = u, adapter
	r.identity = gateway.NewIdentity(u, r.keys)
	r.start(gateway.Config{})
	return r, u, r.contact("juliet")
}

// askReceipt sends a message whose sender wants a receipt.
func (r *rig) askReceipt(alias gateway.Alias, stanza, text string) {
	r.t.Helper()
	must(r.t, r.gw.Ask(r.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: alias, User: romeo, Stanza: gateway.StanzaID(stanza), Resource: "phone", Receipt: true,
		Op: gateway.Op{At: time.Now(), Body: gateway.OpMessage{Content: gateway.PlainText(text)}},
	}, nil))
}

// keyless are platforms that take what is sent twice for two messages.
var keyless = []struct {
	name  string
	echo  bool
	wraps func(p *platform) gateway.Adapter
}{
	{"that tell nothing", false, func(p *platform) gateway.Adapter { return p }},
	{"with an echo", true, func(p *platform) gateway.Adapter { return p }},
	{"that can be asked", false, func(p *platform) gateway.Adapter { return conversation{p} }},
}

// TestStoreFailsAroundSend: whichever call to the store fails on a message's way, with its effect or without, a platform without keys gets
// it once, and the sender hears once of it.
func TestStoreFailsAroundSend(t *testing.T) {
	for _, k := range keyless {
		for pieces, refused := range []bool{true, false, false} { // in one piece, and in one and two
			for _, effect := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s pieces=%d refused=%v effect=%v", k.name, max(pieces, 1), refused, effect), func(t *testing.T) {
					failed := map[string]bool{}
					for nth, more := 1, true; more; nth++ {
						synctest.Test(t, func(t *testing.T) {
							caps := textCaps()
							caps.Idempotent, caps.Echo = false, k.echo
							if pieces > 1 {
								caps.TextMax, caps.TextUnit = 6, gateway.CodePoints
							}
							p, calls := &platform{caps: caps, final: true}, 0
							p.send = func(gateway.Op) (gateway.Sent, error) {
								if calls++; refused && calls == 1 { // the second time it would not be
									return gateway.Sent{}, &gateway.SendError{Class: gateway.Permanent, Code: "no"}
								}
								return gateway.Sent{}, nil
							}
							r, u, juliet := unansweredRig(t, p, k.wraps(p))
							defer func() { r.stop() }()
							u.effect = effect
							u.arm(nth)
							r.askReceipt(juliet, "s1", "first;second")
							gatewaytest.Advance(5 * time.Minute)
							if more = len(u.verbs) >= nth; !more {
								return
							}
							verb := u.verbs[nth-1]
							failed[verb] = true
							if calls != max(pieces, 1) {
								t.Errorf("call %d, %s, fails: sent %d times", nth, verb, calls)
							}
							lane := gateway.LaneKey{Adapter: wall, Local: juliet}
							want, dead := []string{"receipt for s1"}, 0
							if refused {
								want, dead = []string{"error undefined-condition for s1"}, 1
							}
							diff(t, fmt.Sprintf("call %d, %s, fails: the sender hears", nth, verb), r.heard(), want)
							if got := len(r.dead(lane.Shard())); got != dead {
								t.Errorf("call %d, %s, fails: %d dead letters, want %d", nth, verb, got, dead)
							}
						})
					}
					for _, verb := range []string{"begin", "ingest"} {
						if !failed[verb] {
							t.Errorf("%s never failed", verb)
						}
					}
				})
			}
		}
	}
}

// heard returns what a sender was told of what became of their messages.
func (r *rig) heard() (lines []string) {
	for _, l := range texts(r.wire.lines()) {
		if strings.HasPrefix(l, "receipt") || strings.HasPrefix(l, "error") {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestFullOutboxBehindSend: what cannot be told yet waits, and is not sent again meanwhile.
func TestFullOutboxBehindSend(t *testing.T) {
	for _, k := range keyless {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Idempotent, caps.Echo = false, k.echo
				p := &platform{caps: caps, final: true}
				r, u, juliet := unansweredRig(t, p, k.wraps(p))
				defer func() { r.stop() }()
				u.full = time.Now().Add(time.Minute)
				r.askReceipt(juliet, "s1", "hello")
				gatewaytest.Advance(5 * time.Minute)
				diff(t, "sent", p.taken(), []string{"juliet hello"})
				diff(t, "the sender hears", r.heard(), []string{"receipt for s1"})
			})
		})
	}
}

// TestStoreFailsBetweenPieces: what has gone is known also where the chat has to wait for its turn before it can go on.
func TestStoreFailsBetweenPieces(t *testing.T) {
	for nth, more := 1, true; more; nth++ {
		synctest.Test(t, func(t *testing.T) {
			caps := textCaps()
			caps.Idempotent, caps.Echo, caps.TextMax, caps.TextUnit = false, false, 6, gateway.CodePoints
			p := &platform{caps: caps, final: true}
			p.desc.Limits = []gateway.Limit{{Scope: gateway.LimitChat, Every: 10 * time.Second, Burst: 1}}
			r, u, juliet := unansweredRig(t, p, p)
			defer func() { r.stop() }()
			u.arm(nth)
			r.askReceipt(juliet, "s1", "first;second")
			gatewaytest.Advance(5 * time.Minute)
			if more = len(u.verbs) >= nth; more {
				diff(t, fmt.Sprintf("call %d, %s, fails: sent", nth, u.verbs[nth-1]), p.taken(), []string{"juliet first;", "juliet second"})
			}
		})
	}
}

// sameID is a platform that gives its only message always the same id.
type sameID struct{ *platform }

func (s sameID) Send(ctx context.Context, c gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	sent, err := s.platform.Send(ctx, c, op)
	sent.IDs = []gateway.MessageID{"m1"}
	return sent, err
}

// TestStatusWhileEndWaits: what a platform tells of a message whose end is not in the store yet reaches its sender.
func TestStatusWhileEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r, u, juliet := unansweredRig(t, p, sameID{p})
		defer func() { r.stop() }()
		r.change(juliet, func(c *gateway.Contact) { c.Told = "" }) // who can read the chat is told behind the send
		u.full = time.Now().Add(time.Minute)
		r.askReceipt(juliet, "s1", "hello")
		gatewaytest.Advance(5 * time.Second)
		r.mustEvent(beside("juliet", "st1", gateway.Status{IDs: []gateway.MessageID{"m1"}, State: gateway.StatusDelivered}))
		gatewaytest.Advance(10 * time.Minute)
		diff(t, "the sender hears", r.heard(), []string{"receipt for s1"})
		diff(t, "sent", p.taken(), []string{"juliet hello"})
	})
}
