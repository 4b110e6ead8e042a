package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

// walls are more components than a fleet has by itself.
func walls() []gateway.AdapterID { return []gateway.AdapterID{"wall2", "wall3", "wall4"} }

// settled is how long a fleet may take to share anew after a process came or went in order: leases last 15 s.
const settled = 500 * time.Millisecond

// TestReplicasShare: processes come and go in order while both sides talk. Everything is shared at once, nothing is lost,
// nothing comes twice and nothing out of order, and no component is connected twice.
func TestReplicasShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 8, walls()...)
		first := f.join("r1")
		f.pass(time.Second)
		f.shared() // one alone waits for nobody
		f.talk(10)
		second := f.join("r2")
		f.talk(20)
		f.pass(settled)
		f.shared()
		third := f.join("r3")
		f.talk(20)
		f.pass(settled)
		f.shared()
		for _, m := range []*member{first, third} {
			m.live = false
			m.gw.Retire(t.Context())
			f.talk(10)
			m.stop()
			f.talk(10)
			f.pass(settled)
			f.shared()
		}
		f.join("r1")
		f.talk(20)
		f.pass(settled)
		f.shared()
		second.stop() // without retiring first
		f.talk(20)
		f.pass(settled)
		f.shared()
		f.members[3].stop()
		f.arrived(true)
		if f.twice {
			t.Error("a component was connected by two processes at once")
		}
	})
}

// TestReplicaDies: what a process owned moves when its leases have run out, and is shared by those who are left.
func TestReplicaDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6, walls()...)
		dying := f.join("r1")
		f.pass(time.Second)
		second, third := f.join("r2"), f.join("r3")
		f.talk(10)
		f.pass(settled)
		dying.die()
		f.talk(10)
		f.pass(16 * time.Second)
		f.shared()
		f.talk(10)
		f.pass(settled)
		second.stop()
		third.stop()
		f.arrived(false)
	})
}

// TestReplicaStandsStill: a process that stands still loses everything, and shares again once it is woken.
func TestReplicaStandsStill(t *testing.T) {
	for _, still := range []time.Duration{4 * time.Second, 14 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 6, walls()...)
			first := f.join("r1")
			second := f.join("r2")
			f.talk(20)
			f.pass(settled)
			f.shared()
			first.live = false
			first.pause()
			f.talk(30)
			f.pass(still - 3*time.Second)
			if still > 20*time.Second {
				f.shared()
			}
			first.wake()
			f.pass(3 * leaseTTL / 2) // what it thinks to own it finds out when it asks
			first.live = true
			f.shared()
			f.talk(10)
			f.pass(settled)
			f.shared()
			first.stop()
			second.stop()
			f.arrived(false)
		})
	}
}

const leaseTTL = 15 * time.Second

// TestReplicaFlaps: a process that comes and dies again and again loses nothing and brings nothing out of order, and one that
// restarts under its name within its lease finds its share where it was.
func TestReplicaFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6, walls()...)
		steady := f.join("r1")
		f.pass(time.Second)
		for n := range 8 {
			m := f.join("r2")
			f.talk(10 + 7*n%13)
			if n%3 == 0 {
				m.stop()
			} else {
				m.die()
			}
			f.talk(3 * n)
		}
		f.pass(16 * time.Second)
		f.shared()
		m := f.join("r2")
		f.pass(settled)
		f.shared()
		m.die()
		m = f.join("r2")
		f.pass(settled)
		f.shared()
		m.stop()
		steady.stop()
		f.arrived(false)
	})
}

// TestComponentOutOfReach: a component whose server a replica does not reach goes to one that does, and stays where it is when
// nobody does.
func TestComponentOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, walls()...)
		first := f.join("r1")
		second := f.join("r2")
		defer second.stop()
		defer first.stop()
		f.pass(settled)
		f.shared()
		decline := func(m *member, on bool) {
			for _, id := range f.walls {
				m.gw.Outbox(id).Decline(on)
			}
			f.pass(settled)
		}
		leads := func(what string, a, b int) {
			t.Helper()
			if gotA, gotB := first.gauge("postern_leader"), second.gauge("postern_leader"); gotA != a || gotB != b {
				t.Errorf("%s: got %d and %d components, want %d and %d", what, gotA, gotB, a, b)
			}
		}
		leads("both reach the server", 2, 2)
		decline(first, true)
		leads("the first does not", 0, 4)
		decline(second, true)
		leads("nobody does", 2, 2)
		decline(first, false)
		leads("the first does again", 4, 0)
		decline(second, false)
		leads("both do", 2, 2)
	})
}

// TestOneComponentStays: a component does not move for the sake of a replica that comes.
func TestOneComponentStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, names := range [][2]string{{"r1", "r2"}, {"r2", "r1"}} {
			f := newFleet(t, 1)
			first := f.join(names[0])
			f.pass(time.Second)
			second := f.join(names[1])
			f.pass(time.Minute)
			if got := first.gauge("postern_leader"); got != 1 {
				t.Errorf("%s came to %s: the component moved", names[1], names[0])
			}
			first.stop()
			f.pass(settled)
			if got := second.gauge("postern_leader"); got != 1 {
				t.Errorf("%s went: %s has no component", names[0], names[1])
			}
			second.stop()
		}
	})
}
