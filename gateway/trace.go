package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// Tracer takes what is told of the way of a message, for who looks where time goes. Package cmd gives one that speaks OpenTelemetry; nil
// traces nothing, at no cost. No span says what is in a message or whose it is: what it says is SpanName, adapter and outcome, closed sets
// all three.
type Tracer interface {
	// Start begins a span at a time, the zero time is now: under the span of ctx or, where it has none, under one that came with an entry.
	Start(ctx context.Context, name SpanName, from TraceContext, at time.Time) (context.Context, TraceSpan)
	// Context is what travels with an entry so that what follows belongs to the span of ctx; empty where nothing of it is kept.
	Context(ctx context.Context) TraceContext
}

// TraceSpan is one part of the way.
type TraceSpan interface {
	// End says of which adapter it was and how it ended, in a word of a closed set.
	End(a AdapterID, outcome string)
}

// SpanName is one of the parts of a message's way.
type SpanName string

// The parts of a message's way.
const (
	SpanStanza  SpanName = "stanza"  // from a stanza that was read until it is in the store
	SpanWebhook SpanName = "webhook" // from a webhook that was read until it is in the store
	SpanOut     SpanName = "out"     // one try to carry an op to its platform
	SpanIn      SpanName = "in"      // one try to carry an event to its user
	SpanQueue   SpanName = "queue"   // until the first try
	SpanWait    SpanName = "wait"    // between two tries, or for a turn under limits; the outcome is what for
	SpanResolve SpanName = "resolve" // account, contact, what is referred to
	SpanPlan    SpanName = "plan"    // what the platform can do of it
	SpanLimit   SpanName = "limit"   // whether it is its turn
	SpanMedia   SpanName = "media"   // a file on its way
	SpanSend    SpanName = "send"    // the calls to the platform, and what is told of them
	SpanRender  SpanName = "render"  // what users are shown
	SpanOutbox  SpanName = "outbox"  // until it is in the outbox
	SpanBarrier SpanName = "barrier" // from writing to the XMPP server until it has confirmed
)

// SpanNames lists them.
func SpanNames() []SpanName {
	return []SpanName{
		SpanStanza, SpanWebhook, SpanOut, SpanIn, SpanQueue, SpanWait, SpanResolve, SpanPlan, SpanLimit, SpanMedia, SpanSend, SpanRender, SpanOutbox, SpanBarrier,
	}
}

// TraceContext names a span across the queue, in the form of its Tracer, which begins with a version. It names nobody: it is made of random
// numbers.
type TraceContext string

// traceMost bounds what an entry carries of it; what is longer is none.
const traceMost = 64

func (c TraceContext) bounded() TraceContext {
	if len(c) > traceMost {
		return ""
	}
	return c
}

// noSpan is what is told of where nobody traces.
type noSpan struct{}

// End does nothing.
func (noSpan) End(AdapterID, string) {}

// span begins a part of the way.
func (g *Gateway) span(ctx context.Context, name SpanName, from TraceContext, at time.Time) (context.Context, TraceSpan) {
	if g.tracer == nil || from == "" && name != SpanStanza && name != SpanWebhook {
		return ctx, noSpan{}
	}
	return g.tracer.Start(ctx, name, from, at)
}

// traced is what an entry carries of the span of ctx.
func (g *Gateway) traced(ctx context.Context) TraceContext {
	if g.tracer == nil {
		return ""
	}
	return g.tracer.Context(ctx).bounded()
}

// outcome is a try's end as a span says it.
func (v verdict) outcome() string {
	switch v.end {
	case done:
		return "done"
	case again:
		return string(v.why)
	case stop:
	}
	return "stop"
}

// traceMark stands between the lane of an outbox entry and its trace context. What waits in an outbox is the bytes of stanzas and nothing
// else, and its lane is read by nobody but who lists dead letters: a build that knows no traces sees a lane of another name.
const traceMark = "."

// withTrace adds a trace context to the lane of an outbox entry.
func withTrace(lane string, c TraceContext) string {
	if c == "" {
		return lane
	}
	return lane + traceMark + base64.RawURLEncoding.EncodeToString([]byte(c))
}

// cutTrace takes it apart again; what cannot be read is none.
func cutTrace(lane string) (string, TraceContext) {
	lane, text, ok := strings.Cut(lane, traceMark)
	if !ok {
		return lane, ""
	}
	c, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return lane, ""
	}
	return lane, TraceContext(c).bounded()
}

// stage is one step of a walk, and which part of the way it is; one that is over at once is none.
type stage[W any] struct {
	span SpanName
	run  func(*W, context.Context) *verdict
}

// walk runs the stage.
func (s stage[W]) walk(ctx context.Context, g *Gateway, w *W, a AdapterID, from TraceContext) *verdict {
	if s.span == "" || g.tracer == nil || from == "" {
		return s.run(w, ctx)
	}
	ctx, sp := g.span(ctx, s.span, from, time.Time{})
	v := s.run(w, ctx)
	if v == nil {
		sp.End(a, "ok")
		return nil
	}
	sp.End(a, v.outcome())
	return v
}

// walks begins a walk, and tells how long its entry has waited for the first.
func (g *Gateway) walks(ctx context.Context, name SpanName, it *item, from TraceContext) (context.Context, TraceSpan) {
	if g.tracer == nil || from == "" {
		return ctx, noSpan{}
	}
	if it.trace == "" {
		it.trace = from
		_, s := g.span(ctx, SpanQueue, from, it.At)
		s.End("", "ok")
	}
	return g.span(ctx, name, from, time.Time{})
}

// taken is how the taking of something ended.
func taken(err error) string {
	if err == nil {
		return "ok"
	}
	_, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		return "refused"
	case errors.Is(err, ErrUnverified):
		return "unverified"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrStopped):
		return "stopped"
	case errors.Is(err, ErrFull):
		return "full"
	}
	return "error"
}
