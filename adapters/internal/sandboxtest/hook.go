package sandboxtest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/gateway"
)

// patience bounds every wait for what a simulator does in its own time.
const patience = 5 * time.Second

// sink keeps webhooks as the gateway's intake would see them: what follows the instance in the path is the token.
func (b *Sandbox) sink(setup Setup) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if setup.Challenge != nil && r.Method == http.MethodGet {
			answer, ok := setup.Challenge(q)
			if !ok {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = w.Write(answer)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if token, ok := strings.CutPrefix(r.URL.Path, "/hooks/"+setup.Instance+"/"); ok {
			q.Set("token", token)
		}
		status := http.StatusOK
		if setup.Status != nil {
			status = setup.Status()
		}
		defer w.WriteHeader(status)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.posted = append(b.posted, gateway.Request{Method: r.Method, Query: q, Header: r.Header, Body: body, Now: time.Now().Unix()})
		close(b.heard)
		b.heard = make(chan struct{})
	})
}

// Webhooks lists what the simulator posted so far.
func (b *Sandbox) Webhooks() []gateway.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.posted)
}

// WaitFor waits until an event is among what the simulator posted, and returns it.
func (b *Sandbox) WaitFor(a gateway.Webhook, is func(gateway.Event) bool) (found gateway.Event) {
	b.T.Helper()
	b.Eventually("the event comes", func() bool {
		for _, r := range b.Webhooks() {
			events, err := a.Parse(r)
			if err != nil {
				b.T.Fatalf("Parse: %v\n%s", err, r.Body)
			}
			if i := slices.IndexFunc(events, is); i >= 0 {
				found = events[i]
				return true
			}
		}
		return false
	})
	return found
}

// Eventually looks again at every webhook, and in between, until something holds.
func (b *Sandbox) Eventually(what string, holds func() bool) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		b.mu.Lock()
		heard := b.heard
		b.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-heard:
		case <-tick.C:
		case <-ctx.Done():
			b.T.Fatalf("not within %v: %s", patience, what)
		}
	}
}
