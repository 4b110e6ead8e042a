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
	// paceAhead is how much may wait before those who have time bring more: ten
	// seconds' worth.
	paceAhead = 1024
)

// paced is one thing to tell: a rendering, a stanza rendered elsewhere, or all
// contacts of a user.
type paced struct {
	key string
	g   gateway.Rendering
	raw []byte
	all *everybody
}

// everybody is all contacts of a user. They are read page by page when their turn
// comes, so that what waits is the user, not tens of thousands of contacts.
type everybody struct {
	v    gateway.Visitor
	page string // the next
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

// offerAll queues all contacts of a user.
func (p *pacer) offerAll(v gateway.Visitor) bool {
	return p.put(paced{key: string(v.User) + " contacts", all: &everybody{v: v}})
}

// await is offer for those who have time: it waits until little is queued, and
// fails when that never will be.
func (p *pacer) await(ctx context.Context, g gateway.Rendering) error {
	for {
		p.mu.Lock()
		room, freed := p.queue.Len() < paceAhead, p.freed
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
	if p.queue.Len() == paceAhead-1 {
		close(p.freed)
		p.freed = make(chan struct{})
	}
	return n, true
}

// run writes what is queued, at the pace, until ctx ends or write fails; open
// reads the next page of all contacts. It runs once.
func (p *pacer) run(ctx context.Context, open func(context.Context, *everybody) []gateway.Rendering, write func(context.Context, *paced) error) {
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
			var err error
			if n.all != nil {
				err = p.tellSome(ctx, n, open, write)
			} else {
				err = write(ctx, n)
			}
			if err != nil {
				return
			}
		}
	}
}

// tellSome writes a page of all contacts; the others go behind what waits.
func (p *pacer) tellSome(ctx context.Context, n *paced, open func(context.Context, *everybody) []gateway.Rendering, write func(context.Context, *paced) error) error {
	for i, g := range open(ctx, n.all) {
		if i > 0 { // the turn of the first is taken
			if err := p.limit.Wait(ctx); err != nil {
				return err
			}
		}
		if err := write(ctx, &paced{g: g}); err != nil {
			return err
		}
	}
	if n.all.page != "" {
		p.put(*n)
	}
	return nil
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
