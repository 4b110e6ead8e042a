package xmpp

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

func TestTypists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var who typists
		for n, step := range []struct {
			after time.Duration
			on    bool
			want  bool
		}{
			{0, false, false},               // an end without a beginning
			{0, true, true},                 //
			{time.Second, true, false},      // again too soon
			{5 * time.Second, true, true},   //
			{time.Second, false, true},      //
			{0, false, false},               // ended already
			{0, true, true},                 //
			{time.Minute, false, false},     // nobody believes it any more
			{time.Millisecond, true, true},  //
			{time.Millisecond, false, true}, //
		} {
			<-time.After(step.after)
			if got := who.pass("romeo@example", "anna7", step.on); got != step.want {
				t.Errorf("step %d: got %v, want %v", n, got, step.want)
			}
		}
	})
}

func TestTypistsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var who typists
		for i := range 3 * maxTypists {
			if !who.pass("romeo@example", gateway.Alias(fmt.Sprint(i)), true) {
				t.Fatalf("typist %d was held back", i)
			}
		}
		if len(who.since) > maxTypists {
			t.Errorf("got %d chats remembered, want at most %d", len(who.since), maxTypists)
		}
	})
}

// Typing goes on as it is, without an error for anybody, and not for every keystroke.
func TestTypingReachesGateway(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		composing := "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
		for range 5 {
			r.silent(chatTo("anna7@gw.example", composing))
		}
		r.silent(chatTo("anna7@gw.example", "<paused xmlns='http://jabber.org/protocol/chatstates'/>"))
		r.silent(chatTo("anna7@gw.example", "<inactive xmlns='http://jabber.org/protocol/chatstates'/>"))
		var got []bool
		for _, out := range r.gw.asked {
			got = append(got, out.Op.Body.(gateway.OpTyping).On)
		}
		if fmt.Sprint(got) != "[true false]" {
			t.Errorf("got %v, want one beginning and one end", got)
		}
	})
}
