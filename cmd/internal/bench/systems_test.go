//go:build servers && bench

package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
)

// storingFloor is the floor that does what any gateway must that keeps its messages.
const storingFloor = "floor + XADD + HSET"

// process is a running gateway with its addresses.
type process struct {
	*stand.Process
	hook     string                // path of webhooks
	address  func(chat int) string // of a chat's contact
	confirms bool                  // it passes receipts on
	// settle waits until nothing is under way on the platform; nil: it tells nothing by itself.
	settle func(context.Context) error
	// speak has the user of a chat say something, where that is not done by the user's client.
	speak func(chat int, text, extra string) error
}

func (r *rig) measureFloor(name string, args ...string) System {
	r.t.Helper()
	ctx := r.t.Context()
	r.use(r.stub)
	args = append(args, "-component", r.XMPP.ComponentAddr(), "-secret", r.ComponentSecret, "-domain", stand.Domain, "-platform", r.Platform)
	p, err := r.Other(ctx, "floor", r.floor, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.start(ctx, p)
	defer p.Kill()
	r.login(ctx, users)
	defer r.logout()
	return r.measure(name, process{Process: p, hook: "/", address: func(chat int) string {
		_, p := place(chat)
		return fmt.Sprintf("p%d@%s", p, stand.Domain)
	}})
}

func (r *rig) start(ctx context.Context, p *stand.Process, env ...string) {
	r.t.Helper()
	if err := p.Start(ctx, env...); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(p.Kill)
}

// measurePostern starts Postern on an empty store, registers the users and introduces the people.
func (r *rig) measurePostern(name string) System {
	r.t.Helper()
	ctx := r.t.Context()
	r.use(r.stub)
	r.stub.Reset()
	if err := r.Redis.Flush(ctx); err != nil {
		r.t.Fatal(err)
	}
	p, err := r.Process(ctx, strings.Fields(name)[len(strings.Fields(name))-1])
	if err != nil {
		r.t.Fatal(err)
	}
	if r.program != nil {
		r.program(p)
	}
	r.start(ctx, p, profiles(name)...)
	r.Hook(p)
	defer p.Kill()
	addresses := r.introduce(ctx, p, chats)
	r.login(ctx, users)
	defer r.logout()
	s := r.measure(name, posternOf(p, addresses))
	if r.t.Failed() {
		r.t.Logf("%s", p.Tail())
	}
	return s
}

// introduce registers every user and lets the other side of so many chats say hello, which tells the contacts' addresses.
func (r *rig) introduce(ctx context.Context, p *stand.Process, chats int) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	addresses, err := r.meet(ctx, p, chats)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, p.Tail())
	}
	return addresses
}

// meet introduces all users at once: those whose rosters know the gateway from another system meet it after five seconds only.
func (r *rig) meet(ctx context.Context, p *stand.Process, chats int) ([]string, error) {
	addresses := make([]string, chats)
	errs := make([]error, users)
	var wg sync.WaitGroup
	for n := range users {
		wg.Go(func() { errs[n] = r.meetOne(ctx, p, n, addresses) })
	}
	wg.Wait()
	return addresses, errors.Join(errs...)
}

// meetOne does this for one user, whose chats' places in addresses nobody else writes.
func (r *rig) meetOne(ctx context.Context, p *stand.Process, n int, addresses []string) error {
	c, err := user.Dial(ctx, user.Config{JID: fmt.Sprintf("u%d@localhost", n), Password: "secret", Addr: r.XMPP.ClientAddr(), Accept: true})
	if err != nil {
		return err
	}
	err = stand.Poll(ctx, func() error {
		form, err := c.Registration(ctx, stand.Domain)
		if err != nil || form.Registered {
			return err
		}
		return c.Register(ctx, stand.Domain, form, form.Form.Agree())
	})
	hook := r.hook(p, "/hooks/"+stand.Adapter)
	for chat := n; chat < len(addresses) && err == nil; chat += users {
		want := fmt.Sprintf("hello %d", chat)
		if err = r.stub.Say(ctx, hook, chat, want); err != nil {
			break
		}
		var s *user.Stanza
		if s, err = c.WaitMessage(ctx, func(s *user.Stanza) bool { return s.Body == want }); err == nil {
			addresses[chat], _, _ = strings.Cut(s.From, "/")
		}
	}
	return errors.Join(err, c.Close())
}

func (r *rig) hook(p *stand.Process, path string) Hook {
	return Hook{URL: "http://" + p.Public + path, Secret: r.Secret, Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}}
}

// measure puts all loads on one gateway.
func (r *rig) measure(name string, g process) System {
	r.t.Helper()
	write := r.writer(g)
	hook := r.hook(g.Process, g.hook)
	say := func(chat int, text string) error { return r.stub.Say(r.t.Context(), hook, chat, text) }
	r.load(g, ToPlatform, time.Second, (*Meter).flood, write) // warm
	r.load(g, ToUser, time.Second, (*Meter).flood, say)
	s := System{Name: name, Server: string(r.server)}
	s.FloodOut = r.load(g, ToPlatform, *length, r.profiled(g, (*Meter).flood), write)
	s.FloodIn = r.load(g, ToUser, *length, r.profiled(g, (*Meter).flood), say)
	if wanted("pairs") {
		return s
	}
	drip, brisk := dripping(dripRate), dripping(briskRate)
	s.DripOut = r.load(g, ToPlatform, *slowly, drip, write)
	s.BriskOut = r.load(g, ToPlatform, *length, brisk, write)
	s.DripIn = r.load(g, ToUser, *slowly, drip, say)
	s.BriskIn = r.load(g, ToUser, *length, brisk, say)
	if g.confirms {
		s.FloodReceipt = r.receipts(g, hook)
	}
	s.Idle = r.idle(g)
	s.Memory = memoryOf(r.t.Context(), g)
	return s
}

// receipts floods the platform with messages that are under way until their receipt is back at the client.
func (r *rig) receipts(g process, hook Hook) *Load {
	r.t.Helper()
	r.stub.Arrived = func(string) {}
	r.stub.Confirm.Store(&hook)
	defer func() {
		r.stub.Confirm.Store(nil)
		r.stub.Arrived = r.arrived
	}()
	l := r.load(g, ToPlatform, *length, r.profiled(g, (*Meter).flood), func(chat int, text string) error {
		return r.say(g, chat, text, wantsReceipt)
	})
	l.Disorder = 0 // the stub confirms in any order
	return l
}

// idle is the percentage of one core that gateway and Redis use while nothing happens.
func (r *rig) idle(g process) float64 {
	pids := map[string]int{gatewayCPU: g.PID(), redisCPU: r.Redis.PID()}
	before := use(pids)
	t := time.NewTimer(*length)
	defer t.Stop()
	<-t.C
	after := use(pids)
	return 100 * float64(after[gatewayCPU]-before[gatewayCPU]+after[redisCPU]-before[redisCPU]) / float64(*length)
}
