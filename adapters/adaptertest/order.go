package adaptertest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// laneLength is how many messages the ordering test sends.
const laneLength = 100

// order sends through random latency and 30 % 503s, as a lane does: one at a time, the head again until it is through. Where
// Caps says Idempotent, every tenth answer is lost as well and the op is sent again.
func (h Harness) order(t *testing.T) {
	b := h.open(t)
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	random := rand.New(rand.NewPCG(3, 4))
	b.wire.Set(func(int) Fault {
		f := Fault{Delay: time.Duration(random.IntN(1000)) * time.Microsecond}
		switch p := random.IntN(100); {
		case p < 30:
			f.Kind, f.Status, f.Header = FaultAnswer, http.StatusServiceUnavailable, http.Header{}
		case p < 40 && caps.Idempotent:
			f.Kind = FaultLose
		}
		return f
	})
	var want []string
	for n := range laneLength {
		name := fmt.Sprintf("line %03d", n)
		want = append(want, name)
		b.throughRetries(0, b.opTo(0, text(name)), caps)
	}
	if diff := cmp.Diff(want, b.texts(0)); diff != "" {
		t.Errorf("-sent +received:\n%s", diff)
	}
}

// throughRetries sends an op until it is taken, with the reactions that the core has to each class.
func (b *bench) throughRetries(i int, op gateway.Op, caps gateway.Caps) gateway.Sent {
	b.t.Helper()
	for range 50 {
		sent, err := b.send(b.t.Context(), i, op)
		if err == nil {
			return sent
		}
		switch class := gateway.ClassOf(err); class {
		case gateway.Retryable, gateway.RateLimited:
		case gateway.Uncertain:
			// The 503s of the kit never reach the platform; where answers get lost as well, Caps promised that a repeat is harmless.
		case gateway.ReauthNeeded, gateway.WindowClosed, gateway.Unsupported, gateway.NotReachable, gateway.Permanent:
			b.t.Fatalf("Send: got %v, want a class that is tried again (idempotent: %v)", err, caps.Idempotent)
		}
	}
	b.t.Fatal("Send: not through after 50 attempts")
	return gateway.Sent{}
}

// restart sends, loses the answer, and sends the same op with a new adapter, as the next owner of a shard does.
func (h Harness) restart(t *testing.T) {
	b := h.open(t)
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	op := b.opTo(0, text("once"))
	b.wire.Set(func(n int) Fault {
		if n == 1 {
			return Fault{Kind: FaultLose}
		}
		return Fault{}
	})
	_, err := b.send(t.Context(), 0, op)
	if err == nil || gateway.ClassOf(err) != gateway.Uncertain {
		t.Fatalf("Send whose answer is lost: got %v, want class uncertain", err)
	}
	next := b.Reopen()
	reconciler, canAsk := next.(gateway.Reconciler)
	switch {
	case caps.Idempotent:
		for range 2 {
			sent, err := b.sendBy(t.Context(), next, b.Accounts[0], op)
			if err != nil || len(sent.IDs) == 0 {
				t.Fatalf("Send again: got %v and ids %v, want the first answer", err, sent.IDs)
			}
		}
	case canAsk:
		maybe, err := reconciler.Reconcile(t.Context(), b.Accounts[0], op)
		if err != nil || len(maybe) != 1 || len(maybe[0].IDs) == 0 {
			t.Fatalf("Reconcile: got %v, %v; want the message", maybe, err)
		}
	}
	if diff := cmp.Diff([]string{"once"}, b.texts(0)); diff != "" {
		t.Errorf("effects: -want +got:\n%s", diff)
	}
}

// equals sends the same words twice and loses the second answer: the second message is among what may be it, and of a third, which never
// went, there is nothing that was not one of the two.
func (h Harness) equals(t *testing.T) {
	b := h.open(t)
	reconciler, canAsk := b.Adapter.(gateway.Reconciler)
	if !canAsk {
		return
	}
	one, two, never := b.opTo(0, text("again")), b.opTo(0, text("again")), b.opTo(0, text("again"))
	first, err := b.send(t.Context(), 0, one)
	if err != nil || len(first.IDs) != 1 {
		t.Fatalf("Send: got %v, ids %v, want one", err, first.IDs)
	}
	b.wire.Set(func(n int) Fault {
		if n == 1 {
			return Fault{Kind: FaultLose}
		}
		return Fault{}
	})
	if _, err := b.send(t.Context(), 0, two); gateway.ClassOf(err) != gateway.Uncertain {
		t.Fatalf("Send whose answer is lost: got %v, want class uncertain", err)
	}
	second := b.Received()[len(b.Received())-1].ID
	for _, tt := range []struct {
		name        string
		op          gateway.Op
		known, want []gateway.MessageID // what is known is another message
	}{
		{"the second", two, first.IDs, []gateway.MessageID{second}},
		{"what was never sent", never, []gateway.MessageID{first.IDs[0], second}, nil},
	} {
		maybe, err := reconciler.Reconcile(t.Context(), b.Accounts[0], tt.op)
		if err != nil {
			t.Fatal(err)
		}
		var left []gateway.MessageID
		for _, sent := range maybe {
			left = append(left, sent.IDs...)
		}
		left = slices.DeleteFunc(left, func(id gateway.MessageID) bool { return slices.Contains(tt.known, id) })
		if !slices.Equal(left, tt.want) {
			t.Errorf("Reconcile of %s: got %v besides what is known, want %v", tt.name, left, tt.want)
		}
	}
}
