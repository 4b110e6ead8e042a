package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// slowFor makes a platform slow about one person's contacts.
func (p *platform) slowFor(name string, d time.Duration) {
	p.send = func(op gateway.Op) (gateway.Sent, error) {
		if strings.HasPrefix(string(op.Chat.Contact), name) {
			<-time.After(d)
		}
		return gateway.Sent{}, nil
	}
}

// inShard returns so many of somebody's contacts that live in one shard, the same for everybody.
func (r *rig) inShard(name string, n int) (gateway.UserID, []gateway.Alias) {
	user, all := r.person(name, 64*n*2+400)
	var out []gateway.Alias
	for _, alias := range all {
		if (gateway.LaneKey{Adapter: wall, Local: alias}).Shard() == gateway.ShardPartition(7) && len(out) < n {
			out = append(out, alias)
		}
	}
	if len(out) < n {
		r.t.Fatalf("%d of %d contacts in the shard", len(out), n)
	}
	return user, out
}

// A user who keeps many chats busy that the platform is slow about holds up nobody else of their shard: neither in its read-ahead
// nor in the places to work in. What they asked comes through as well, in order.
func TestFloodKeepsToItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.slowFor("busy", 5*time.Second)
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{Parallel: 40})
		defer func() { r.stop() }()
		busy, chats := r.inShard("busy", 20)
		calm, other := r.inShard("calm", 1)
		for n := range 1500 {
			if err := r.askAs(busy, chats[n%20], fmt.Sprintf("%04d", n)); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(20 * time.Second)
		began, sent := time.Now(), func() (n int) {
			for _, line := range p.taken() {
				if strings.HasPrefix(line, "calm") {
					n++
				}
			}
			return n
		}
		if err := r.askAs(calm, other[0], "hello"); err != nil {
			t.Fatal(err)
		}
		for sent() == 0 {
			gatewaytest.Advance(100 * time.Millisecond)
			if got := time.Since(began); got > 8*time.Second {
				t.Fatalf("not sent after %s, want it within a slow call and a little", got)
			}
		}
		gatewaytest.Advance(20 * time.Minute)
		last := map[string]string{}
		got := p.taken()
		for _, line := range got {
			i := strings.LastIndexByte(line, ' ')
			if line[i:] < last[line[:i]] {
				t.Errorf("chat %s: %s came after %s", line[:i], line[i:], last[line[:i]])
			}
			last[line[:i]] = line[i:]
		}
		if len(got) != 1501 {
			t.Errorf("sent %d, want all 1501", len(got))
		}
	})
}

// Chats that a platform hangs on take a share of the places to work in, and not all of them.
func TestHangingChatsLeavePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.slowFor("busy", 7*time.Second)
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{Parallel: 8})
		defer func() { r.stop() }()
		busy, chats := r.person("busy", 30)
		calm, other := r.person("calm", 1)
		gatewaytest.Advance(time.Second)
		for n, alias := range chats {
			if err := r.askAs(busy, alias, fmt.Sprint("busy ", n)); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(time.Second)
		if err := r.askAs(calm, other[0], "hello"); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		diff(t, "sent", p.taken(), []string{"calm's 0 hello"})
		gatewaytest.Advance(7 * 16 * time.Second)
		diff(t, "all sent", len(p.taken()), 31)
	})
}

// A stop does not wait for a place.
func TestStopWhileAShareIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.sendCtx = func(context.Context) { <-time.After(5 * time.Second) }
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{Parallel: 4})
		for n := range 10 {
			r.mustAsk(r.contact(gateway.ContactID(fmt.Sprint("c", n))), fmt.Sprint("s", n), "hello")
		}
		gatewaytest.Advance(time.Second)
		began := time.Now()
		r.stop()
		if got := time.Since(began); got > 5*time.Second {
			t.Errorf("stopped after %s, want no longer than the one call that is under way", got)
		}
		diff(t, "sent", len(p.taken()), 1)
	})
}
