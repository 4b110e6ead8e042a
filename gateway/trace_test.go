package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// spans is a Tracer that remembers. Its trace contexts are the numbers of spans.
type spans struct {
	mu  sync.Mutex
	all []*told
}

type told struct {
	of      *spans
	name    gateway.SpanName
	n       int
	parent  int // 0 for the first of a trace
	root    int
	adapter gateway.AdapterID
	outcome string
	began   time.Time
	ended   time.Time
}

type spanKey struct{}

func (s *spans) Start(ctx context.Context, name gateway.SpanName, from gateway.TraceContext, at time.Time) (context.Context, gateway.TraceSpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.IsZero() {
		at = time.Now()
	}
	x := &told{of: s, name: name, n: len(s.all) + 1, began: at}
	if up, ok := ctx.Value(spanKey{}).(*told); ok {
		x.parent, x.root = up.n, up.root
	} else if n := 0; from != "" {
		if _, err := fmt.Sscan(string(from), &n); err != nil {
			panic(err)
		}
		x.parent, x.root = n, s.all[n-1].root
	} else {
		x.root = x.n
	}
	s.all = append(s.all, x)
	return context.WithValue(ctx, spanKey{}, x), x
}

func (s *spans) Context(ctx context.Context) gateway.TraceContext {
	if x, ok := ctx.Value(spanKey{}).(*told); ok {
		return gateway.TraceContext(fmt.Sprint(x.n))
	}
	return ""
}

func (x *told) End(a gateway.AdapterID, outcome string) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.adapter, x.outcome, x.ended = a, outcome, time.Now()
}

// tree writes down the traces that begin with a span of a name, each as names with their outcomes, indented below what they are part of.
func (s *spans) tree(t *testing.T, first gateway.SpanName) (out []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var below func(n, depth int)
	below = func(n, depth int) {
		for _, x := range s.all {
			if x.parent != n || depth == 0 && x.name != first {
				continue
			}
			if x.ended.IsZero() || !slices.Contains(gateway.SpanNames(), x.name) {
				t.Errorf("span %q has not ended, or is of no closed set", x.name)
			}
			out = append(out, strings.Repeat(" ", depth)+string(x.name)+" "+x.outcome)
			below(x.n, depth+1)
		}
	}
	below(0, 0)
	return out
}

func (r *rig) trace(s *spans) {
	r.stop()
	r.tracer = s
	r.start(gateway.Config{})
}

// The way of a message is one trace in each direction, across both queues.
func TestTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, &platform{caps: textCaps()}, gateway.Config{}), &spans{}
		r.trace(s)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "hello")
		gatewaytest.Advance(time.Second)
		diff(t, "out", s.tree(t, gateway.SpanStanza), []string{
			"stanza ok", " queue ok", " out done", "  resolve ok", "  resolve ok", "  limit ok", "  plan ok", "  limit ok", "  media ok", "  send ok",
		})
		r.mustEvent(said("juliet", "m1", "hello", 0))
		gatewaytest.Advance(time.Second)
		diff(t, "in", s.tree(t, gateway.SpanWebhook), []string{
			"webhook ok", " queue ok", " in done", "  resolve ok", "  limit ok", "  media ok", "  render ok", "  outbox ok", "   barrier ok",
		})
		for _, x := range s.all {
			if x.name != gateway.SpanQueue && x.name != gateway.SpanWait && x.adapter != wall {
				t.Errorf("%s is told of adapter %q", x.name, x.adapter)
			}
		}
	})
}

// A wait between two tries is told of, with what for; so is how long an entry waited while nobody worked.
func TestTracesOfWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		over := p.outage()
		r, s := newRig(t, p, gateway.Config{}), &spans{}
		r.trace(s)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "hello")
		<-time.After(500 * time.Millisecond)
		over()
		gatewaytest.Advance(5 * time.Second)
		got := s.tree(t, gateway.SpanStanza)
		for _, want := range []string{" out retry", "  send retry", " wait retry", " out done", "  send ok"} {
			if !slices.Contains(got, want) {
				t.Errorf("got\n%s\nwant %q in it", strings.Join(got, "\n"), want)
			}
		}
	})
}

// What an earlier build wrote, or one that traces nothing, is carried as ever by one that does, and tells nothing; and the other way round.
func TestTracesOfOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		over := p.outage()
		r, s := newRig(t, p, gateway.Config{}), &spans{}
		defer func() { r.stop() }()
		r.mustAsk(r.contact("juliet"), "s1", "untraced")
		r.trace(s)
		over()
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet untraced"})
		if len(s.all) != 0 {
			t.Errorf("got %d spans of what nobody traced", len(s.all))
		}
		over = p.outage()
		r.mustAsk(r.contact("juliet"), "s2", "traced")
		r.stop()
		r.tracer = nil
		r.start(gateway.Config{})
		over()
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet untraced", "juliet traced"})
	})
}
