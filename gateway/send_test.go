package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestReplayOfAnOldOp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			if !up.Load() {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
			}
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{GiveUp: 10 * time.Minute})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "late")
		gatewaytest.Advance(20 * time.Minute)
		lane := gateway.LaneKey{Adapter: wall, Local: juliet}
		dead := r.dead(lane.Shard())
		if len(dead) != 1 {
			t.Fatalf("got %d dead letters, want 1", len(dead))
		}
		up.Store(true)
		if _, err := r.store.Replay(t.Context(), lane.Shard(), dead[0].ID); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet late"})
	})
}

func TestSendKeepsWhatChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), chat: "conv-1"}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		p.send = func(gateway.Op) (gateway.Sent, error) {
			_, err := r.gw.Presence(t.Context(), gateway.Visitor{Adapter: wall, User: romeo, Resource: "phone"}, juliet, gateway.PresenceSubscribe)
			return gateway.Sent{}, err
		}
		r.mustAsk(juliet, "s1", "hi")
		gatewaytest.Advance(time.Second)
		c, err := r.identity.Contact(t.Context(), r.account, juliet)
		if err != nil || !c.Subscribed || c.Chat != "conv-1" {
			t.Errorf("got %+v, %v, want subscribed and the chat's id", c, err)
		}
	})
}

func TestReceiptOfASplitMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), final: true}
		p.caps.TextMax = 5
		n := 0
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if n++; n == 2 {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.NotReachable}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		r.mustAsk(r.contact("juliet"), "s1", "aaaaabbbbb")
		gatewaytest.Advance(time.Second)
		diff(t, "told", texts(r.wire.lines()), []string{"error recipient-unavailable for s1"})
	})
}

func TestRenewalDuringARefusalStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		tries := 0
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if tries++; tries > 1 {
				return gateway.Sent{}, nil
			}
			renewed := *r.account
			renewed.Secret = []byte("new")
			if err := r.identity.Update(t.Context(), renewed); err != nil {
				t.Error(err)
			}
			return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded}
		}
		r.mustAsk(juliet, "s1", "hi")
		gatewaytest.Advance(10 * time.Second)
		a, err := r.identity.ByID(t.Context(), r.account.ID)
		if err != nil || string(a.Secret) != "new" || a.Standing != gateway.AccountActive {
			t.Errorf("got %q %s, %v, want the new secret, active", a.Secret, a.Standing, err)
		}
		diff(t, "sent", r.platform.taken(), []string{"juliet hi"})
		if got := r.wire.lines(); len(got) != 0 {
			t.Errorf("told %q, want nothing", got)
		}
	})
}

// An answer to what is not known any more keeps its quote, and its writer hears once that it goes without a reference.
func TestAnswerToSomethingForgottenKeepsItsQuote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.caps.Levels[gateway.FeatureReply] = gateway.Native
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		for _, id := range []gateway.StanzaID{"s1", "s2"} {
			out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Stanza: id, Op: gateway.Op{Body: gateway.OpMessage{
				Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: "long-ago", Excerpt: "coming?"},
			}}}
			if err := r.gw.Ask(t.Context(), out, nil); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
		}
		diff(t, "sent", r.platform.taken(), []string{"juliet > coming?\nyes", "juliet > coming?\nyes"})
		told := 0
		for _, l := range r.wire.lines() {
			if strings.Contains(l, "as a text of its own, with what your app quoted") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("told %d times, want once: %q", told, r.wire.lines())
		}
	})
}

// A text that goes in pieces is said to: once a day.
func TestSplitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.caps.TextMax = 5
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet, told := r.contact("juliet"), 0
		r.mustAsk(juliet, "s1", "aaaaabbbbb")
		r.mustAsk(juliet, "s2", "cccccddddd")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet aaaaa", "juliet bbbbb", "juliet ccccc", "juliet ddddd"})
		for _, l := range r.wire.lines() {
			if strings.Contains(l, "sent in several messages") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("told %d times, want once: %q", told, r.wire.lines())
		}
	})
}

func TestErrorForAMessageWithoutID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.NotReachable}
		}}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		r.mustAsk(r.contact("juliet"), "", "hi")
		gatewaytest.Advance(time.Second)
		if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasPrefix(got[0], "message") {
			t.Errorf("got %q, want a message", got)
		}
	})
}
