package xmpp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// stuckConn blocks each Write until a token comes, and notes what it wrote.
type stuckConn struct {
	net.Conn
	tokens chan struct{}
	calls  [][]byte
	err    error
}

func (c *stuckConn) Write(b []byte) (int, error) {
	<-c.tokens
	if c.err != nil {
		return 0, c.err
	}
	c.calls = append(c.calls, bytes.Clone(b))
	return len(b), nil
}

func (c *stuckConn) SetWriteDeadline(time.Time) error { return nil }

func TestWriterCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &stuckConn{tokens: make(chan struct{}, 8)}
		w := newWriter(conn, 0)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		if err := w.Write(t.Context(), []byte("first ")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 3 {
			if err := w.Write(t.Context(), fmt.Appendf(nil, "%d ", i)); err != nil {
				t.Fatal(err)
			}
		}
		conn.tokens <- struct{}{}
		conn.tokens <- struct{}{}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close([]byte("end")); err != nil {
			t.Fatal(err)
		}
		conn.tokens <- struct{}{}
		if err := <-done; err != nil {
			t.Errorf("run: got %v, want nil after Close", err)
		}
		if got, want := fmt.Sprintf("%q", conn.calls), `["first " "0 1 2 " "end"]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := w.Write(t.Context(), []byte("x")); !errors.Is(err, errWriterClosed) {
			t.Errorf("write after close: got %v, want %v", err, errWriterClosed)
		}
	})
}

func TestWriterBlocksWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &stuckConn{tokens: make(chan struct{}, 8)}
		w := newWriter(conn, 10)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		for _, s := range []string{"in hand", "12345", "67890"} {
			if err := w.Write(t.Context(), []byte(s)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Write(ctx, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		blocked := make(chan error, 1)
		go func() { blocked <- w.Write(t.Context(), []byte("waits")) }()
		synctest.Wait()
		if len(blocked) != 0 {
			t.Error("write into a full queue returned")
		}
		conn.tokens <- struct{}{}
		if err := <-blocked; err != nil {
			t.Errorf("got %v after room was made, want nil", err)
		}
		other := make(chan error, 1)
		go func() { other <- w.Write(t.Context(), []byte("0123456789")) }()
		synctest.Wait()
		w.fail(io.ErrClosedPipe)
		if err := <-other; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v, want the sticky error", err)
		}
		close(conn.tokens)
		if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("run: got %v, want the sticky error", err)
		}
	})
}

func TestWriterStickyError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &stuckConn{tokens: make(chan struct{}, 8), err: io.ErrShortWrite}
		w := newWriter(conn, 0)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		if err := w.Write(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		conn.tokens <- struct{}{}
		if err := w.Flush(t.Context()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("flush: got %v, want %v", err, io.ErrShortWrite)
		}
		if err := <-done; !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("run: got %v, want %v", err, io.ErrShortWrite)
		}
		if err := w.Write(t.Context(), []byte("x")); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("write: got %v, want %v", err, io.ErrShortWrite)
		}
	})
}
