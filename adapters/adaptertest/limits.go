package adaptertest

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway"
)

// margin keeps the age tests off the exact boundary, because the fake's clock runs.
const margin = 5 * time.Second

func (h Harness) limits(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		b := h.open(t)
		caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
		if caps.TextMax == 0 {
			return
		}
		// Two of the three units count more than one for these: a wrong unit shows.
		for _, char := range []string{"a", "ü", "🌹"} {
			longest := strings.Repeat(char, caps.TextMax/units(char, caps.TextUnit))
			longest += strings.Repeat("a", caps.TextMax-units(longest, caps.TextUnit))
			b.mustSend(0, b.opTo(0, gateway.OpMessage{Content: gateway.PlainText(longest)}))
			_, err := b.send(t.Context(), 0, b.opTo(0, gateway.OpMessage{Content: gateway.PlainText(longest + "a")}))
			if gateway.ClassOf(err) != gateway.Unsupported {
				t.Errorf("%d of %q and one more: got %v, want class unsupported", caps.TextMax, char, err)
			}
		}
	})
	ages := []struct {
		name    string
		feature gateway.Feature
		limit   func(gateway.Caps) time.Duration
		op      func(gateway.Target) gateway.OpBody
	}{
		{
			"edit", gateway.FeatureEdit, func(c gateway.Caps) time.Duration { return c.EditFor },
			func(to gateway.Target) gateway.OpBody {
				return gateway.OpEdit{Target: to, Content: gateway.PlainText(canary + " later")}
			},
		},
		{
			"retract", gateway.FeatureRetract, func(c gateway.Caps) time.Duration { return c.RetractFor },
			func(to gateway.Target) gateway.OpBody { return gateway.OpRetract{Target: to} },
		},
	}
	for _, a := range ages {
		t.Run(a.name, func(t *testing.T) {
			b := h.open(t)
			caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
			limit := a.limit(caps)
			if !caps.Has(a.feature) || limit == 0 {
				return
			}
			if b.Earlier == nil {
				t.Fatalf("Caps limits %s to %s, harness cannot make messages older", a.name, limit)
			}
			for _, c := range []struct {
				age  time.Duration
				want bool
			}{{limit - margin, true}, {limit + margin, false}} {
				b.mustSend(0, b.opTo(0, text("now")))
				var sent gateway.Sent
				b.Earlier(c.age, func() { sent = b.mustSend(0, b.opTo(0, text("aged"))) })
				_, err := b.send(t.Context(), 0, b.opTo(0, a.op(gateway.Target{IDs: sent.IDs, Mine: true})))
				class := gateway.ClassOf(err)
				if (err == nil) != c.want || err != nil && class != gateway.Unsupported && class != gateway.Permanent {
					t.Errorf("after %s of %s: got %v, want success %v, else class unsupported or permanent", c.age, limit, err, c.want)
				}
			}
		})
	}
}

// units counts a text as Caps does.
func units(s string, u gateway.TextUnit) int {
	n := 0
	for _, r := range s {
		switch {
		case u == gateway.Bytes:
			n += len(string(r))
		case u == gateway.UTF16Units && r > 0xffff:
			n += 2
		default:
			n++
		}
	}
	return n
}

// leaks wants every goroutine of the adapter to be gone when its work is.
func (h Harness) leaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("work", func(t *testing.T) {
		b := h.open(t)
		b.mustSend(0, b.opTo(0, text("and go")))
		b.wire.Set(always(Fault{Kind: FaultLose}))
		if _, err := b.send(t.Context(), 0, b.opTo(0, text("and go"))); err == nil {
			t.Error("Send whose answer is lost: got success")
		}
	})
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines stay: %v", err)
	}
}
