package sandboxtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
	"postern/gateway"
)

// Simulator plays a platform.
type Simulator interface {
	http.Handler
	Control() http.Handler
	Run(ctx context.Context) error
}

// Sandbox is a running simulator.
type Sandbox struct {
	T       *testing.T
	Control *control.Client
	// URL is the platform's origin, Hook where the webhooks of the adapter go.
	URL, Hook string
	// Offset is what the platform's clock is ahead of ours, in nanoseconds.
	Offset atomic.Int64

	mu     sync.Mutex
	posted []gateway.Request
	heard  chan struct{} // closed at the next webhook
}

// Setup says what a sandbox plays.
type Setup struct {
	// Instance is the adapter's name in the configuration, which stands in its webhooks' path.
	Instance string
	// Challenge answers the handshake by which a platform checks where its webhooks go; nil where there is none.
	Challenge func(q url.Values) ([]byte, bool)
	// Status is what the next webhook is answered; nil is always 200.
	Status func() int
	// Open makes the simulator. The Config has a client and the sandbox's clock; URL and Hook are known.
	Open func(b *Sandbox, cfg sandbox.Config) (Simulator, error)
}

// Start runs a simulator until the test ends.
func Start(t *testing.T, setup Setup) *Sandbox {
	t.Helper()
	b := &Sandbox{T: t, heard: make(chan struct{})}
	sink := httptest.NewServer(b.sink(setup))
	b.Hook = sink.URL + "/hooks/" + setup.Instance
	var sim Simulator
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) }))
	b.URL = server.URL
	transport := &http.Transport{}
	sim, err := setup.Open(b, sandbox.Config{Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, Now: b.Now})
	if err != nil {
		t.Fatal(err)
	}
	b.Control = control.InProcess(sim.Control())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := sim.Run(ctx); err != nil {
			t.Errorf("simulator: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		transport.CloseIdleConnections()
		server.Close()
		sink.Close()
	})
	return b
}

// Now is the platform's time.
func (b *Sandbox) Now() time.Time { return time.Now().Add(time.Duration(b.Offset.Load())) }

// Earlier makes the platform believe, while do runs, that it is earlier by that much.
func (b *Sandbox) Earlier(by time.Duration, do func()) {
	b.Offset.Store(-int64(by))
	defer b.Offset.Store(0)
	do()
}

// Do makes a request of the control API.
func (b *Sandbox) Do(method, path string, in, out any) {
	b.T.Helper()
	if err := b.Control.Do(b.T.Context(), method, path, in, out); err != nil {
		b.T.Fatalf("%s %s: %v", method, path, err)
	}
}
