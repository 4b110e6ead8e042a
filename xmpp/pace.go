package xmpp

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"golang.org/x/time/rate"

	"postern/gateway"
)

// What is told of presence goes out at this pace: in no second more than
// paceBurst+paceRate stanzas, since servers shape what a component sends and a
// start has something to say of everybody. Messages do not wait for it.
const (
	paceRate  = 100 // stanzas a second
	paceBurst = 80  // at once after a rest
	paceMax   = 1 << 16
)

// paced is one thing to tell: a rendering, or a stanza rendered elsewhere.
type paced struct {
	key string
	g   gateway.Rendering
	raw []byte
}

// pacer holds what is told of presence and contacts' news until its turn, and
// forgets what newer news of the same kind replaces. It lives as long as a
// stream: what it holds at the end is told anew on the next.
type pacer struct {
	limit *rate.Limiter // outlives streams: reconnecting is no way to say more
	max   int

	mu    sync.Mutex
	queue *list.List // of *paced
	byKey map[string]*list.Element
	freed chan struct{} // closed and replaced when there is room again
	wake  chan struct{} // holds one token when there is work
	over  chan struct{} // closed when nobody writes any more
}

// errPaceOver: the stream that was to be written to has ended.
var errPaceOver = errors.New("xmpp: the stream has ended")

func newPacer(limit *rate.Limiter) *pacer {
	return &pacer{
		limit: limit, max: paceMax, queue: list.New(), byKey: make(map[string]*list.Element),
		freed: make(chan struct{}), wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

func newPace() *rate.Limiter { return rate.NewLimiter(paceRate, paceBurst) }

// offer queues a rendering; false when the queue is full, and then nothing is
// told: the next probe asks again.
func (p *pacer) offer(g gateway.Rendering) bool { return p.put(paced{key: paceKey(g), g: g}) }

// offerRaw is offer for a stanza that was rendered elsewhere.
func (p *pacer) offerRaw(b []byte) bool {
	el, err := ParseElement(b)
	if err != nil {
		return false
	}
	node := el.Child(nsPubSubEvent, "event").Child(nsPubSubEvent, "items").Attr("node")
	return p.put(paced{key: el.Attr("from") + " " + el.Attr("to") + " " + el.Name.Local + " " + node, raw: b})
}

// await is offer for those who have time: it waits until half the queue is free,
// and fails when that never will be.
func (p *pacer) await(ctx context.Context, g gateway.Rendering) error {
	for {
		p.mu.Lock()
		room, freed := p.queue.Len() < p.max/2, p.freed
		p.mu.Unlock()
		if room {
			p.offer(g)
			return nil
		}
		select {
		case <-freed:
		case <-p.over:
			return errPaceOver
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// put queues news at the end, also when it replaces older news: what is told of
// somebody to several clients keeps its order.
func (p *pacer) put(n paced) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.byKey[n.key]; ok {
		old.Value = &n
		p.queue.MoveToBack(old)
		return true
	}
	if p.queue.Len() >= p.max {
		return false
	}
	p.byKey[n.key] = p.queue.PushBack(&n)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

func (p *pacer) take() (*paced, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	front := p.queue.Front()
	if front == nil {
		return nil, false
	}
	n, ok := p.queue.Remove(front).(*paced)
	if !ok {
		return nil, false
	}
	delete(p.byKey, n.key)
	if p.queue.Len() == p.max/2-1 {
		close(p.freed)
		p.freed = make(chan struct{})
	}
	return n, true
}

// run writes what is queued, at the pace, until ctx ends or write fails. It runs once.
func (p *pacer) run(ctx context.Context, write func(context.Context, *paced) error) {
	defer close(p.over)
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		for {
			if err := p.limit.Wait(ctx); err != nil {
				return
			}
			n, ok := p.take()
			if !ok {
				break // the turn that was taken for nothing is a little slack
			}
			if write(ctx, n) != nil {
				return
			}
		}
	}
}

// paceKey tells which news replace each other: of one contact, to one address,
// of one kind.
func paceKey(g gateway.Rendering) string {
	kind := "presence"
	switch g.What.(type) {
	case gateway.ShowAvatar:
		kind = "avatar"
	case gateway.ShowNick:
		kind = "nick"
	case gateway.ShowProbe:
		kind = "probe"
	default:
	}
	return string(g.From) + " " + string(g.To) + "/" + g.Resource + " " + kind
}
