//go:build servers

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"postern/cmd/internal/chaos"
	"postern/deploy/lab"
)

// healing ends a fault.
type healing func(context.Context) error

const stopLimit = 30 * time.Second

// spoilBy begins a fault and returns what ends it.
func (c *cell) spoilBy(ctx context.Context, a chaos.Act) (healing, error) {
	what, how, _ := strings.Cut(a.Kind, "-")
	n := a.Target % len(c.replicas)
	replica := c.replicas[n]
	switch a.Kind {
	case "kill", "takeover":
		replica.Kill()
		return func(ctx context.Context) error { return c.start(ctx, n) }, nil
	case "terminate":
		stopping, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		return func(ctx context.Context) error { return c.start(ctx, n) }, replica.Stop(stopping)
	case "freeze", "owner-frozen":
		return func(context.Context) error { return replica.Signal(syscall.SIGCONT) }, replica.Signal(syscall.SIGSTOP)
	case "clock-forward":
		return func(context.Context) error { return c.jump(n, 0) }, c.jump(n, clockJump)
	case "clock-back":
		return func(context.Context) error { return c.jump(n, 0) }, c.jump(n, -clockJump)
	case "disk-full":
		return func(context.Context) error { return c.disks[n].Free() }, c.disks[n].Fill()
	case "redis-restart", "redis-kill", "redis-freeze", "redis-full":
		return c.spoilRedis(ctx, how, a.Target)
	case "redis-failover":
		return c.failover(ctx)
	case "redis-slots":
		return c.moveSlots(ctx, a.Target), nil
	case "server-restart":
		return c.restartServer(ctx)
	case "server-freeze":
		return func(context.Context) error { return c.XMPP.Resume() }, c.XMPP.Pause() //nolint:contextcheck // it waits a moment at most
	}
	if what == "platform" || what == "webhooks" {
		return c.spoilPlatform(ctx, a.Kind)
	}
	if way := c.way(a); way != "" {
		return c.spoilWay(way, how)
	}
	return nil, errors.New("no such fault")
}

// weathers are what a way between two programs suffers.
var weathers = map[string]lab.Weather{
	"latency":  {Delay: 150 * time.Millisecond},
	"slow":     {Rate: 64 << 10},
	"parts":    {Slice: 48},
	"stall":    {Stall: true},
	"halfopen": {Swallow: true},
	"reset":    {Refuse: true},
	"split":    {Swallow: true}, // the network is in two parts
}

// spoilWay spoils all connections of a proxy. Those to Redis' nodes are between the nodes too: a Sentinel puts another in a hidden master's
// place and makes the old one its replica eight seconds after it came back. Until then what wait_replicas asks for is not there.
func (c *cell) spoilWay(name, how string) (healing, error) {
	p, w := c.proxies[name], weathers[how]
	if p == nil || w == (lab.Weather{}) {
		return nil, fmt.Errorf("no way %s, or no weather %s", name, how)
	}
	p.Set(w)
	return func(ctx context.Context) error { p.Set(lab.Weather{}); return c.together(ctx) }, nil
}

// spoilRedis stops, kills, freezes or fills one node; with Sentinel it is the master.
func (c *cell) spoilRedis(ctx context.Context, how string, target int) (healing, error) {
	node := c.Nodes[target%len(c.Nodes)]
	if c.Failover != nil {
		var err error
		if node, err = c.Failover.Master(ctx); err != nil {
			return nil, err
		}
	}
	switch how {
	case "restart":
		return func(ctx context.Context) error { return c.startNode(ctx, node) }, node.Stop(ctx)
	case "kill":
		return func(ctx context.Context) error {
			if c.Failover != nil { // what Redis had taken, the replica has
				if err := c.Failover.Moved(ctx, node); err != nil {
					return err
				}
			}
			return c.startNode(ctx, node)
		}, node.Kill()
	case "freeze":
		return func(ctx context.Context) error { return errors.Join(node.Resume(), c.together(ctx)) }, node.Pause() //nolint:contextcheck // it waits a moment at most
	case "full":
		limit := func(ctx context.Context, most string) error {
			_, err := node.Do(ctx, "CONFIG", "SET", "maxmemory", most)
			return err
		}
		return func(ctx context.Context) error { return limit(ctx, "0") }, limit(ctx, "1")
	}
	return nil, fmt.Errorf("redis cannot %s", how)
}

// failover makes the Sentinel hand over to the replica. Until what was the master is one, nothing confirms what is written.
func (c *cell) failover(ctx context.Context) (healing, error) {
	master, err := c.Failover.Master(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return errors.Join(c.Failover.Moved(ctx, master), c.together(ctx)) }, c.Failover.Handover(ctx)
}

// slotsMost is how many slots change their node at once.
const slotsMost = 12

// moveSlots moves slots of one node to the next while messages flow.
func (c *cell) moveSlots(ctx context.Context, target int) healing {
	from, to := c.Nodes[target], c.Nodes[(target+1)%len(c.Nodes)]
	done := make(chan error, 1)
	go func() {
		n, err := c.Slots.Move(ctx, from, to, slotsMost)
		if err == nil && n == 0 {
			err = errors.New("no key changed its node")
		}
		done <- err
	}()
	return func(ctx context.Context) error { return errors.Join(<-done, c.together(ctx)) }
}

func (c *cell) startNode(ctx context.Context, node *lab.Redis) error {
	return errors.Join(node.Start(ctx), c.together(ctx))
}

// together waits until several nodes know each other again.
func (c *cell) together(ctx context.Context) error {
	switch {
	case c.Failover != nil:
		return c.Failover.Ready(ctx)
	case c.Slots != nil:
		return c.Slots.Ready(ctx)
	}
	return nil
}

// restartServer stops the XMPP server while stanzas of the gateway lie in its socket, but none of the users': what a client
// without XEP-0198 writes to a server that stops is the client's loss.
func (c *cell) restartServer(ctx context.Context) (healing, error) {
	loud := c.quiet()
	for _, u := range c.clients {
		asking, cancel := context.WithTimeout(ctx, upTimeout)
		_, err := u.Ping(asking, "localhost")
		cancel()
		if err != nil {
			loud()
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		defer loud()
		return c.XMPP.Restart(ctx)
	}, c.XMPP.Pause() //nolint:contextcheck // it waits a moment at most
}

// spoilPlatform adds a fault of the platform to those that are in force.
func (c *cell) spoilPlatform(ctx context.Context, kind string) (healing, error) {
	set := func(ctx context.Context, on bool) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := c.weather
		f, rate := &c.weather, 0.0
		if on {
			rate = 1
		}
		switch kind {
		case "platform-5xx":
			f.ErrorRate = 0.7 * rate
		case "platform-429":
			f.LimitRate, f.LimitRetryAfterS = 0.7*rate, int(rate)
		case "platform-timeout":
			f.TimeoutRate = 0.3 * rate
		case "webhooks-lost":
			f.WebhookDropRate = 0.2 * rate
		case "webhooks-twice":
			f.WebhookReplayRate = 0.5 * rate
		case "webhooks-disorder":
			f.WebhookParallel = int(8 * rate)
		}
		if was == c.weather {
			return fmt.Errorf("%s changes nothing", kind)
		}
		return c.spoil(ctx, c.weather)
	}
	return func(ctx context.Context) error { return set(ctx, false) }, set(ctx, true)
}
