package xmpp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/gateway"
)

// staleAfter is the age from which a message carries the time it is from.
const staleAfter = 30 * time.Second

// errStopping tells the outbox to keep what it has for the next process.
var errStopping = errors.New("xmpp: write: component is stopping")

var _ gateway.Wire = (*wire)(nil)

// wire is one live stream as the outbox sees it.
type wire struct {
	stream *stream
	c      *Component // stamps delays, and looks after what goes by the rights that servers grant

	mu       sync.Mutex
	stopping bool
	open     bool          // a batch has been written and not yet confirmed
	settled  chan struct{} // closed when stopping and no batch is open
}

func newWire(c *Component, s *stream) *wire {
	return &wire{stream: s, c: c, settled: make(chan struct{})}
}

// Write queues stanzas in order, those of long ago with their time (XEP-0203).
func (w *wire) Write(ctx context.Context, stanzas []gateway.Waiting) error {
	w.mu.Lock()
	if w.stopping {
		w.mu.Unlock()
		return errStopping
	}
	w.open = true
	w.mu.Unlock()
	now := time.Now()
	stamped := func(s gateway.Waiting) []byte {
		if now.Sub(s.At) > staleAfter {
			return delayed(s.Bytes, w.c.self, s.At)
		}
		return s.Bytes
	}
	return w.c.carry(ctx, w.c.sorted(stanzas, stamped), w.stream.write)
}

// Barrier returns nil when the server has taken everything written before.
func (w *wire) Barrier(ctx context.Context) error {
	if err := w.stream.barrier(ctx); err != nil {
		return w.because(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open && w.stopping {
		close(w.settled)
	}
	w.open = false
	return nil
}

// Broke is when the server, or the network, ended the stream without a reason that lies in it. A stop in order is none: ejabberd says
// so, or not, and drops what it has taken either way; Prosody has worked it off, and nothing tells the two apart. A server that is
// silent is not known to have ended.
func (w *wire) Broke() time.Time {
	if !isClosed(w.stream.ended) {
		return time.Time{}
	}
	if refused, ok := errors.AsType[*StreamError](w.stream.reason); ok && refused.Condition == "system-shutdown" {
		return w.stream.over
	}
	switch endLabel(w.stream.reason) {
	case "closed", "eof", "network":
		return w.stream.over
	}
	return time.Time{}
}

// because says why a barrier failed: the end of the stream cancels whoever waits, which is no reason. A stanza that the
// server cannot bear makes it complain or close; silence, a shutdown or another connection is no stanza's doing.
func (w *wire) because(err error) error {
	if isClosed(w.stream.ended) {
		err = w.stream.reason
	}
	var refused *StreamError
	switch {
	case errors.As(err, &refused):
		switch refused.Condition {
		case "system-shutdown", "conflict", "connection-timeout", "resource-constraint", "see-other-host", "reset":
		default:
			return err
		}
	case errors.Is(err, errBarrierTimeout), errors.Is(err, errDead), errors.Is(err, errLocalClose),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	default:
		return err
	}
	return fmt.Errorf("%w: %w", gateway.ErrBlameless, err)
}

// stop refuses further batches and waits until the open one is confirmed, so that
// an orderly restart sends nothing twice.
func (w *wire) stop(ctx context.Context) {
	w.mu.Lock()
	already := w.stopping
	w.stopping = true
	if !w.open && !already {
		close(w.settled)
	}
	w.mu.Unlock()
	select {
	case <-w.settled:
	case <-w.stream.ended:
	case <-ctx.Done():
	}
}

// delayed puts <delay/> into a rendered message. Other stanzas speak of now.
func delayed(b []byte, from JID, at time.Time) []byte {
	end := []byte("</message>")
	if !bytes.HasPrefix(b, []byte("<message ")) || !bytes.HasSuffix(b, end) {
		return b
	}
	stamp := NewElement(nsDelay, "delay", "from", from.String(), "stamp", FormatTime(at))
	out := make([]byte, 0, len(b)+128)
	out = append(out, b[:len(b)-len(end)]...)
	return append(stamp.AppendTo(out), end...)
}
