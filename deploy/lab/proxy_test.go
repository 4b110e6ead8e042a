package lab_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/deploy/lab"
)

// echoed starts a server that sends back what it gets, until its client ends, and a proxy to it.
func echoed(t *testing.T) *lab.Proxy {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	p, err := lab.ForTest(t).StartProxy(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func through(t *testing.T, p *lab.Proxy) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads so many bytes.
func hear(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	buf := make([]byte, n)
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatal(err)
	}
	return string(buf)
}

// silent checks that nothing comes for a moment.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Errorf("read: got %d bytes, %v, want silence", n, err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// reset checks that the connection ends by RST.
func reset(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: got %v, want %v", err, syscall.ECONNRESET)
	}
}

func TestProxyPassesAll(t *testing.T) {
	p := echoed(t)
	for name, w := range map[string]lab.Weather{
		"clear": {}, "delay": {Delay: 20 * time.Millisecond}, "rate": {Rate: 1 << 20}, "slices": {Slice: 100},
	} {
		t.Run(name, func(t *testing.T) {
			p.Set(w)
			c, text := through(t, p), strings.Repeat("0123456789", 2000)
			began := time.Now()
			say(t, c, text)
			if got := hear(t, c, len(text)); got != text {
				t.Error("other bytes came back")
			}
			if took := time.Since(began); took < 2*w.Delay {
				t.Errorf("got all back in %s, want at least %s", took, 2*w.Delay)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("end: got %d bytes, %v, want the end in order", len(rest), err)
			}
		})
	}
}

func TestProxyStallsAndGoesOn(t *testing.T) {
	p := echoed(t)
	c := through(t, p)
	say(t, c, "one")
	hear(t, c, 3)
	p.Set(lab.Weather{Stall: true})
	say(t, c, "two")
	silent(t, c)
	late := through(t, p) // a new connection is accepted, and nothing comes
	say(t, late, "new")
	silent(t, late)
	p.Set(lab.Weather{})
	if got := hear(t, c, 3) + hear(t, late, 3); got != "twonew" {
		t.Errorf("after the stall: got %q, want all that was kept", got)
	}
}

func TestProxySwallows(t *testing.T) {
	p := echoed(t)
	c := through(t, p)
	p.Set(lab.Weather{Swallow: true})
	say(t, c, "lost")
	silent(t, c)
	p.Set(lab.Weather{})
	reset(t, c)
	fresh := through(t, p)
	say(t, fresh, "there")
	hear(t, fresh, 5)
}

func TestProxyCuts(t *testing.T) {
	p := echoed(t)
	c := through(t, p)
	say(t, c, "one")
	hear(t, c, 3)
	if p.Open() != 1 {
		t.Errorf("open: got %d, want 1", p.Open())
	}
	p.Cut()
	reset(t, c)
	p.Set(lab.Weather{Refuse: true})
	refused, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err == nil { // the reset came after the handshake
		defer refused.Close()
		_, err = io.ReadAll(refused)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused: got %v, want %v", err, syscall.ECONNRESET)
	}
	p.Set(lab.Weather{})
	fresh := through(t, p)
	say(t, fresh, "there")
	hear(t, fresh, 5)
}

func TestProxyEndsWithTheLab(t *testing.T) {
	p := echoed(t)
	c := through(t, p)
	say(t, c, "one")
	hear(t, c, 3)
	p.Set(lab.Weather{Stall: true})
	say(t, c, "kept")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	reset(t, c)
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr()); err == nil {
		t.Error("dial after the end: got a connection, want none")
	}
}
