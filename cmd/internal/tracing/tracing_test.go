package tracing

import (
	"context"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"postern/gateway"
)

func TestAcrossTheQueue(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	tr := open(t.Context(), Config{Ratio: 1, Version: "1.2.3", Replica: "r1"}, sdk.WithSyncer(kept))
	began := time.Now().Add(-time.Minute)
	ctx, first := tr.Start(t.Context(), gateway.SpanStanza, "", began)
	travels := tr.Context(ctx)
	if len(travels) != 25 || travels[0] != contextVersion {
		t.Fatalf("got %q, want a version and two ids", travels)
	}
	first.End("wall", "ok")
	_, next := tr.Start(context.Background(), gateway.SpanOut, travels, time.Time{})
	next.End("wall", "retry")
	got := kept.GetSpans()
	if len(got) != 2 || got[1].SpanContext.TraceID() != got[0].SpanContext.TraceID() || got[1].Parent.SpanID() != got[0].SpanContext.SpanID() {
		t.Fatalf("got %+v, want one trace of two spans", got)
	}
	if !got[0].StartTime.Equal(began) || got[0].Name != "stanza" {
		t.Errorf("got %s since %s", got[0].Name, got[0].StartTime)
	}
	for _, s := range got {
		for _, a := range s.Attributes {
			if a.Key != "postern.adapter" && a.Key != "postern.outcome" {
				t.Errorf("%s tells %s", s.Name, a.Key)
			}
		}
	}
	for _, bad := range []gateway.TraceContext{"", "x", "\x02" + travels[1:], travels[:24], travels + "x", gateway.TraceContext(make([]byte, 25))} {
		ctx, s := tr.Start(t.Context(), gateway.SpanOut, bad, time.Time{})
		if tr.Context(ctx) == "" {
			t.Errorf("%q ends the trace", bad)
		}
		s.End("wall", "ok")
	}
}

// What is not sampled does not travel, and costs the queue nothing.
func TestUnsampled(t *testing.T) {
	tr := open(t.Context(), Config{}, sdk.WithSyncer(tracetest.NewInMemoryExporter()))
	ctx, s := tr.Start(t.Context(), gateway.SpanStanza, "", time.Time{})
	if c := tr.Context(ctx); c != "" {
		t.Errorf("got %q, want nothing", c)
	}
	s.End("wall", "ok")
}
