package gateway

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Where nobody traces, a span costs no memory, and an entry a byte.
func TestTracesCostNothing(t *testing.T) {
	g, it := &Gateway{}, &item{}
	ctx := t.Context()
	st := stage[outWalk]{SpanSend, (*outWalk).nothing}
	if n := testing.AllocsPerRun(1000, func() {
		at, s := g.span(ctx, SpanStanza, "", time.Time{})
		s.End("wall", taken(nil))
		at, s = g.walks(at, SpanOut, it, "")
		s.End("wall", verdict{}.outcome())
		_ = st.walk(at, g, nil, "wall", "")
		_ = withTrace("lane", g.traced(at))
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func (w *outWalk) nothing(context.Context) *verdict { return nil }

// What travels is bounded, and what is damaged is none.
func TestTraceContextInLane(t *testing.T) {
	for _, c := range []TraceContext{"", "\x01abc", TraceContext(strings.Repeat("x", traceMost))} {
		if lane, got := cutTrace(withTrace("lane", c)); lane != "lane" || got != c {
			t.Errorf("got %q, %q, want %q", lane, got, c)
		}
	}
	for _, lane := range []string{"lane", "lane.", "lane.!", withTrace("lane", TraceContext(strings.Repeat("x", traceMost+1)))} {
		if name, got := cutTrace(lane); name != "lane" || got != "" {
			t.Errorf("%s: got %q, %q, want none", lane, name, got)
		}
	}
	long := Outbound{Op: Op{Body: OpMessage{}}, Trace: TraceContext(strings.Repeat("x", traceMost+1))}
	plain, err := long.pack()
	if err != nil {
		t.Fatal(err)
	}
	var got Outbound
	if err := unpack(plain, &got); err != nil || got.Trace != "" {
		t.Errorf("got %q, %v, want none", got.Trace, err)
	}
	if err := unpack(plain[:len(plain)-traceMost-2], &got); err != nil || got.Trace != "" {
		t.Errorf("of an earlier build: got %q, %v", got.Trace, err)
	}
}
