package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	statusPatience = 5 * time.Second // how long a status waits for the send that it speaks of to be recorded
	statusRetry    = 100 * time.Millisecond
)

// inWalk is one event on its way to a user.
type inWalk struct {
	o       *ownership
	q       Queue
	entry   Entry
	in      Inbound
	inst    Instance
	account *Account
	contact *Contact
	renamed bool      // the event told another name than was known
	due     time.Time // when it may go on although it is late
	fresh   bool      // the contact was created by this event, now or in an earlier try
	show    []Rendering
	maps    []MapEntry
	after   []MapEntry        // id maps that are written with the end of the walk
	doubts  []Text            // what to tell of files that are shown
	covered map[StanzaID]bool // what a watermark was found to speak of
}

// inStages are the stages of an event, in order.
var inStages = []stage[inWalk]{
	{"", (*inWalk).stopped},
	{"", (*inWalk).server},
	{SpanResolve, (*inWalk).resolve},
	{SpanLimit, (*inWalk).catchUp},
	{"", (*inWalk).meet},
	{"", (*inWalk).quiet},
	{"", (*inWalk).look},
	{SpanMedia, (*inWalk).media},
	{SpanRender, (*inWalk).render},
	{"", (*inWalk).doubted},
	{"", (*inWalk).begin},
	{SpanOutbox, (*inWalk).append},
}

// walkIn carries one event.
func (o *ownership) walkIn(ctx context.Context, q Queue, it *item) verdict {
	if it.Kind == EntryRaw {
		return o.walkRaw(ctx, q, it)
	}
	w := &inWalk{o: o, q: q, entry: it.Entry, due: it.due}
	defer func() { it.due = w.due }()
	var err error
	if it.in != nil {
		w.in = *it.in
	} else {
		w.in, err = openEntry[Inbound](ctx, o.g.identity, it.Entry)
	}
	switch {
	case errors.Is(err, ErrNoAccount):
		return w.finish(ctx) // erased, and its mail with it
	case errors.Is(err, errUnreadable):
		return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "unreadable"})
	case err != nil:
		return o.storeFailed(ctx, err)
	}
	ctx, s := o.g.walks(ctx, SpanIn, it, w.in.Trace)
	v := w.walk(ctx)
	s.End(w.in.Adapter, v.outcome())
	return v
}

func (w *inWalk) walk(ctx context.Context) verdict {
	for _, st := range inStages {
		if v := st.walk(ctx, w.o.g, w, w.in.Adapter, w.in.Trace); v != nil {
			return *v
		}
	}
	return w.finish(ctx)
}

// resolve finds account and contact, creating a contact on first sight.
func (w *inWalk) resolve(ctx context.Context) *verdict {
	var ok bool
	if w.inst, ok = w.o.g.instance(w.in.Adapter); !ok {
		return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: Permanent, Code: "no-adapter"}))
	}
	a, err := w.o.g.identity.ByID(ctx, w.in.Account)
	if errors.Is(err, ErrNoAccount) {
		return new(w.finish(ctx))
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.account = a
	if w.in.Event.Chat.Contact == "" {
		return w.faceless(ctx)
	}
	c, err := w.o.g.identity.Contact(ctx, a, w.in.Alias)
	intro := w.o.g.keys.Name("intro", string(a.ID), w.in.Event.Dedupe)[:8]
	if err == nil {
		w.contact, w.fresh = c, c.Intro == intro
		return w.learn(ctx)
	}
	if !errors.Is(err, ErrNoContact) {
		return new(w.o.storeFailed(ctx, err))
	}
	if !introduces(w.in.Event.Body) {
		return new(w.finish(ctx)) // a signal about somebody we do not know says nothing to anybody
	}
	w.fresh = true
	fresh := Contact{ID: w.in.Event.Chat.Contact, Alias: w.in.Alias, Intro: intro}
	w.learned(&fresh)
	w.contact, err = w.o.g.identity.PutContact(ctx, a, fresh)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// faceless passes on what concerns no contact. A message of a group has no address here to come from: it is kept for the
// operator until groups have.
func (w *inWalk) faceless(ctx context.Context) *verdict {
	switch w.in.Event.Body.(type) {
	case AccountState, Undeliverable:
		return nil
	case Message, Edited:
		if v := w.group(ctx); v != nil {
			return v
		}
		return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: Unsupported, Code: "no-contact"}))
	case Retracted, Reacted, Status, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window:
	}
	return new(w.finish(ctx))
}

// group says once a day, by the gateway itself, that there is news in a group, which nothing here shows yet.
func (w *inWalk) group(ctx context.Context) *verdict {
	chat := w.in.Event.Chat
	if chat.Kind != ChatGroup || w.in.Event.FromMe {
		return nil
	}
	r := Rendering{
		Component: w.inst.Component, To: w.account.User, Lang: w.account.Lang,
		What: ShowMessage{IDs: []StanzaID{w.derived("group")}, Content: PlainText(w.say(TextGroups, w.platform())), Notice: true},
	}
	if err := w.o.g.once(ctx, w.account, r, w.o.g.keys.Name("group", string(w.account.ID), string(chat.ID))); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// learn keeps what an event tells of a contact we know, when it changed.
func (w *inWalk) learn(ctx context.Context) *verdict {
	c := *w.contact
	w.learned(&c)
	w.renamed = c.Name != w.contact.Name
	if c == *w.contact {
		return nil
	}
	kept, err := w.o.g.identity.Revise(ctx, w.account, c.Alias, w.learned)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	if kept.LastInbound > w.contact.LastInbound {
		w.o.opened(w.entry.Lane)
	}
	w.contact = kept
	return nil
}

// learned notes in a contact what the event tells of them.
func (w *inWalk) learned(c *Contact) {
	if w.inst.Adapter.Descriptor().Renames && !w.in.Event.At.Before(time.Unix(c.LastInbound, 0)) {
		c.ID = w.in.Event.Chat.Contact
	}
	if id := w.in.Event.Chat.ID; id != "" {
		c.Chat = id
	}
	if name := nameIn(w.in.Event); name != "" {
		c.Name = name
	}
	if u, ok := w.in.Event.Body.(ContactUpdate); ok {
		if u.Consent == ConsentAccepted {
			c.Pending = false
		}
		if u.Avatar != nil {
			c.LookAfter = 0 // should the look be forgotten, the next occasion makes up for it
		}
	}
	caps := w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
	at := w.in.Event.opens(caps.Window)
	if m, ok := w.in.Event.Body.(Message); ok && caps.TypingAfter && !w.in.Event.FromMe && !w.in.Event.At.Before(time.Unix(c.LastInbound, 0)) {
		c.LastMessage = m.ID
	}
	if !at.IsZero() {
		c.LastInbound = max(c.LastInbound, at.Unix())
	}
}

// opens returns when the contact wrote last, by what an event tells of the platform's reply window; zero when it tells nothing.
func (ev *Event) opens(rule *WindowRule) time.Time {
	if rule == nil || ev.FromMe {
		return time.Time{}
	}
	switch b := ev.Body.(type) {
	case Message:
		return ev.At
	case ContactUpdate:
		if ev.Invite != "" { // opening the link began the chat
			return ev.At
		}
	case Window:
		return b.OpenUntil.Add(-rule.For)
	case Edited, Retracted, Reacted, Status, Seen, Typing, Presence, MemberUpdate, Call, AccountState, Undeliverable:
	}
	return time.Time{}
}

// introduces reports whether an event makes somebody unknown a contact.
func introduces(b EventBody) bool {
	switch b := b.(type) {
	case Message, Call:
		return true
	case ContactUpdate:
		return b.Consent == ConsentRequested || b.Consent == ConsentAccepted
	case Edited, Retracted, Reacted, Status, Seen, Typing, Presence, MemberUpdate, Window, AccountState, Undeliverable:
	}
	return false
}

// nameIn returns the contact's name where an event tells it; what the user wrote elsewhere carries their own.
func nameIn(ev Event) string {
	if ev.FromMe {
		return ""
	}
	switch b := ev.Body.(type) {
	case Message:
		return bounded(b.Name)
	case ContactUpdate:
		if b.Name != nil {
			return bounded(*b.Name)
		}
	case Edited, Retracted, Reacted, Status, Seen, Typing, Presence, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return ""
}

// begin fences the hop and writes the ids that a quick answer may already need.
func (w *inWalk) begin(ctx context.Context) *verdict {
	w.o.g.probe("after-render")
	if len(w.show) == 0 {
		return nil
	}
	// No attempt is counted: what an earlier try has shown is known by its dedupe name, not by its number.
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, w.maps); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// append hands the stanzas to the component's outbox. A replay of this hop is absorbed by its dedupe name, which stands
// for the event and what is shown of it, not for the entry: what a second try shows in another place is still the same.
func (w *inWalk) append(ctx context.Context) *verdict {
	for _, r := range w.show {
		name := w.o.g.keys.Name("hop", string(w.account.ID), w.in.Event.Dedupe, shownKind(r.What))
		if err := w.o.g.show(ctx, w.inst.ID, w.account, r, w.shownAt(), name); errors.Is(err, errRender) {
			w.o.g.log.Error("event not shown", "adapter", string(w.inst.ID), "entry", w.entry.ID, "err", err)
			return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: Permanent, Code: "unrenderable"}))
		} else if err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	w.o.g.probe("after-outbox")
	return nil
}

// shownAt is when the event happened, for the delay stamp; a platform's clock in the future is not believed.
func (w *inWalk) shownAt() time.Time {
	if w.in.Event.At.IsZero() || w.in.Event.At.After(w.entry.At) {
		return w.entry.At
	}
	return w.in.Event.At
}

// finish ends the walk.
func (w *inWalk) finish(ctx context.Context) verdict {
	w.o.g.probe("before-finish")
	seen := w.o.seqEntry(w.entry.Lane, w.in.Event.Seq)
	told, release, err := w.told(ctx)
	defer release()
	if errors.Is(err, errLate) {
		return verdict{end: again, after: time.Millisecond, why: ParkRetry}
	}
	if err == nil {
		err = w.o.g.store.Finish(ctx, w.o.lease, w.q, []Entry{w.entry}, slices.Concat(seen, w.after, told))
	}
	if err != nil {
		return w.o.storeFailed(ctx, err)
	}
	if seen != nil {
		w.o.seqs.store(w.entry.Lane, w.in.Event.Seq)
	}
	if w.in.Adapter != "" {
		w.o.g.metrics.endToEnd.WithLabelValues(string(w.in.Adapter), "in").Observe(time.Since(w.shownAt()).Seconds())
	}
	return verdict{}
}

// add shows something from the contact.
func (w *inWalk) add(what Shown) {
	if r, ok := what.(ShowReceipt); ok && w.o.g.canaryArrived(w.inst.ID, w.account.User, r.Of) {
		return
	}
	w.show = append(w.show, Rendering{
		Component: w.inst.Component, From: w.in.Alias, To: w.account.User, Lang: w.account.Lang, What: what,
	})
}
