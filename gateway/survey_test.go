package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// measured starts a gateway in place of the rig's and returns what one of its metrics says.
func (r *rig) measured() (value func(name string, labels ...string) float64) {
	r.stop()
	reg := prometheus.NewRegistry()
	gw := gateway.New(gateway.Config{Replica: "r1"}, gateway.Deps{
		Store: r.store, Keyring: r.keys, Identity: r.identity, Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: r.adapter}}, Log: slog.New(slog.DiscardHandler),
		Metrics: gateway.NewMetrics(reg, []gateway.AdapterID{wall}),
	})
	r.gw = gw
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(r.t.Context())
	wg.Go(func() { gw.Run(ctx) })
	_, release, err := gw.Outbox(wall).Acquire(ctx) // nobody takes what is in it
	if err != nil {
		r.t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() { release(true); cancel(); wg.Wait() })
	return func(name string, labels ...string) float64 {
		r.t.Helper()
		families, err := reg.Gather()
		if err != nil {
			r.t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != name {
				continue
			}
			for _, m := range f.GetMetric() {
				var got []string
				for _, l := range m.GetLabel() {
					got = append(got, l.GetName()+"="+l.GetValue())
				}
				if fmt.Sprint(got) == fmt.Sprint(labels) {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
		r.t.Fatalf("no %s%v", name, labels)
		return 0
	}
}

// Owners tell what waits, by adapter, how old it is, and which chats are parked for what.
func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		silent := make(chan struct{})
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text == "limited" {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: time.Hour}
			}
			<-silent
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		value := r.measured()
		defer func() { r.stop() }()
		for n := range 3 {
			r.mustAsk(juliet, fmt.Sprint("j", n), "text")
		}
		<-time.After(time.Second) // the first is on its way before the platform says that it is too much
		r.mustAsk(nurse, "n", "limited")
		if err := r.event(said("juliet", "m1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Second)
		for _, want := range []struct {
			name   string
			labels []string
			low    float64
			high   float64
		}{
			{"postern_queue_entries", []string{"adapter=wall", "where=out"}, 3, 3},
			{"postern_queue_oldest_age_seconds", []string{"adapter=wall", "where=out"}, 25, 31},
			{"postern_queue_entries", []string{"adapter=wall", "where=outbox"}, 1, 9},
			{"postern_queue_oldest_age_seconds", []string{"adapter=wall", "where=outbox"}, 25, 31},
			{"postern_queue_entries", []string{"adapter=wall", "where=in"}, 0, 0},
			{"postern_queue_oldest_age_seconds", []string{"adapter=wall", "where=in"}, 0, 0},
			{"postern_queue_entries", []string{"adapter=", "where=out"}, 0, 0},
			{"postern_parked_chats", []string{"reason=limit", "where=out"}, 1, 1},
			{"postern_parked_chats", []string{"reason=retry", "where=out"}, 0, 0},
			{"postern_webhook_seconds", []string{"adapter=wall"}, 1, 1},
		} {
			if got := value(want.name, want.labels...); got < want.low || got > want.high {
				t.Errorf("%s%v: got %v, want %v to %v", want.name, want.labels, got, want.low, want.high)
			}
		}
		close(silent)
		<-time.After(16 * time.Second)
		if got := value("postern_queue_entries", "adapter=wall", "where=out"); got != 0 {
			t.Errorf("entries that went out: got %v, want none left", got)
		}
	})
}

// What an owner has not read yet counts as well.
func TestSurveyBeyondMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		silent := make(chan struct{})
		p.send = func(gateway.Op) (gateway.Sent, error) { <-silent; return gateway.Sent{}, nil }
		r := newRig(t, p, gateway.Config{})
		user, chats := r.inShard("crowd", 12)
		value := r.measured()
		defer func() { r.stop() }()
		const each = 100
		for n := range each {
			for _, c := range chats {
				if err := r.askAs(user, c, fmt.Sprint(n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		<-time.After(16 * time.Second)
		known, rest := value("postern_queue_entries", "adapter=wall", "where=out"), value("postern_queue_entries", "adapter=", "where=out")
		if known+rest < float64(each*len(chats)) || known+rest > float64(each*len(chats))+float64(len(chats)) || rest == 0 {
			t.Errorf("got %v read and %v not read, want %d together", known, rest, each*len(chats))
		}
		close(silent)
	})
}

// Accounts are counted by how they stand, by the replica that carries the component.
func TestCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r := newRig(t, p, gateway.Config{})
		for n, s := range []gateway.AccountStanding{gateway.AccountReauthNeeded, gateway.AccountReauthNeeded, gateway.AccountSuspended} {
			a := gateway.Account{Adapter: wall, Endpoint: gateway.Endpoint(fmt.Sprint("more", n)), User: romeo, Standing: s}
			if _, err := r.identity.Create(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		value := r.measured()
		defer func() { r.stop() }()
		for _, after := range []struct {
			d                         time.Duration
			active, reauth, suspended float64
		}{{time.Second, 0, 0, 0}, {20 * time.Second, 1, 2, 1}} {
			<-time.After(after.d)
			for s, want := range map[string]float64{"active": after.active, "reauth_needed": after.reauth, "suspended": after.suspended, "expiring": 0} {
				if got := value("postern_accounts", "adapter=wall", "standing="+s); got != want {
					t.Errorf("%s after %v: got %v, want %v", s, after.d, got, want)
				}
			}
		}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded}
		}
		r.mustAsk(r.contact("juliet"), "j", "text")
		<-time.After(6 * time.Minute)
		if got := value("postern_accounts", "adapter=wall", "standing=reauth_needed"); got != 3 {
			t.Errorf("reauth_needed after one more: got %v, want 3", got)
		}
		if got := value("postern_account_changes_total", "adapter=wall", "standing=reauth_needed"); got != 1 {
			t.Errorf("changes: got %v, want 1", got)
		}
	})
}

// Asking that fails is counted by the class of the error.
func TestPollFailuresAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{platform: &platform{caps: textCaps()}, feed: make(chan []gateway.Event), runs: make(chan string, 10)}
		r := newRig(t, a.platform, gateway.Config{})
		r.adapter = a
		value := r.measured()
		defer func() { r.stop() }()
		a.feed <- nil // it fails
		<-time.After(10 * time.Second)
		if got := value("postern_poll_failures_total", "adapter=wall", "class=retryable"); got != 1 {
			t.Errorf("retryable: got %v, want 1", got)
		}
	})
}
