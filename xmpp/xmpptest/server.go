package xmpptest

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Secret is the component secret that Accept expects.
const Secret = "s3cret"

// errRefused is what Dial returns while the server is down.
var errRefused = errors.New("xmpptest: connection refused")

// Server stands for the XMPP server. Its methods may be called from any goroutine.
type Server struct {
	// TLS, when set before the first Dial, makes the server speak TLS at once.
	TLS *tls.Config

	conns chan net.Conn

	mu    sync.Mutex
	down  bool
	dials []time.Time
}

// NewServer returns a server that accepts connections.
func NewServer() *Server {
	return &Server{conns: make(chan net.Conn, 16)}
}

// SetDown makes Dial fail, or work again.
func (s *Server) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Dials returns when Dial was called so far, refused calls included.
func (s *Server) Dials() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

func (s *Server) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.down {
		return errRefused
	}
	return nil
}

// Dial connects over an in-memory pipe.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	if err := s.admit(); err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	select {
	case s.conns <- ours:
		return theirs, nil
	case <-ctx.Done():
		ours.Close()
		theirs.Close()
		return nil, ctx.Err()
	}
}

// DialTCP connects over loopback TCP, for what a pipe cannot show: socket
// buffers and half-open connections.
func (s *Server) DialTCP(ctx context.Context) (net.Conn, error) {
	if err := s.admit(); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("xmpptest: listen: %w", err)
	}
	defer func() { _ = l.Close() }()
	var d net.Dialer
	theirs, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("xmpptest: dial: %w", err)
	}
	ours, err := l.Accept()
	if err != nil {
		theirs.Close()
		return nil, fmt.Errorf("xmpptest: accept: %w", err)
	}
	s.conns <- ours
	return theirs, nil
}

// AcceptRaw waits for the next connection and answers nothing by itself. The
// connection is closed when the test ends.
func (s *Server) AcceptRaw(t testing.TB) *Conn {
	t.Helper()
	select {
	case c := <-s.conns:
		if s.TLS != nil {
			c = tls.Server(c, s.TLS)
		}
		conn := newConn(c)
		t.Cleanup(conn.Drop)
		return conn
	case <-time.After(patience):
		t.Fatalf("xmpptest: nobody connected within %v", patience)
		return nil
	}
}

// Accept waits for the next connection and performs the handshake, checking the
// component's name and secret.
func (s *Server) Accept(t testing.TB, domain string) *Conn {
	t.Helper()
	c := s.AcceptRaw(t)
	c.open(t, domain)
	got := c.Next(t)
	sum := sha1.Sum([]byte(streamID + Secret))
	if want := hex.EncodeToString(sum[:]); got.Name != "handshake" || got.Text != want {
		t.Fatalf("xmpptest: handshake: got <%s>%s, want %s", got.Name, got.Text, want)
	}
	c.Send(t, "<handshake/>")
	return c
}

// Refuse waits for the next connection and ends its handshake with a stream
// error of that condition, then closes.
func (s *Server) Refuse(t testing.TB, domain, condition string) {
	t.Helper()
	c := s.AcceptRaw(t)
	c.open(t, domain)
	c.Next(t)
	c.StreamError(t, condition)
}
