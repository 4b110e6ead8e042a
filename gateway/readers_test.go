package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// TestFirstMessageNotice: once in every chat, before the first message of the contact or after the user's own.
func TestFirstMessageNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Out: gateway.ModeTerminate, In: gateway.ModeCleartext}}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		for _, id := range []string{"n1", "n2"} {
			if err := r.event(said("juliet", id, id, 0)); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
		}
		nurse, err := r.identity.PutContact(t.Context(), r.account, gateway.Contact{ID: "nurse"})
		if err != nil {
			t.Fatal(err)
		}
		r.mustAsk(nurse.Alias, "s1", "hi")
		r.mustAsk(nurse.Alias, "s2", "again")
		gatewaytest.Advance(time.Second)
		if err := r.event(said("nurse", "n3", "n3", 0), said("juliet", "n4", "n4", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)

		for _, who := range []struct {
			alias gateway.Alias
			first string
		}{{r.account.Keys.Alias("juliet"), "subscribe"}, {nurse.Alias, ""}} {
			var got []string
			for _, l := range r.wire.all() {
				if from, rest, _ := strings.Cut(l, ": "); strings.HasPrefix(from, string(who.alias)) {
					got = append(got, rest)
				}
			}
			if who.first != "" && (len(got) == 0 || !strings.HasPrefix(got[0], who.first)) {
				t.Errorf("got %q, want %s first", got, who.first)
				continue
			}
			notices := 0
			for i, l := range got {
				if !strings.Contains(l, "Who can read this chat") {
					continue
				}
				notices++
				for _, want := range []string{"what you write, you, your contact, and the operator of this gateway, where the encryption of Wall ends", "What you get, you, your contact, the operator of this gateway, and Wall", "turn off encryption"} {
					if !strings.Contains(l, want) {
						t.Errorf("notice: got %q, want %q in it", l, want)
					}
				}
				for _, before := range got[:i] {
					if strings.HasPrefix(before, "message") {
						t.Errorf("the notice came after %q", before)
					}
				}
			}
			if notices != 1 {
				t.Errorf("%s: got %d notices in %q, want one", who.alias, notices, got)
			}
		}
	})
}

// TestFirstMessageNoticeOvertaken: an answer that overtakes the walk of the message that it answers shows the notice; the message's
// walk, which began before, does not show it again.
func TestFirstMessageNoticeOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		nurse, err := r.identity.PutContact(t.Context(), r.account, gateway.Contact{ID: "nurse"})
		if err != nil {
			t.Fatal(err)
		}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if err := r.event(said("nurse", "n1", "answer", 0)); err != nil {
				t.Error(err)
			}
			gatewaytest.Advance(time.Second)
			return gateway.Sent{IDs: []gateway.MessageID{"m1"}}, nil
		}
		r.mustAsk(nurse.Alias, "s1", "hi")
		gatewaytest.Advance(5 * time.Second)
		var answers, notices int
		for _, l := range r.wire.all() {
			if strings.Contains(l, "Who can read this chat") {
				notices++
			} else if strings.HasPrefix(l, string(nurse.Alias)) && strings.HasSuffix(l, `"answer"`) {
				answers++
			}
		}
		if answers != 1 || notices != 1 {
			t.Errorf("got %d answers and %d notices in %q, want one of each", answers, notices, r.wire.all())
		}
	})
}
