// Package tracing tells the way of messages to a collector by OpenTelemetry (OTLP over HTTP): a gateway.Tracer whose spans carry no content
// and name nobody.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"postern/gateway"
)

// Config says where spans go. All fields are required.
type Config struct {
	// Endpoint is the URL of a collector, such as http://127.0.0.1:4318/v1/traces.
	Endpoint string
	// Ratio is which part of all messages is traced, from 0 to 1.
	Ratio float64
	// Version and Replica are told with every span.
	Version, Replica string
	Log              *slog.Logger
}

const (
	// queue is how many spans wait for the collector at most; what is more is dropped: no message waits for it.
	queue = 8192
	// exportTimeout bounds one call of the collector, and Close.
	exportTimeout = 5 * time.Second
)

// Tracer implements gateway.Tracer.
type Tracer struct {
	tracer trace.Tracer
	close  func() error
}

var _ gateway.Tracer = (*Tracer)(nil)

// New returns a Tracer that sends spans from now on; it calls nobody yet. Close it at the end.
func New(ctx context.Context, cfg Config) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.Endpoint), otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// The library has one place for what it cannot return, and would write it to standard error by itself.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Log.Warn("traces not sent", "err", err) }))
	return open(ctx, cfg, sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(queue), sdk.WithExportTimeout(exportTimeout))), nil
}

func open(ctx context.Context, cfg Config, to sdk.TracerProviderOption) *Tracer {
	p := sdk.NewTracerProvider(to, sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(cfg.Ratio))), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "postern"), attribute.String("service.version", cfg.Version), attribute.String("service.instance.id", cfg.Replica),
	)))
	return &Tracer{p.Tracer("postern"), func() error {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
		defer cancel()
		return p.Shutdown(rest)
	}}
}

// Close sends what waits, as far as that goes in a few seconds.
func (t *Tracer) Close() error { return t.close() }

// Start implements gateway.Tracer.
func (t *Tracer) Start(ctx context.Context, name gateway.SpanName, from gateway.TraceContext, at time.Time) (context.Context, gateway.TraceSpan) {
	if !trace.SpanContextFromContext(ctx).IsValid() && from != "" {
		if parent, ok := parse(from); ok {
			ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
		}
	}
	var o []trace.SpanStartOption
	if !at.IsZero() {
		o = append(o, trace.WithTimestamp(at))
	}
	ctx, s := t.tracer.Start(ctx, string(name), o...)
	return ctx, span{s}
}

// Context implements gateway.Tracer. What is not sampled does not travel.
func (t *Tracer) Context(ctx context.Context) gateway.TraceContext {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsSampled() {
		return ""
	}
	return format(sc)
}

type span struct{ trace.Span }

// End implements gateway.TraceSpan.
func (s span) End(a gateway.AdapterID, outcome string) {
	s.SetAttributes(attribute.String("postern.adapter", string(a)), attribute.String("postern.outcome", outcome))
	if failed(outcome) {
		s.SetStatus(codes.Error, outcome)
	}
	s.Span.End()
}

// failed tells outcomes that somebody may want to look at.
func failed(outcome string) bool {
	switch outcome {
	case "error", "stop", "refused", "store_down", "full", "unverified", "malformed", "busy", string(gateway.ParkRetry), string(gateway.ParkBreaker):
		return true
	}
	return false
}

// contextVersion is the first byte of a trace context: trace id and span id follow. All that travel are sampled.
const contextVersion = 1

func format(sc trace.SpanContext) gateway.TraceContext {
	tid, sid := sc.TraceID(), sc.SpanID()
	out := make([]byte, 0, 1+len(tid)+len(sid))
	out = append(out, contextVersion)
	out = append(out, tid[:]...)
	return gateway.TraceContext(append(out, sid[:]...))
}

// parse reads one; false for one of a version that is not known, or none.
func parse(c gateway.TraceContext) (trace.SpanContext, bool) {
	var tid trace.TraceID
	var sid trace.SpanID
	if len(c) != 1+len(tid)+len(sid) || c[0] != contextVersion {
		return trace.SpanContext{}, false
	}
	copy(tid[:], c[1:])
	copy(sid[:], c[1+len(tid):])
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: tid, SpanID: sid, TraceFlags: trace.FlagsSampled, Remote: true})
	return sc, sc.IsValid()
}
