package xmpp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// iqTimeout bounds a request whose context has no deadline of its own.
const iqTimeout = 30 * time.Second

// iqKey names a request in flight. The peer is part of it: the answer counts
// only if it comes from whom the question was sent to.
type iqKey struct {
	id   string
	peer JID
}

type iqAnswer struct {
	el  *Element
	err error
}

// iqTable holds the requests in flight on one stream.
type iqTable struct {
	mu      sync.Mutex
	waiting map[iqKey]chan iqAnswer
	err     error // set once the stream has ended
}

func newIQTable() *iqTable {
	return &iqTable{waiting: make(map[iqKey]chan iqAnswer)}
}

// register must come before the request is written: the answer may be faster
// than the return from the write.
func (t *iqTable) register(key iqKey) (<-chan iqAnswer, error) {
	ch := make(chan iqAnswer, 1)
	return ch, t.expect(key, ch)
}

// expect has the answer sent to ch, which has room for it: delivery never waits for the asker.
func (t *iqTable) expect(key iqKey, ch chan iqAnswer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if _, taken := t.waiting[key]; taken {
		return fmt.Errorf("xmpp: iq: id in use")
	}
	t.waiting[key] = ch
	return nil
}

func (t *iqTable) forget(key iqKey) {
	t.mu.Lock()
	delete(t.waiting, key)
	t.mu.Unlock()
}

// deliver hands an iq of type result or error to whoever asked; false if nobody
// asked that peer under that id.
func (t *iqTable) deliver(el *Element) bool {
	key := iqKey{el.ID(), el.From()}
	t.mu.Lock()
	ch, ok := t.waiting[key]
	delete(t.waiting, key)
	t.mu.Unlock()
	if ok {
		ch <- iqAnswer{el: el}
	}
	return ok
}

// errUnreadable is an answer that came and could not be taken.
var errUnreadable = errors.New("xmpp: iq: answer not readable")

// spoil tells whoever asked that the answer, of which only the head is known, was not taken.
func (t *iqTable) spoil(head *Element, why error) {
	key := iqKey{head.ID(), head.From()}
	t.mu.Lock()
	ch, ok := t.waiting[key]
	delete(t.waiting, key)
	t.mu.Unlock()
	if ok {
		ch <- iqAnswer{err: fmt.Errorf("%w: %w", errUnreadable, why)}
	}
}

// fail ends all requests and refuses new ones.
func (t *iqTable) fail(err error) {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting, t.err = make(map[iqKey]chan iqAnswer), err
	t.mu.Unlock()
	for _, ch := range waiting {
		ch <- iqAnswer{err: err}
	}
}

// iq sends a request and returns the answering stanza of type result. An answer
// of type error comes back as *StanzaError. It must not be called from the
// reader's own goroutine; handlers behind a dispatcher are fine.
func (s *stream) iq(ctx context.Context, req *Element) (*Element, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, iqTimeout, fmt.Errorf("no answer in %v", iqTimeout))
	defer cancel()
	el, err := s.roundTrip(ctx, req)
	if err != nil {
		return nil, err
	}
	if stanzaErr := ParseStanzaError(el); stanzaErr != nil {
		return nil, stanzaErr
	}
	return el, nil
}

func (s *stream) roundTrip(ctx context.Context, req *Element) (*Element, error) {
	key := iqKey{req.ID(), req.To()}
	ch, err := s.iqs.register(key)
	if err != nil {
		return nil, err
	}
	defer s.iqs.forget(key)
	if err := s.send(ctx, req); err != nil {
		return nil, err
	}
	select {
	case a := <-ch:
		return a.el, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("xmpp: iq: %w", context.Cause(ctx))
	}
}
