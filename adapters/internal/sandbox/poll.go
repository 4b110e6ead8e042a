package sandbox

import (
	"slices"
)

// Pending are the updates that wait for the account, from a number on, in order, at most limit (zero: all): what a platform gives to those who
// poll. What is too old is forgotten. Negative numbers count from the end.
func (st *State) Pending(a *Account, from int64, limit int) []*Update {
	now := st.Now()
	st.prune(a, func(u *Update) bool { return st.expired(u, now) })
	var out []*Update
	a.lanes.Each(st.faults.WebhookParallel, func(l *lane) {
		for _, ship := range l.Queue {
			out = append(out, ship.Load...)
		}
	})
	slices.SortFunc(out, func(x, y *Update) int { return int(x.N - y.N) })
	if from < 0 {
		out = out[max(0, len(out)+int(max(from, -1<<30))):]
	} else {
		out = slices.DeleteFunc(out, func(u *Update) bool { return u.N < from })
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// Confirm forgets all updates below a number: the account has them.
func (st *State) Confirm(a *Account, below int64) {
	st.prune(a, func(u *Update) bool {
		if u.N < below {
			st.taken[u.Type]++
		}
		return u.N < below
	})
}

// prune forgets waiting updates.
func (st *State) prune(a *Account, gone func(*Update) bool) {
	changed := false
	a.lanes.Each(st.faults.WebhookParallel, func(l *lane) {
		l.Queue = slices.DeleteFunc(l.Queue, func(ship *shipment) bool {
			n := len(ship.Load)
			ship.Load = slices.DeleteFunc(ship.Load, gone)
			a.waiting -= n - len(ship.Load)
			changed = changed || n != len(ship.Load)
			return len(ship.Load) == 0
		})
	})
	if changed {
		st.Touch()
	}
}

// Drop forgets everything that waits for the account.
func (st *State) Drop(a *Account) { st.prune(a, func(*Update) bool { return true }) }
