package lab

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Weather is what a Proxy does to the connections through it, in both directions alike. The zero value lets everything pass.
type Weather struct {
	// Delay is how long bytes are under way.
	Delay time.Duration
	// Rate is the most that passes of one direction of a connection, in bytes per second; zero: any.
	Rate int
	// Slice is the most that is written at once, with a moment between, so that readers see parts; zero: any.
	Slice int
	// Stall keeps everything back, as a network that has lost its way does: connections are accepted and nothing comes. What was
	// kept passes when the weather changes.
	Stall bool
	// Swallow drops what comes, so that each side talks to nobody. The connections are reset when the weather changes: bytes are
	// missing from them.
	Swallow bool
	// Refuse resets new connections, and those that there are.
	Refuse bool
}

// Proxy stands between TCP clients and a server, and spoils their connections on demand. It may be used from several goroutines.
//
// It is not one of the known fault proxies, since a connection that is there already has to be reset by a real RST with what is in
// flight lost, and one that stands still has to go on with all its bytes when the network is back: Toxiproxy closes in order in the
// first case and drops the bytes in the second.
type Proxy struct {
	target string
	listen net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	weather Weather
	change  chan struct{} // closed when the weather changes
	pairs   map[*pair]struct{}
	closed  bool
	met     int
}

// StartProxy opens a proxy to target on a loopback port of the lab's. It ends with the lab.
func (l *Lab) StartProxy(ctx context.Context, target string) (*Proxy, error) {
	addr, err := l.Addr(ctx)
	if err != nil {
		return nil, err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("lab: proxy: %w", err)
	}
	p := &Proxy{target: target, listen: ln, change: make(chan struct{}), pairs: map[*pair]struct{}{}}
	l.mu.Lock()
	l.proxies = append(l.proxies, p)
	l.mu.Unlock()
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns host:port where clients connect.
func (p *Proxy) Addr() string { return p.listen.Addr().String() }

// Set changes the weather for all connections, those that there are and those to come.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	before := p.weather
	p.weather = w
	close(p.change)
	p.change = make(chan struct{})
	p.mu.Unlock()
	if w.Refuse || before.Swallow && !w.Swallow {
		p.Cut()
	}
}

// Cut resets all connections: both sides get RST, and what is under way is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	pairs := p.pairs
	p.pairs = map[*pair]struct{}{}
	p.met += len(pairs)
	p.mu.Unlock()
	for c := range pairs {
		c.reset()
	}
}

// Open counts the connections that there are now.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

// Close resets all connections, frees the port and waits for everything that the proxy started.
func (p *Proxy) Close() error {
	p.mu.Lock()
	done := p.closed
	p.closed = true
	p.mu.Unlock()
	if done {
		return nil
	}
	err := p.listen.Close()
	p.Set(Weather{Refuse: true})
	p.wg.Wait()
	return err
}

// Met counts what came into bad weather so far: pieces of what is carried, ends of connections, and connections that were reset.
func (p *Proxy) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

func (p *Proxy) now() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.weather != (Weather{}) {
		p.met++
	}
	return p.weather, p.change
}

// accept takes connections until the listener closes.
func (p *Proxy) accept() {
	for {
		conn, err := p.listen.Accept()
		if err != nil {
			return
		}
		client, ok := conn.(*net.TCPConn)
		if !ok {
			_ = conn.Close() // a listener of TCP has no other
			continue
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve carries one connection until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	c := &pair{client: client, gone: make(chan struct{})}
	p.mu.Lock()
	refuse := p.weather.Refuse || p.closed
	if refuse {
		p.met++
	} else {
		p.pairs[c] = struct{}{}
	}
	p.mu.Unlock()
	if refuse {
		c.reset()
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.pairs, c)
		p.mu.Unlock()
	}()
	conn, err := (&net.Dialer{Timeout: probeTimeout}).Dial("tcp", p.target)
	if err != nil {
		c.reset()
		return
	}
	server, ok := conn.(*net.TCPConn)
	if !ok || !c.joined(server) {
		_ = conn.Close() // cut meanwhile
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.carry(c, client, server) })
	wg.Go(func() { p.carry(c, server, client) })
	wg.Wait()
	c.close()
}
