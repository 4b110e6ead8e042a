package rest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/internal/rest"
)

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := rest.NewTokenSource(func(context.Context) (string, time.Duration, error) {
			n++
			return fmt.Sprint("t", n), 5 * time.Minute, nil
		})
		want := func(token string) {
			t.Helper()
			if got, err := s.Token(t.Context()); got != token || err != nil {
				t.Errorf("after %d fetches: got %q, %v; want %q", n, got, err, token)
			}
		}
		want("t1")
		<-time.After(4*time.Minute + 29*time.Second)
		want("t1")
		<-time.After(time.Second)
		want("t2")
		s.Forget(t.Context(), "t1")
		want("t2")
		s.Forget(t.Context(), "t2")
		want("t3")
	})
}

func TestTokenWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := rest.NewTokenSource(func(ctx context.Context) (string, time.Duration, error) {
			n++
			select {
			case <-time.After(3 * time.Second):
				return "t", time.Hour, nil
			case <-ctx.Done():
				return "", 0, ctx.Err()
			}
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got, err := s.Token(t.Context()); got != "t" || err != nil {
					t.Errorf("got %q, %v; want t", got, err)
				}
			})
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		wg.Go(func() {
			if _, err := s.Token(hasty); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("caller in a hurry: got %v, want %v", err, context.DeadlineExceeded)
			}
			if took := time.Since(began); took != time.Second {
				t.Errorf("caller in a hurry: waited %s, want 1s", took)
			}
		})
		wg.Wait()
		if n > 2 {
			t.Errorf("got %d fetches, want one, and one more if the hasty caller was the first", n)
		}
	})
}

// Who was refused waits for somebody's fetch no longer than their own context.
func TestForgetInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rest.NewTokenSource(func(ctx context.Context) (string, time.Duration, error) {
			<-ctx.Done()
			return "", 0, ctx.Err()
		})
		slow, stop := context.WithTimeout(t.Context(), time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Token(slow) }) // its end is the test's
		synctest.Wait()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		s.Forget(hasty, "old")
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %s, want 1s", took)
		}
		stop()
		wg.Wait()
	})
}

func TestTokenErrors(t *testing.T) {
	answers := []error{errors.New("down"), nil}
	s := rest.NewTokenSource(func(context.Context) (string, time.Duration, error) {
		err := answers[0]
		answers = answers[1:]
		return "", time.Hour, err
	})
	if _, err := s.Token(t.Context()); err == nil || err.Error() != "down" {
		t.Errorf("got %v, want down", err)
	}
	if _, err := s.Token(t.Context()); err == nil {
		t.Error("an answer without a token: got no error")
	}
}
