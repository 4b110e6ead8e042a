package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// localpart renders as gatewaytest.Renderer, from the address that users see.
type localpart struct{ gatewaytest.Renderer }

func (l localpart) Render(r gateway.Rendering) ([][]byte, error) {
	if r.Local != "" {
		r.From = r.Local
	}
	return l.Renderer.Render(r)
}

// kindBlips fails the first so many loads of a kind of record.
type kindBlips struct {
	gateway.Store
	mu   sync.Mutex
	left map[gateway.RecordKind]int
}

func (b *kindBlips) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		if b.left[k.Kind] > 0 {
			b.left[k.Kind]--
			return nil, errBlip
		}
	}
	return b.Store.Load(ctx, keys...)
}

// Where contacts are shown under the platform's own ids, nothing is ever shown from another address: what the store does not tell is asked
// for again, or is an error of who wants something shown.
func TestReadableAddressSurvivesABlip(t *testing.T) {
	for _, kind := range []gateway.RecordKind{gateway.RecordLinks, gateway.RecordContact} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				if _, err := r.identity.Amend(t.Context(), r.account.ID, func(a *gateway.Account) { a.Readable = true }); err != nil {
					t.Fatal(err)
				}
				juliet := r.contact("juliet")
				b := &kindBlips{Store: r.store, left: map[gateway.RecordKind]int{kind: 1}}
				r.renderer, r.store, r.identity = localpart{}, b, gateway.NewIdentity(b, r.keys)
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				answer := gateway.Rendering{
					Component: gate, From: juliet, To: romeo, What: gateway.ShowError{Of: "s1", Refusal: gateway.Refusal{Condition: gateway.ItemNotFound}},
				}
				if err := r.gw.Show(t.Context(), wall, answer); !errors.Is(err, errBlip) {
					t.Errorf("got %v, want the store's error", err)
				}
				if err := r.gw.Show(t.Context(), wall, answer); err != nil {
					t.Error(err)
				}
				r.stop()
				b.left[kind], r.identity = 1, gateway.NewIdentity(b, r.keys) // which knows nothing yet
				r.start(gateway.Config{})
				r.mustEvent(said("juliet", "n1", "hello", 0))
				gatewaytest.Advance(10 * time.Second)
				got := r.wire.lines()
				if len(got) != 2 || !strings.Contains(got[1], `"hello"`) {
					t.Errorf("got %q, want the answer and the message", got)
				}
				for _, l := range got {
					if !strings.HasPrefix(l, "juliet@"+gate) {
						t.Errorf("got %q, want it from juliet@%s", l, gate)
					}
				}
			})
		})
	}
}
