package gateway_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// bench is a gateway on a store in memory with contacts, for measuring the delivery path without servers.
func bench(b *testing.B, contacts int) (*gateway.Gateway, []gateway.Alias, *platform) {
	b.Helper()
	store := memstore.New()
	keys, err := gateway.OpenKeyring(b.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	id := gateway.NewIdentity(store, keys)
	a, err := id.Create(b.Context(), gateway.Account{Adapter: wall, Endpoint: "ep1", User: romeo, Standing: gateway.AccountActive})
	if err != nil {
		b.Fatal(err)
	}
	var aliases []gateway.Alias
	for n := range contacts {
		c, err := id.PutContact(b.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("c", n))})
		if err != nil {
			b.Fatal(err)
		}
		aliases = append(aliases, c.Alias)
	}
	p := &platform{caps: textCaps()}
	g := gateway.New(gateway.Config{Replica: "bench", LaneMax: 1 << 30, ShardMax: 1 << 30}, gateway.Deps{
		Store: store, Keyring: keys, Identity: id, Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: p}},
		Log:       slog.New(slog.DiscardHandler), Metrics: gateway.NewMetrics(prometheus.NewRegistry(), []gateway.AdapterID{wall}),
	})
	return g, aliases, p
}

func outbound(alias gateway.Alias, n int64) gateway.Outbound {
	return gateway.Outbound{
		Adapter: wall, Alias: alias, User: romeo, Resource: "phone", Stanza: gateway.StanzaID(fmt.Sprint("s", n)), Receipt: true,
		Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText("a line of an ordinary length, as people write them")}},
	}
}

func BenchmarkIngest(b *testing.B) {
	g, aliases, _ := bench(b, 50)
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if err := g.Ask(b.Context(), outbound(aliases[i%50], i), []byte("digest")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLaneLoop is the whole way of an op: ingest, read, resolve, plan, begin, send, map, finish.
func BenchmarkLaneLoop(b *testing.B) {
	g, aliases, p := bench(b, 50)
	all, taken := make(chan struct{}), atomic.Int64{}
	p.send = func(gateway.Op) (gateway.Sent, error) {
		if taken.Add(1) == int64(b.N) {
			close(all)
		}
		return gateway.Sent{}, nil
	}
	go g.Run(b.Context())
	b.ReportAllocs()
	b.ResetTimer()
	for n := range int64(b.N) {
		if err := g.Ask(b.Context(), outbound(aliases[n%50], n), []byte("digest")); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-all:
	case <-time.After(time.Minute):
		b.Fatalf("got %d of %d", taken.Load(), b.N)
	}
}

func BenchmarkPlan(b *testing.B) {
	op, c := outbound("a", 1).Op, textCaps()
	b.ReportAllocs()
	for b.Loop() {
		if p := gateway.Plan(op, c, someInstant); len(p.Ops) != 1 {
			b.Fatal("not planned")
		}
	}
}
