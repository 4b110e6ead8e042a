package app

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/gateway"
	"postern/gateway/memstore"
)

// ailing is a store that answers with an error.
type ailing struct {
	gateway.Store
	err error
}

func (s *ailing) Ready(context.Context) error { return s.err }

func (s *ailing) Save(context.Context, gateway.Owner, ...gateway.Change) error { return s.err }

// A store that fails is counted; what the contract lets it answer, and a caller who is gone, are no failures of it.
func TestStoreMetrics(t *testing.T) {
	m, s := newStoreMetrics(prometheus.NewRegistry()), &ailing{Store: memstore.New()}
	w := m.watch(s)
	for _, err := range []error{
		nil, gateway.ErrFull, gateway.ErrFenced, gateway.ErrHeld, gateway.ErrExists, gateway.ErrNotFound, context.Canceled, // none counts
		errors.New("connection refused"), context.DeadlineExceeded,
	} {
		if s.err = err; err != nil {
			s.err = fmt.Errorf("store: save: %w", err)
		}
		if got := w.Save(t.Context(), "o"); !errors.Is(got, err) {
			t.Errorf("save: got %v, want %v", got, err)
		}
	}
	if got := testutil.ToFloat64(m.errors.WithLabelValues("save")); got != 2 {
		t.Errorf("errors: got %v, want 2", got)
	}
	if got := testutil.CollectAndCount(m.seconds); got != len(storeOps) {
		t.Errorf("series of postern_store_seconds: got %d, want %d", got, len(storeOps))
	}
	usage := func(context.Context) (int64, int64, error) { return 7, 9, nil }
	for _, up := range []float64{0, 1, 0} {
		if s.err = nil; up == 0 {
			s.err = errors.New("connection refused")
		}
		m.look(t.Context(), w, usage)
		if got := testutil.ToFloat64(m.up); got != up {
			t.Errorf("up: got %v, want %v", got, up)
		}
	}
	if used, limit := testutil.ToFloat64(m.memory), testutil.ToFloat64(m.limit); used != 7 || limit != 9 {
		t.Errorf("memory: got %v of %v, want 7 of 9", used, limit)
	}
}
