package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestBacklogBringsNoPastBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		old := said("juliet", "n1", "long ago", 1)
		old.At = time.Now().Add(-40 * 24 * time.Hour)
		m := &missing{platform: p, kept: []gateway.Event{old, said("juliet", "n2", "just lost", 2)}}
		r.adapter = m
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		if err := r.event(said("juliet", "n3", "new", 3)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		var lines []string
		for _, l := range texts(r.wire.lines()) {
			if _, text, ok := strings.Cut(l, `"`); ok {
				lines = append(lines, text)
			}
		}
		diff(t, "lines", lines, []string{`just lost"`, `new"`})
	})
}

// TestMissingEventsAreAskedForAgain: a platform that is busy when it is asked keeps the event all the same.
func TestMissingEventsAreAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails int
		after time.Duration
		want  []string
	}{
		{"soon", 3, 20 * time.Second, []string{`lost"`, `new"`}},
		{"waiting", 1000, 30 * time.Second, nil},
		{"never", 1000, 2 * time.Minute, []string{`new"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.adapter = &missing{platform: p, fails: c.fails, kept: []gateway.Event{said("juliet", "n1", "lost", 1)}}
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				if err := r.event(said("juliet", "n2", "new", 2)); err != nil {
					t.Fatal(err)
				}
				gatewaytest.Advance(c.after)
				var lines []string
				for _, l := range texts(r.wire.lines()) {
					if _, text, ok := strings.Cut(l, `"`); ok {
						lines = append(lines, text)
					}
				}
				diff(t, "lines", lines, c.want)
			})
		})
	}
}

// TestGapBehindTheWindow: what comes next in a chat may stand further behind than an owner reads ahead, as after an outage, when
// a platform first tells what is new and then again what nobody took. All chats waiting for it, there would never be room.
func TestGapBehindTheWindow(t *testing.T) {
	for _, lost := range []bool{false, true} { // so that the platform has to be asked
		t.Run(fmt.Sprint("lost=", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const each = 80
				p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
				r := newRig(t, p, gateway.Config{})
				people := r.peopleInShard(20)
				r.stop()
				m := &missing{platform: p}
				for _, who := range people {
					m.kept = append(m.kept, line(who, 1), line(who, 2))
				}
				r.adapter = m
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				for n := 3; n <= each; n++ {
					r.tell(people, n)
				}
				if !lost {
					r.tell(people, 1, 2)
				}
				gatewaytest.Advance(time.Minute)
				r.toldInOrder(people, each)
				if asked := len(m.asked) > 0; asked != lost {
					t.Errorf("the platform was asked: got %v, want %v", asked, lost)
				}
			})
		})
	}
}

// TestGapInParkedChat: what is parked was taken as it came, and what comes next may stand behind it, there or not there yet.
func TestGapInParkedChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{CatchUp: gateway.CatchUp{UserPerSecond: 1}})
		defer func() { r.stop() }()
		people := r.peopleInShard(20) // so many that each waits for its turn longer than in its lane
		for n := range 20 {
			r.tellLate(people, n+1)
		}
		gatewaytest.Advance(100 * time.Millisecond)
		for n := 23; n <= 120; n++ {
			r.tellLate(people, n)
		}
		r.tellLate(people, 22, 21)
		gatewaytest.Advance(2 * time.Second)
		r.tellLate(people, 122, 121)
		gatewaytest.Advance(time.Hour)
		r.toldInOrder(people, 122)
	})
}

// TestUnnumberedBesideGap: what has no number keeps its place, and does not let others out of theirs.
func TestUnnumberedBesideGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		people := []gateway.ContactID{"juliet"}
		r.tell(people, 1, 3)
		r.mustEvent(said("juliet", "aside", "beside it", 0))
		gatewaytest.Advance(500 * time.Millisecond)
		r.tell(people, 2)
		gatewaytest.Advance(time.Minute)
		r.toldInOrder(people, 3)
		if n := r.saw("beside it"); n != 1 {
			t.Errorf("the one without a number: got it %d times, want once", n)
		}
	})
}

// TestGapIsAskedForOnce: what the platform has told counts as long as the chat stands where it did, parked or not.
func TestGapIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		m := &missing{platform: p}
		r.adapter = m
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		for range 3 {
			r.pause(time.Now().Add(20 * time.Second))
			gatewaytest.Advance(time.Second)
			r.tell([]gateway.ContactID{"juliet"}, 5)
			gatewaytest.Advance(14 * time.Second)
		}
		if n := r.saw("line 5"); n != 0 {
			t.Errorf("shown %d times while the user wants quiet", n)
		}
		gatewaytest.Advance(time.Minute)
		if n := r.saw("line 5"); n != 1 {
			t.Errorf("shown %d times, want once", n)
		}
		diff(t, "asked after", m.asked, []int64{0})
	})
}

// TestGapLeavesRoomToOthers: a chat that waits for a platform which does not answer, with much behind, holds up nobody else.
func TestGapLeavesRoomToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		people := r.peopleInShard(2)
		r.stop()
		r.adapter = &missing{platform: p, fails: 1000}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		for n := 2; n <= 1200; n++ {
			r.tell(people[:1], n)
		}
		r.tell(people[1:], 1)
		gatewaytest.Advance(10 * time.Second)
		r.toldInOrder(people[1:], 1)
		if n := r.saw("line 2 of "); n != 0 {
			t.Fatal("the chat has not waited")
		}
		r.tell(people[:1], 1)
		gatewaytest.Advance(10 * time.Minute)
		r.toldInOrder(people[:1], 1200)
	})
}

// slowReads is a store that takes its time for reads of one queue.
type slowReads struct{ gateway.Store }

func (s slowReads) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) ([]gateway.Entry, error) {
	<-time.After(300 * time.Millisecond)
	return s.Store.Read(ctx, p, q, after, n)
}

// TestGapsWhileMoreComes: that there is more to read keeps nobody from asking for what is missing.
func TestGapsWhileMoreComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		people := r.peopleInShard(21)
		r.stop()
		r.store = slowReads{r.store}
		m := &missing{platform: p}
		for _, who := range people[:20] {
			m.kept = append(m.kept, line(who, 1), line(who, 2))
		}
		r.adapter = m
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		for n := 3; n <= 80; n++ {
			r.tell(people[:20], n)
		}
		for n := range 100 {
			r.tell(people[20:], n+1)
			gatewaytest.Advance(200 * time.Millisecond)
		}
		gatewaytest.Advance(5 * time.Second)
		r.toldInOrder(people[:20], 80)
		r.toldInOrder(people[20:], 100)
	})
}

// TestManyGaps: however many chats wait, each waits for its own event.
func TestManyGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chats = 2000
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		r.tell(r.peopleInShard(chats), 2)
		gatewaytest.Advance(30 * time.Second)
		if n := r.saw("line 2 of"); n != chats {
			t.Errorf("got %d of %d after 30 s", n, chats)
		}
	})
}

// loading is a store that does not tell at once where a chat stands.
type loading struct {
	gateway.Store
	fails atomic.Int32
}

func (s *loading) Lookup(ctx context.Context, p gateway.Partition, lane string, fields []string) (map[string][]byte, error) {
	if slices.Contains(fields, "seq") && s.fails.Add(-1) >= 0 {
		return nil, errors.New("loading the dataset")
	}
	return s.Store.Lookup(ctx, p, lane, fields)
}

// TestNumberNotKnownAtOnce: a new owner who cannot read where a chat stands shows nothing of it before it can.
func TestNumberNotKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		people := []gateway.ContactID{"juliet"}
		r.tell(people, 1)
		gatewaytest.Advance(time.Second)
		r.stop()
		s := &loading{Store: r.store}
		s.fails.Store(2)
		r.store = s
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		r.tell(people, 3)
		gatewaytest.Advance(500 * time.Millisecond)
		r.tell(people, 2)
		gatewaytest.Advance(time.Minute)
		r.toldInOrder(people, 3)
	})
}

// peopleInShard returns people whose chats live in one shard.
func (r *rig) peopleInShard(n int) []gateway.ContactID {
	var out []gateway.ContactID
	for i := 0; len(out) < n; i++ {
		id := gateway.ContactID(fmt.Sprint("person", i))
		if (gateway.LaneKey{Adapter: wall, Local: r.account.Keys.Alias(id)}).Shard() == gateway.ShardPartition(7) {
			out = append(out, id)
		}
	}
	return out
}

// line is one of somebody's numbered lines.
func line(who gateway.ContactID, n int) gateway.Event {
	return said(who, fmt.Sprintf("%s-%d", who, n), fmt.Sprintf("line %d of %s", n, who), int64(n))
}

// tell says lines of each of the people.
func (r *rig) tell(people []gateway.ContactID, numbers ...int) {
	r.t.Helper()
	for _, n := range numbers {
		for _, who := range people {
			r.mustEvent(line(who, n))
		}
	}
}

// tellLate says lines of an hour ago.
func (r *rig) tellLate(people []gateway.ContactID, numbers ...int) {
	r.t.Helper()
	for _, n := range numbers {
		for _, who := range people {
			ev := line(who, n)
			ev.At = time.Now().Add(-time.Hour)
			r.mustEvent(ev)
		}
	}
}

// toldInOrder checks that the user got all lines of the people, in order.
func (r *rig) toldInOrder(people []gateway.ContactID, lines int) {
	r.t.Helper()
	var want []int
	for n := range lines {
		want = append(want, n+1)
	}
	got := r.told()
	for _, who := range people {
		diff(r.t, string(who), got[who], want)
	}
}

// told returns which lines the user got of whom.
func (r *rig) told() map[gateway.ContactID][]int {
	r.t.Helper()
	got := map[gateway.ContactID][]int{}
	for _, l := range texts(r.wire.lines()) {
		if _, text, ok := strings.Cut(l, `"line `); ok {
			n, who, _ := strings.Cut(strings.TrimSuffix(text, `"`), " of ")
			at, err := strconv.Atoi(n)
			must(r.t, err)
			got[gateway.ContactID(who)] = append(got[gateway.ContactID(who)], at)
		}
	}
	return got
}
