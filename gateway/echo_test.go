package gateway_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// Looks for an echo are no tries: what is sent again after one, and refused for the moment, is sent once more in seconds. The echo of a second
// send has its time too.
func TestLooksForAnEcho(t *testing.T) {
	lost := &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
	for _, tt := range []struct {
		name        string
		second      error
		echo        time.Duration // after the second send; 0 for none
		sends       int
		least, most time.Duration // between the last two
	}{
		{"refused", &gateway.SendError{Class: gateway.Retryable, Code: "503"}, 0, 3, time.Second, 3 * time.Second},
		{"lost again", lost, 0, 3, 40 * time.Second, 50 * time.Second},
		{"lost again, and told of", lost, 35 * time.Second, 2, 20 * time.Second, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, began := &platform{caps: echoing()}, time.Now()
				var mu sync.Mutex
				var at []time.Duration
				var ref gateway.OpID
				p.send = func(op gateway.Op) (gateway.Sent, error) {
					mu.Lock()
					defer mu.Unlock()
					ref, at = op.ID, append(at, time.Since(began))
					switch len(at) {
					case 1:
						return gateway.Sent{}, lost
					case 2:
						return gateway.Sent{}, tt.second
					}
					return gateway.Sent{}, nil
				}
				r := newRig(t, p, gateway.Config{})
				defer func() { r.stop() }()
				r.mustAsk(r.contact("juliet"), "s1", "hello")
				sends := func() ([]time.Duration, gateway.OpID) {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(at), ref
				}
				for got, _ := sends(); len(got) < 2; got, _ = sends() {
					gatewaytest.Advance(time.Second)
				}
				if tt.echo > 0 {
					gatewaytest.Advance(tt.echo)
					_, ref := sends()
					r.mustEvent(beside("juliet", "e1", gateway.Status{Ref: ref, IDs: ids("native1"), State: gateway.StatusAccepted}))
				}
				gatewaytest.Advance(2 * time.Minute)
				got, _ := sends()
				if len(got) != tt.sends {
					t.Fatalf("sent at %v, want %d times", got, tt.sends)
				}
				if gap := got[len(got)-1] - got[len(got)-2]; gap < tt.least || gap > tt.most {
					t.Errorf("sent at %v, want %s to %s between the last two", got, tt.least, tt.most)
				}
			})
		})
	}
}

// What was sent in another form after a refusal, and may be there, is asked for as well: the refusal comes again, the message does not.
func TestEchoOfAnotherForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := echoing()
		caps.Levels[gateway.FeatureReply] = gateway.Native
		p := &platform{caps: caps}
		var sent []gateway.OpID
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			sent = append(sent, op.ID)
			if m, ok := op.Body.(gateway.OpMessage); ok && m.ReplyTo != nil {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Unsupported, Code: "reply"}
			}
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		r.happens(said("juliet", "n1", "dinner?", 0))
		r.does(juliet, "s1", gateway.OpMessage{Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: r.account.Keys.StanzaID("n1", 0), Excerpt: "dinner?"}})
		if len(sent) != 2 || sent[0] == sent[1] {
			t.Fatalf("sent %q, want a reply and another form of it", sent)
		}
		r.mustEvent(beside("juliet", "e1", gateway.Status{Ref: sent[1], IDs: ids("native1"), State: gateway.StatusAccepted}))
		gatewaytest.Advance(2 * time.Minute)
		if n := len(sent); n != 3 || sent[2] != sent[0] {
			t.Errorf("sent %q, want the refused form once more, and nothing else", sent)
		}
	})
}
