package xmpp

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/xmpp/conformance"
	"postern/xmpp/xmpptest"
)

// fakeLease is always free; lose takes it away from its holder.
type fakeLease struct {
	mu        sync.Mutex
	lost      chan struct{}
	held      bool
	acquired  []time.Time
	released  []time.Time
	free      []bool // of each release
	declined  []bool
	elsewhere chan struct{} // while open, another replica has it; nil for never
}

func (l *fakeLease) Acquire(ctx context.Context) (<-chan struct{}, error) {
	l.mu.Lock()
	elsewhere := l.elsewhere
	l.mu.Unlock()
	if elsewhere != nil {
		select {
		case <-elsewhere:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return nil, errors.New("lease: held already")
	}
	l.held, l.lost = true, make(chan struct{})
	l.acquired = append(l.acquired, time.Now())
	return l.lost, nil
}

func (l *fakeLease) Release(free bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.released = append(l.released, time.Now())
	l.free = append(l.free, free)
}

func (l *fakeLease) Decline(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.declined = append(l.declined, on)
}

func (l *fakeLease) said() []bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.declined)
}

func (l *fakeLease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.lost)
}

func (l *fakeLease) counts() (acquired, released int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acquired), len(l.released)
}

type supervised struct {
	*supervisor
	srv   *xmpptest.Server
	lease *fakeLease
	log   *bytes.Buffer
	stop  func() // cancels and waits

	mu     sync.Mutex
	states []linkState
}

func (s *supervised) last() linkState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[len(s.states)-1]
}

// superviseTest runs a supervisor; session nil waits for the stream's end.
func superviseTest(t *testing.T, session func(context.Context, *stream) error) *supervised {
	srv := xmpptest.NewServer()
	cfg, _ := testConfig(srv.Dial)
	s := &supervised{srv: srv, lease: &fakeLease{}, log: &bytes.Buffer{}}
	if session == nil {
		session = func(ctx context.Context, _ *stream) error { <-ctx.Done(); return nil }
	}
	s.supervisor = &supervisor{
		stream: cfg, lease: s.lease, leaseTTL: 15 * time.Second, session: session,
		handle: func(context.Context, *Element) {},
		state: func(st linkState, _ error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.states = append(s.states, st)
		},
		log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	s.stop = func() { cancel(); <-done }
	return s
}

func TestSupervisorReconnects(t *testing.T) {
	tests := []struct {
		name string
		end  func(*testing.T, *xmpptest.Conn)
	}{
		{"eof", func(_ *testing.T, c *xmpptest.Conn) { c.Drop() }},
		{"stream closed", func(t *testing.T, c *xmpptest.Conn) { c.CloseStream(t) }},
		{"system-shutdown", func(t *testing.T, c *xmpptest.Conn) { c.StreamError(t, "system-shutdown") }},
		{"garbage", func(t *testing.T, c *xmpptest.Conn) { _ = c.TrySend("<<<") }},
		{"half-open", func(t *testing.T, c *xmpptest.Conn) { c.MutePings(true) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := superviseTest(t, nil)
				for range 3 {
					c := s.srv.Accept(t, testDomain)
					synctest.Wait()
					if got := s.last(); got != linkUp {
						t.Errorf("got state %s, want %s", got, linkUp)
					}
					tt.end(t, c)
					c.WaitEnd(t) // closed before the next dial, or Accept below would hang on a live stream
				}
				c := s.srv.Accept(t, testDomain)
				if acquired, released := s.lease.counts(); acquired != 1 || released != 0 {
					t.Errorf("lease: got %d acquired, %d released, want it kept", acquired, released)
				}
				go func() { c.WaitEnd(t); c.Drop() }()
				s.stop()
				if _, released := s.lease.counts(); released != 1 {
					t.Errorf("lease: got %d released, want 1", released)
				}
				if got := s.last(); got != linkStopped {
					t.Errorf("got state %s, want %s", got, linkStopped)
				}
			})
		})
	}
}

func TestSupervisorServerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := superviseTest(t, nil)
		c := s.srv.Accept(t, testDomain)
		s.srv.SetDown(true)
		c.Drop()
		<-time.After(10 * time.Minute)
		dials := s.srv.Dials()
		// Full jitter averages 15 s at the ceiling: about 40 in ten minutes, never a storm, never given up.
		if n := len(dials); n < 25 || n > 90 {
			t.Errorf("got %d dials in 10 minutes, want 25 to 90", n)
		}
		for i := 2; i < len(dials); i++ {
			if gap := dials[i].Sub(dials[i-1]); gap > backoffMax+time.Second {
				t.Errorf("gap of %v, want at most %v", gap, backoffMax)
			}
		}
		s.srv.SetDown(false)
		s.srv.Accept(t, testDomain).Drop()
		s.srv.SetDown(true)
		s.stop()
	})
}

// A replica that does not reach the server for a while says so, gives the lease away when another takes it, and takes its word
// back as soon as the server answers again: without a stream, since the component is connected elsewhere by then.
func TestSupervisorOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := superviseTest(t, nil)
		c := s.srv.Accept(t, testDomain)
		s.srv.SetDown(true)
		c.Drop()
		<-time.After(5 * time.Second)
		if got := s.lease.said(); len(got) != 0 {
			t.Errorf("after 5 s: got declined %v, want nothing yet", got)
		}
		<-time.After(time.Minute)
		if got := s.lease.said(); !slices.Equal(got, []bool{true}) {
			t.Errorf("after a minute: got declined %v, want it once", got)
		}
		s.lease.mu.Lock()
		s.lease.elsewhere = make(chan struct{})
		s.lease.mu.Unlock()
		s.lease.lose()
		<-time.After(time.Minute)
		if acquired, released := s.lease.counts(); acquired != 1 || released != 1 {
			t.Errorf("lease: got %d acquired and %d released, want it given away", acquired, released)
		}
		s.srv.SetDown(false)
		c = s.srv.AcceptRaw(t) // nothing is said on it
		c.WaitEnd(t)
		synctest.Wait()
		if got := s.lease.said(); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("once it can be reached: got declined %v, want it taken back", got)
		}
		close(s.lease.elsewhere)
		c = s.srv.Accept(t, testDomain)
		go func() { c.WaitEnd(t); c.Drop() }()
		s.stop()
	})
}

func TestSupervisorRefused(t *testing.T) {
	for condition, advice := range map[string]string{
		"not-authorized": "check server.secret_file",
		"host-unknown":   "add it to the Prosody or ejabberd configuration",
	} {
		t.Run(condition, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proof := conformance.Prove(t, conformance.InProcess, 1)
				s := superviseTest(t, nil)
				s.srv.Refuse(t, testDomain, condition)
				began := time.Now()
				synctest.Wait()
				proof.That(s.last() == linkRefused, "got state %s, want %s", s.last(), linkRefused)
				c := s.srv.Accept(t, testDomain)
				got := time.Since(began)
				proof.That(got > 24*time.Second && got <= 30*time.Second, "retried after %v, want 24 s to 30 s", got)
				c.Drop()
				s.srv.SetDown(true)
				s.stop()
				if got := s.log.String(); !strings.Contains(got, advice) {
					t.Errorf("got log %s, want advice %q", got, advice)
				}
			})
		})
	}
}

// As long as nobody mends the configuration the pauses grow; whatever else happens starts them anew.
func TestSupervisorRefusedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proof := conformance.Prove(t, conformance.InProcess, 1)
		s := superviseTest(t, nil)
		s.srv.Refuse(t, testDomain, "not-authorized")
		refused := time.Now()
		for i, ceiling := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
			condition := "not-authorized"
			if i%2 == 1 {
				condition = "host-unknown" // a server says either for a name that it does not know
			}
			<-time.After(ceiling * 4 / 5) // the server's patience is shorter than the longest pause
			s.srv.Refuse(t, testDomain, condition)
			got := time.Since(refused)
			refused = time.Now()
			proof.That(got > ceiling*4/5 && got <= ceiling, "pause %d: got %v, want %v, less up to a fifth", i+1, got, ceiling)
		}
		<-time.After(refusedMax * 4 / 5)
		s.srv.Accept(t, testDomain).Drop()
		s.srv.Refuse(t, testDomain, "not-authorized")
		refused = time.Now()
		s.srv.Accept(t, testDomain).Drop()
		got := time.Since(refused)
		proof.That(got <= 30*time.Second, "pause after the first refusal since a stream was up: got %v, want at most 30 s", got)
		s.srv.SetDown(true)
		s.stop()
	})
}

func TestSupervisorConflict(t *testing.T) {
	for _, when := range []string{"at open", "later"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proof := conformance.Prove(t, conformance.InProcess, 3)
				s := superviseTest(t, nil)
				if when == "at open" {
					s.srv.Refuse(t, testDomain, "conflict")
				} else {
					s.srv.Accept(t, testDomain).StreamError(t, "conflict")
				}
				began := time.Now()
				synctest.Wait()
				acquired, released := s.lease.counts()
				proof.That(acquired == 1 && released == 1, "lease: got %d acquired, %d released, want 1 and 1", acquired, released)
				c := s.srv.Accept(t, testDomain)
				got := time.Since(began)
				proof.That(got >= s.leaseTTL, "back after %v, want at least %v", got, s.leaseTTL)
				c.Drop()
				s.srv.SetDown(true)
				s.stop()
			})
		})
	}
}

func TestSupervisorLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := superviseTest(t, nil)
		c := s.srv.Accept(t, testDomain)
		synctest.Wait()
		s.lease.lose()
		if !c.WaitEnd(t) {
			t.Error("closed without </stream:stream>")
		}
		c.Drop()
		s.srv.Accept(t, testDomain).Drop()
		if acquired, released := s.lease.counts(); acquired != 2 || released != 1 {
			t.Errorf("lease: got %d acquired, %d released, want 2 and 1", acquired, released)
		}
		s.srv.SetDown(true)
		s.stop()
	})
}

func TestSupervisorSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan *stream, 4)
		sessions := 0
		s := superviseTest(t, func(ctx context.Context, s *stream) error {
			began <- s
			if sessions++; sessions == 1 {
				return errors.New("outbox: gone")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		c := s.srv.Accept(t, testDomain)
		<-began
		c.WaitEnd(t) // an error of the session gives the stream up
		c.Drop()
		c = s.srv.Accept(t, testDomain)
		live := <-began
		if err := live.send(t.Context(), NewPresence(live.self, live.peer, "")); err != nil {
			t.Error(err)
		}
		c.Expect(t, "<presence")
		go func() { c.WaitEnd(t); c.Drop() }()
		s.stop()
		if got := s.log.String(); !strings.Contains(got, "outbox: gone") {
			t.Errorf("got log %s, want the session's error", got)
		}
	})
}

func TestJitter(t *testing.T) {
	for attempt, ceiling := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 9: 25600 * time.Millisecond, 10: backoffMax, 1000: backoffMax} {
		for range 100 {
			if got := jitter(attempt); got <= 0 || got > ceiling+time.Millisecond {
				t.Errorf("attempt %d: got %v, want at most %v", attempt, got, ceiling)
			}
		}
	}
}
