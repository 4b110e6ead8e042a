package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"
)

// fleeting is a typing notice on its way to a platform, or a word that something has arrived. It is never stored: late or crowded
// out, it is dropped.
type fleeting struct {
	account *Account
	out     Outbound
	until   time.Time
	arrived *Event // instead of an op
}

const (
	fleetingWorkers = 8
	fleetingQueue   = 1024
	fleetingLife    = 10 * time.Second
	// EphemeralTopic is the prefix of the topic on which a component hears what is shown at once; the adapter's id follows.
	EphemeralTopic = "eph:"
)

func (g *Gateway) askFleeting(a *Account, out Outbound) {
	if !enqueue(g.fleeting, a.ID, out.Alias, fleeting{account: a, out: out, until: time.Now().Add(fleetingLife)}) {
		g.metrics.ephemerals.WithLabelValues("out", "dropped").Inc()
	}
}

// acknowledge lets the platform know that an event has arrived, where somebody waits for that.
func (g *Gateway) acknowledge(inst Instance, a *Account, ev Event) {
	if k, ok := inst.Adapter.(Acknowledger); !ok || !k.Awaited(ev) {
		return
	}
	f := fleeting{account: a, out: Outbound{Adapter: inst.ID}, until: time.Now().Add(fleetingLife), arrived: &ev}
	if !enqueue(g.fleeting, a.ID, Alias(ev.Chat.Contact), f) {
		g.metrics.ephemerals.WithLabelValues("out", "dropped").Inc()
	}
}

// carryFleeting sends typing notices until ctx ends. Errors are no news to anybody.
func (g *Gateway) carryFleeting(ctx context.Context, queue <-chan fleeting) {
	for {
		select {
		case f := <-queue:
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
	call, cancel := context.WithDeadline(ctx, f.until)
	defer cancel()
	if f.arrived != nil {
		if k, ok := inst.Adapter.(Acknowledger); !ok || k.Acknowledge(call, f.account.Credentials(), *f.arrived) != nil {
			return "dropped"
		}
		return "ok"
	}
	c, err := g.identity.Contact(ctx, f.account, f.out.Alias)
	if err != nil {
		return "dropped"
	}
	op := f.out.Op
	op.ID, op.Chat = NewOpID(), Chat{ID: c.Chat, Kind: ChatDirect, Contact: c.ID}
	caps := chatCaps(inst.Adapter, g.facts(f.account, c))
	if b, ok := op.Body.(OpTyping); ok && caps.TypingAfter {
		if c.LastMessage == "" {
			return "dropped" // nothing to show it below
		}
		b.After = &Target{IDs: []MessageID{c.LastMessage}}
		op.Body = b
	}
	p := Plan(op, caps, time.Now())
	g.countDegraded(inst.ID, p.Degraded)
	if len(p.Ops) == 0 {
		return "dropped"
	}
	if got, err := g.tokens(ctx, inst, f.account, c, 0); err != nil || !got.OK {
		return "dropped"
	}
	if _, err := inst.Adapter.Send(call, f.account.Credentials(), p.Ops[0]); err != nil {
		return "dropped"
	}
	return "ok"
}

// passFleeting tells the component's owner, on whichever replica, to show a contact's typing or presence now.
func (g *Gateway) passFleeting(ctx context.Context, inst Instance, a *Account, alias Alias, ev Event) {
	c, err := g.identity.Contact(ctx, a, alias)
	if now := time.Now(); err != nil || c.Blocked || c.MutedAt(now) || a.PausedAt(now) || ev.FromMe || time.Since(ev.At) > fleetingLife {
		g.metrics.ephemerals.WithLabelValues("in", "dropped").Inc()
		return
	}
	switch b := ev.Body.(type) {
	case Typing:
		err = g.pass(ctx, inst, a, alias, ShowTyping(b), nil)
	case Presence:
		err = g.passPresence(ctx, inst, a, c, b)
	case Message, Edited, Retracted, Reacted, Status, Seen, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
		return
	}
	result := "ok"
	if err != nil {
		result = "dropped"
	}
	g.metrics.ephemerals.WithLabelValues("in", result).Inc()
}

// passed is what goes from any replica to the one that holds a component's stream.
type passed struct {
	Stanzas [][]byte `json:"s,omitempty"`
	// Typing is true for what is about typing; Afterwards is shown when nothing follows it.
	Typing     bool     `json:"t,omitempty"`
	Afterwards [][]byte `json:"x,omitempty"`
	// Alias and Presence are what that replica answers probes with from now on.
	Alias    Alias     `json:"a,omitempty"`
	Presence *Presence `json:"p,omitempty"`
}

// pass tells the component's owner to show something of a contact now; a nil Shown only lets it know of the presence.
func (g *Gateway) pass(ctx context.Context, inst Instance, a *Account, alias Alias, what Shown, p *Presence) error {
	note := passed{Alias: alias, Presence: p}
	if what != nil {
		r, err := g.addressed(ctx, inst.ID, a, Rendering{Component: inst.Component, From: alias, To: a.User, Lang: a.Lang, What: what})
		if err != nil {
			return err
		}
		if note.Stanzas, err = g.renderer.Render(r); err != nil {
			return err
		}
		if t, ok := what.(ShowTyping); ok {
			note.Typing = true
			if r.What = (ShowTyping{}); t.On {
				note.Afterwards, err = g.renderer.Render(r)
			}
			if err != nil {
				return err
			}
		}
	}
	plain, err := json.Marshal(note)
	if err != nil {
		return err
	}
	topic := EphemeralTopic + string(inst.ID)
	return g.store.Publish(ctx, topic, g.keys.operator.Seal(topic, plain))
}

// Fleeting calls show with each stanza that an adapter's component shall write at once, until ctx ends.
func (g *Gateway) Fleeting(ctx context.Context, a AdapterID, show func(stanza []byte)) {
	topic := EphemeralTopic + string(a)
	in := g.store.Subscribe(ctx, topic)
	types := newTyping()
	defer types.timer.Stop()
	for {
		select {
		case <-types.timer.C:
			types.expire(show)
		case sealed := <-in:
			plain, err := g.keys.operator.Open(topic, sealed)
			var note passed
			if err != nil || json.Unmarshal(plain, &note) != nil {
				continue // an older replica's, or nobody's
			}
			if note.Presence != nil {
				g.present.store(presenceKey(a, note.Alias), *note.Presence)
			}
			for _, raw := range note.Stanzas {
				show(raw)
			}
			if note.Typing {
				types.heard(note.Alias, note.Afterwards)
			}
		case <-ctx.Done():
			return
		}
	}
}
