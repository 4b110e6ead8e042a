package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Relay stands between a program and a server, and can part them: by silence, as a network does that loses every packet, or
// by refusal, as one does that has no route.
type Relay struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	refuses bool
	healed  chan struct{} // closed while bytes pass
	conns   map[net.Conn]bool
}

// NewRelay listens on a free loopback port. Close ends what it started.
func NewRelay(ctx context.Context, target string) (*Relay, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lab: relay: %w", err)
	}
	r := &Relay{listener: l, target: target, healed: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(r.healed)
	ctx = context.WithoutCancel(ctx)
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(ctx, c) })
		}
	})
	return r, nil
}

// Addr is where the server seems to be.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Cut lets nothing pass any more: connections stay open, and silent. What was written meanwhile passes after Heal.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open() {
		r.healed = make(chan struct{})
	}
}

// Refuse ends all connections, and every new one at once.
func (r *Relay) Refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = true
	r.drop()
}

// Heal ends Cut and Refuse.
func (r *Relay) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = false
	if !r.open() {
		close(r.healed)
	}
}

// Close ends the relay and waits for it.
func (r *Relay) Close() {
	_ = r.listener.Close() // a second time changes nothing
	r.mu.Lock()
	r.closed = true
	r.drop()
	if !r.open() {
		close(r.healed)
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// open reports whether bytes pass; r.mu is held.
func (r *Relay) open() bool {
	select {
	case <-r.healed:
		return true
	default:
		return false
	}
}

// drop closes all connections; r.mu is held.
func (r *Relay) drop() {
	for c := range r.conns {
		_ = c.Close() // both ends hear of it, which is what it is for
	}
}

// keep notes a connection; false when there may be none.
func (r *Relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.refuses {
		return false
	}
	r.conns[c] = true
	return true
}

func (r *Relay) forget(c net.Conn) {
	_ = c.Close() // it may be closed already
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

func (r *Relay) serve(ctx context.Context, c net.Conn) {
	defer r.forget(c)
	if !r.keep(c) {
		return
	}
	r.wait()
	up, err := new(net.Dialer).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer r.forget(up)
	if !r.keep(up) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.pass(up, c) })
	r.pass(c, up)
	wg.Wait()
}

// pass copies one direction, and its end.
func (r *Relay) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		r.wait()
		if _, werr := to.Write(buf[:n]); werr != nil {
			_ = from.Close() // the other direction ends as well
			return
		}
		if err != nil {
			if tcp, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
				_ = tcp.CloseWrite() // what comes back may still pass
				return
			}
			_ = to.Close()
			return
		}
	}
}

func (r *Relay) wait() {
	r.mu.Lock()
	healed := r.healed
	r.mu.Unlock()
	<-healed
}
