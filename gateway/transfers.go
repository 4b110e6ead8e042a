package gateway

import (
	"context"
	"slices"
	"sync"
)

// transfers bounds how many files move at once in one direction, and how many of one user: nobody's slow host holds up
// everybody's files. Who finds no place waits for a turn, first come, first served.
type transfers struct {
	mu      sync.Mutex
	max     int
	busy    int
	by      map[UserID]int
	waiting []*fileTurn
}

// fileTurn is a lane's wait for a place among the transfers: when ready is closed, the place is its own until end.
type fileTurn struct {
	of    *transfers
	user  UserID
	ready chan struct{}
	state turnState
}

type turnState uint8

const (
	turnWaits turnState = iota
	turnHeld            // the place is kept for the lane
	turnOver            // taken by the walk, which gives it back itself, or given up
)

func newTransfers(most int) *transfers { return &transfers{max: most, by: map[UserID]int{}} }

// take returns a place for a file of a user, and release must follow; else a turn to wait for. A walk that was given its
// turn takes that place.
func (t *transfers) take(ctx context.Context, u UserID) (release func(), wait *fileTurn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine, ok := ctx.Value(turnKey{}).(*fileTurn); ok && mine != nil && mine.of == t && mine.user == u && mine.state == turnHeld {
		mine.state = turnOver
		return func() { t.leave(u) }, nil
	}
	if !t.room(u) { // where there is room nobody waits who could use it: leave has seen to that
		wait = &fileTurn{of: t, user: u, ready: make(chan struct{})}
		t.waiting = append(t.waiting, wait)
		return nil, wait
	}
	t.enter(u)
	return func() { t.leave(u) }, nil
}

func (t *transfers) room(u UserID) bool { return t.busy < t.max && t.by[u] < max(1, t.max/4) }

func (t *transfers) enter(u UserID) { t.busy++; t.by[u]++ }

func (t *transfers) leave(u UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left(u)
}

// left gives a place to whoever has waited for it longest.
func (t *transfers) left(u UserID) {
	t.busy--
	if t.by[u]--; t.by[u] == 0 {
		delete(t.by, u)
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(w *fileTurn) bool {
		if !t.room(w.user) {
			return false
		}
		t.enter(w.user)
		w.state = turnHeld
		close(w.ready)
		return true
	})
}

// end gives up a turn that was not used. A nil turn is none.
func (w *fileTurn) end() {
	if w == nil {
		return
	}
	t := w.of
	t.mu.Lock()
	defer t.mu.Unlock()
	switch w.state {
	case turnWaits:
		t.waiting = slices.DeleteFunc(t.waiting, func(o *fileTurn) bool { return o == w })
	case turnHeld:
		t.left(w.user)
	case turnOver:
	}
	w.state = turnOver
}

type turnKey struct{}

// withTurn returns a context in which take knows whose turn it is.
func withTurn(ctx context.Context, w *fileTurn) context.Context {
	if w == nil {
		return ctx
	}
	return context.WithValue(ctx, turnKey{}, w)
}
