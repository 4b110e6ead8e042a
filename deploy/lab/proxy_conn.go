package lab

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// pair is a connection from a client and the one to the server that belongs to it.
type pair struct {
	client *net.TCPConn
	gone   chan struct{} // closed when both are

	mu     sync.Mutex
	server *net.TCPConn
	over   bool
}

// joined makes server the other side; false when the pair is over already.
func (c *pair) joined(server *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.server = server
	return true
}

// reset closes both sides with RST instead of FIN (SO_LINGER with zero, socket(7)).
func (c *pair) reset() { c.end(true) }

// close closes both sides in order.
func (c *pair) close() { c.end(false) }

func (c *pair) end(abrupt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	close(c.gone)
	for _, conn := range []*net.TCPConn{c.client, c.server} {
		if conn == nil {
			continue
		}
		if abrupt {
			_ = conn.SetLinger(0) // a connection that is gone already needs none
		}
		_ = conn.Close()
	}
}

// chunk is bytes under way.
type chunk struct {
	data []byte
	at   time.Time // when they came
}

const (
	chunkSize  = 16 << 10
	chunksMost = 256 // under way in one direction; then the sender waits, as with a full window
	sliceGap   = 500 * time.Microsecond
)

// carry passes what from sends to its counterpart. An end of from is passed on too, after what was before.
func (p *Proxy) carry(c *pair, from, to *net.TCPConn) {
	under := make(chan chunk, chunksMost)
	var wg sync.WaitGroup
	wg.Go(func() { p.deliver(c, to, under) })
	defer wg.Wait()
	defer close(under)
	for {
		buf := make([]byte, chunkSize)
		n, err := from.Read(buf)
		if n > 0 {
			select {
			case under <- chunk{buf[:n], time.Now()}:
			case <-c.gone:
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil { // a reset of one side is one of the other
			c.reset()
			return
		}
	}
}

// deliver writes what is under way as the weather lets it.
func (p *Proxy) deliver(c *pair, to *net.TCPConn, under <-chan chunk) {
	for k := range under {
		if !p.passes(c, k.at) {
			continue
		}
		if err := p.write(c, to, k.data); err != nil {
			c.reset()
		}
	}
	if p.passes(c, time.Now()) {
		_ = to.CloseWrite() // one that is reset already needs none
	}
}

// passes waits until bytes that came at a time may go on; false: they never do.
func (p *Proxy) passes(c *pair, came time.Time) bool {
	for {
		w, change := p.now()
		wait := time.Until(came.Add(w.Delay))
		switch {
		case w.Swallow:
			return false
		case w.Stall:
			wait = time.Hour // until the weather changes
		case wait <= 0:
			return true
		}
		if !pause(c, change, wait) {
			return false
		}
	}
}

// write writes in slices and at the rate of the weather.
func (p *Proxy) write(c *pair, to *net.TCPConn, data []byte) error {
	for len(data) > 0 {
		w, _ := p.now()
		n := len(data)
		if w.Slice > 0 {
			n = min(n, w.Slice)
		}
		if w.Rate > 0 {
			n = min(n, max(1, w.Rate/50)) // a fiftieth of a second's worth
		}
		if _, err := to.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
		gap := time.Duration(0)
		if w.Slice > 0 {
			gap = sliceGap
		}
		if w.Rate > 0 {
			gap = time.Duration(n) * time.Second / time.Duration(w.Rate)
		}
		if gap > 0 && !pause(c, nil, gap) {
			return net.ErrClosed
		}
	}
	return nil
}

// pause lets time go by until the weather changes; false when the connection is over.
func pause(c *pair, change <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-change:
	case <-c.gone:
		return false
	}
	return true
}
