package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// meanwhile is the store of one process: right after its n-th look at a kind of record, and before it can write what it makes of that,
// something happens in another process.
type meanwhile struct {
	gateway.Store
	kind gateway.RecordKind
	left atomic.Int32
	then func()
}

func (m *meanwhile) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	got, err := m.Store.Load(ctx, keys...)
	for _, k := range keys {
		if k.Kind == m.kind && m.left.Add(-1) == 0 {
			m.then()
		}
	}
	return got, err
}

// between starts the rig's process anew on a store in which something happens elsewhere after the n-th look at a kind of record.
func (r *rig) between(kind gateway.RecordKind, n int32, then func()) {
	r.t.Helper()
	r.stop()
	m := &meanwhile{Store: r.store, kind: kind, then: then}
	m.left.Store(n)
	r.store, r.identity = m, gateway.NewIdentity(m, r.keys)
	r.start(gateway.Config{})
}

// elsewhere returns another process that takes webhooks on the same store; it carries nothing.
func (r *rig) elsewhere() func(evs ...gateway.Event) {
	p := &platform{caps: r.platform.caps, desc: r.platform.desc}
	store := r.store
	gw := gateway.New(gateway.Config{Replica: "elsewhere"}, gateway.Deps{
		Store: store, Keyring: r.keys, Identity: gateway.NewIdentity(store, r.keys), Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: linePlatform{p}, Strangers: r.strangers}},
		Log:       slog.New(slog.DiscardHandler), Metrics: gateway.NewMetrics(prometheus.NewRegistry(), []gateway.AdapterID{wall}),
	})
	return func(evs ...gateway.Event) {
		p.hook = func(gateway.Request) ([]gateway.Event, error) { return evs, nil }
		if err := gw.Receive(r.t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}}); err != nil {
			r.t.Error(err)
		}
	}
}

// Of two people who bring one invite to two processes at once, one has it.
func TestInviteAtTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		token := l.invite(l.register(romeo), "Romeo")
		elsewhere := l.elsewhere()
		l.between(gateway.RecordInvite, 1, func() { elsewhere(opens("peter", token)) })
		l.comes(opens("nurse", token))
		l.comes(writes("nurse", "n1", "by the nurse"), writes("peter", "p1", "by peter"))
		if l.sawText(romeo, "by the nurse") || !l.sawText(romeo, "by peter") {
			t.Errorf("got %q, want what peter wrote, who was faster", l.toldTo(romeo))
		}
		if got := l.platform.taken(); len(got) == 0 || !strings.HasPrefix(got[0], "nurse This is @verona_bot. The invite") {
			t.Errorf("sent %q, want the nurse told that the invite is used up", got)
		}
	})
}

// What two processes learn of one person at once is known afterwards, all of it.
func TestGuestAtTwoReplicas(t *testing.T) {
	for look := range int32(2) { // as the other one comes between: before there is a record, and when there is one
		t.Run(fmt.Sprint(look), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLineRig(t, textCaps(), "")
				defer func() { l.stop() }()
				r, j := l.register(romeo), l.register(juliet)
				if look > 0 {
					l.comes(opens("nurse", l.invite(l.register("balthasar@example.org"), "Balthasar")))
				}
				first, second := l.invite(r, "Romeo"), l.invite(j, "Juliet")
				elsewhere := l.elsewhere()
				l.between(gateway.RecordGuest, 2, func() { elsewhere(opens("nurse", second)) }) // the first look asks whom she knows
				l.comes(opens("nurse", first))
				l.comes(writes("nurse", "c1", "/who"))
				got := strings.Join(l.platform.taken(), "\n")
				if !strings.Contains(got, "Romeo") || !strings.Contains(got, "Juliet") || strings.Contains(got, "Balthasar") != (look > 0) {
					t.Errorf("got %q, want everybody in the list", got)
				}
			})
		})
	}
}

// An answer that comes while another chat is about to ask is not written over: what it covers goes out.
func TestLateAnswerAtTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		over := p.outage()
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		answered := make(chan struct{})
		r.between(gateway.RecordLate, 1, func() { <-answered })
		r.stop()
		r.start(gateway.Config{AskAfter: 30 * time.Minute, GiveUp: 90 * time.Minute})
		r.mustAsk(r.contact("juliet"), "s1", "one")
		r.mustAsk(r.contact("nurse"), "s2", "two")
		gatewaytest.Advance(40 * time.Minute)
		over()
		gatewaytest.Advance(10 * time.Minute) // one of them stands before it asks, the other has asked
		if n := r.asked(); n != 1 {
			t.Fatalf("asked %d times, want once", n)
		}
		reply, err := r.desk().Say(t.Context(), gateway.Visitor{Adapter: wall, User: romeo, Resource: "phone"}, "yes")
		if err != nil || !strings.Contains(reply.Text, "as soon as") {
			t.Errorf("answered %q, %v", reply.Text, err)
		}
		close(answered)
		gatewaytest.Advance(5 * time.Second)
		if got := p.taken(); len(got) != 2 || r.asked() != 1 {
			t.Errorf("asked %d times, sent %q; want once, and both sent", r.asked(), got)
		}
	})
}

// What two processes change of one account, or of one contact, at once: both changes hold.
func TestRecordsAtTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.contact("juliet")
		other := gateway.NewIdentity(r.store, r.keys)
		change := func(i *gateway.Identity, account func(*gateway.Account), contact func(*gateway.Contact)) {
			t.Helper()
			if account != nil {
				if _, err := i.Amend(t.Context(), r.account.ID, account); err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := i.Revise(t.Context(), r.account, r.account.Keys.Alias("juliet"), contact); err != nil {
				t.Error(err)
			}
		}
		mine := gateway.NewIdentity(&meanwhile{Store: r.store}, r.keys)
		at := func(kind gateway.RecordKind, then func()) {
			m := &meanwhile{Store: r.store, kind: kind, then: then}
			m.left.Store(1)
			mine = gateway.NewIdentity(m, r.keys)
		}
		at(gateway.RecordAccount, func() { change(other, func(a *gateway.Account) { a.Called = "Romeo" }, nil) })
		change(mine, func(a *gateway.Account) { a.Lang = "it" }, nil)
		at(gateway.RecordContact, func() { change(other, nil, func(c *gateway.Contact) { c.Blocked = true }) })
		change(mine, nil, func(c *gateway.Contact) { c.Name = "Juliet" })

		fresh := gateway.NewIdentity(r.store, r.keys)
		a, err := fresh.ByID(t.Context(), r.account.ID)
		if err != nil || a.Called != "Romeo" || a.Lang != "it" {
			t.Errorf("account: got %+v, %v, want both changes", a, err)
		}
		c, err := fresh.Contact(t.Context(), r.account, r.account.Keys.Alias("juliet"))
		if err != nil || !c.Blocked || c.Name != "Juliet" {
			t.Errorf("contact: got %+v, %v, want both changes", c, err)
		}
	})
}
