package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sony/gobreaker/v2"

	"postern/adapters"
	"postern/adapters/gatekeeper"
	"postern/adapters/telegram"
	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// failing is a breaker that has just seen so many calls fail.
func failing(n int) *breaker {
	b := newBreaker(func(gobreaker.State) {})
	for range n {
		end, _ := b.Enter()
		end(gateway.CallFailed)
	}
	return b
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if end, _ := failing(breakerFailures - 1).Enter(); end == nil {
			t.Error("left alone after nine failures, want ten")
		}
		b := failing(breakerFailures - 1)
		end, _ := b.Enter()
		end(gateway.CallAnswered)
		for range breakerFailures - 1 {
			end, _ := b.Enter()
			end(gateway.CallFailed)
		}
		if b.Wait() != 0 {
			t.Error("left alone after nine failures in a row, want ten: there was an answer between")
		}

		b = failing(breakerFailures)
		for _, want := range []time.Duration{breakerPause, breakerPause - 10*time.Second} {
			if end, wait := b.Enter(); end != nil || wait != want || b.Wait() != want {
				t.Errorf("got leave %v or %s to wait, want %s", end != nil, wait, want)
			}
			gatewaytest.Advance(10 * time.Second)
		}
		gatewaytest.Advance(10*time.Second + time.Millisecond)
		probe, _ := b.Enter()
		if probe == nil {
			t.Fatal("no call may try it after its time")
		}
		if end, wait := b.Enter(); end != nil || wait != breakerProbe {
			t.Errorf("a second call beside the first that tries: got leave %v, wait %s, want %s", end != nil, wait, breakerProbe)
		}
		probe(gateway.CallNone)
		if probe, _ = b.Enter(); probe == nil {
			t.Fatal("leave that was not used is not given to another")
		}
		probe(gateway.CallFailed)
		if got := b.Wait(); got != breakerPause {
			t.Errorf("after a try that failed: got %s, want the whole pause again", got)
		}
		gatewaytest.Advance(breakerPause + time.Millisecond)
		probe, _ = b.Enter()
		probe(gateway.CallAnswered)
		for range 3 {
			if end, _ := b.Enter(); end == nil {
				t.Error("after a try that was answered: no leave")
			}
		}
	})
}

// walls is a gateway with one platform behind a breaker.
func walls(t *testing.T, send func(gateway.Op) error) (ask func(n int), registry *prometheus.Registry, stop func()) {
	t.Helper()
	store := memstore.New()
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	identity := gateway.NewIdentity(store, keys)
	a, err := identity.Create(t.Context(), gateway.Account{Adapter: "wall", Endpoint: "ep", User: "romeo@example.org", Standing: gateway.AccountActive})
	if err != nil {
		t.Fatal(err)
	}
	p := &gatewaytest.Adapter{Chats: gateway.Caps{Levels: map[gateway.Feature]gateway.Level{gateway.FeatureText: gateway.Native}}}
	p.Play(gatewaytest.Script{Send: func(_ gateway.Credentials, op gateway.Op) (gateway.Sent, error) { return gateway.Sent{}, send(op) }})
	instances := []gateway.Instance{{ID: "wall", Component: "wall.example.org", Adapter: p}}
	registry = prometheus.NewRegistry()
	breakers(registry, instances, func(id gateway.AdapterID) string { return string(id) })
	g := gateway.New(gateway.Config{Replica: "r1", GiveUp: time.Hour}, gateway.Deps{
		Store: store, Keyring: keys, Identity: identity, Instances: instances, Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Log: slog.New(slog.DiscardHandler), Metrics: gateway.NewMetrics(registry, []gateway.AdapterID{"wall"}),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	ask = func(n int) {
		c, err := identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("c", n)), Told: "before"})
		if err == nil {
			err = g.Ask(t.Context(), gateway.Outbound{
				Adapter: "wall", Alias: c.Alias, User: "romeo@example.org", Stanza: gateway.StanzaID(fmt.Sprint("s", n)),
				Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText("hello")}},
			}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return ask, registry, func() { cancel(); wg.Wait() }
}

// A platform that is down hears one call in half a minute, however many chats wait for it; when it is back, all of them go out.
func TestPlatformThatIsDownIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls, up, taken := 0, false, 0
		ask, registry, stop := walls(t, func(gateway.Op) error {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if !up {
				return &gateway.SendError{Class: gateway.Retryable, Code: "503"}
			}
			taken++
			return nil
		})
		defer stop()
		for n := range 200 {
			ask(n)
		}
		gatewaytest.Advance(5 * time.Second)
		mu.Lock()
		calls = 0
		mu.Unlock()
		gatewaytest.Advance(5 * time.Minute)
		mu.Lock()
		if calls < 5 || calls > 10 {
			t.Errorf("%d calls in five minutes, want one in half a minute", calls)
		}
		up = true
		mu.Unlock()
		state := func(want float64) {
			t.Helper()
			text := fmt.Sprintf("# HELP postern_breaker_open 1 while a platform that fails is left alone, or tried by one call.\n# TYPE postern_breaker_open gauge\npostern_breaker_open{adapter=\"wall\"} %g\n", want)
			if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "postern_breaker_open"); err != nil {
				t.Error(err)
			}
		}
		state(1)
		gatewaytest.Advance(2 * time.Minute)
		state(0)
		mu.Lock()
		defer mu.Unlock()
		if taken != 200 {
			t.Errorf("%d messages taken, want all 200", taken)
		}
	})
}

// said is an error of a client that knows the status.
type said int

func (s said) Error() string  { return fmt.Sprint("status ", int(s)) }
func (s said) Answered() bool { return s < 500 }

// Instances of one type that call one host leave it alone together; others, and other hosts, are not concerned.
func TestBreakerOfAHost(t *testing.T) {
	own := func(url string) adapters.Config {
		c := telegram.DefaultConfig()
		c.BaseURL = url
		return c
	}
	b := &builder{cfg: &Config{Adapters: map[string]Adapter{
		"one":   {Type: "telegram", Own: own("https://api.telegram.org")},
		"two":   {Type: "telegram", Own: own("https://API.telegram.org/")},
		"local": {Type: "telegram", Own: own("http://127.0.0.1:8081")},
		"other": {Type: "gatekeeper", Own: &gatekeeper.Config{BaseURL: "https://api.telegram.org"}},
	}}}
	for _, id := range []gateway.AdapterID{"one", "two", "local", "other"} {
		b.made = append(b.made, gateway.Instance{ID: id})
	}
	registry := prometheus.NewRegistry()
	breakers(registry, b.made, b.hostOf)
	for range breakerFailures {
		end, _ := b.made[0].Breaker.Enter()
		end(gateway.CallFailed)
	}
	for n, resting := range []bool{true, true, false, false} {
		if got := b.made[n].Breaker.Wait() > 0; got != resting {
			t.Errorf("%s: left alone %v, want %v", b.made[n].ID, got, resting)
		}
	}
	text := "# HELP postern_breaker_opened_total Times that a platform was left alone because it failed.\n# TYPE postern_breaker_opened_total counter\n"
	for _, line := range []string{"local\"} 0", "one\"} 1", "other\"} 0", "two\"} 1"} {
		text += "postern_breaker_opened_total{adapter=\"" + line + "\n"
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(text), "postern_breaker_opened_total"); err != nil {
		t.Error(err)
	}
}

// What a platform says about a message is an answer: it is not left alone for that.
func TestRefusalsOpenNoBreaker(t *testing.T) {
	for _, refusal := range []*gateway.SendError{
		{Class: gateway.NotReachable}, {Class: gateway.Retryable, Code: "account busy", RetryAfter: time.Minute, Err: said(400)},
		{Class: gateway.Uncertain, Code: "unknown", RetryAfter: time.Minute, Err: fmt.Errorf("wall: %w", said(409))},
	} {
		t.Run(refusal.Class.String(), func(t *testing.T) { refusalOpensNoBreaker(t, refusal) })
	}
}

func refusalOpensNoBreaker(t *testing.T, refusal *gateway.SendError) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls := 0
		ask, _, stop := walls(t, func(gateway.Op) error {
			mu.Lock()
			defer mu.Unlock()
			calls++
			return refusal
		})
		defer stop()
		for n := range 50 {
			ask(n)
		}
		gatewaytest.Advance(3 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if calls != 50 {
			t.Errorf("%d calls, want all 50", calls)
		}
	})
}
