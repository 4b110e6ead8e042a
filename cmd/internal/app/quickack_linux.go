package app

import (
	"net"
	"syscall"
)

// quick makes a connection acknowledge what it reads at once. A component's connection carries small stanzas both ways; the
// kernel then delays acknowledgements by up to 40 ms to send them along with data (tcp(7), TCP_QUICKACK), while an XMPP server
// that leaves the algorithm of RFC 896 on, as Prosody does by default, holds its next stanza back until they come.
func quick(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &quickConn{tcp, raw}
}

type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Read sets the option each time: the kernel clears it by itself.
func (c *quickConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if n > 0 {
		// A failure leaves the connection as fast as any other.
		_ = c.raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
	}
	return n, err
}
