package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

// outWalk is one op on its way to the platform. Each stage fills in what the next needs, or ends the walk.
type outWalk struct {
	o       *ownership
	q       Queue
	entry   Entry
	out     Outbound
	inst    Instance
	account *Account
	contact *Contact
	planned Planned
	plain   []Op      // the planned ops before their files were handed over
	try     Attempt   // of this walk, once something has begun
	unsure  int       // sends of uncertain effect so far, as this process knows
	looked  Attempt   // of the walk before, where this one goes on to look for an echo
	without []Feature // what the platform refused during this walk
	named   []Feature // those of them that the refusals named
	lack    Feature   // the last of them, until it is planned without
	apart   bool      // a reply to what is not known any more, sent as a message of its own
	maps    []MapEntry
	due     time.Time // when it may go on although it is late
	turn    time.Time // when the first that it sends may go under the adapter's limits; zero before it has a turn
	spent   bool      // the latest turn is used up
	asked   bool      // whether an earlier try has sent the first of them that is not known to be there
	carried carried
	called  func(CallEnd)                      // tells the breaker of the first call; nil without leave, and once told
	sent    map[OpID]Sent                      // what this walk has given to the platform, or found there
	end     func(ctx context.Context) *verdict // what is left to do, once the op has its end (resume.go)
	resumed bool                               // it came to its end in an earlier try
}

// outStages are the stages of an op, in order.
var outStages = []stage[outWalk]{
	{"", (*outWalk).stopped},
	{"", (*outWalk).stale},
	{SpanResolve, (*outWalk).resolve},
	{SpanResolve, (*outWalk).target},
	{"", (*outWalk).answer},
	{"", (*outWalk).window},
	{"", (*outWalk).late},
	{SpanLimit, (*outWalk).catchUp},
	{SpanPlan, (*outWalk).plan},
	{"", (*outWalk).rest},
	{SpanLimit, (*outWalk).limit},
	{SpanMedia, (*outWalk).media},
	{"", (*outWalk).enter},
	{SpanSend, (*outWalk).send},
}

// walkOut carries one op.
func (o *ownership) walkOut(ctx context.Context, q Queue, it *item) verdict {
	w, err := o.walkOf(ctx, q, it)
	switch {
	case errors.Is(err, ErrNoAccount):
		return w.finish(ctx) // the account was erased, and what it had to say with it
	case errors.Is(err, errUnreadable):
		return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "unreadable"})
	case err != nil:
		return o.storeFailed(ctx, err)
	}
	defer w.putDown()
	defer func() { w.answered(CallNone) }()
	var ended *verdict
	defer func() { w.leave(it, ended) }()
	ctx, s := o.g.walks(ctx, SpanOut, it, w.out.Trace)
	v := w.walk(ctx)
	s.End(w.out.Adapter, v.outcome())
	if v.end == done {
		w.learn()
	}
	if (v.store || v.turn != nil) && !w.spent {
		v.mine = w.turn
	}
	switch it.turn, it.due, it.unsure = v.mine, w.due, w.unsure; {
	case v.look:
		it.looked = w.try
	case w.try.Number > 0:
		it.looked = Attempt{}
	}
	ended = &v
	return v
}

func (w *outWalk) walk(ctx context.Context) verdict {
	if w.end != nil {
		return w.resume(ctx)
	}
	for _, st := range outStages {
		if v := st.walk(ctx, w.o.g, w, w.out.Adapter, w.out.Trace); v != nil {
			return *v
		}
	}
	return w.finish(ctx)
}

// resolve finds adapter, account and contact.
func (w *outWalk) resolve(ctx context.Context) *verdict {
	var ok bool
	if w.inst, ok = w.o.g.instance(w.out.Adapter); !ok {
		return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: Permanent, Code: "no-adapter"}))
	}
	a, err := w.o.g.identity.ByID(ctx, w.out.Account)
	if errors.Is(err, ErrNoAccount) {
		return w.fail(ctx, RegistrationRequired, TextNotRegistered, w.inst.Component)
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.account = a
	if a.isLine() { // the gateway's own words to a person who is nobody's contact
		w.contact = &Contact{ID: w.out.Op.Chat.Contact, Alias: w.out.Alias, Chat: w.out.Op.Chat.ID}
		return nil
	}
	c, err := w.o.g.identity.Contact(ctx, a, w.out.Alias)
	if errors.Is(err, ErrNoContact) {
		return w.fail(ctx, ItemNotFound, TextNoContact, w.inst.Component)
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = c
	w.out.Op.Chat = Chat{ID: c.Chat, Kind: ChatDirect, Contact: c.ID}
	switch standing := a.StandingUnder(w.inst.Adapter.Descriptor()); standing {
	case AccountReauthNeeded, AccountReconsentNeeded:
		// Terms that changed pause what goes out until the user has agreed again; they are told once a day.
		if err := w.o.g.standing(ctx, a, standing, cause{why: CauseTerms}); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
		return w.parkAccount(ctx)
	case AccountSuspended:
		return w.fail(ctx, NotAuthorized, TextSuspended, w.platform())
	case AccountWithdrawn, AccountWithdrawalQueued:
		return w.fail(ctx, RegistrationRequired, TextNotRegistered, w.inst.Component)
	case AccountActive, AccountExpiring:
	}
	return nil
}

func (w *outWalk) platform() string { return w.inst.Adapter.Descriptor().Platform }

// target translates what the op points at from XMPP ids to the platform's.
func (w *outWalk) target(ctx context.Context) *verdict {
	t := targetOf(w.out.Op.Body)
	if t == nil || t.Stanza == "" {
		return nil
	}
	ids := []string{string(t.Stanza)}
	if piece := string(whole(t.Stanza)); piece != ids[0] {
		ids = append(ids, piece) // a further piece of a long message, which is one message there
	}
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStanza, ids...)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	m, ok := got[ids[0]]
	if !ok {
		m, ok = got[ids[len(ids)-1]]
	}
	t.IDs, t.Mine, t.At = m.IDs, m.Mine, m.At
	if _, marker := w.out.Op.Body.(OpMarkRead); marker && !w.o.g.readingOf(w.entry.Lane).news(t.Stanza) {
		return new(w.finish(ctx))
	}
	if ok {
		switch w.out.Op.Body.(type) {
		case OpEdit, OpRetract: // XEP-0308 §5, XEP-0424 §8: of the same sender alone, whatever the platform would allow
			if !m.Mine {
				return w.fail(ctx, NotAllowed, TextNotYours)
			}
		case OpMessage, OpReact, OpMarkRead, OpAnswer, OpTyping, OpReopen, OpGroup:
		}
		t.Excerpt = w.o.g.excerpt(w.entry.Lane, *t)
		w.out.Op.Body = withTarget(w.out.Op.Body, *t)
		return nil
	}
	switch b := w.out.Op.Body.(type) {
	case OpMessage: // an answer to something too old: what the client quoted goes back into the text
		b.Content, b.ReplyTo = quoted(b.ReplyTo.Excerpt, b.Content), nil
		w.out.Op.Body, w.apart = b, true
		return nil
	case OpEdit: // planned as a new message
		return nil
	case OpMarkRead, OpTyping:
		return new(w.finish(ctx))
	case OpRetract, OpReact, OpAnswer, OpReopen, OpGroup:
	}
	return w.fail(ctx, ItemNotFound, TextUnknownMessage)
}

// plan fits the op to what the chat supports.
func (w *outWalk) plan(ctx context.Context) *verdict {
	speaker, v := w.speaker(ctx)
	if v != nil {
		return v
	}
	op := w.out.Op
	op.Body = spoken(acted(op.Body, w.account.called()), speaker)
	w.planned = Plan(op, w.caps(), time.Now())
	w.plain = slices.Clone(w.planned.Ops)
	w.countDegraded(w.planned.Degraded)
	if w.apart {
		w.countDegraded([]Feature{FeatureReply})
	}
	if r := w.planned.Refused; r != nil {
		return w.refusedPlan(ctx, *r)
	}
	return nil
}

func (w *outWalk) countDegraded(fs []Feature) { w.o.g.countDegraded(w.inst.ID, fs) }

func (g *Gateway) countDegraded(a AdapterID, fs []Feature) {
	for _, f := range fs {
		g.metrics.degraded.WithLabelValues(string(a), string(f)).Inc()
	}
}

// finish ends the walk: the entry goes, the ids stay.
func (w *outWalk) finish(ctx context.Context) verdict {
	w.end = func(ctx context.Context) *verdict { return new(w.finish(ctx)) }
	w.o.g.probe("before-finish")
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, []Entry{w.entry}, w.maps); err != nil {
		return w.o.storeFailed(ctx, err)
	}
	w.o.g.metrics.endToEnd.WithLabelValues(string(w.out.Adapter), "out").Observe(time.Since(w.entry.At).Seconds())
	return verdict{}
}

// targetOf returns what an op points at, or nil.
func targetOf(b OpBody) *Target {
	switch b := b.(type) {
	case OpMessage:
		return b.ReplyTo
	case OpEdit:
		return &b.Target
	case OpRetract:
		return &b.Target
	case OpReact:
		return &b.Target
	case OpAnswer:
		return &b.Target
	case OpMarkRead:
		return &b.UpTo
	case OpTyping, OpReopen, OpGroup:
	}
	return nil
}

// withTarget returns the op's body pointing at t.
func withTarget(b OpBody, t Target) OpBody {
	switch b := b.(type) {
	case OpMessage:
		b.ReplyTo = &t
		return b
	case OpEdit:
		b.Target = t
		return b
	case OpRetract:
		b.Target = t
		return b
	case OpReact:
		b.Target = t
		return b
	case OpAnswer:
		b.Target = t
		return b
	case OpMarkRead:
		b.UpTo = t
		return b
	case OpTyping, OpReopen, OpGroup:
	}
	return b
}
