package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestNotesAreBounded: what is noted of accounts and contacts beside their messages. Whoever is one too many is left out, and who is noted
// already goes on being so.
func TestNotesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		account := func(n int) *Account { return &Account{ID: AccountID(fmt.Sprint("a", n)), User: "romeo@example.org"} }
		p := newPulse()
		for n := range pulseMost + 10 {
			p.event(account(n))
		}
		p.sent(account(7))
		if got := p.beats["a7"]; len(p.beats) != pulseMost || got.send.IsZero() || got.event.IsZero() {
			t.Errorf("got %d accounts, and %+v of one of them; want %d, and both", len(p.beats), got, pulseMost)
		}

		over := newTyping()
		defer over.timer.Stop()
		shown := map[string]int{}
		show := func(stanza []byte) { shown[string(stanza)]++ }
		contact := func(n int) Alias { return Alias(fmt.Sprint("c", n)) }
		for n := range maxTyping + 10 {
			over.heard(contact(n), [][]byte{[]byte(contact(n))})
		}
		over.heard(contact(7), [][]byte{[]byte("c7 still")})
		if len(over.over) != maxTyping {
			t.Errorf("got %d contacts who type, want %d", len(over.over), maxTyping)
		}
		<-time.After(typingLasts)
		over.expire(show)
		if len(over.over) != 0 || len(shown) != maxTyping || shown["c7 still"] != 1 {
			t.Errorf("got %d left and %d ended, want all of the %d, each once", len(over.over), len(shown), maxTyping)
		}
	})
}
