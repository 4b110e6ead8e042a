package gateway

import (
	"context"
	"math/rand/v2"
	"time"
)

// sleep waits for d; it reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type patienceKey struct{}

// withPatience returns a context whose walks know for how long they may wait.
func withPatience(ctx, patience context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, patience)
}

// patienceOf returns the context in which a walk waits for what it has not begun. It ends with the lease, and when the process stops: not
// with an ownership that goes to another replica in order, which waits for what is begun.
func patienceOf(ctx context.Context) context.Context {
	if patience, ok := ctx.Value(patienceKey{}).(context.Context); ok {
		return patience
	}
	return ctx
}

// wait waits for a hint, at most d; it reports false when ctx ended.
func wait(ctx context.Context, hint <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-hint:
	case <-ctx.Done():
		return false
	}
	return true
}

// jitter returns a duration between half of d and one and a half.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
)

// backoff returns how long to wait after the nth failed try: full jitter over 1 s, 2 s, 4 s ... 5 min.
func backoff(n int) time.Duration {
	d := backoffMost
	if n < 10 {
		d = min(backoffFirst<<max(n-1, 0), backoffMost)
	}
	return d/2 + rand.N(d/2+1)
}
