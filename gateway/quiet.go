package gateway

import (
	"context"
	"errors"
	"time"
)

// PauseMost is how long a paused account's messages wait at most, however often the pause is renewed: a store is no archive.
const PauseMost = 24 * time.Hour

// MuteForever mutes a contact until its user says otherwise.
const MuteForever int64 = 1<<63 - 1

// MutedAt reports whether the user hears nothing of a contact but messages.
func (c *Contact) MutedAt(now time.Time) bool { return c.Muted > now.Unix() }

// PausedAt reports whether what comes in for an account waits.
func (a *Account) PausedAt(now time.Time) bool { return a.Paused.After(now) }

// pausedUntil writes when a pause ends.
func pausedUntil(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// quiet keeps from the user what they asked not to get: everything of a blocked contact, all but messages of a muted one.
// While the account is paused everything waits, in order.
func (w *inWalk) quiet(ctx context.Context) *verdict {
	if w.contact == nil || w.in.Event.FromMe {
		return nil
	}
	if _, bounce := w.in.Event.Body.(Undeliverable); bounce {
		return nil
	}
	if w.contact.Blocked && !failed(w.in.Event.Body) {
		w.o.g.metrics.hushed.WithLabelValues(string(w.inst.ID), "blocked").Inc()
		return new(w.finish(ctx))
	}
	if !w.account.Paused.IsZero() {
		if v := w.paused(ctx); v != nil {
			return v
		}
	}
	if w.contact.MutedAt(time.Now()) && beside(w.in.Event.Body) {
		w.o.g.metrics.hushed.WithLabelValues(string(w.inst.ID), "muted").Inc()
		return new(w.finish(ctx))
	}
	return nil
}

// failed reports whether an event says that a message of the user's own did not arrive: that is news from the platform, whoever
// the message was for.
func failed(b EventBody) bool {
	s, ok := b.(Status)
	return ok && s.State == StatusFailed
}

// beside reports whether an event is something else than a message, a change of one, or the fate of the user's own.
func beside(b EventBody) bool {
	switch b := b.(type) {
	case Reacted, Call, Typing, Presence:
		return true
	case Status:
		return b.State == StatusRead
	case Message, Edited, Retracted, Seen, ContactUpdate, MemberUpdate, Window, AccountState, Undeliverable:
	}
	return false
}

// paused lets a lane wait. What has waited long enough goes, and the oldest of a lane that holds half of what it may: more would
// be refused to the platform.
func (w *inWalk) paused(ctx context.Context) *verdict {
	left := time.Until(w.account.Paused)
	if left <= 0 {
		return w.pauseOver(ctx)
	}
	if left = min(left, time.Until(w.entry.At.Add(PauseMost))); left <= 0 {
		return nil
	}
	full, err := w.o.halfFull(ctx, w.entry.Lane)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	if full {
		return nil
	}
	// The wake-up comes by signal; the time is a safety net besides.
	return &verdict{end: again, after: max(min(left, backoffMost), waitInLane+time.Second), why: ParkPause}
}

// pauseOver ends a pause whose time is up, and says so by the gateway's presence.
func (w *inWalk) pauseOver(ctx context.Context) *verdict {
	ended := false
	now, err := w.o.g.identity.Amend(ctx, w.account.ID, func(a *Account) {
		if ended = !a.Paused.IsZero() && !a.PausedAt(time.Now()); ended {
			a.Paused = time.Time{}
		}
	})
	if errors.Is(err, ErrNoAccount) {
		return new(w.finish(ctx))
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.account = now
	if !now.Paused.IsZero() { // paused anew
		return &verdict{end: again, after: waitInLane + time.Second, why: ParkPause}
	}
	if !ended {
		return nil
	}
	w.show = append(w.show, Rendering{
		Component: w.inst.Component, To: now.User, Lang: now.Lang, What: ShowPresence{Available: true, Status: now.Shown},
	})
	return nil
}

// halfFull reports whether a lane's waiting entries are half of what it may hold.
func (o *ownership) halfFull(ctx context.Context, lane string) (bool, error) {
	n, _, err := o.g.store.Depth(ctx, o.part, ParkQueue(QueueIn, lane))
	return n >= inLaneMax*o.g.cfg.LaneMax/2, err
}

// overflow wakes a paused lane that holds half of what it may.
func (o *ownership) overflow(ctx context.Context, id laneID) error {
	full, err := o.halfFull(ctx, id.name)
	if err != nil || !full {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.parked[id]; ok {
		p.Until = time.Time{}
		o.parked[id] = p
		tell(o.freed)
	}
	return nil
}
