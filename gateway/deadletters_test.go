package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// letters returns every dead letter, three at a time.
func (r *rig) letters(f gateway.LetterFilter) []gateway.Letter {
	r.t.Helper()
	var all []gateway.Letter
	var after gateway.LetterID
	for range 1000 {
		page, next, err := r.gw.Letters(r.t.Context(), f, after, 3)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, page...)
		if after = next; next == "" {
			return all
		}
	}
	r.t.Fatal("pages without end")
	return nil
}

// Dead letters are listed with their reason and without their content, replayed in order into their lanes, and dropped.
func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		p := &platform{caps: textCaps()}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if !up.Load() {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Permanent, Code: "teapot"}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		for n := range 7 {
			r.mustAsk(juliet, fmt.Sprint("j", n), fmt.Sprint("secret ", n))
			r.mustAsk(nurse, fmt.Sprint("n", n), fmt.Sprint("other ", n))
		}
		p.hook = func(gateway.Request) ([]gateway.Event, error) { panic("adapter bug") }
		_ = r.gw.Receive(t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}, Body: []byte("{secret")})
		gatewaytest.Advance(2 * time.Second)

		all := r.letters(gateway.LetterFilter{})
		if len(all) != 15 {
			t.Fatalf("got %d letters, want 15", len(all))
		}
		for _, l := range all {
			want := gateway.Letter{Adapter: wall, Account: r.account.ID, Where: "out", What: "message", Why: gateway.DeadReason{Class: gateway.Permanent, Code: "teapot"}}
			if l.Where == "webhook" {
				want.Account, want.Where, want.What, want.Why.Code = "", "webhook", "", "malformed"
			}
			if strings.Contains(fmt.Sprintf("%+v", l), "secret") || l.At.IsZero() || l.Died.Before(l.At) {
				t.Errorf("letter %+v", l)
			}
			want.ID, want.Chat, want.At, want.Died = l.ID, l.Chat, l.At, l.Died
			diff(t, "letter", l, want)
		}
		diff(t, "webhooks", len(r.letters(gateway.LetterFilter{Where: "webhook"})), 1)
		diff(t, "of another adapter", len(r.letters(gateway.LetterFilter{Adapter: "moat"})), 0)
		chat := r.keys.Lane(gateway.LaneKey{Adapter: wall, Local: juliet})
		inChat := r.letters(gateway.LetterFilter{Chat: chat})
		diff(t, "of one chat", len(inChat), 7)

		up.Store(true)
		if err := r.gw.DropLetter(t.Context(), inChat[3].ID); err != nil {
			t.Error(err)
		}
		for _, gone := range []gateway.LetterID{inChat[3].ID, "", "s07", "nowhere/1-1"} {
			if err := r.gw.ReplayLetter(t.Context(), gone); err == nil {
				t.Errorf("letter %q that is not there was replayed", gone)
			}
		}
		n, err := r.gw.ReplayLetters(t.Context(), gateway.LetterFilter{Chat: chat})
		if err != nil || n != 6 {
			t.Errorf("replayed %d, %v, want 6", n, err)
		}
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", p.taken(), []string{"juliet secret 0", "juliet secret 1", "juliet secret 2", "juliet secret 4", "juliet secret 5", "juliet secret 6"})
		n, err = r.gw.DropLetters(t.Context(), gateway.LetterFilter{Where: "out"})
		if err != nil || n != 7 {
			t.Errorf("dropped %d, %v, want the nurse's 7", n, err)
		}
		diff(t, "left", len(r.letters(gateway.LetterFilter{})), 1)
	})
}

// What dies again while it is replayed is not replayed for ever.
func TestReplayOfWhatDiesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			calls++
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Permanent, Code: "teapot"}
		}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("juliet"), "s1", "hello")
		gatewaytest.Advance(time.Second)
		n, err := r.gw.ReplayLetters(t.Context(), gateway.LetterFilter{})
		gatewaytest.Advance(time.Second)
		if err != nil || n != 1 || calls != 2 {
			t.Errorf("replayed %d with %d calls, %v, want one replay and two calls", n, calls, err)
		}
		diff(t, "left", len(r.letters(gateway.LetterFilter{})), 1)
	})
}

// What is no place among dead letters is told as that, and no store is asked for it.
func TestLettersFromNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		for _, id := range []gateway.LetterID{"nowhere", "s07", "s07/", "s07/this", "s07/1-", "s07/-1-0", "s07/1-99999999999999999999", "/1-0"} {
			if _, _, err := r.gw.Letters(t.Context(), gateway.LetterFilter{}, id, 3); !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("letters behind %q: got %v, want %v", id, err, gateway.ErrCursor)
			}
		}
		if _, _, err := r.gw.Letters(t.Context(), gateway.LetterFilter{}, "s07/0-0", 3); err != nil {
			t.Error(err)
		}
		for _, id := range []gateway.LetterID{"s07/this", "s99/1-0", "{x}/1-0", "c:moat/1-0"} {
			if err := r.gw.ReplayLetter(t.Context(), id); err != gateway.ErrNotFound { //nolint:errorlint // bare: the store was not asked
				t.Errorf("replay of %q: got %v, want %v", id, err, gateway.ErrNotFound)
			}
			if err := r.gw.DropLetter(t.Context(), id); err != gateway.ErrNotFound { //nolint:errorlint // as above
				t.Errorf("drop of %q: got %v, want %v", id, err, gateway.ErrNotFound)
			}
		}
	})
}

// A list of dead letters is gathered from pages, of which many may be empty, with so many questions at most; nothing is left out or told twice.
func TestGatherLetters(t *testing.T) {
	type list = func(context.Context, gateway.LetterFilter, gateway.LetterID, int) ([]gateway.Letter, gateway.LetterID, error)
	asked, most := 0, 0
	// each gives one letter a page, of every so many-th, up to a number of pages.
	each := func(every, pages int) list {
		return func(_ context.Context, _ gateway.LetterFilter, after gateway.LetterID, n int) (page []gateway.Letter, next gateway.LetterID, err error) {
			asked, most = asked+1, max(most, n)
			at, _ := strconv.Atoi(string(after))
			if at++; at%every == 0 {
				page = []gateway.Letter{{ID: gateway.LetterID(strconv.Itoa(at))}}
			}
			if at < pages {
				next = gateway.LetterID(strconv.Itoa(at))
			}
			return page, next, nil
		}
	}
	for _, tt := range []struct {
		name                     string
		every, pages, n          int
		letters, asked, followed int // followed: how often next is followed to the end
	}{
		{"as many as are wanted", 1, 1000, 20, 20, 20, 49},
		{"all there are", 3, 30, 20, 10, 30, 0},
		{"none", 50, 30, 20, 0, 30, 0},
		{"few of many", 100, 1000, 20, 1, gateway.MaxAsked, 7},
	} {
		asked, most = 0, 0
		all, next, err := gateway.GatherLetters(t.Context(), each(tt.every, tt.pages), gateway.LetterFilter{}, "", tt.n)
		if err != nil || len(all) != tt.letters || asked != tt.asked {
			t.Errorf("%s: got %d letters for %d questions, %v; want %d for %d", tt.name, len(all), asked, err, tt.letters, tt.asked)
		}
		if most != tt.n {
			t.Errorf("%s: asked for %d at once, want %d", tt.name, most, tt.n)
		}
		followed := 0
		for ; next != "" && err == nil; followed++ {
			var more []gateway.Letter
			more, next, err = gateway.GatherLetters(t.Context(), each(tt.every, tt.pages), gateway.LetterFilter{}, next, tt.n)
			all = append(all, more...)
		}
		if err != nil || followed != tt.followed || len(all) != tt.pages/tt.every {
			t.Errorf("%s: got %d letters in %d further steps, %v; want %d in %d", tt.name, len(all), followed, err, tt.pages/tt.every, tt.followed)
		}
		for i, l := range all {
			if want := strconv.Itoa((i + 1) * tt.every); string(l.ID) != want {
				t.Fatalf("%s: got %s, want %s", tt.name, l.ID, want)
			}
		}
	}
	if _, _, err := gateway.GatherLetters(t.Context(), each(1, 1000), gateway.LetterFilter{}, "", 5000); err != nil || most != 200 {
		t.Errorf("asked for %d at once, %v, want a bound", most, err)
	}
}
