package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/memstore"
)

// slotsFunc is a component that answers as told.
type slotsFunc func(context.Context, gateway.SlotRequest) (gateway.Slot, error)

func (f slotsFunc) Slot(ctx context.Context, r gateway.SlotRequest) (gateway.Slot, error) {
	return f(ctx, r)
}

func elsewhere(context.Context, gateway.SlotRequest) (gateway.Slot, error) {
	return gateway.Slot{}, gateway.ErrElsewhere
}

// desks runs one slot desk for each component on a shared store.
func desks(t *testing.T, components ...slotsFunc) []*gateway.SlotDesk {
	t.Helper()
	store := memstore.New()
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	var out []*gateway.SlotDesk
	for i, c := range components {
		d := gateway.NewSlotDesk(store, keys, string(rune('a'+i)), slog.New(slog.DiscardHandler))
		d.Serve(wall, c)
		wg.Go(func() { d.Run(ctx) })
		out = append(out, d)
	}
	synctest.Wait()
	return out
}

func slotRequest() gateway.SlotRequest {
	return gateway.SlotRequest{To: gateway.Recipient{Adapter: wall, User: romeo}, Name: "cat.png", Size: 9, MIME: "image/png"}
}

func TestSlotFromAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := gateway.Slot{Put: "https://up/put", Get: "https://up/get", Header: map[string]string{"Authorization": "x"}}
		var asked gateway.SlotRequest
		d := desks(t, elsewhere, elsewhere, func(_ context.Context, r gateway.SlotRequest) (gateway.Slot, error) {
			asked = r
			return want, nil
		})
		got, err := d[0].Slot(t.Context(), slotRequest())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "slot", got, want)
		diff(t, "asked", asked, slotRequest())
	})
}

func TestSlotRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other slotsFunc
		noun  error
		waits time.Duration
	}{
		{"refused there", func(context.Context, gateway.SlotRequest) (gateway.Slot, error) {
			return gateway.Slot{}, gateway.ErrNoSlot
		}, gateway.ErrNoSlot, 0},
		{"too large there", func(context.Context, gateway.SlotRequest) (gateway.Slot, error) {
			return gateway.Slot{}, &gateway.FileError{Reason: gateway.FileTooLarge, Max: 7, Err: gateway.ErrNoSlot}
		}, gateway.ErrNoSlot, 0},
		{"not now", func(context.Context, gateway.SlotRequest) (gateway.Slot, error) {
			return gateway.Slot{}, errors.New("wait")
		}, nil, 0},
		{"connected nowhere", elsewhere, gateway.ErrElsewhere, 10 * time.Second},
		{"never answered", func(ctx context.Context, _ gateway.SlotRequest) (gateway.Slot, error) {
			<-ctx.Done()
			return gateway.Slot{}, ctx.Err()
		}, gateway.ErrElsewhere, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := desks(t, elsewhere, tt.other)
				began := time.Now()
				_, err := d[0].Slot(t.Context(), slotRequest())
				if tt.noun == nil && (err == nil || errors.Is(err, gateway.ErrNoSlot) || errors.Is(err, gateway.ErrElsewhere)) {
					t.Errorf("got %v, want an error that is no refusal", err)
				}
				if fe, ok := errors.AsType[*gateway.FileError](err); tt.name == "too large there" && (!ok || fe.Max != 7) {
					t.Errorf("got %v, want the limit", err)
				}
				if tt.noun != nil && !errors.Is(err, tt.noun) || time.Since(began) != tt.waits {
					t.Errorf("got %v after %v, want %v after %v", err, time.Since(began), tt.noun, tt.waits)
				}
			})
		})
	}
}

func TestSlotQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desks(t, elsewhere)[0]
		var wg sync.WaitGroup
		var mu sync.Mutex
		at := map[time.Duration]int{}
		began := time.Now()
		for range 100 {
			wg.Go(func() {
				_, err := d.Slot(t.Context(), slotRequest())
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, gateway.ErrElsewhere) {
					at[time.Since(began)]++
				}
			})
		}
		wg.Wait()
		diff(t, "ends", at, map[time.Duration]int{0: 36, 10 * time.Second: 64})
	})
}
