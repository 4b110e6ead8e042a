package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// noStore is another replica's: a lane that is woken ends at once, and stands in byID.
type noStore struct{ Store }

func (noStore) Read(context.Context, Partition, Queue, EntryID, int) ([]Entry, error) {
	return nil, ErrFenced
}

func (noStore) Park(context.Context, Lease, Queue, string, []EntryID, time.Duration, ParkReason) error {
	return nil
}

// Take gives nobody a turn within the wait that is asked for.
func (noStore) Take(_ context.Context, _ AdapterID, most time.Duration, _ ...Bucket) (Taken, error) {
	return Taken{Wait: most + time.Millisecond}, nil
}

// Where many lanes wait for the same they are woken some at a time; one that waits for something else does not wait for that.
func TestWakeSomeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{store: noStore{}, crew: newCrew(), metrics: NewMetrics(prometheus.NewRegistry(), nil)}
		defer g.crew.dismiss()
		o := (&shard{g: g, part: ShardPartition(1)}).own(Lease{}, func() {})
		o.parked[laneID{QueueOut, "other"}] = parkedLane{ParkedLane: ParkedLane{Until: time.Now(), Reason: ParkRetry}}
		o.parked[laneID{QueueOut, "later"}] = parkedLane{ParkedLane: ParkedLane{Until: time.Now().Add(time.Hour), Reason: ParkRetry}}
		const many = 2*wakeMost + wakeMost/2
		for n := range many {
			o.parked[laneID{QueueIn, fmt.Sprint(n)}] = parkedLane{ParkedLane: ParkedLane{Reason: ParkServer}}
		}
		woken := func() (n int) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.byID)
		}
		for _, want := range []int{wakeMost, 2 * wakeMost, many} {
			next := o.wakeDue(t.Context())
			if got := woken(); got != want+1 { // and the other
				t.Errorf("got %d lanes woken, want %d", got, want+1)
			}
			if o.byID[laneID{QueueOut, "other"}] == nil {
				t.Error("a lane that waits for something else is not woken")
			}
			if want == many {
				if left := time.Until(next); left < time.Minute || left > time.Hour {
					t.Errorf("the next in %s, want the last that waits yet", left)
				}
				break
			}
			if left := time.Until(next); left > wakePause {
				t.Errorf("the next in %s, want %s", left, wakePause)
			}
			o.wakeDue(t.Context()) // for a hint that comes meanwhile
			if got := woken(); got != want+1 {
				t.Errorf("got %d lanes woken for a hint, want no more than %d", got, want+1)
			}
			<-time.After(wakePause)
		}
	})
}

// Late chats ask again in places of their own: by their names, so the same after a restart, the further apart the more wait, and never
// before it is of use.
func TestNextAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 5 * time.Second
		for _, tt := range []struct {
			late, shards int
			within       time.Duration // behind the wait
		}{
			{0, 64, time.Second},
			{100_000, 64, 50 * time.Second},
			{50_000, 32, 50 * time.Second}, // another replica has as many
			{10_000_000, 64, lateMost},
		} {
			g := &Gateway{cfg: Config{CatchUp: DefaultCatchUp()}}
			p := pace{QueueIn, "wall"}
			g.late.change(nil, map[pace]int{p: tt.late, {QueueIn, "other"}: 1_000_000, {QueueOut, "wall"}: 1_000_000}, tt.shards)
			parts := [10]int{}
			for n := range 1000 {
				lane := fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n), byte(n >> 8)}))
				after := g.nextAsk(p, lane, wait)
				if again := g.nextAsk(p, lane, wait); again != after {
					t.Fatalf("%d late: got %s, then %s", tt.late, after, again)
				}
				if after <= wait || after > wait+tt.within {
					t.Fatalf("%d late: got %s, want up to %s behind %s", tt.late, after, tt.within, wait)
				}
				parts[(after-wait-1)*10/tt.within]++
				if next := g.nextAsk(p, lane, after); next != after+tt.within {
					t.Fatalf("%d late: got %s to the place after its next, want %s", tt.late, next, after+tt.within)
				}
			}
			for i, n := range parts {
				if n < 50 || n > 200 {
					t.Errorf("%d late: got %d of 1000 in the %d. tenth, want about 100", tt.late, n, i+1)
				}
			}
		}
	})
}

// Turns are per adapter and direction, and so are the places to ask for them: several adapters that are late do not keep each other's
// chats from asking as often as there are turns.
func TestNextAskOfEachAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const adapters, chats, perSecond, wait = 8, 50, 10, waitInLane + time.Millisecond
		keys, err := newKeyring(make([]byte, KeySize))
		if err != nil {
			t.Fatal(err)
		}
		g := &Gateway{
			store: noStore{}, crew: newCrew(), keys: keys, metrics: NewMetrics(prometheus.NewRegistry(), nil),
			cfg: Config{CatchUp: CatchUp{After: time.Minute, PerSecond: perSecond, UserPerSecond: perSecond}},
		}
		o := (&shard{g: g, part: ShardPartition(1)}).own(Lease{}, func() {})
		g.late.change(nil, nil, 1)
		latest := map[AdapterID]time.Duration{}
		ask := func() {
			for n := range adapters * chats {
				inst := Instance{ID: AdapterID(fmt.Sprint("wall", n%adapters))}
				l := &lane{id: laneID{QueueIn, fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n), byte(n >> 8)}))}}
				_, v := o.turnOf(t.Context(), inst, &Account{User: "romeo@example.org"}, l.id.queue, l.id.name, time.Now().Add(-time.Hour))
				if v == nil {
					t.Fatal("got a turn")
				}
				latest[inst.ID] = max(latest[inst.ID], v.after-wait)
				o.park(t.Context(), l, []*item{}, *v)
			}
		}
		ask()
		o.wakeDue(t.Context()) // all have asked, and are counted
		clear(latest)
		ask()
		const round = chats * Shards * time.Second / (lateAsks * perSecond)
		for a, d := range latest {
			if d > round || d < round/2 {
				t.Errorf("%s: got up to %s until a chat asks again, want up to %s for %d chats and %d turns a second", a, d, round, chats*Shards, perSecond)
			}
		}
		o.leaveLate()
		if n := g.late.everywhere(pace{QueueIn, "wall0"}); n != 0 {
			t.Errorf("got %d late chats of a shard that is another replica's, want none", n)
		}
	})
}
