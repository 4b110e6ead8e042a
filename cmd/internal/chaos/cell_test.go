//go:build servers

package chaos_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/adapters/gatekeeper/simulator"
	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/deploy"
	"postern/deploy/lab"
)

const (
	// calmMS is the platform's latency while faults come by schedule: little, so that queues are short and faults meet every step.
	calmMS = 20
	// What the platform and the gateway wait for each other, short enough that a run sees it happen.
	cellSettings  = "delivery: {send_timeout: 2s, drain: 3s}\n"
	cellHookLimit = 2 * time.Second
	diskSize      = 4 << 20
	clockJump     = 90 * time.Second // less than platforms and tokens forgive
	cellGrace     = 8 * time.Second  // a call to a Redis that does not answer ends after 3 s of dialling and 3 s of reading, and others wait behind it
	cellPatience  = 8 * time.Second
	cellWords     = 90 * time.Second
)

// cell is an installation of one kind of servers, with two replicas of the gateway and a proxy between all that talk to each other.
type cell struct {
	*rig
	replicas []*stand.Process
	proxies  map[string]*lab.Proxy // by name, as stand.Config.Via has it
	disks    []*lab.Disk
	clocks   []string // files with the seconds that a replica's clock is ahead
	env      []string
	words    time.Duration // for what is under way at the end
	// resources are those that faults break, by Act.On, each with a *sync.Mutex.
	resources sync.Map
	started   time.Time // when the run began
	mu        sync.Mutex
	weather   simulator.Faults
}

// newCell starts the servers, both replicas and the clients, for these schedules. Each has people of its own.
func newCell(ctx context.Context, t *testing.T, plays []chaos.Schedule, env ...string) *cell {
	t.Helper()
	c := &cell{proxies: map[string]*lab.Proxy{}, env: env, words: cellWords}
	of := plays[0].Cell
	between := lab.ForTest(t) //nolint:contextcheck // what closes it has a time of its own
	c.rig = newRig(t, setup{  //nolint:contextcheck // the same
		seed: plays[0].Seed, server: deploy.Server(of.Server), store: stand.Store(of.Store), sets: len(plays), settings: cellSettings, hookTimeout: cellHookLimit,
		via: func(ctx context.Context, name, addr string) (string, error) {
			p, err := between.StartProxy(ctx, addr)
			if err != nil {
				return "", err
			}
			c.proxies[name] = p
			return p.Addr(), nil
		},
		enter: func(ctx context.Context, _, spool string) ([]string, error) {
			if !oneHas(plays, "disk-full") {
				return nil, nil
			}
			d, err := between.StartDisk(ctx, spool, diskSize)
			if err != nil {
				return nil, err
			}
			c.disks = append(c.disks, d)
			return d.Enter(), nil
		},
	})
	c.patience, c.grace = cellPatience, cellGrace
	for n := range chaos.Replicas {
		if oneHas(plays, "clock-forward") || oneHas(plays, "clock-back") {
			c.clocks = append(c.clocks, filepath.Join(t.TempDir(), "clock"))
			if err := c.jump(n, 0); err != nil {
				t.Fatal(err)
			}
		}
		c.replicas = append(c.replicas, c.process(ctx, fmt.Sprintf("replica-%d", n+1)))
		if err := c.start(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	c.Hook(c.replicas...)
	if err := c.login(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// start starts a replica, with a clock of its own where one will jump.
func (c *cell) start(ctx context.Context, n int) error {
	env := c.env
	if len(c.clocks) > n {
		env = slices.Concat(env, []string{"POSTERN_CHAOS_CLOCK=" + c.clocks[n]})
	}
	return c.replicas[n].Start(ctx, env...)
}

// jump puts the clock of a replica ahead of the others, or back for a negative time.
func (c *cell) jump(n int, ahead time.Duration) error {
	f, err := os.OpenFile(c.clocks[n], os.O_CREATE|os.O_WRONLY, 0o600) // not truncated: the replica has it in its memory
	if err != nil {
		return err
	}
	_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(int64(ahead/time.Second))))
	return errors.Join(err, f.Close())
}

// oneHas tells whether one of the schedules has a fault.
func oneHas(plays []chaos.Schedule, kind string) bool {
	return slices.ContainsFunc(plays, func(s chaos.Schedule) bool { return s.Has(kind) })
}

// play runs a schedule with the people of a set while messages flow, and judges what came of it.
func (c *cell) play(ctx context.Context, s chaos.Schedule, set, messages int) (chaos.Report, error) {
	c.clear(len(c.sides))
	c.first, c.run, c.began = set*chats, fmt.Sprintf("s%d-", s.Seed), time.Now()
	c.rng = rand.New(rand.NewPCG(s.Seed, 1))
	c.most, c.rate = messages/2, float64(messages/2)/(s.Length()+time.Second).Seconds()
	if err := errors.Join(c.introduce(ctx), c.writeThrough(ctx, s.Has("redis-kill"))); err != nil {
		return chaos.Report{}, err
	}
	c.mu.Lock()
	c.weather = simulator.Faults{LatencyMS: calmMS}
	c.mu.Unlock()
	if err := c.spoil(ctx, c.weather); err != nil {
		return chaos.Report{}, err
	}
	c.release()
	keeping, done := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.keep(keeping) })
	stop := c.talk(ctx)
	err := c.perform(ctx, s)
	err = errors.Join(err, c.waitCount(ctx, chaos.In, c.most), c.waitCount(ctx, chaos.Out, c.most))
	stop()
	if s.Has("owner-frozen") && err == nil { // two that both think themselves the owner still do now
		_ = c.settle(ctx, c.words) // what is left open then is for the judge
		c.most = 0
		err = c.afterwards(ctx)
	}
	least := chaos.Minimum{Messages: messages / 10, Faults: s.Counts(), Twice: 1}
	report := c.finish(ctx, least, c.words)
	done()
	wg.Wait()
	return report, errors.Join(err, c.unsettled)
}

// perform lets the faults of the schedule happen and waits until all are over.
func (c *cell) perform(ctx context.Context, s chaos.Schedule) error {
	c.started = time.Now()
	errs := make([]error, len(s.Acts))
	var wg sync.WaitGroup
	for n, a := range s.Acts {
		wg.Go(func() {
			if err := c.act(ctx, a); err != nil {
				errs[n] = fmt.Errorf("%s %d: %w", a.Kind, a.Target+1, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// act is one fault: it breaks something, heals it, waits until the path is whole, and books all that. Healing may take longer than planned:
// the next fault of the same resource waits for it.
func (c *cell) act(ctx context.Context, a chaos.Act) error {
	if err := c.pass(ctx, a.At-time.Since(c.started)); err != nil {
		return err
	}
	on, _ := c.resources.LoadOrStore(a.On, &sync.Mutex{})
	on.(*sync.Mutex).Lock()
	defer on.(*sync.Mutex).Unlock()
	a = c.aim(a)
	pending, _ := c.pending(ctx) // another fault may keep Redis from telling
	before, err := c.met(ctx, a)
	if err != nil {
		return err
	}
	from := time.Now()
	heal, err := c.spoilBy(ctx, a)
	if err != nil {
		return err
	}
	if err := errors.Join(c.pass(ctx, a.For), heal(ctx)); err != nil {
		return err
	}
	met, err := c.met(ctx, a)
	if err != nil {
		return err
	}
	if met != chaos.Uncounted {
		met -= before
	}
	return c.whole(ctx, chaos.Fault{Kind: a.Kind, From: from, Pending: pending, Met: met})
}

// writeThrough makes Redis write every change to its file before it answers, which a kill asks for; else once a second.
func (c *cell) writeThrough(ctx context.Context, on bool) error {
	mode := lab.FsyncEverySecond
	if on {
		mode = lab.FsyncAlways
	}
	for _, n := range c.Nodes {
		if _, err := n.Do(ctx, "CONFIG", "SET", "appendfsync", string(mode)); err != nil {
			return err
		}
	}
	return nil
}
