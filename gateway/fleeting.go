package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// fleeting is a typing notice on its way to a platform. It is never stored: late or crowded out, it is dropped.
type fleeting struct {
	account *Account
	out     Outbound
	until   time.Time
}

const (
	fleetingWorkers = 8
	fleetingLife    = 10 * time.Second
	// EphemeralTopic is the prefix of the topic on which a component hears what is shown at once; the adapter's id follows.
	EphemeralTopic = "eph:"
)

func (g *Gateway) askFleeting(a *Account, out Outbound) {
	select {
	case g.fleeting <- fleeting{a, out, time.Now().Add(fleetingLife)}:
	default:
		g.metrics.ephemerals.WithLabelValues("out", "dropped").Inc()
	}
}

// carryFleeting sends typing notices until ctx ends. Errors are no news to anybody.
func (g *Gateway) carryFleeting(ctx context.Context) {
	for {
		select {
		case f := <-g.fleeting:
			g.metrics.ephemerals.WithLabelValues("out", g.sendFleeting(ctx, f)).Inc()
		case <-ctx.Done():
			return
		}
	}
}

// sendFleeting sends one notice, where the account may act: what pauses messages pauses typing too. A panic costs the notice.
func (g *Gateway) sendFleeting(ctx context.Context, f fleeting) (result string) {
	defer func() {
		if r := recover(); r != nil {
			g.metrics.panics.Inc()
			g.log.Error("panic contained", "adapter", string(f.out.Adapter), "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			result = "dropped"
		}
	}()
	inst, ok := g.instance(f.out.Adapter)
	if !ok || time.Now().After(f.until) {
		return "dropped"
	}
	if s := f.account.StandingUnder(inst.Adapter.Descriptor()); s != AccountActive && s != AccountExpiring {
		return "dropped"
	}
	c, err := g.identity.Contact(ctx, f.account, f.out.Alias)
	if err != nil {
		return "dropped"
	}
	op := f.out.Op
	op.ID, op.Chat = NewOpID(), Chat{ID: c.Chat, Kind: ChatDirect, Contact: c.ID}
	p := Plan(op, inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}), time.Now())
	if len(p.Ops) == 0 {
		return "dropped"
	}
	call, cancel := context.WithDeadline(ctx, f.until)
	defer cancel()
	if _, err := inst.Adapter.Send(call, f.account.Credentials(), p.Ops[0]); err != nil {
		return "dropped"
	}
	return "ok"
}

// passFleeting tells the component's owner, on whichever replica, to show a contact's typing or presence now.
func (g *Gateway) passFleeting(ctx context.Context, inst Instance, a *Account, alias Alias, ev Event) {
	var what Shown
	switch b := ev.Body.(type) {
	case Typing:
		what = ShowTyping(b)
	case Presence:
		what = ShowPresence{Available: true, Away: !b.Available, LastSeen: b.LastSeen}
	case Message, Edited, Retracted, Reacted, Status, Seen, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
		return
	}
	if _, err := g.identity.Contact(ctx, a, alias); err != nil || ev.FromMe || time.Since(ev.At) > fleetingLife {
		g.metrics.ephemerals.WithLabelValues("in", "dropped").Inc()
		return
	}
	stanzas, err := g.renderer.Render(Rendering{Component: inst.Component, From: alias, To: a.User, Lang: a.Lang, What: what})
	if err != nil {
		g.metrics.ephemerals.WithLabelValues("in", "dropped").Inc()
		return
	}
	topic := EphemeralTopic + string(inst.ID)
	for _, raw := range stanzas {
		if err := g.store.Publish(ctx, topic, g.keys.operator.Seal(topic, raw)); err != nil {
			g.metrics.ephemerals.WithLabelValues("in", "dropped").Inc()
			return
		}
	}
	g.metrics.ephemerals.WithLabelValues("in", "ok").Inc()
}

// Fleeting calls show with each stanza that an adapter's component shall write at once, until ctx ends.
func (g *Gateway) Fleeting(ctx context.Context, a AdapterID, show func(stanza []byte)) {
	topic := EphemeralTopic + string(a)
	in := g.store.Subscribe(ctx, topic)
	for {
		select {
		case sealed := <-in:
			if plain, err := g.keys.operator.Open(topic, sealed); err == nil {
				show(plain)
			}
		case <-ctx.Done():
			return
		}
	}
}
