package lab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestRelay: what is written while nothing passes arrives afterwards, in order; a refused connection ends at once.
func TestRelay(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() { // echoes until the listener ends
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	r, err := NewRelay(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dial := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		c, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c, bufio.NewReader(c)
	}
	say := func(c net.Conn, line string) {
		t.Helper()
		if _, err := c.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(c net.Conn, from *bufio.Reader, patience time.Duration) (string, error) {
		_ = c.SetReadDeadline(time.Now().Add(patience)) // on a connection of ours
		return from.ReadString('\n')
	}
	c, from := dial()
	say(c, "one")
	if got, err := hear(c, from, 5*time.Second); got != "one\n" || err != nil {
		t.Fatalf("got %q and error %v, want one", got, err)
	}
	r.Cut()
	say(c, "two")
	say(c, "three")
	if got, err := hear(c, from, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while it is cut: got %q and error %v, want silence", got, err)
	}
	r.Heal()
	for _, want := range []string{"two\n", "three\n"} {
		if got, err := hear(c, from, 5*time.Second); got != want || err != nil {
			t.Fatalf("got %q and error %v, want %q", got, err, want)
		}
	}
	r.Refuse()
	if _, err := hear(c, from, 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("refused: got error %v, want the end", err)
	}
	other, from := dial()
	if _, err := hear(other, from, 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("new one: got error %v, want the end", err)
	}
	r.Heal()
	again, from := dial()
	say(again, "four")
	if got, err := hear(again, from, 5*time.Second); got != "four\n" || err != nil {
		t.Errorf("got %q and error %v, want four", got, err)
	}
}
