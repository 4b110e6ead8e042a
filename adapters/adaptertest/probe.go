package adaptertest

import (
	"net/http"
	"testing"

	"postern/gateway"
)

// probe wants a Prober to find what the platform takes, to say so where it does not, and to change nothing there.
func (h Harness) probe(t *testing.T) {
	b := h.open(t)
	if _, ok := b.Adapter.(gateway.Prober); !ok {
		return
	}
	for _, c := range []struct {
		name string
		open func() gateway.Adapter
		line bool
	}{
		{"as configured", b.Reopen, false},
		{"with a line", func() gateway.Adapter { return b.Shared.Adapter }, true},
	} {
		if c.line && b.Shared == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			for _, fault := range []Fault{
				{Kind: FaultAnswer, Status: http.StatusUnauthorized, Header: http.Header{}, Body: "{}"}, {Kind: FaultDial, Header: http.Header{}},
			} {
				b.wire.SetAll(always(fault))
				before := b.wire.Total()
				found, err := b.prober(t, c.open()).Probe(t.Context())
				if b.wire.Total() == before && !c.line {
					continue // users bring all there is
				}
				if _, ok := err.(*gateway.SendError); !ok || found != "" { //nolint:errorlint // Probe promises the type itself
					t.Errorf("Probe of a platform that refuses or is away: got %q and %v, want a *SendError", found, err)
				}
				b.tellError(err)
				if c := gateway.ClassOf(err); fault.Kind == FaultDial && c != gateway.Retryable {
					t.Errorf("Probe of a platform that is away: got class %s, want %s", c, gateway.Retryable)
				}
			}
			b.wire.SetAll(nil)
			taken, before := len(b.Received()), b.wire.Total()
			found, err := b.prober(t, c.open()).Probe(t.Context())
			if err != nil || found == "" && (c.line || b.wire.Total() > before) {
				t.Errorf("Probe: got %q and %v, want what was found", found, err)
			}
			b.tell(found)
			if got := len(b.Received()); got != taken {
				t.Errorf("Probe sent %d messages, want none", got-taken)
			}
		})
	}
}

func (b *bench) prober(t *testing.T, a gateway.Adapter) gateway.Prober {
	t.Helper()
	p, ok := a.(gateway.Prober)
	if !ok {
		t.Fatal("the adapter is no Prober after a restart, or with a line")
	}
	return p
}
