//go:build servers && bench

package bench

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/internal/chaos/stand"
	"postern/deploy"
	"postern/deploy/lab"
)

var (
	out     = flag.String("out", "", "file for the figures as JSON")
	length  = flag.Duration("length", 4*time.Second, "of each load")
	slowly  = flag.Duration("drip", 15*time.Second, "of each load at 100 messages a second: of fewer than 1,000 the slowest of a thousand is only the slowest")
	against = flag.String("against", "", "file with the figures of an earlier run, to compare with")
	parts   = flag.String("parts", "systems ejabberd simulators slow", "which to measure beside the contacts; a platform's name for its simulator alone")
	counts  = flag.String("contacts", "1,10,1000,100000,1000000", "how many contacts to have mapped, each in a run of its own")
	cpus    = flag.String("profiles", "", "folder for a CPU profile of Postern under each flood")
	heaps   = flag.Bool("heaps", false, "with -profiles: note allocations more closely")
)

const (
	dripRate  = 100 // messages per second
	briskRate = 500
	drainTime = 15 * time.Second
)

// wanted says whether a part is to be measured.
func wanted(part string) bool { return slices.Contains(strings.Fields(*parts), part) }

// rig is what all systems are measured on.
type rig struct {
	*stand.Stand
	t        *testing.T
	server   deploy.Server
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
	p := build(t)
	r := newRig(t, p, deploy.Prosody, users)
	report := Report{Date: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine()}
	if wanted("systems") {
		report.Systems = append(report.Systems,
			r.measureFloor("floor: relay, no store"),
			r.measureFloor(storingFloor, "-redis", r.Redis.Addr()),
			r.measurePostern("postern"),
			r.measureScripted("postern, scripted server"))
	}
	if wanted("ejabberd") {
		t.Run("ejabberd", func(t *testing.T) { // its servers end with it
			r := newRig(t, p, deploy.Ejabberd, users)
			report.Systems = append(report.Systems,
				r.measureFloor(storingFloor+", ejabberd", "-redis", r.Redis.Addr()),
				r.measurePostern("postern, ejabberd"))
		})
	}
	report.Simulators = measureSimulators(t, p)
	if wanted("pairs") {
		report.Systems = append(report.Systems, r.measurePairs()...)
	}
	if wanted("slow") {
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
		t.Logf("figures: %s", *out)
	}
	for _, problem := range report.Problems() {
		t.Error(problem)
	}
}

// programs are what is measured.
type programs struct{ postern, floor string }

func build(t *testing.T) (p programs) {
	t.Helper()
	dir := t.TempDir()
	var err error
	if p.postern, err = stand.Build(t.Context(), dir, "postern/cmd/postern", "bench"); err != nil {
		t.Fatal(err)
	}
	if p.floor, err = stand.Build(t.Context(), dir, "postern/cmd/internal/bench/floor"); err != nil {
		t.Fatal(err)
	}
	return p
}

func newRig(t *testing.T, p programs, server deploy.Server, users int) *rig {
	t.Helper()
	r := &rig{t: t, server: server, stub: NewStub(), floor: p.floor, dir: t.TempDir()}
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { (*r.platform.Load()).ServeHTTP(w, req) })
	r.use(r.stub)
	l := lab.ForTest(t)
	var err error
	r.Stand, err = stand.New(t.Context(), l, l, stand.Config{Dir: r.dir, Binary: p.postern, Server: server, Users: users, NoArchives: true, Platform: handler})
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

// login connects the clients of so many users.
func (r *rig) login(ctx context.Context, users int) {
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
