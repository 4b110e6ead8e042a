package xmpp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	writeTimeout     = 10 * time.Second // one write call; a server that takes longer is gone
	defaultQueueSize = 1 << 20          // bytes waiting behind the write in progress
)

// errWriterClosed is what Write returns once the stream's end has been queued.
var errWriterClosed = errors.New("xmpp: write: stream is closing")

// writer owns the sending side of a connection. While one write call runs,
// everything else gathers and then goes out with the next: one call per batch
// instead of one per stanza.
type writer struct {
	conn net.Conn
	max  int

	mu      sync.Mutex
	pending []byte
	err     error         // sticky
	closing bool          // nothing more is accepted
	queued  uint64        // bytes ever accepted
	written uint64        // bytes ever written
	changed chan struct{} // closed and replaced whenever written, err or room changes
	wake    chan struct{} // holds one token when there is work
}

func newWriter(conn net.Conn, max int) *writer {
	if max <= 0 {
		max = defaultQueueSize
	}
	return &writer{conn: conn, max: max, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// run writes until the stream is closed and drained, or a write fails. It
// returns the error that every later Write reports.
func (w *writer) run() error {
	var out []byte
	for range w.wake {
		w.mu.Lock()
		out, w.pending = w.pending, out[:0]
		done := len(out) == 0 && w.closing
		err := w.err
		w.broadcast()
		w.mu.Unlock()
		if err != nil || done {
			return err
		}
		if len(out) == 0 {
			continue
		}
		if err := w.write(out); err != nil {
			w.fail(err)
			return err
		}
	}
	return nil
}

func (w *writer) write(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("xmpp: write: %w", err)
	}
	n, err := w.conn.Write(b)
	w.mu.Lock()
	w.written += uint64(n)
	w.broadcast()
	more := len(w.pending) > 0 || w.closing
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("xmpp: write: %w", err)
	}
	if more {
		w.poke()
	}
	return nil
}

// Write queues b, which may be used again afterwards. It blocks while the queue
// is full, until ctx ends or the stream does. nil means queued, not sent.
func (w *writer) Write(ctx context.Context, b []byte) error {
	return w.queue(ctx, b, false, false)
}

// Close queues the last bytes, whatever the queue holds, and refuses more.
func (w *writer) Close(last []byte) error {
	return w.queue(context.Background(), last, true, true)
}

// force queues b even when the queue is full. It serves the few bytes that keep
// the connection alive and never blocks.
func (w *writer) force(b []byte) error {
	return w.queue(context.Background(), b, true, false)
}

// count returns how many bytes were ever queued.
func (w *writer) count() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

func (w *writer) queue(ctx context.Context, b []byte, force, last bool) error {
	for {
		w.mu.Lock()
		switch {
		case w.err != nil:
			defer w.mu.Unlock()
			return w.err
		case w.closing:
			defer w.mu.Unlock()
			return errWriterClosed
		case force || len(w.pending) == 0 || len(w.pending)+len(b) <= w.max:
			w.pending = append(w.pending, b...)
			w.queued += uint64(len(b))
			w.closing = last
			w.mu.Unlock()
			w.poke()
			return nil
		}
		wait := w.changed
		w.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("xmpp: write: %w", context.Cause(ctx))
		}
	}
}

// Flush waits until everything queued before the call has been handed to the
// operating system.
func (w *writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	target := w.queued
	w.mu.Unlock()
	for {
		w.mu.Lock()
		done, err, wait := w.written >= target, w.err, w.changed
		w.mu.Unlock()
		switch {
		case done:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("xmpp: flush: %w", context.Cause(ctx))
		}
	}
}

// fail makes err the answer to every Write from now on and ends run. The first
// error wins.
func (w *writer) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
		w.broadcast()
	}
	w.mu.Unlock()
	w.poke()
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// broadcast wakes everyone who waits for a change; mu is held.
func (w *writer) broadcast() {
	close(w.changed)
	w.changed = make(chan struct{})
}
