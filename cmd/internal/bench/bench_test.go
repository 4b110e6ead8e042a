//go:build servers && bench

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/adapters/gatekeeper/simulator"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
	"postern/deploy/lab"
)

var (
	out     = flag.String("out", "", "file for the figures as JSON")
	length  = flag.Duration("length", 4*time.Second, "of each load")
	against = flag.String("against", "", "file with the figures of an earlier run, to compare with")
	parts   = flag.String("parts", "systems slow", "which to measure beside the contacts")
	counts  = flag.String("contacts", "1,10,1000,100000,1000000", "how many contacts to have mapped, each in a run of its own")
	cpus    = flag.String("profiles", "", "folder for a CPU profile of Postern under each flood")
	heaps   = flag.Bool("heaps", false, "with -profiles: note allocations more closely")
)

const (
	dripRate  = 100 // messages per second
	briskRate = 500
	drainTime = 15 * time.Second
)

// rig is what all systems are measured on.
type rig struct {
	*stand.Stand
	t        *testing.T
	platform atomic.Pointer[http.Handler]
	stub     *Stub
	meter    atomic.Pointer[Meter]
	clients  []*client
	floor    string               // the program
	program  func(*stand.Process) // makes a Postern one of another build; nil for this one
	dir      string               // with the secrets
}

// TestBench measures the floor and Postern in one run and prints the figures.
func TestBench(t *testing.T) {
	r := newRig(t)
	report := Report{Date: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine()}
	if strings.Contains(*parts, "systems") {
		report.Systems = append(report.Systems, r.measureFloor("floor: relay, no store"))
		report.Systems = append(report.Systems, r.measureFloor("floor + XADD + HSET", "-redis", r.Redis.Addr()))
		report.Systems = append(report.Systems, r.measurePostern("postern"))
		report.Systems = append(report.Systems, r.measureScripted("postern, scripted server"))
		report.Systems = append(report.Systems, r.measureSandbox("postern, sandbox as platform"))
	}
	if strings.Contains(*parts, "pairs") {
		report.Systems = append(report.Systems, r.measurePairs()...)
	}
	if strings.Contains(*parts, "slow") {
		report.Slow = r.measureSlow()
	}
	for _, n := range contactCounts(t) {
		report.Scale = append(report.Scale, r.measureScale(n))
	}
	t.Logf("\n%s", report)
	if *against != "" {
		old, err := ReadReport(*against)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("\n%s", report.Against(old))
	}
	if *out != "" {
		if err := report.Write(*out); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range report.Systems {
		if strings.HasPrefix(s.Name, "postern") && (sum(s, func(l *Load) int { return l.Disorder }) > 0 || sum(s, func(l *Load) int { return l.Missing }) > 0) {
			t.Errorf("%s: messages out of order or missing", s.Name)
		}
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	postern, err := stand.Build(t.Context(), dir, "postern/cmd/postern", "bench")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, stub: NewStub(), dir: dir}
	if r.floor, err = stand.Build(t.Context(), dir, "postern/cmd/internal/bench/floor"); err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { (*r.platform.Load()).ServeHTTP(w, req) })
	r.use(r.stub)
	l := lab.ForTest(t)
	r.Stand, err = stand.New(t.Context(), l, l, stand.Config{Dir: dir, Binary: postern, Users: users, NoArchives: true, Platform: handler})
	if err != nil {
		t.Fatal(err)
	}
	r.stub.Origin = func() string { return r.Platform }
	r.stub.Arrived = r.arrived
	return r
}

func (r *rig) use(h http.Handler) { r.platform.Store(&h) }

// arrived tells the meter of the running load.
func (r *rig) arrived(text string) {
	if m := r.meter.Load(); m != nil {
		m.arrived(text)
	}
}

// login connects the clients of the load.
func (r *rig) login(ctx context.Context) {
	r.t.Helper()
	r.clients = nil
	for n := range users {
		c, err := dial(ctx, r.XMPP.ClientAddr(), fmt.Sprintf("u%d", n), "secret", r.arrived)
		if err != nil {
			r.t.Fatal(err)
		}
		r.clients = append(r.clients, c)
	}
}

func (r *rig) logout() {
	for _, c := range r.clients {
		c.close()
	}
}

// process is a running gateway with its addresses.
type process struct {
	*stand.Process
	hook     string                // path of webhooks
	address  func(chat int) string // of a chat's contact
	confirms bool                  // it passes receipts on
	// speak has the user of a chat say something, where that is not done by the user's client.
	speak func(chat int, text, extra string) error
}

func (r *rig) measureFloor(name string, args ...string) System {
	r.t.Helper()
	ctx := r.t.Context()
	args = append(args, "-component", r.XMPP.ComponentAddr(), "-secret", r.ComponentSecret, "-domain", stand.Domain, "-platform", r.Platform)
	p, err := r.Other(ctx, "floor", r.floor, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.start(ctx, p)
	defer p.Kill()
	r.login(ctx)
	defer r.logout()
	return r.measure(name, process{p, "/", func(chat int) string { _, p := place(chat); return fmt.Sprintf("p%d@%s", p, stand.Domain) }, false, nil}, true)
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
	return r.withPostern(name, func(p *stand.Process, chat int) error {
		return r.stub.Say(r.t.Context(), r.hook(p, "/hooks/"+stand.Adapter), chat, fmt.Sprintf("hello %d", chat))
	}, true)
}

// measureSandbox does the same against the sandbox, towards the platform only: what it costs there is the sandbox's check of
// every request against the document.
func (r *rig) measureSandbox(name string) System {
	r.t.Helper()
	var who []simulator.Person
	for n := range chats / users {
		who = append(who, simulator.Person{ID: fmt.Sprintf("p%d", n), OptedIn: true, Accepts: simulator.AccessOpen})
	}
	hooks := r.HookClient(10 * time.Second)
	sandbox, err := simulator.New(simulator.Config{
		Partners: []simulator.Partner{{ClientID: stand.ClientID, JWKSURL: "http://" + stand.HookHost + "/.well-known/gia-partner/jwks.json"}},
		People:   who, Client: hooks, MessagesPerMinute: 10_000_000,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = sandbox.Run(ctx) }) // ends with its context
	defer wg.Wait()
	defer cancel()
	r.use(r.watched(sandbox.API()))
	return r.withPostern(name, func(_ *stand.Process, chat int) error {
		u, p := place(chat)
		body := fmt.Sprintf(`{"to": "u%d@localhost", "text": "hello %d"}`, u, chat)
		w := httptest.NewRecorder()
		sandbox.Control().ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, fmt.Sprintf("/sandbox/v1/people/p%d/messages", p), strings.NewReader(body)))
		if w.Code != http.StatusOK {
			return fmt.Errorf("say: %d %s", w.Code, w.Body)
		}
		return nil
	}, false)
}

// watched tells the meter of messages that the sandbox accepted.
func (r *rig) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost || req.URL.Path != "/v1/messages" {
			next.ServeHTTP(w, req)
			return
		}
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(raw))
		next.ServeHTTP(w, req)
		var in struct{ Content struct{ Text string } }
		if json.Unmarshal(raw, &in) == nil {
			r.arrived(in.Content.Text)
		}
	})
}

func (r *rig) withPostern(name string, hello func(p *stand.Process, chat int) error, both bool) System {
	r.t.Helper()
	ctx := r.t.Context()
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
	addresses := r.introduce(ctx, p, chats, hello)
	r.login(ctx)
	defer r.logout()
	s := r.measure(name, posternOf(p, addresses), both)
	if r.t.Failed() {
		r.t.Logf("%s", p.Tail())
	}
	return s
}

// introduce registers every user and lets the other side of so many chats say hello, which tells the contacts' addresses.
func (r *rig) introduce(ctx context.Context, p *stand.Process, chats int, hello func(*stand.Process, int) error) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	addresses, err := r.meet(ctx, p, chats, hello)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, p.Tail())
	}
	return addresses
}

func (r *rig) meet(ctx context.Context, p *stand.Process, chats int, hello func(*stand.Process, int) error) ([]string, error) {
	addresses := make([]string, chats)
	for n := range users {
		c, err := user.Dial(ctx, user.Config{JID: fmt.Sprintf("u%d@localhost", n), Password: "secret", Addr: r.XMPP.ClientAddr(), Accept: true})
		if err != nil {
			return nil, err
		}
		err = stand.Poll(ctx, func() error {
			form, err := c.Registration(ctx, stand.Domain)
			if err != nil || form.Registered {
				return err
			}
			return c.Register(ctx, stand.Domain, form, form.Form.Agree())
		})
		for chat := n; chat < chats && err == nil; chat += users {
			if err = hello(p, chat); err != nil {
				break
			}
			want := fmt.Sprintf("hello %d", chat)
			var s *user.Stanza
			if s, err = c.WaitMessage(ctx, func(s *user.Stanza) bool { return s.Body == want }); err == nil {
				addresses[chat], _, _ = strings.Cut(s.From, "/")
			}
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return nil, err
		}
	}
	return addresses, nil
}

func (r *rig) hook(p *stand.Process, path string) Hook {
	return Hook{URL: "http://" + p.Public + path, Secret: r.Secret, Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}}
}

// measure puts all loads on one gateway.
func (r *rig) measure(name string, g process, both bool) System {
	r.t.Helper()
	write := r.writer(g)
	hook := r.hook(g.Process, g.hook)
	say := func(chat int, text string) error { return r.stub.Say(r.t.Context(), hook, chat, text) }
	r.load(g, ToPlatform, time.Second, (*Meter).flood, write) // warm
	if both {
		r.load(g, ToUser, time.Second, (*Meter).flood, say)
	}
	s := System{Name: name}
	s.FloodOut = r.load(g, ToPlatform, *length, r.profiled(g, (*Meter).flood), write)
	if both {
		s.FloodIn = r.load(g, ToUser, *length, r.profiled(g, (*Meter).flood), say)
	}
	if !strings.Contains(*parts, "pairs") {
		drip, brisk := dripping(dripRate), dripping(briskRate)
		s.DripOut = r.load(g, ToPlatform, *length, drip, write)
		s.BriskOut = r.load(g, ToPlatform, *length, brisk, write)
		if both {
			s.DripIn = r.load(g, ToUser, *length, drip, say)
			s.BriskIn = r.load(g, ToUser, *length, brisk, say)
		}
	}
	if both && g.confirms && !strings.Contains(*parts, "pairs") {
		s.FloodReceipt = r.receipts(g, hook)
	}
	if !strings.Contains(*parts, "pairs") {
		s.Idle = r.idle(g)
		s.Memory = memoryOf(r.t.Context(), g)
	}
	return s
}

// profiles is the environment of a Postern that takes profiles.
func profiles(name string) []string {
	if *cpus == "" {
		return nil
	}
	env := []string{"POSTERN_PROFILE=" + filepath.Join(*cpus, strings.ReplaceAll(name, " ", "-"))}
	if *heaps {
		env = append(env, "POSTERN_PROFILE_HEAP=1")
	}
	return env
}

type loading = func(m *Meter, ctx context.Context, send func(chat int, text string) error) error

// profiled runs a load between two signals to a gateway that takes profiles.
func (r *rig) profiled(g process, run loading) loading {
	if *cpus == "" || !g.confirms {
		return run
	}
	return func(m *Meter, ctx context.Context, send func(int, string) error) error {
		defer func() { _ = g.Signal(syscall.SIGUSR1) }() // without it there is no profile
		_ = g.Signal(syscall.SIGUSR1)
		return run(m, ctx, send)
	}
}

// dripping sends at a rate.
func dripping(rate int) loading {
	return func(m *Meter, ctx context.Context, send func(int, string) error) error {
		return m.drip(ctx, rate, send)
	}
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

// load runs one load and takes its figures.
func (r *rig) load(g process, way Way, length time.Duration, run loading, send func(int, string) error) *Load {
	r.t.Helper()
	return r.loadOn(g, newMeter(way), length, run, send)
}

func (r *rig) loadOn(g process, m *Meter, length time.Duration, run loading, send func(int, string) error) *Load {
	r.t.Helper()
	r.meter.Store(m)
	heap := metricsOf(r.t.Context(), g)
	pids := map[string]int{gatewayCPU: g.PID(), serverCPU: r.XMPP.PID(), redisCPU: r.Redis.PID(), benchCPU: os.Getpid()}
	before := use(pids)
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.t.Context(), length)
	err := run(m, ctx, send)
	cancel()
	if err != nil {
		r.t.Errorf("%s: %v", m.way, err)
	}
	took, seen := time.Since(began), m.seen.Load()
	drain, cancel := context.WithTimeout(r.t.Context(), drainTime)
	missing := m.settle(drain)
	cancel()
	after := use(pids)
	l := &Load{
		Messages: int(m.sent.Load()), Rate: float64(seen) / took.Seconds(), P50: milliseconds(m.percentile(0.5)), P99: milliseconds(m.percentile(0.99)),
		P999: milliseconds(m.percentile(0.999)), CPU: map[string]float64{}, Disorder: m.disorder, Missing: int(missing),
	}
	now, count := metricsOf(r.t.Context(), g), float64(max(l.Messages, 1))
	l.Allocs, l.AllocBytes = (now[mallocs]-heap[mallocs])/count, (now[allocBytes]-heap[allocBytes])/count
	for name := range pids {
		l.CPU[name] = milliseconds(after[name]-before[name]) / float64(max(l.Messages, 1))
	}
	return l
}

func use(pids map[string]int) map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, pid := range pids {
		if u, err := stand.UseOf(pid); err == nil {
			out[name] = u.CPU
		}
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
