package memstore

import (
	"bytes"
	"context"
	"sync"
)

// signalBuffer is how many signals a slow reader may be behind before it loses some.
const signalBuffer = 64

// Publish implements gateway.Signals.
func (s *Store) Publish(ctx context.Context, topic string, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return failed("publish", err)
	}
	s.sigs.send(topic, bytes.Clone(payload))
	return nil
}

// Subscribe implements gateway.Signals.
func (s *Store) Subscribe(ctx context.Context, topic string) <-chan []byte {
	return s.sigs.subscribe(ctx, topic, signalBuffer)
}

// hub hands values to whoever subscribed to their topic, and never waits for a reader.
type hub[T any] struct {
	mu     *sync.Mutex
	topics map[string]map[chan T]bool
}

func newHub[T any]() hub[T] { return hub[T]{mu: new(sync.Mutex), topics: map[string]map[chan T]bool{}} }

// subscribe returns a channel that is closed when ctx ends.
func (h hub[T]) subscribe(ctx context.Context, topic string, buffer int) <-chan T {
	ch := make(chan T, buffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[topic] == nil {
		h.topics[topic] = map[chan T]bool{}
	}
	h.topics[topic][ch] = true
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(topic, ch)
	})
	return ch
}

// drop ends one subscription; h.mu is held.
func (h hub[T]) drop(topic string, ch chan T) {
	if !h.topics[topic][ch] {
		return
	}
	close(ch)
	delete(h.topics[topic], ch)
	if len(h.topics[topic]) == 0 {
		delete(h.topics, topic)
	}
}

func (h hub[T]) send(topic string, v T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.topics[topic] {
		select {
		case ch <- v:
		default:
		}
	}
}

// close ends all subscriptions.
func (h hub[T]) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for topic, chans := range h.topics {
		for ch := range chans {
			h.drop(topic, ch)
		}
	}
}
