package xmpp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/xmpp/conformance"
	"postern/xmpp/xmpptest"
)

const testDomain = "gw.example"

// counter collects wire events.
type counter struct {
	mu sync.Mutex
	n  map[wireEvent]int
}

func (c *counter) count(e wireEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[wireEvent]int)
	}
	c.n[e]++
}

func (c *counter) of(e wireEvent) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[e]
}

func testConfig(dial func(context.Context) (net.Conn, error)) (streamConfig, *counter) {
	c := &counter{}
	return streamConfig{
		domain: testDomain, server: "example", secret: xmpptest.Secret, dial: dial,
		log: slog.New(slog.DiscardHandler), count: c.count,
	}, c
}

// rig is a stream that runs against a scripted server.
type rig struct {
	*stream
	server *xmpptest.Conn
	got    chan *Element
	done   chan error
	stop   context.CancelFunc
	events *counter
}

// newRig connects and runs a stream; handle nil collects stanzas in got.
func newRig(t *testing.T, handle func(context.Context, *Element)) *rig {
	t.Helper()
	srv := xmpptest.NewServer()
	cfg, events := testConfig(srv.Dial)
	r := &rig{got: make(chan *Element, 1<<15), done: make(chan error, 1), events: events}
	if handle == nil {
		handle = func(_ context.Context, el *Element) { r.got <- el }
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	connected := make(chan error, 1)
	go func() {
		var err error
		r.stream, err = connect(ctx, cfg)
		connected <- err
	}()
	r.server = srv.Accept(t, testDomain)
	if err := <-connected; err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- r.run(ctx, handle) }()
	t.Cleanup(func() {
		stop()
		r.server.Drop()
		<-r.ended
	})
	return r
}

func (r *rig) next(t *testing.T) *Element {
	t.Helper()
	select {
	case el := <-r.got:
		return el
	case <-time.After(time.Minute):
		t.Fatal("no stanza reached the handler")
		return nil
	}
}

func TestHandshakeDigest(t *testing.T) {
	if got, want := handshakeDigest("3BF96D32", "secret"), "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHandshakeRefused(t *testing.T) {
	for _, condition := range []string{"conflict", "host-unknown", "not-authorized", "invalid-namespace"} {
		t.Run(condition, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := xmpptest.NewServer()
				cfg, _ := testConfig(srv.Dial)
				result := make(chan error, 1)
				go func() {
					_, err := connect(t.Context(), cfg)
					result <- err
				}()
				srv.Refuse(t, testDomain, condition)
				var got *StreamError
				if err := <-result; !errors.As(err, &got) || got.Condition != condition {
					t.Errorf("got %v, want stream error %s", err, condition)
				}
			})
		})
	}
}

func TestHandshakeOddPeers(t *testing.T) {
	const open = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
	tests := []struct{ name, send, want string }{
		{"http", "HTTP/1.1 400 Bad Request\r\n\r\n", "not well-formed"},
		{"html", "<html>", "does not speak XMPP"},
		{"other namespace", "<stream xmlns='x' id='1'>", "does not speak XMPP"},
		{"error without id", open + "><stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>who?</text></stream:error>", "host-unknown: who?"},
		{"no id", open + "><x/>", "stream without id"},
		{"closed", open + " id='1'></stream:stream>", "closed by the server"},
		{"other answer", open + " id='1'><message/>", "unexpected <message>"},
		{"endless header", open + " id='" + strings.Repeat("x", 2<<20), "EOF"},
		{"silence", "", "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := xmpptest.NewServer()
				cfg, _ := testConfig(srv.Dial)
				result := make(chan error, 1)
				go func() {
					_, err := connect(t.Context(), cfg)
					result <- err
				}()
				server := srv.AcceptRaw(t)
				_ = server.TrySend(tt.send) // the component may hang up in the middle
				synctest.Wait()
				server.Drop()
				if err := <-result; err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
			})
		})
	}
}

func TestHandshakeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := xmpptest.NewServer()
		cfg, _ := testConfig(srv.Dial)
		began := time.Now()
		result := make(chan error, 1)
		go func() {
			_, err := connect(t.Context(), cfg)
			result <- err
		}()
		server := srv.AcceptRaw(t)
		if err := <-result; err == nil {
			t.Fatal("got nil, want a handshake error")
		}
		if got := time.Since(began); got != handshakeTimeout {
			t.Errorf("gave up after %v, want %v", got, handshakeTimeout)
		}
		server.WaitEnd(t)
	})
}

func TestStreamEnds(t *testing.T) {
	tests := []struct {
		name, label string
		act         func(*testing.T, *rig)
	}{
		{"eof", "eof", func(_ *testing.T, r *rig) { r.server.Drop() }},
		{"eof inside a stanza", "eof", func(t *testing.T, r *rig) { r.server.Send(t, "<message><bo"); r.server.Drop() }},
		{"stream closed", "closed", func(t *testing.T, r *rig) { r.server.CloseStream(t) }},
		{"conflict", "stream_error", func(t *testing.T, r *rig) { r.server.StreamError(t, "conflict") }},
		{"not well-formed", "not_well_formed", func(t *testing.T, r *rig) { _ = r.server.TrySend("garbage<message/>") }},
		{"doctype", "not_well_formed", func(t *testing.T, r *rig) { _ = r.server.TrySend("<!DOCTYPE x><message/>") }},
		{"silent server", "timeout", func(_ *testing.T, r *rig) { r.server.MutePings(true) }},
		{"server does not read", "timeout", func(t *testing.T, r *rig) {
			resume := r.server.StopReading()
			t.Cleanup(resume)
			_ = r.send(t.Context(), NewMessage(r.self, r.peer, "chat", "1"))
			_ = r.send(t.Context(), NewMessage(r.self, r.peer, "chat", "2"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				tt.act(t, r)
				err := <-r.done
				if got := endLabel(err); got != tt.label {
					t.Errorf("got %s (%v), want %s", got, err, tt.label)
				}
				if err := r.send(t.Context(), NewPresence(r.self, r.peer, "")); err == nil {
					t.Error("send after the end: got nil, want an error")
				}
				if _, err := r.iq(t.Context(), r.pingRequest()); err == nil {
					t.Error("iq after the end: got nil, want an error")
				}
			})
		})
	}
}

func TestStreamLiveness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proof := conformance.Prove(t, conformance.InProcess, 9)
		r := newRig(t, nil)
		r.server.MutePings(true)
		began := time.Now()
		ping := r.server.Next(t)
		if !strings.Contains(ping.Raw, "urn:xmpp:ping") || ping.Attr["to"] != "example" {
			t.Errorf("got %s, want a ping to the server", ping.Raw)
		}
		if got := time.Since(began); got != pingAfter {
			t.Errorf("pinged after %v, want %v", got, pingAfter)
		}
		if err := <-r.done; !errors.Is(err, errDead) {
			t.Errorf("got %v, want %v", err, errDead)
		}
		got := time.Since(began)
		proof.That(got == deadAfter && got <= 90*time.Second, "dead after %v, want %v", got, deadAfter)
	})
}

func TestStreamStaysUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		select {
		case err := <-r.done:
			t.Errorf("ended while the server answered pings: %v", err)
		case <-time.After(time.Hour):
		}
		if got := r.events.of(eventStrayResult); got != 0 {
			t.Errorf("got %d stray results, want the answers to our pings to count as asked for", got)
		}
	})
}

// A handler that blocks longer than the dead-peer limit must not count as silence.
func TestStreamSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := make(chan string, 8)
		r := newRig(t, func(_ context.Context, el *Element) {
			if el.ID() == "slow" {
				<-time.After(5 * time.Minute)
			}
			handled <- el.ID()
		})
		r.server.Send(t, "<message from='u@example' to='c@gw.example' id='slow'/>")
		barrier := make(chan error, 1)
		go func() { barrier <- r.barrier(t.Context()) }()
		if got := <-handled; got != "slow" {
			t.Fatalf("got %q, want slow", got)
		}
		if err := <-barrier; err != nil {
			t.Errorf("barrier: %v", err)
		}
		r.server.Send(t, "<message from='u@example' to='c@gw.example' id='next'/>")
		if got := <-handled; got != "next" {
			t.Errorf("got %q, want next", got)
		}
	})
}

// A barrier's answer may come late behind much else; only silence, or talk without end, is no answer.
func TestBarrierOfABusyServer(t *testing.T) {
	for _, c := range []struct {
		name     string
		every    time.Duration // a stanza comes so often
		hold     time.Duration // and holds up the reader for so long
		answered time.Duration // after this time, 0 for never
		want     time.Duration
		err      error
	}{
		{"speaks of other things first", 15 * time.Second, 0, 100 * time.Second, 100 * time.Second, nil},
		{"holds up the reader a little, again and again", time.Second, 900 * time.Millisecond, 10 * time.Minute, 10 * time.Minute, nil},
		{"speaks of nothing but other things", 15 * time.Second, 0, 0, barrierPatience, errBarrierTimeout},
		{"falls silent", 25 * time.Second, 0, 0, barrierTimeout, errBarrierTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(context.Context, *Element) { <-time.After(c.hold) })
				r.server.MutePings(true)
				began := time.Now()
				result := make(chan error, 1)
				go func() { result <- r.barrier(t.Context()) }()
				ping := r.server.Expect(t, "urn:xmpp:ping", "to='example'")
				talk, quiet := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for <-time.After(c.every); talk.Err() == nil; <-time.After(c.every) {
						r.server.Send(t, "<message from='u@example' to='c@gw.example' id='other'/>")
						if c.answered != 0 && time.Since(began) >= c.answered {
							r.server.Send(t, "<iq type='result' from='example' to='gw.example' id='"+ping.Attr["id"]+"'/>")
							return
						}
					}
				})
				err := <-result
				took := time.Since(began)
				quiet()
				wg.Wait()
				if !errors.Is(err, c.err) || took < c.want || took > c.want+c.every+c.hold {
					t.Errorf("got %v after %v, want %v after %v", err, took, c.err, c.want)
				}
			})
		})
	}
}

func TestStreamGracefulClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.stop()
		if !r.server.WaitEnd(t) {
			t.Error("closed without </stream:stream>")
		}
		r.server.Send(t, "<message from='u@example' to='c@gw.example' id='late1'/><message from='u@example' to='c@gw.example' id='late2'/>")
		r.server.CloseStream(t)
		if err := <-r.done; !errors.Is(err, errLocalClose) {
			t.Errorf("got %v, want %v", err, errLocalClose)
		}
		for _, want := range []string{"late1", "late2"} {
			if got := r.next(t).ID(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

func TestStreamCloseDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		began := time.Now()
		r.stop()
		if err := <-r.done; !errors.Is(err, errLocalClose) {
			t.Errorf("got %v, want %v", err, errLocalClose)
		}
		if got := time.Since(began); got != closeTimeout {
			t.Errorf("closed after %v, want %v", got, closeTimeout)
		}
	})
}

func TestSendRefusesBadEnvelopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for _, s := range []string{
			"<message to='u@example'/>", "<message from='gw.example'/>", "<message from='c@other.example' to='u@example'/>",
			"<message from='c@gw.example' to='@'/>", "<fish from='c@gw.example' to='u@example'/>",
		} {
			if err := r.send(t.Context(), mustParse(t, s)); err == nil {
				t.Errorf("%s: got nil, want an error", s)
			}
		}
		synctest.Wait()
		r.server.Quiet(t)
	})
}

func TestStreamTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil)
	defer https.Close()
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	for _, trusted := range []bool{true, false} {
		srv := xmpptest.NewServer()
		srv.TLS = &tls.Config{Certificates: https.TLS.Certificates}
		cfg, _ := testConfig(srv.DialTCP)
		cfg.tls = &tls.Config{ServerName: "example.com"}
		if trusted {
			cfg.tls.RootCAs = roots
		}
		result := make(chan error, 1)
		go func() {
			s, err := connect(t.Context(), cfg)
			if err == nil {
				s.end(errLocalClose)
			}
			result <- err
		}()
		if trusted {
			srv.Accept(t, testDomain)
		} else {
			srv.AcceptRaw(t)
		}
		if err := <-result; (err == nil) != trusted {
			t.Errorf("trusted %v: got %v", trusted, err)
		}
	}
}

func TestStreamOverTCP(t *testing.T) {
	srv := xmpptest.NewServer()
	cfg, _ := testConfig(srv.DialTCP)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() {
		s, err := connect(ctx, cfg)
		if err == nil {
			err = s.run(ctx, func(ctx context.Context, el *Element) {
				_ = s.send(ctx, NewMessage(el.To(), el.From(), "chat", el.ID()))
			})
		}
		done <- err
	}()
	server := srv.Accept(t, testDomain)
	for i := range 1000 {
		server.Send(t, fmt.Sprintf("<message from='u@example' to='c@gw.example' id='%d'/>", i))
	}
	for i := range 1000 {
		if got, want := server.Next(t).Attr["id"], fmt.Sprint(i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	stop()
	server.WaitEnd(t)
	server.CloseStream(t)
	if err := <-done; !errors.Is(err, errLocalClose) || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, errLocalClose)
	}
}
