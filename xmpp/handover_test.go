package xmpp

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

// handOver is a component whose store is slow, with two messages of one chat that were read, and its lease's end.
type handOver struct {
	*gatewayRig
	began time.Time
	ended chan lastWords
}

// lastWords is what was in the store when the lease ended.
type lastWords struct {
	stored int
	free   bool
	after  time.Duration
}

func handingOver(t *testing.T, drain time.Duration, ask func(context.Context), end func(t *testing.T, h *handOver)) lastWords {
	var got lastWords
	h := &handOver{ended: make(chan lastWords, 1)}
	bubble(t, func(r *gatewayRig) {
		h.gatewayRig, h.ended = r, make(chan lastWords, 1)
		r.cfg.Drain = drain
		r.gw.onAsk = func(ctx context.Context, _ gateway.Outbound) { ask(ctx) }
		r.outbox.onRelease = func(free bool) {
			select {
			case h.ended <- lastWords{r.gw.count(), free, time.Since(h.began)}:
			default: // of the stream that the end of the test closes
			}
		}
	}, func(t *testing.T, r *gatewayRig) {
		r.Send(t, chatTo("anna7@gw.example", "<body>one</body>")+"<message from='romeo@example/phone' to='anna7@gw.example' type='chat' id='u2'><body>two</body></message>")
		synctest.Wait()
		h.began = time.Now()
		end(t, h)
		got = <-h.ended
	})
	return got
}

// over ends the process in order, and the server's side of the stream with it.
func (h *handOver) over(t *testing.T) {
	h.stop()
	h.WaitEnd(t)
	h.CloseStream(t)
}

// What was read from a stream is in the store before another replica can be the component: what that one reads is newer.
func TestLeaseAfterTheLastStanza(t *testing.T) {
	slow := func(context.Context) { <-time.After(2 * time.Second) }
	for name, end := range map[string]func(*testing.T, *handOver){
		"the process stops":           func(t *testing.T, h *handOver) { h.over(t) },
		"another replica is to go on": func(t *testing.T, h *handOver) { close(h.outbox.lost); h.WaitEnd(t); h.CloseStream(t) },
		"another connection lives":    func(t *testing.T, h *handOver) { h.StreamError(t, "conflict") },
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := handingOver(t, 0, slow, end), (lastWords{2, true, 4 * time.Second}); got != want {
				t.Errorf("the lease was given back with %+v, want %+v", got, want)
			}
		})
	}
}

// A stanza that the stop cuts off may be stored all the same, a little later: the lease is not given back then, and runs out.
func TestLeaseOfWhoWasCutOff(t *testing.T) {
	silent := func(ctx context.Context) { <-ctx.Done() }
	got := handingOver(t, 3*time.Second, silent, func(t *testing.T, h *handOver) { h.over(t) })
	if got.free || got.after < 3*time.Second || got.after > 4*time.Second {
		t.Errorf("the lease ended with %+v, want it not given back, once the drain of 3 s was over", got)
	}
}

// Without a stop a store that takes longer than a lease lives costs the lease.
func TestLeaseOfAStoreThatHangs(t *testing.T) {
	silent := func(context.Context) { <-time.After(time.Minute) }
	got := handingOver(t, 0, silent, func(t *testing.T, h *handOver) { h.StreamError(t, "conflict") })
	if want := (lastWords{0, false, 15 * time.Second}); got != want {
		t.Errorf("the lease ended with %+v, want %+v", got, want)
	}
}

func TestDispatchSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := t.Context()
		work, abandon := context.WithCancel(test)
		defer abandon()
		short, cancel := context.WithTimeout(test, time.Second)
		defer cancel()
		d := &dispatcher{workers: 2, log: slog.New(slog.DiscardHandler), count: (&counter{}).count, handle: func(ctx context.Context, el *Element) {
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
			}
			if el.ID() == "3" {
				panic("at the end")
			}
		}}
		d.run(work, func(take func(context.Context, *Element)) {
			if !d.settle(test) {
				t.Error("nothing was taken: got something open")
			}
			for _, id := range []string{"1", "2", "3"} {
				take(test, testMessage(t, "u@example", "c@gw.example", id))
			}
			if d.settle(short) {
				t.Error("after a second: got all dealt with, want three of 3 s each")
			}
			began := time.Now()
			if !d.settle(test) || time.Since(began) != 8*time.Second {
				t.Errorf("got settled after %s, want true after 8 s", time.Since(began))
			}
			take(test, testMessage(t, "u@example", "c@gw.example", "4"))
			time.AfterFunc(time.Second, abandon)
			if d.settle(test) {
				t.Error("one was cut off: got all dealt with")
			}
		})
	})
}
