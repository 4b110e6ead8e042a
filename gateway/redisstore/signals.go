package redisstore

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// signalBuffer is how many signals a slow reader may be behind before it loses some.
const signalBuffer = 64

// Publish implements gateway.Signals.
func (s *Store) Publish(ctx context.Context, topic string, payload []byte) error {
	ch := s.topic(topic)
	_, err := s.do(ctx, ch, once, []any{"publish", ch, payload})
	return failed("publish", err)
}

// Subscribe implements gateway.Signals.
func (s *Store) Subscribe(ctx context.Context, topic string) <-chan []byte {
	ch := make(chan []byte, signalBuffer)
	s.ears.add(ctx, s.topic(topic), &ear{
		hear: func(payload []byte) {
			select {
			case ch <- payload:
			default:
			}
		},
		end: func() { close(ch) },
	})
	return ch
}

// ears is the one connection that hears channels, shared by every Watch and Subscribe. go-redis connects it again and
// repeats its subscriptions after a loss.
type ears struct {
	conn *redis.PubSub
	done chan struct{}

	wire sync.Mutex // orders what is said to the server
	on   map[string]bool

	mu   sync.Mutex
	subs map[string]map[*ear]bool
}

// ear is one listener. hear never blocks; end is called once, never beside hear. hint asks to be woken whenever the channel
// was subscribed anew, since something may have been missed.
type ear struct {
	hint bool
	hear func([]byte)
	end  func()
}

// listen starts the goroutine that hears; close waits for it.
func listen(client redis.UniversalClient) *ears {
	e := &ears{
		conn: client.Subscribe(context.Background()), done: make(chan struct{}),
		on: map[string]bool{}, subs: map[string]map[*ear]bool{},
	}
	messages := e.conn.ChannelWithSubscriptions(redis.WithChannelSize(1024))
	go func() {
		defer close(e.done)
		for m := range messages {
			switch m := m.(type) {
			case *redis.Message:
				e.hear(m.Channel, []byte(m.Payload))
			case *redis.Subscription:
				e.subscribed(m)
			}
		}
	}()
	return e
}

// add registers a listener until ctx ends.
func (e *ears) add(ctx context.Context, channel string, l *ear) {
	e.mu.Lock()
	if e.subs[channel] == nil {
		e.subs[channel] = map[*ear]bool{}
	}
	e.subs[channel][l] = true
	e.mu.Unlock()
	e.sync(ctx, channel)
	context.AfterFunc(ctx, func() {
		e.mu.Lock()
		e.drop(channel, l)
		e.mu.Unlock()
		e.sync(context.WithoutCancel(ctx), channel)
	})
}

// drop ends a listener; e.mu is held.
func (e *ears) drop(channel string, l *ear) {
	if !e.subs[channel][l] {
		return
	}
	l.end()
	delete(e.subs[channel], l)
	if len(e.subs[channel]) == 0 {
		delete(e.subs, channel)
	}
}

// sync tells the server whether somebody listens. An error is a lost connection: the channel is remembered and comes back
// with the next one.
func (e *ears) sync(ctx context.Context, channel string) {
	e.wire.Lock()
	defer e.wire.Unlock()
	want := e.has(channel)
	switch {
	case want && !e.on[channel]:
		e.on[channel] = true
		_ = e.conn.Subscribe(ctx, channel)
	case !want && e.on[channel]:
		delete(e.on, channel)
		_ = e.conn.Unsubscribe(ctx, channel)
	}
}

// has reports whether anybody here listens to a channel.
func (e *ears) has(channel string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.subs[channel]) > 0
}

func (e *ears) hear(channel string, payload []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.subs[channel] {
		l.hear(payload)
	}
}

func (e *ears) subscribed(m *redis.Subscription) {
	if m.Kind != "subscribe" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.subs[m.Channel] {
		if l.hint {
			l.hear(nil)
		}
	}
}

// close ends all listeners.
func (e *ears) close() error {
	err := e.conn.Close()
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	for channel, ls := range e.subs {
		for l := range ls {
			e.drop(channel, l)
		}
	}
	return err
}
