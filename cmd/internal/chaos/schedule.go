package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Cell is a combination of servers. Store is single, sentinel or cluster.
type Cell struct{ Server, Store string }

func (c Cell) String() string { return c.Server + ", Redis " + c.Store }

// Cells are all combinations, in an order in which three neighbours have both servers and every kind of Redis.
func Cells() []Cell {
	return []Cell{
		{"prosody", "single"}, {"ejabberd", "sentinel"}, {"prosody", "cluster"}, {"ejabberd", "single"}, {"prosody", "sentinel"}, {"ejabberd", "cluster"},
	}
}

// CellOf is where a seed runs. Seeds count from 1.
func CellOf(seed uint64) Cell {
	cells := Cells()
	return cells[(seed-1)%uint64(len(cells))]
}

// Act is one fault: when it begins, how long it lasts, and which of several it strikes, such as the first replica.
type Act struct {
	Kind    string
	At, For time.Duration
	Target  int
	On      string // the resource that it breaks, which no other may break before this one is over
}

// Replicas is how many gateways run side by side.
const Replicas = 2

// Resources that faults break. Two faults of one resource, and where each replica has its own, of one target, follow each other.
const (
	aProcess  = "process"
	theRedis  = "redis"
	theServer = "server"
	aStore    = "the way to Redis"
	aStream   = "the component's stream"
	anAPI     = "the way to the platform"
	aHook     = "the way of webhooks"
	platform  = "the platform"
	webhooks  = "webhooks"
	aDisk     = "the disk"
	aClock    = "the clock"
)

// kind is a way in which something breaks.
type kind struct {
	name, on    string
	least, most time.Duration
	targets     int
	// long ones happen by turn alone, never by luck: they outlast a lease.
	long bool
	// store is the kind of Redis that the fault is of, if only one can have it. Each has one such fault.
	store string
}

// outlast is longer than a lease lives and the next owner may take to look.
const outlast = 23 * time.Second

const ms = time.Millisecond

// kinds are all faults.
func kinds() []kind {
	all := []kind{
		{name: "kill", on: aProcess, most: 1500 * ms, targets: Replicas},
		{name: "terminate", on: aProcess, most: 1000 * ms, targets: Replicas},
		{name: "freeze", on: aProcess, least: 300 * ms, most: 3000 * ms, targets: Replicas},
		{name: "takeover", on: aProcess, least: outlast, most: outlast, targets: Replicas, long: true},
		{name: "owner-frozen", on: aProcess, least: outlast, most: outlast, targets: Replicas, long: true},
		{name: "redis-restart", on: theRedis, most: 500 * ms, targets: 3},
		{name: "redis-kill", on: theRedis, least: 100 * ms, most: 1500 * ms, targets: 3},
		{name: "redis-freeze", on: theRedis, least: 300 * ms, most: 2500 * ms, targets: 3},
		{name: "redis-full", on: theRedis, least: 500 * ms, most: 2000 * ms, targets: 3},
		{name: "redis-split", on: aProcess, least: outlast, most: outlast, targets: Replicas, long: true, store: "single"},
		{name: "redis-failover", on: theRedis, most: 500 * ms, targets: 1, store: "sentinel"},
		{name: "redis-slots", on: theRedis, most: 2000 * ms, targets: 3, store: "cluster"},
		{name: "server-restart", on: theServer, least: 100 * ms, most: 500 * ms, targets: 1},
		{name: "server-freeze", on: theServer, least: 300 * ms, most: 3000 * ms, targets: 1},
		{name: "platform-5xx", on: platform, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "platform-429", on: platform, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "platform-timeout", on: platform, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "webhooks-lost", on: webhooks, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "webhooks-twice", on: webhooks, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "webhooks-disorder", on: webhooks, least: 500 * ms, most: 2500 * ms, targets: 1},
		{name: "disk-full", on: aDisk, least: 1000 * ms, most: 3000 * ms, targets: Replicas},
		{name: "clock-forward", on: aClock, least: 500 * ms, most: 3000 * ms, targets: Replicas},
		{name: "clock-back", on: aClock, least: 500 * ms, most: 3000 * ms, targets: Replicas},
	}
	for _, way := range []struct {
		name, on string
		targets  int
	}{{"redis", aStore, 3}, {"stream", aStream, 1}, {"api", anAPI, Replicas}, {"hook", aHook, Replicas}} {
		for _, what := range []string{"latency", "slow", "parts", "stall", "halfopen", "reset"} {
			all = append(all, kind{name: way.name + "-" + what, on: way.on, least: 300 * ms, most: 2500 * ms, targets: way.targets})
		}
	}
	return all
}

// of is the kind itself, or the cell's own where another kind of Redis is needed for it.
func (k kind) of(cell Cell, all []kind) kind {
	if k.store == "" {
		return k
	}
	return all[slices.IndexFunc(all, func(own kind) bool { return own.store == cell.Store })]
}

// Kinds are the names of all faults.
func Kinds() []string {
	var out []string
	for _, k := range kinds() {
		out = append(out, k.name)
	}
	return out
}

const (
	byTurn  = 4 // faults of a seed that come by turn: seed after seed goes through all kinds
	byLuck  = 2 // and those that the dice choose
	actsEnd = 4 * time.Second
	actsGap = 200 * ms
)

// Schedule is what goes wrong in one run.
type Schedule struct {
	Seed uint64
	Cell Cell
	Acts []Act // in the order of their beginning
}

// Plan makes the schedule of a seed. It is a function of its arguments alone.
func Plan(seed uint64, cell Cell) Schedule {
	rng := rand.New(rand.NewPCG(seed, 7))
	all := kinds()
	var chosen []kind
	for n := range uint64(byTurn) {
		chosen = append(chosen, all[((seed-1)*byTurn+n)*turnStep%uint64(len(all))].of(cell, all))
	}
	for len(chosen) < byTurn+byLuck {
		if k := all[rng.IntN(len(all))].of(cell, all); !k.long {
			chosen = append(chosen, k)
		}
	}
	s := Schedule{Seed: seed, Cell: cell}
	on := map[*Act]kind{}
	var acts []*Act
	for _, k := range chosen {
		a := &Act{Kind: k.name, Target: rng.IntN(k.targets)}
		a.At = (actsGap + time.Duration(rng.Int64N(int64(actsEnd)))).Round(10 * ms)
		a.For = (k.least + time.Duration(rng.Int64N(int64(k.most-k.least)+1))).Round(10 * ms)
		acts, on[a] = append(acts, a), k
	}
	slices.SortStableFunc(acts, func(a, b *Act) int { return cmp.Compare(a.At, b.At) })
	free := map[string]time.Duration{} // by resource: when it is whole again
	for _, a := range acts {
		what := on[a].on
		if on[a].targets == Replicas {
			what = fmt.Sprint(what, a.Target)
		}
		a.On, a.At = what, max(a.At, free[what])
		free[what] = a.At + a.For + actsGap
	}
	slices.SortStableFunc(acts, func(a, b *Act) int { return cmp.Compare(a.At, b.At) })
	for _, a := range acts {
		s.Acts = append(s.Acts, *a)
	}
	return s
}

// turnStep spreads neighbours of the list over seeds; it has no divisor in common with the number of kinds.
const turnStep = 7

// Has tells whether a fault is in the schedule.
func (s Schedule) Has(kind string) bool {
	return slices.ContainsFunc(s.Acts, func(a Act) bool { return a.Kind == kind })
}

// Length is when the last fault is over.
func (s Schedule) Length() time.Duration {
	most := actsEnd
	for _, a := range s.Acts {
		most = max(most, a.At+a.For)
	}
	return most
}

// Counts is how often each fault happens.
func (s Schedule) Counts() map[string]int {
	out := map[string]int{}
	for _, a := range s.Acts {
		out[a.Kind]++
	}
	return out
}

func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d on %s:", s.Seed, s.Cell)
	for _, a := range s.Acts {
		fmt.Fprintf(&b, "\n  at %4.2f s for %5.2f s  %s %d", a.At.Seconds(), a.For.Seconds(), a.Kind, a.Target+1)
	}
	return b.String()
}

// Floor is how often a kind happens at least in so many seeds that follow each other. What only one of the three kinds of Redis can have
// takes the turns of all three there, and two thirds of that are sure.
func Floor(name string, seeds int) int {
	all := kinds()
	turns := seeds * byTurn / len(all)
	if k := all[slices.IndexFunc(all, func(k kind) bool { return k.name == name })]; k.store != "" {
		return turns * 2 / 3
	}
	return turns
}
