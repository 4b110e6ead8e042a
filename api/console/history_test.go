package console

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// Run looks at what was counted, and what it remembers is what happened between two looks, for an hour.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { g.Console.Run(ctx); close(ended) }()
		synctest.Wait()
		g.tell.ingest.WithLabelValues("in", "telegram", "new").Add(30)
		g.tell.ingest.WithLabelValues("in", "telegram", "duplicate").Add(7)
		g.tell.ingest.WithLabelValues("out", "telegram", "new").Add(7)
		g.tell.send.WithLabelValues("telegram", "ok").Add(15)
		g.tell.send.WithLabelValues("telegram", "permanent").Add(2)
		g.tell.send.WithLabelValues("telegram", "uncertain").Add(1)
		g.tell.hooks.WithLabelValues("telegram", "unverified").Add(4)
		g.tell.hooks.WithLabelValues("telegram", "ok").Add(9)
		for range 10 {
			g.tell.slow.WithLabelValues("telegram", "out").Observe(.5)
		}
		gatewaytest.Advance(sampleEvery)
		gatewaytest.Advance(sampleEvery)
		got := g.history.samples()
		if len(got) != 2 {
			t.Fatalf("got %d samples, want 2", len(got))
		}
		p := got[0].adapters[0]
		if p.in != 30 || p.out != 15 || p.failed != 3 || p.refused != 4 || math.Abs(float64(p.slowOut)-.955) > .01 || !math.IsNaN(float64(p.slowIn)) {
			t.Errorf("got %+v, want 30 in, 15 out, 3 failed, 4 refused, 95 of 100 in .955 s, and nothing measured of the other way", p)
		}
		if p := got[1].adapters[0]; p.in != 0 || p.failed != 0 || !math.IsNaN(float64(p.slowOut)) {
			t.Errorf("a quiet moment: got %+v, want nothing", p)
		}
		if p := got[0].adapters[1]; p.in != 0 || p.failed != 0 {
			t.Errorf("the other adapter: got %+v, want nothing", p)
		}
		if got := rate(got, func(s sample) float32 { return s.adapters[0].in }); got != 60 {
			t.Errorf("rate: got %v a minute, want 60", got)
		}
		page := g.visit(gateway.RoleViewer).get("/console/adapters/telegram").Body.String()
		for _, want := range []string{"Traffic of telegram in the last hour, at most 120 a minute; now 60 from the platform and 30 to it.", "Sends of telegram that failed in the last hour: 3.", `<td class="num">30</td><td class="num">15</td><td class="num">3</td><td class="num">4</td>`} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for range 2 * kept {
			gatewaytest.Advance(sampleEvery)
		}
		if got := g.history.samples(); len(got) != kept || !got[0].at.Before(got[kept-1].at) || time.Since(got[0].at) > span || got[0].adapters[0].in != 0 {
			t.Errorf("after two hours: got %d samples from %s to %s, want %d of the last hour in order", len(got), got[0].at, got[len(got)-1].at, kept)
		}
		cancel()
		<-ended
		gatewaytest.Advance(span / 2)
		if got := len(g.history.samples()); got != kept/2 {
			t.Errorf("half an hour after the last look: got %d samples, want those of the last hour, %d", got, kept/2)
		}
	})
}

func TestPlot(t *testing.T) {
	now, nan := time.Now(), math.NaN()
	values := []float64{4, 4, 4, nan, 8, nan, 0, 2}
	samples := make([]sample, len(values))
	for i := range samples {
		samples[i].at = now.Add(-time.Duration(len(values)-1-i) * sampleEvery)
		samples[i].adapters = []point{{slowOut: float32(values[i])}}
	}
	got, most := plot(samples, now, line{"a", func(s sample) float64 { return float64(s.adapters[0].slowOut) }})
	if want := "M233 50L235 50M237 0h2M239 100L240 75"; most != 8 || len(got.Lines) != 2 || got.Lines[1] != (plotLine{"a", want}) {
		t.Errorf("got %+v and at most %v, want %q: what is level in two points, gaps, a dot", got.Lines, most, want)
	}
	if got, most := plot(samples, now, line{"a", func(sample) float64 { return 0 }}); most != 0 || len(got.Lines) != 1 {
		t.Errorf("of nothing: got %+v, want its foot alone", got.Lines)
	}
}

func TestQuantile(t *testing.T) {
	h := histogram{[]float64{.1, 1, 10, math.Inf(1)}, []float64{50, 100, 100, 100}}
	for q, want := range map[float64]float64{.25: .05, .5: .1, .75: .55, 1: 1} {
		if got := h.quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	if got := (histogram{[]float64{.1, math.Inf(1)}, []float64{0, 5}}).quantile(.95); got != .1 {
		t.Errorf("above all bounds: got %v, want the last one", got)
	}
	for _, h := range []histogram{{}, {[]float64{1, math.Inf(1)}, []float64{0, 0}}} {
		if got := h.quantile(.95); !math.IsNaN(got) {
			t.Errorf("of nothing: got %v, want NaN", got)
		}
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0", .25: "0.2", 9.5: "9.5", 12.4: "12", 1234: "1\u202f234", 1234567: "1\u202f234\u202f567"} {
		if got := number(v); got != want {
			t.Errorf("number %v: got %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{math.NaN(): "–", .0011: "1.1 ms", .25: "250 ms", 1.9: "1.9 s", 7200: "2 h"} {
		if got := took(v); got != want {
			t.Errorf("took %v: got %q, want %q", v, got, want)
		}
	}
	now := time.Now()
	if got := ago(now.Add(-3*time.Minute), now) + ", " + ago(now.Add(50*time.Hour), now); got != "3 min ago, in 2 days" {
		t.Errorf("ago: got %q", got)
	}
}
