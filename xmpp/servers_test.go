//go:build servers

package xmpp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/deploy"
	"postern/deploy/lab"
)

const (
	serverSecret = "s3cret"
	serverWait   = time.Minute
)

// eachServer runs f against a real Prosody and a real ejabberd.
func eachServer(t *testing.T, f func(t *testing.T, x *lab.XMPP)) {
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			l := lab.ForTest(t)
			run := l.StartProsody
			if kind == deploy.Ejabberd {
				run = l.StartEjabberd
			}
			x, err := run(t.Context(), lab.XMPPConfig{Components: []lab.Component{
				{Domain: "gw.localhost", Secret: serverSecret}, {Domain: "gw2.localhost", Secret: serverSecret},
			}})
			if err != nil {
				t.Fatal(err)
			}
			f(t, x)
		})
	}
}

func serverConfig(x *lab.XMPP, domain, secret string) streamConfig {
	return streamConfig{
		domain: domain, server: x.Domain(), secret: secret, log: slog.New(slog.DiscardHandler),
		count: func(wireEvent) {},
		dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", x.ComponentAddr())
		},
	}
}

// component is a stream that runs against a real server.
type component struct {
	*stream
	stop func() error // closes in order and returns the reason of the end
	done chan struct{}
}

func join(t *testing.T, x *lab.XMPP, domain string, handle func(*component, *Element)) *component {
	t.Helper()
	s, err := connect(t.Context(), serverConfig(x, domain, serverSecret))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &component{stream: s, done: make(chan struct{})}
	var reason error
	go func() {
		defer close(c.done)
		reason = s.run(ctx, func(_ context.Context, el *Element) { handle(c, el) })
	}()
	c.stop = func() error { cancel(); <-c.done; return reason }
	t.Cleanup(func() { _ = c.stop() })
	return c
}

func TestServersRefuse(t *testing.T) {
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		for _, tt := range []struct{ domain, secret, want string }{
			{"gw.localhost", "wrong", "not-authorized"},
			{"nobody.localhost", serverSecret, "host-unknown"},
		} {
			_, err := connect(t.Context(), serverConfig(x, tt.domain, tt.secret))
			var refused *StreamError
			want := tt.want
			if x.Kind() == deploy.Ejabberd {
				want = "not-authorized" // ejabberd tells nobody which names it has
			}
			if !errors.As(err, &refused) || refused.Condition != want {
				t.Errorf("%s: got %v, want %s", tt.domain, err, want)
			}
		}
	})
}

func TestServersEchoInOrder(t *testing.T) {
	const n = 5000
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		back := make(chan string, n)
		join(t, x, "gw.localhost", func(c *component, el *Element) {
			reply := NewMessage(el.To(), el.From(), "chat", el.ID())
			body, _ := el.Body()
			if err := c.send(t.Context(), reply.AddTextChild("body", body)); err != nil {
				t.Error(err)
			}
		})
		b := join(t, x, "gw2.localhost", func(_ *component, el *Element) {
			body, _ := el.Body()
			back <- el.ID() + body
		})
		text := "a<b>&\"'\x00\x0b\uFFFE\xff🎂\n"
		for i := range n {
			m := NewMessage(mustJID(t, "u@gw2.localhost/r"), mustJID(t, "c@gw.localhost"), "chat", fmt.Sprint(i))
			if err := b.send(t.Context(), m.AddTextChild("body", text)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			select {
			case got := <-back:
				if want := fmt.Sprint(i) + "a<b>&\"'\uFFFD\uFFFD🎂\n"; got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			case <-time.After(serverWait):
				t.Fatalf("echo %d did not come back", i)
			}
		}
		if err := b.barrier(t.Context()); err != nil {
			t.Errorf("barrier: %v", err)
		}
	})
}

func TestServersHostileStanzas(t *testing.T) {
	const addr = " from='u@gw2.localhost/r' to='c@gw.localhost'"
	hostile := []string{
		"<message" + addr + "><message/><body>x</body></message>",
		"<presence" + addr + "><priority>999</priority></presence>",
		"<presence" + addr + "><x xmlns='http://jabber.org/protocol/muc'><history since='2024-01-01T00:00:00+00:00' maxstanzas=''/></x></presence>",
		"<message xmlns:e='urn:e' e:from='admin@localhost'" + addr + "><body>x</body></message>",
		"<iq type='set' id='deep'" + addr + "><q xmlns='urn:q'>" + strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200) + "</q></iq>",
		"<message" + addr + "><body>" + strings.Repeat("x", 300<<10) + "</body></message>",
	}
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		got := make(chan *Element, 64)
		a := join(t, x, "gw.localhost", func(_ *component, el *Element) { got <- el })
		b := join(t, x, "gw2.localhost", func(*component, *Element) {})
		for i, s := range hostile {
			last := NewMessage(mustJID(t, "u@gw2.localhost/r"), mustJID(t, "c@gw.localhost"), "chat", fmt.Sprint("after", i))
			if err := b.write(t.Context(), []byte(s)); err != nil {
				t.Fatal(err)
			}
			if err := b.send(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			for id := ""; id != last.ID(); {
				select {
				case el := <-got:
					id = el.ID()
					if el.From().Domain() != "gw2.localhost" && el.From().Domain() != "localhost" {
						t.Errorf("stanza %d: got sender %s", i, el.From())
					}
				case <-time.After(serverWait):
					t.Fatalf("stanza %d: nothing came after it", i)
				}
			}
		}
		if err := a.barrier(t.Context()); err != nil {
			t.Errorf("barrier: %v", err)
		}
	})
}

// Every message sent while the receiver closes in order is either handed over
// or bounced by the server to its sender. ejabberd drops what its own side of
// the stream has not yet written when it reads our </stream:stream>; what is
// lost there must at least lie behind everything that was handed over.
func TestServersGracefulClose(t *testing.T) {
	const n = 4000
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		var mu sync.Mutex
		taken, bounced := make(map[string]bool), make(map[string]bool)
		var first sync.Once
		closeNow := make(chan struct{})
		a := join(t, x, "gw.localhost", func(_ *component, el *Element) {
			mu.Lock()
			taken[el.ID()] = true
			enough := len(taken) > n/10
			mu.Unlock()
			if enough {
				first.Do(func() { close(closeNow) })
			}
		})
		b := join(t, x, "gw2.localhost", func(_ *component, el *Element) {
			if ParseStanzaError(el) != nil {
				mu.Lock()
				bounced[el.ID()] = true
				mu.Unlock()
			}
		})
		ended := make(chan error, 1)
		go func() {
			<-closeNow
			ended <- a.stop()
		}()
		for i := range n {
			m := NewMessage(mustJID(t, "u@gw2.localhost/r"), mustJID(t, "c@gw.localhost"), "chat", fmt.Sprint(i))
			if err := b.send(t.Context(), m.AddTextChild("body", "x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-ended; !errors.Is(err, errLocalClose) || errors.Is(err, io.EOF) {
			t.Errorf("got %v, want %v", err, errLocalClose)
		}
		if err := b.barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		lost, last := 0, 0
		for i := range n {
			if taken[fmt.Sprint(i)] {
				last = i
			}
		}
		for i := range n {
			id := fmt.Sprint(i)
			if taken[id] || bounced[id] {
				continue
			}
			lost++
			if x.Kind() == deploy.Prosody || i < last {
				t.Errorf("message %d is neither handed over nor bounced; the last handed over is %d", i, last)
			}
		}
		t.Logf("%d handed over, %d bounced, %d lost by the server", len(taken), len(bounced), lost)
	})
}

func TestServersRestart(t *testing.T) {
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		up := make(chan *stream, 16)
		v := &supervisor{
			stream: serverConfig(x, "gw.localhost", serverSecret), lease: &fakeLease{}, leaseTTL: time.Second,
			handle: func(context.Context, *Element) {}, state: func(linkState, error) {}, log: slog.New(slog.DiscardHandler),
			session: func(ctx context.Context, s *stream) error {
				up <- s
				<-ctx.Done()
				return nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); v.Run(ctx) }()
		for range 3 {
			select {
			case s := <-up:
				if err := s.barrier(t.Context()); err != nil {
					t.Errorf("barrier: %v", err)
				}
			case <-time.After(serverWait):
				t.Fatal("not connected")
			}
			if err := x.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		<-done
	})
}

func mustJID(t testing.TB, s string) JID {
	t.Helper()
	j, err := ParseJID(s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}
