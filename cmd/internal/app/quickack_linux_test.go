package app

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// TestQuickStaysQuick talks to and fro, after which the kernel delays acknowledgements on an ordinary connection.
func TestQuickStaysQuick(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan error, 1)
	go func() {
		peer, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		_, err = io.Copy(peer, peer) // until the other side closes
		done <- errors.Join(err, peer.Close())
	}()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fast := quick(conn)
	buf := make([]byte, 16)
	for range 20 {
		if _, err := fast.Write([]byte("<message/>")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(fast, buf[:len("<message/>")]); err != nil {
			t.Fatal(err)
		}
	}
	if got := quickAck(t, conn); got != 1 {
		t.Errorf("TCP_QUICKACK after a talk: got %d, want 1", got)
	}
	if err := fast.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func quickAck(t *testing.T, conn net.Conn) (v int) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		v, failed = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK)
	}); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return v
}
