package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// fleet is several processes on one store, with one platform and one server.
type fleet struct {
	*rig
	members []*member
	walls   []gateway.AdapterID // the components
	chats   []gateway.Alias
	said    int // lines in each chat, each way
	turn    int

	mu    sync.Mutex
	took  []string // by the server
	up    map[gateway.AdapterID]int
	twice bool // a component was connected twice
}

// member is one process of a fleet.
type member struct {
	*puppet
	name string
	gw   *gateway.Gateway
	reg  *prometheus.Registry
	stop func()
	live bool // it takes webhooks and stanzas
}

// newFleet has no process yet.
func newFleet(t *testing.T, chats int, more ...gateway.AdapterID) *fleet {
	t.Helper()
	p := &platform{caps: textCaps(), sendCtx: func(context.Context) { <-time.After(30 * time.Millisecond) }}
	f := &fleet{rig: newRig(t, p, gateway.Config{}), walls: append([]gateway.AdapterID{wall}, more...), up: map[gateway.AdapterID]int{}}
	f.stop()
	for n := range chats {
		f.chats = append(f.chats, f.contact(gateway.ContactID(fmt.Sprint("p", n))))
	}
	return f
}

// join starts a process.
func (f *fleet) join(name string) *member {
	f.t.Helper()
	m := &member{name: name, puppet: &puppet{Store: f.store}, reg: prometheus.NewRegistry(), live: true}
	var instances []gateway.Instance
	for _, id := range f.walls {
		instances = append(instances, gateway.Instance{ID: id, Component: string(id) + ".example.org", Adapter: f.adapter})
	}
	m.gw = gateway.New(gateway.Config{Replica: name}, gateway.Deps{
		Store: m.puppet, Keyring: f.keys, Identity: gateway.NewIdentity(m.puppet, f.keys), Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Instances: instances, Log: slog.New(slog.DiscardHandler), Metrics: gateway.NewMetrics(m.reg, f.walls),
	})
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { m.gw.Run(ctx) })
	for _, id := range f.walls {
		wg.Go(func() { f.carry(ctx, id, m.gw.Outbox(id)) })
	}
	m.stop = func() {
		m.live = false
		cancel()
		wg.Wait()
	}
	f.members = append(f.members, m)
	return m
}

// carry is a component's connection, again and again.
func (f *fleet) carry(ctx context.Context, id gateway.AdapterID, out *gateway.Outbox) {
	connected := func(by int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.up[id] += by
		f.twice = f.twice || f.up[id] > 1
	}
	for ctx.Err() == nil {
		lost, release, err := out.Acquire(ctx)
		if err != nil {
			return
		}
		stream, end := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			select {
			case <-lost:
			case <-stream.Done():
			}
			end()
		})
		connected(1)
		_ = out.Pump(stream, &wireTo{f: f}) // a stream that ends is followed by the next
		end()
		wg.Wait()
		connected(-1)
		release(true)
	}
}

// wireTo is one stream to the server.
type wireTo struct {
	f       *fleet
	pending []string
}

func (w *wireTo) Write(_ context.Context, stanzas []gateway.Waiting) error {
	for _, s := range stanzas {
		w.pending = append(w.pending, string(s.Bytes))
	}
	return nil
}

func (w *wireTo) Broke() time.Time { return time.Time{} }

// Barrier is answered after a while; the server has taken everything all the same when nobody waits for that.
func (w *wireTo) Barrier(ctx context.Context) error {
	w.f.mu.Lock()
	w.f.took = append(w.f.took, w.pending...)
	w.f.mu.Unlock()
	w.pending = nil
	select {
	case <-time.After(40 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gauge reads a metric of a process, summed over its labels.
func (m *member) gauge(name string) int {
	families, _ := m.reg.Gather() // what could fail is in other tests
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, x := range family.Metric {
			sum += x.GetGauge().GetValue()
		}
	}
	return int(sum)
}

// pass lets time go by in small steps and asserts that no two processes think to own one thing.
func (f *fleet) pass(d time.Duration) {
	f.t.Helper()
	for ; d > 0; d -= 250 * time.Millisecond {
		gatewaytest.Advance(min(d, 250*time.Millisecond))
		shards, leads := 0, 0
		for _, m := range f.members {
			if m.live {
				shards += m.gauge("postern_shards_owned")
				leads += m.gauge("postern_leader")
			}
		}
		if shards > gateway.Shards || leads > len(f.walls) {
			f.t.Fatalf("got %d shards and %d components owned at once, want at most %d and %d", shards, leads, gateway.Shards, len(f.walls))
		}
	}
}

// talk says lines in every chat, each way and each by another process, for about so long.
func (f *fleet) talk(rounds int) {
	f.t.Helper()
	for range rounds {
		for n, alias := range f.chats {
			m := f.any()
			f.gw = m.gw
			f.mustAsk(alias, fmt.Sprintf("s%d-%d", n, f.said), fmt.Sprint("line ", f.said))
			if err := f.event(said(gateway.ContactID(fmt.Sprint("p", n)), fmt.Sprintf("n%d-%d", n, f.said), fmt.Sprintf("p%d says %d.", n, f.said), 0)); err != nil {
				f.t.Fatal(err)
			}
		}
		f.said++
		f.pass(100 * time.Millisecond)
	}
}

// any returns a process that takes webhooks, another one each time.
func (f *fleet) any() *member {
	for {
		f.turn++
		if m := f.members[f.turn%len(f.members)]; m.live {
			return m
		}
	}
}

// shared asserts that the processes that live share all shards and all components fairly.
func (f *fleet) shared() {
	f.t.Helper()
	n := 0
	for _, m := range f.members {
		if m.live {
			n++
		}
	}
	shards, leads := 0, 0
	for _, m := range f.members {
		if !m.live {
			continue
		}
		s, l := m.gauge("postern_shards_owned"), m.gauge("postern_leader")
		shards, leads = shards+s, leads+l
		if least, most := gateway.Shards/n, (gateway.Shards+n-1)/n; s < least || s > most {
			f.t.Errorf("%s of %d: got %d shards, want %d to %d", m.name, n, s, least, most)
		}
		if most := (len(f.walls) + n - 1) / n; l > most {
			f.t.Errorf("%s of %d: got %d components, want at most %d", m.name, n, l, most)
		}
		if got := m.gauge("postern_replicas"); got != n {
			f.t.Errorf("%s: got %d replicas, want %d", m.name, got, n)
		}
	}
	if shards != gateway.Shards || leads != len(f.walls) {
		f.t.Errorf("got %d shards and %d components owned, want %d and %d", shards, leads, gateway.Shards, len(f.walls))
	}
}

// arrived asserts that every line of every chat arrived in order, each once; or, after a death, at least once.
func (f *fleet) arrived(once bool) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.chats {
		var out, in []string
		for _, l := range f.platform.taken() {
			if rest, mine := strings.CutPrefix(l, fmt.Sprintf("p%d line ", n)); mine {
				out = append(out, rest)
			}
		}
		for _, l := range f.took {
			if _, rest, mine := strings.Cut(l, fmt.Sprintf("p%d says ", n)); mine {
				in = append(in, strings.TrimSuffix(rest, `."`))
			}
		}
		var want []string
		for k := range f.said {
			want = append(want, fmt.Sprint(k))
		}
		if !once {
			out, in = first(out), first(in)
		}
		diff(f.t, fmt.Sprint("out, chat ", n), out, want)
		diff(f.t, fmt.Sprint("in, chat ", n), in, want)
	}
}

// first returns the first arrivals.
func first(all []string) (out []string) {
	for _, x := range all {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
