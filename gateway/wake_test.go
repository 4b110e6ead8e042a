package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// noStore answers nothing: a lane that is woken ends at once, and stands in byID.
type noStore struct{ Store }

func (noStore) Read(context.Context, Partition, Queue, EntryID, int) ([]Entry, error) {
	return nil, errors.New("no store")
}

// Where many lanes wait for the same they are woken some at a time; one that waits for something else does not wait for that.
func TestWakeSomeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{store: noStore{}, crew: newCrew()}
		defer g.crew.dismiss()
		o := (&shard{g: g, part: ShardPartition(1)}).own(Lease{}, func() {})
		o.parked[laneID{QueueOut, "other"}] = ParkedLane{Until: time.Now(), Reason: ParkRetry}
		o.parked[laneID{QueueOut, "later"}] = ParkedLane{Until: time.Now().Add(time.Hour), Reason: ParkRetry}
		const many = 2*wakeMost + wakeMost/2
		for n := range many {
			o.parked[laneID{QueueIn, fmt.Sprint(n)}] = ParkedLane{Reason: ParkServer}
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
			late, shards int64
			within       time.Duration // behind the wait
		}{
			{0, 64, time.Second},
			{100_000, 64, 50 * time.Second},
			{50_000, 32, 50 * time.Second}, // another replica has as many
			{10_000_000, 64, lateMost},
		} {
			g := &Gateway{cfg: Config{CatchUp: DefaultCatchUp()}}
			g.late.of(QueueIn).Add(tt.late)
			g.late.shards.Add(tt.shards)
			parts := [10]int{}
			for n := range 1000 {
				lane := fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n), byte(n >> 8)}))
				after := g.nextAsk(QueueIn, lane, wait)
				if again := g.nextAsk(QueueIn, lane, wait); again != after {
					t.Fatalf("%d late: got %s, then %s", tt.late, after, again)
				}
				if after <= wait || after > wait+tt.within {
					t.Fatalf("%d late: got %s, want up to %s behind %s", tt.late, after, tt.within, wait)
				}
				parts[(after-wait-1)*10/tt.within]++
				if next := g.nextAsk(QueueIn, lane, after); next != after+tt.within {
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
