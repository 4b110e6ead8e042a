package gateway

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignalHeld is the topic on which a replica tells the others that a platform wants to be left alone for a time; the payload is
// the adapter instance and the time in Unix milliseconds, with a blank between.
const SignalHeld = "held"

// platformScopes are what a platform may want to hear nothing of for a time.
var platformScopes = []LimitScope{LimitChat, LimitAccount, LimitApp}

// platformLimits are those that hold for what is sent: the adapter's, and the operator's for the same scopes.
func (i Instance) platformLimits() []Limit {
	own := i.Adapter.Descriptor().Limits
	for _, l := range i.Limits {
		switch l.Scope {
		case LimitChat, LimitAccount, LimitApp:
			own = append(slices.Clip(own), l)
		case LimitUser, LimitUserChat, LimitFirst, LimitPlan, LimitPlanNew, LimitPlanMedia:
		}
	}
	return own
}

// limitName names what shares a limit with a send to a contact; the empty scope is the account. On a line all its users write
// into the same chats.
func limitName(inst Instance, a *Account, c *Contact, scope LimitScope) string {
	name := string(inst.ID)
	switch scope {
	case LimitChat:
		return "chat " + name + "/" + string(a.Endpoint) + "/" + string(c.ID)
	case LimitApp:
		return "app " + name
	case LimitUser:
		return "user " + name + "/" + string(a.User)
	case LimitUserChat:
		return "user " + name + "/" + string(a.User) + "/" + string(c.Alias)
	case LimitFirst:
		return "first " + name + "/" + string(a.User)
	case LimitPlan, LimitPlanNew, LimitPlanMedia:
		return string(scope) + " " + name + "/" + string(a.User)
	case LimitAccount:
	}
	return "account " + name + "/" + string(a.Endpoint)
}

// bucket is a limit as it counts for a send to a contact. What several users share they get in turn.
func (g *Gateway) bucket(inst Instance, a *Account, c *Contact, l Limit) Bucket {
	b := Bucket{Name: g.keys.Name("limit", l.Every.String(), limitName(inst, a, c, l.Scope)), Every: l.Every, Burst: max(l.Burst, 1)}
	if a.Shared && !l.Scope.ofUser() || l.Scope == LimitApp {
		b.Taker = g.keys.Name("taker", string(a.User))
	}
	return b
}

// pauses are the buckets by which a platform is left alone for as long as it said.
func (g *Gateway) pauses(inst Instance, a *Account, c *Contact) []Bucket {
	out := make([]Bucket, 0, len(platformScopes))
	for _, scope := range platformScopes {
		out = append(out, Bucket{Name: g.pauseName(inst, a, c, scope), Burst: 1})
	}
	return out
}

func (g *Gateway) pauseName(inst Instance, a *Account, c *Contact, scope LimitScope) string {
	return g.keys.Name("pause", limitName(inst, a, c, scope))
}

// pauseReview is how often a replica that sends asks whether an instance has a pause: a signal tells of it at once, but may be lost, and
// who has just started heard none.
const pauseReview = 3 * time.Second

// anyPause is the bucket that is held while anything of an instance is.
func (g *Gateway) anyPause(a AdapterID) Bucket {
	return Bucket{Name: g.keys.Name("pause", "any "+string(a)), Burst: 1}
}

// paused reports whether something of an instance may be held, as far as signals told, or the store a moment ago.
func (g *Gateway) paused(ctx context.Context, a AdapterID) (bool, error) {
	if g.holds(a) {
		return true, nil
	}
	if asked, ok := g.reviewed.load(a); ok && time.Since(asked) < pauseReview {
		return false, nil
	}
	defer g.identity.alone("pause " + string(a))() // who comes meanwhile waits for the answer
	if asked, ok := g.reviewed.load(a); ok && time.Since(asked) < pauseReview {
		return g.holds(a), nil
	}
	got, err := g.store.Take(ctx, a, 0, g.anyPause(a))
	if err != nil {
		return false, err
	}
	g.reviewed.store(a, time.Now())
	if !got.OK {
		g.keepHold(a, time.Now().Add(got.Wait))
	}
	return !got.OK, nil
}

// tokens asks for leave to send one thing to a contact. The store is asked for pauses where it is asked anyway, and while one is
// known of: a platform without limits costs a question now and then.
func (g *Gateway) tokens(ctx context.Context, inst Instance, a *Account, c *Contact, most time.Duration) (Taken, error) {
	limits := inst.platformLimits()
	if len(limits) == 0 {
		if paused, err := g.paused(ctx, inst.ID); err != nil || !paused {
			return Taken{OK: err == nil}, err
		}
	}
	buckets := g.pauses(inst, a, c)
	for _, l := range limits {
		buckets = append(buckets, g.bucket(inst, a, c, l))
	}
	got, err := g.store.Take(ctx, inst.ID, most, buckets...)
	if err == nil && got.Wait > 0 {
		scope := "pause"
		if n := got.By - len(platformScopes); n >= 0 {
			scope = string(limits[n].Scope)
		}
		g.metrics.limited.WithLabelValues(string(inst.ID), scope).Inc()
		g.ledger.limit(inst.ID, LimitScope(scope))
	}
	return got, err
}

// hold leaves a chat, an account or an instance alone for as long as the platform said, on every replica.
func (w *outWalk) hold(ctx context.Context, scope LimitScope, d time.Duration) error {
	g := w.o.g
	if err := g.store.Hold(ctx, w.inst.ID, g.pauseName(w.inst, w.account, w.contact, scope), d); err != nil {
		return err
	}
	if err := g.store.Hold(ctx, w.inst.ID, g.anyPause(w.inst.ID).Name, d); err != nil {
		return err
	}
	until := time.Now().Add(d)
	g.keepHold(w.inst.ID, until)
	payload := string(w.inst.ID) + " " + strconv.FormatInt(until.UnixMilli(), 10)
	if err := g.store.Publish(ctx, SignalHeld, []byte(payload)); err != nil {
		g.log.Warn("pause not signalled", "adapter", string(w.inst.ID), "err", err) // another replica finds it
	}
	return nil
}

// heldElsewhere takes what another replica says of a pause.
func (g *Gateway) heldElsewhere(payload []byte) {
	id, at, _ := strings.Cut(string(payload), " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if _, ok := g.instance(AdapterID(id)); ok && err == nil {
		g.keepHold(AdapterID(id), time.UnixMilli(ms))
	}
}

// keepHold remembers that something of an instance is held until a time.
func (g *Gateway) keepHold(a AdapterID, until time.Time) {
	if was, ok := g.held.load(a); !ok || until.After(was) {
		g.held.store(a, until)
	}
}

func (g *Gateway) holds(a AdapterID) bool {
	until, ok := g.held.load(a)
	return ok && time.Now().Before(until)
}

// limit waits while the platform has told us to slow down, and for the op's turn under the limits.
func (w *outWalk) limit(ctx context.Context) *verdict {
	if len(w.planned.Ops) == 0 {
		return nil
	}
	if !w.turn.IsZero() && w.o.g.holds(w.inst.ID) { // since the turn was given, perhaps
		got, err := w.o.g.store.Take(ctx, w.inst.ID, 0, w.o.g.pauses(w.inst, w.account, w.contact)...)
		if err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
		if !got.OK {
			return askAgain(got.Wait)
		}
	}
	if w.turn.IsZero() {
		got, err := w.o.g.tokens(ctx, w.inst, w.account, w.contact, waitInLane)
		if err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
		if !got.OK {
			return askAgain(got.Wait)
		}
		w.turn = time.Now().Add(got.Wait)
	}
	if left := time.Until(w.turn); left > 0 {
		return &verdict{end: again, after: left, why: ParkLimit, mine: w.turn}
	}
	return nil
}

// askAgain comes back a little after the wait, not all at once: everybody who waits for the end of a pause has the same.
func askAgain(wait time.Duration) *verdict {
	return &verdict{end: again, after: wait + rand.N(wait/8+time.Millisecond), why: ParkLimit}
}

// pieceMost is how long a piece of a message waits in place for its turn, in a slot of the lanes: so long a message is rather said in one go.
const pieceMost = time.Minute

// pieceTurn waits for the turn of a further piece of a message that is being sent: that of limit is for the first one. Without the store it
// goes on: the platform knows its limits as well. Whoever has waited asks whether the shard is still theirs: the next owner may have said
// the piece meanwhile.
func (w *outWalk) pieceTurn(ctx context.Context) *verdict {
	var waited time.Duration
	for w.spent {
		got, err := w.o.g.tokens(ctx, w.inst, w.account, w.contact, pieceMost-waited)
		if err != nil && fatal(ctx, err) {
			return &verdict{end: stop}
		}
		if err != nil {
			break
		}
		if !got.OK && got.Wait > pieceMost-waited || got.Wait > 0 && !sleep(patienceOf(ctx), got.Wait) {
			return w.notYet(ctx, got.Wait)
		}
		waited += got.Wait
		w.spent = !got.OK
	}
	w.spent = false
	if waited == 0 {
		return nil
	}
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, nil); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// notYet leaves the rest of a message for later. Nothing of its next piece has begun, since this walk sent the one before it; who takes it
// up again goes on there, as the id map knows those that went.
func (w *outWalk) notYet(ctx context.Context, wait time.Duration) *verdict {
	if err := w.o.g.store.Fail(ctx, w.o.lease, w.q, w.entry.ID); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return askAgain(wait)
}
