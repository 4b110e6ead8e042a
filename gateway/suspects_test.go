package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// killed is a rig whose processes die of some entries: nothing reaches the store from there on.
type killed struct {
	*rig
	process *puppet
	base    gateway.Store
}

func newKilled(t *testing.T, dies func(op gateway.Op) bool) *killed {
	t.Helper()
	p := &platform{caps: textCaps()}
	k := &killed{rig: newRig(t, p, gateway.Config{})}
	k.stop()
	k.base = k.store
	p.send = func(op gateway.Op) (gateway.Sent, error) {
		if dies(op) {
			k.process.dead.Store(true)
		}
		<-time.After(50 * time.Millisecond) // what goes on in other chats has not ended then
		if k.process.dead.Load() {
			return gateway.Sent{}, errDead
		}
		return gateway.Sent{}, nil
	}
	k.begin()
	return k
}

// begin starts a process.
func (k *killed) begin() {
	k.process = &puppet{Store: k.base}
	k.store = k.process
	k.identity = gateway.NewIdentity(k.process, k.keys)
	k.start(gateway.Config{})
}

// lives lets time pass, and starts the process anew each time that it has died; it returns how often that was.
func (k *killed) lives(d time.Duration) (deaths int) {
	for ; d > 0; d -= 250 * time.Millisecond {
		gatewaytest.Advance(250 * time.Millisecond)
		if k.process.dead.Load() {
			deaths++
			k.stop()
			k.begin()
		}
	}
	return deaths
}

func (k *killed) deadLetters() (codes []string) {
	for _, p := range gateway.AllShards() {
		for _, d := range k.dead(p) {
			codes = append(codes, d.Why.Code)
		}
	}
	return codes
}

func text(op gateway.Op) string {
	m, _ := op.Body.(gateway.OpMessage)
	t, _ := m.Content.Parts[0].(gateway.Text)
	return t.Text
}

// An entry of which the process dies each time is set aside, with its reason; what stands behind it and beside it gets through.
func TestEntryThatKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKilled(t, func(op gateway.Op) bool { return text(op) == "poison" })
		defer func() { k.stop() }()
		var want []string
		for n := range 6 {
			who := fmt.Sprint("p", n)
			k.mustAsk(k.contact(gateway.ContactID(who)), fmt.Sprint("s", n), "beside")
			want = append(want, who+" beside")
		}
		juliet := k.contact("juliet")
		k.mustAsk(juliet, "j1", "poison")
		k.mustAsk(juliet, "j2", "behind")
		want = append(want, "juliet behind")
		deaths := k.lives(2 * time.Minute)
		var got []string // of what it did not hear the end the process does again
		for _, line := range k.platform.taken() {
			if !slices.Contains(got, line) {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		diff(t, "sent", got, want)
		diff(t, "dead letters", k.deadLetters(), []string{"kills"})
		if deaths < 4 || deaths > 5 {
			t.Errorf("died %d times, want 4, and one more for the time before anybody counted", deaths)
		}
	})
}

// Processes that end in order, or die of something else, cost no entry anything, however often: neither one that is tried again and again, nor
// one that is parked.
func TestEntryThatStandsBeside(t *testing.T) {
	for _, parked := range []bool{false, true} {
		t.Run(fmt.Sprint("parked ", parked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKilled(t, func(gateway.Op) bool { return false })
				defer func() { k.stop() }()
				wait := time.Duration(0)
				if parked {
					wait = time.Minute
				}
				good := k.platform.send
				k.platform.send = func(op gateway.Op) (gateway.Sent, error) {
					return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, Code: "503", RetryAfter: wait}
				}
				k.mustAsk(k.contact("juliet"), "j1", "patience")
				gatewaytest.Advance(time.Second)
				for range 8 {
					k.stop()
					k.begin()
					gatewaytest.Advance(90 * time.Second)
				}
				for range 8 {
					k.process.dead.Store(true)
					k.stop()
					k.begin()
					gatewaytest.Advance(90 * time.Second)
				}
				k.platform.mu.Lock()
				k.platform.send = good
				k.platform.mu.Unlock()
				gatewaytest.Advance(6 * time.Minute)
				diff(t, "dead letters", k.deadLetters(), []string(nil))
				if got := strings.Join(k.platform.taken(), "\n"); got != "juliet patience" {
					t.Errorf("sent %q, want it once", got)
				}
			})
		})
	}
}

// A process that is killed every second or two, of something else, takes no entry for the reason that is in hand whenever that happens, as a
// file is which takes long.
func TestSlowEntryStandsBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKilled(t, func(gateway.Op) bool { return false })
		defer func() { k.stop() }()
		quick := k.platform.send
		k.platform.send = func(op gateway.Op) (gateway.Sent, error) {
			for p := k.process; text(op) == "slow"; {
				<-time.After(50 * time.Millisecond)
				if p.dead.Load() {
					return gateway.Sent{}, errDead
				}
			}
			return quick(op)
		}
		k.mustAsk(k.contact("juliet"), "j1", "slow")
		for range 20 {
			gatewaytest.Advance(1300 * time.Millisecond)
			k.process.dead.Store(true)
			k.stop()
			k.begin()
		}
		k.platform.mu.Lock()
		k.platform.send = quick
		k.platform.mu.Unlock()
		gatewaytest.Advance(time.Minute)
		diff(t, "dead letters", k.deadLetters(), []string(nil))
		if got := strings.Join(k.platform.taken(), "\n"); got != "juliet slow" {
			t.Errorf("sent %q, want it once", got)
		}
	})
}

// What ends the process may come first by the platform's number and stand behind another, parked or not.
func TestEventOutOfPlaceThatKills(t *testing.T) {
	for _, parked := range []bool{false, true} {
		t.Run(fmt.Sprint("parked ", parked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKilled(t, func(gateway.Op) bool { return false })
				defer func() { k.stop() }()
				k.stop()
				k.platform.desc.Sequenced = true
				var poison atomic.Bool
				k.probe = func(at string) {
					if at == "after-render" && poison.Load() {
						k.process.dead.Store(true)
					}
				}
				k.begin()
				if parked {
					k.pause(time.Now().Add(30 * time.Second))
				}
				k.mustEvent(line("juliet", 2))
				if parked {
					gatewaytest.Advance(10 * time.Second)
				}
				k.mustEvent(line("juliet", 1))
				poison.Store(true)
				deaths := 0
				for range 100 {
					deaths += k.lives(time.Second)
					poison.Store(len(k.deadLetters()) == 0)
				}
				diff(t, "dead letters", k.deadLetters(), []string{"kills"})
				if deaths < 4 || deaths > 6 {
					t.Errorf("died %d times, want 4, and a few more for the times before anybody counted", deaths)
				}
				if k.saw("line 2") == 0 {
					t.Error("what stands behind it did not get through")
				}
			})
		})
	}
}

// showing is a renderer that tells what it is about to show.
type showing struct {
	gatewaytest.Renderer
	what func(line string)
}

func (s showing) Render(r gateway.Rendering) ([][]byte, error) {
	lines, err := s.Renderer.Render(r)
	for _, l := range lines {
		s.what(string(l))
	}
	return lines, err
}

// What ends the process is found out also where its chat had to make room for others before it could be tried.
func TestKillerThatStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKilled(t, func(gateway.Op) bool { return false })
		defer func() { k.stop() }()
		people := k.peopleInShard(10)
		k.stop()
		k.platform.desc.Sequenced = true
		k.adapter = &missing{platform: k.platform, fails: 1 << 20}
		k.renderer = showing{what: func(line string) {
			if strings.Contains(line, fmt.Sprintf("line 2 of %s\"", people[0])) {
				k.process.dead.Store(true)
			}
		}}
		k.begin()
		deaths, n := 0, 2
		for range 100 { // there is always more to make room for
			for range 10 {
				k.tell(people, n)
				n++
			}
			deaths += k.lives(5 * time.Second)
		}
		diff(t, "dead letters", k.deadLetters(), []string{"kills"})
		if deaths < 4 || deaths > 6 {
			t.Errorf("died %d times, want 4, and a few more for the times before anybody counted", deaths)
		}
		for _, who := range people[1:] {
			if k.saw(fmt.Sprintf("line 2 of %s\"", who)) == 0 {
				t.Errorf("what %s wrote did not get through", who)
			}
		}
	})
}
