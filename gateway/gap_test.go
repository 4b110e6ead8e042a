package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// archive is a platform that keeps the lines of all chats and tells them in pages, and before them something that has no number.
type archive struct {
	*platform
	last, page int
	poison     int // nobody can render that one
	asked      int
}

func (a *archive) line(who gateway.ContactID, n int) gateway.Event {
	if n == a.poison {
		return said(who, fmt.Sprintf("%s-%d", who, n), "poison", int64(n))
	}
	return line(who, n)
}

func (a *archive) Missing(_ context.Context, _ gateway.Credentials, chat gateway.Chat, after int64) (events []gateway.Event, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	events = append(events, said(chat.Contact, fmt.Sprint(chat.Contact, " aside"), "beside it", 0))
	for n := int(after) + 1; n <= min(int(after)+a.page, a.last); n++ {
		events = append(events, a.line(chat.Contact, n))
	}
	return events, nil
}

// TestGapInFullChat: what came first fills a chat, which waits for what is missing before it; that is taken in all the same, once.
func TestGapInFullChat(t *testing.T) {
	for _, page := range []int{100, 3} {
		t.Run(fmt.Sprint("page=", page), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const full = 10 // of what comes in with a LaneMax of one
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				a := &archive{platform: p, last: 8 + full, page: page}
				r.adapter = a
				r.start(gateway.Config{LaneMax: 1})
				defer func() { r.stop() }()
				juliet := []gateway.ContactID{"juliet"}
				for n := range full {
					r.tell(juliet, 8+n)
				}
				next := line("juliet", 8+full)
				if err := r.event(next); !errors.Is(err, gateway.ErrFull) {
					t.Fatalf("one more: got %v, want %v", err, gateway.ErrFull)
				}
				gatewaytest.Advance(2 * time.Minute)
				r.toldInOrder(juliet, 7+full)
				diff(t, "asked", a.asked, (7+page-1)/page) // so it was not taken in one by one
				r.mustEvent(next)                          // the platform tries again, in its own order
				r.tell(juliet, 2, 1)
				gatewaytest.Advance(time.Minute)
				r.toldInOrder(juliet, 8+full)
			})
		})
	}
}

// TestGapInFullPark: so it is where as much is parked as may be.
func TestGapInFullPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		b := &blips{Store: r.store}
		r.store, r.adapter = b, &archive{platform: p, last: 10, page: 100}
		r.start(gateway.Config{ParkedMax: 2, CatchUp: gateway.CatchUp{After: -1}})
		defer func() { r.stop() }()
		out := r.gw.Outbox(wall)
		out.Decline(true)
		gatewaytest.Advance(time.Minute)
		juliet := []gateway.ContactID{"juliet"}
		r.tell(juliet, 1)
		gatewaytest.Advance(time.Second)
		b.on(func(verb string, _ gateway.Queue) bool { return verb == "park" })
		r.tell(juliet, 7, 8, 9, 10) // before the first of them is parked behind it
		b.on(nil)
		gatewaytest.Advance(3 * time.Second)
		if err := r.event(line("juliet", 11)); !errors.Is(err, gateway.ErrFull) {
			t.Fatalf("one more: got %v, want %v", err, gateway.ErrFull)
		}
		out.Decline(false)
		gatewaytest.Advance(2 * time.Minute)
		r.toldInOrder(juliet, 10)
	})
}

// TestGapsInFullShard: so it is where the shard holds as much as it may. What it holds above that is one event of each chat at most.
func TestGapsInFullShard(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprint("away=", away), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const chats, most = 20, 40
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				people := r.peopleInShard(chats)
				r.stop()
				r.adapter = &archive{platform: p, last: 13, page: 100}
				r.start(gateway.Config{ShardMax: most, ParkedMax: most, CatchUp: gateway.CatchUp{After: -1}})
				defer func() { r.stop() }()
				may := most + chats
				if away {
					r.gw.Outbox(wall).Decline(true)
					gatewaytest.Advance(time.Minute)
					may += most
				}
				round := func(n int) {
					for _, who := range people {
						if err := r.event(line(who, n)); err != nil && !errors.Is(err, gateway.ErrFull) {
							t.Fatal(err)
						}
					}
				}
				round(10)
				round(11)
				for range 200 {
					gatewaytest.Advance(300 * time.Millisecond)
					if away {
						round(12)
					}
					if n := r.holds(gateway.ShardPartition(7)); n > may {
						t.Fatalf("the shard holds %d, want no more than %d", n, may)
					}
				}
				r.gw.Outbox(wall).Decline(false)
				gatewaytest.Advance(2 * time.Minute)
				round(12)
				round(13)
				gatewaytest.Advance(time.Minute)
				r.toldInOrder(people, 13)
			})
		})
	}
}

// TestGapBehindDeadLetter: what was given up on takes the place of nothing that is missing, whether it came or the platform had to be asked
// for it.
func TestGapBehindDeadLetter(t *testing.T) {
	for _, came := range []bool{true, false} {
		t.Run(fmt.Sprint("came=", came), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.renderer = poisoned{fails: func() ([][]byte, error) { return nil, errors.New("no words for it") }}
				a := &archive{platform: p, last: 7, page: 100, poison: 1}
				r.adapter = a
				r.start(gateway.Config{ShardMax: 3})
				defer func() { r.stop() }()
				if came {
					r.mustEvent(a.line("juliet", 1))
					gatewaytest.Advance(time.Second)
				}
				r.tell([]gateway.ContactID{"juliet"}, 4, 5, 6)
				gatewaytest.Advance(2 * time.Minute)
				diff(t, "told", r.told()["juliet"], []int{2, 3, 4, 5, 6})
			})
		})
	}
}

// holds counts what has come in of a shard and is not done, parked or not.
func (r *rig) holds(p gateway.Partition) int {
	r.t.Helper()
	n, _, err := r.store.Depth(r.t.Context(), p, gateway.QueueIn)
	must(r.t, err)
	lanes, err := r.store.Parked(r.t.Context(), p)
	must(r.t, err)
	for _, l := range lanes {
		parked, _, err := r.store.Depth(r.t.Context(), p, gateway.ParkQueue(l.From, l.Lane))
		must(r.t, err)
		n += parked
	}
	return n
}

// TestGapWhileStoreFails: a platform that has told is not one that does not answer. A store that does not take what it told is waited for.
func TestGapWhileStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		b := &blips{Store: r.store}
		r.store, r.adapter = b, &archive{platform: p, last: 3, page: 100}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		juliet := []gateway.ContactID{"juliet"}
		r.tell(juliet, 3)
		b.on(func(verb string, q gateway.Queue) bool { return verb == "ingest" && q == gateway.QueueIn })
		gatewaytest.Advance(10 * time.Minute)
		r.toldInOrder(juliet, 0)
		b.on(nil)
		gatewaytest.Advance(90 * time.Second)
		r.toldInOrder(juliet, 3)
	})
}

// TestGapWithWhatCannotBeKept: what the platform tells and nobody could write down holds up nothing.
func TestGapWithWhatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		bad := line("juliet", 2)
		bad.Body = gateway.Window{OpenUntil: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}
		r.adapter = &missing{platform: p, kept: []gateway.Event{line("juliet", 1), bad, line("juliet", 3)}}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		r.tell([]gateway.ContactID{"juliet"}, 4)
		gatewaytest.Advance(10 * time.Second)
		diff(t, "told", r.told()["juliet"], []int{1, 3, 4})
	})
}
