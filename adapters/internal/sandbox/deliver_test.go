package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

func TestPeopleTellTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		defer g.run()()
		ctx := t.Context()
		opened := must[control.Opened](t)(g.client.Open(ctx, "juliet", "@romeo_bot", "abcdefghijklmnopqrstuvwxyz"))
		g.idle()
		first := g.say("juliet", "O Romeo")
		g.ok(g.client.Edit(ctx, first.MessageID, "O Romeo, Romeo"))
		g.idle()
		if status, _ := g.send(opened.Native, "But soft"); status != 200 {
			t.Fatalf("send: got %d, want 200", status)
		}
		mine := must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Direction: "to_person", Text: "But soft", Status: "delivered"}, time.Minute))[0]
		g.ok(g.client.React(ctx, mine.ID, "❤️"))
		g.idle()
		g.ok(g.client.Read(ctx, "juliet", ""))
		g.ok(g.client.Type(ctx, "juliet", "", true))
		g.ok(g.client.Retract(ctx, first.MessageID))
		must[string](t)(g.client.Call(ctx, "juliet", control.CallIn{State: "missed"}))
		g.ok(g.client.Tell(ctx, "", "novelty", map[string]int{"x": 1}))
		g.ok(g.client.Block(ctx, "juliet", "", true))
		g.idle()
		var kinds []string
		for _, e := range g.got("") {
			kinds = append(kinds, e.Kind)
			if !e.valid {
				t.Errorf("%s: the signature is wrong", e.Kind)
			}
		}
		slices.Sort(kinds)
		want := []string{"blocked", "called", "delivered", "edited", "novelty", "opened", "reacted", "read", "retracted", "said", "typing"}
		if !slices.Equal(kinds, want) {
			t.Errorf("got %v, want %v", kinds, want)
		}
		if got := g.got("opened")[0].Token; got != "abcdefghijklmnopqrstuvwxyz" {
			t.Errorf("got token %q, want the invite's", got)
		}
		posts := must[control.Ledger[control.Post]](t)(g.client.Posts(ctx, 0, 10))
		if len(posts.Items) != 1 || posts.Items[0].ClientID != "ref-But soft" || posts.Items[0].To != "juliet" {
			t.Errorf("got %+v, want the one message with its reference", posts.Items)
		}
	})
}

func TestLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		defer g.run()()
		var tried []time.Duration
		began := time.Now()
		g.answer(func(e hooked) (int, http.Header) {
			if e.Text != "stubborn" {
				return 200, nil
			}
			tried = append(tried, time.Since(began))
			if len(tried) == 4 {
				return 429, http.Header{"Retry-After": {"30"}}
			}
			if len(tried) == 6 {
				return 204, nil
			}
			return 500, nil
		})
		g.say("juliet", "stubborn")
		g.say("juliet", "behind it")
		g.say("nurse", "aside")
		g.idle()
		want := []time.Duration{0, 0, 2 * time.Second, 6 * time.Second, 36 * time.Second, 40 * time.Second}
		if !slices.Equal(tried, want) {
			t.Errorf("got attempts at %v, want %v", tried, want)
		}
		var order []string
		for _, e := range g.got("said") {
			order = append(order, e.Text)
		}
		if !slices.Equal(order, []string{"aside", "stubborn", "behind it"}) {
			t.Errorf("got %q: a failing head has to stop its own key only", order)
		}
	})
}

func TestSpeedShortensTheLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) { c.Speed = 10 })
		defer g.run()()
		n, began := 0, time.Now()
		g.answer(func(hooked) (int, http.Header) { n++; return map[bool]int{true: 200, false: 0}[n == 4], nil })
		g.say("juliet", "Hist!")
		g.idle()
		if got := g.got("said")[0].at.Sub(began); got != 600*time.Millisecond {
			t.Errorf("got it after %v, want 600ms", got)
		}
	})
}

func TestUpdatesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(_ *sandbox.Config, s *sandbox.Spec) { s.Ladder.Steps = []time.Duration{time.Minute} })
		defer g.run()()
		g.answer(func(hooked) (int, http.Header) { return 500, nil })
		g.say("juliet", "too late")
		began := time.Now()
		must[control.Waited](t)(g.client.Wait(t.Context(), control.Condition{Kind: "idle"}, 48*time.Hour))
		if got := time.Since(began); got < 24*time.Hour || got > 24*time.Hour+2*time.Minute {
			t.Errorf("given up after %v, want 24h", got)
		}
	})
}

func TestPatienceOfThePlatform(t *testing.T) {
	for name, tc := range map[string]struct {
		ladder sandbox.Ladder
		status int
		state  string
	}{
		"gone":        {sandbox.Ladder{Steps: []time.Duration{time.Minute}, Gone: 23 * time.Hour, Hold: true}, 410, "disabled"},
		"unsubscribe": {sandbox.Ladder{Steps: []time.Duration{time.Minute}, FailFor: time.Hour}, 500, "unsubscribed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(_ *sandbox.Config, s *sandbox.Spec) { s.Ladder = tc.ladder })
				defer g.run()()
				g.answer(func(hooked) (int, http.Header) { return tc.status, nil })
				g.say("juliet", "anyone?")
				must[control.Waited](t)(g.client.Wait(t.Context(), control.Condition{Kind: "account", State: tc.state}, 48*time.Hour))
				g.answer(nil)
				g.ok(g.client.SetAccountState(t.Context(), "", "subscribed"))
				g.idle()
				if n := len(g.got("said")); n != 1 {
					t.Errorf("got %d messages after subscribing again, want the one that waited", n)
				}
			})
		})
	}
}

func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(_ *sandbox.Config, s *sandbox.Spec) { s.Ladder.Hold = false })
		defer g.run()()
		g.ok(g.client.SetAccountState(t.Context(), "", "unsubscribed"))
		g.say("juliet", "lost")
		g.ok(g.client.SetAccountState(t.Context(), "", "subscribed"))
		g.say("juliet", "heard")
		g.idle()
		if got := g.got("said"); len(got) != 1 || got[0].Text != "heard" {
			t.Errorf("got %+v, want what came after", got)
		}
	})
}

func TestWebhookFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		faults control.Faults
		check  func(t *testing.T, got []hooked, ledger []control.Delivery)
	}{
		"drop": {control.Faults{WebhookDropRate: 1}, func(t *testing.T, got []hooked, ledger []control.Delivery) {
			if len(got) != 0 || ledger[0].Result != "dropped" {
				t.Errorf("got %d events, ledger %+v", len(got), ledger[0])
			}
		}},
		"replay": {control.Faults{WebhookReplayRate: 1}, func(t *testing.T, got []hooked, _ []control.Delivery) {
			times := map[int64]int{}
			for _, e := range got {
				times[e.N]++
			}
			for n := range int64(20) {
				if times[n+1] != 2 {
					t.Errorf("got update %d %d times, want 2", n+1, times[n+1])
				}
			}
		}},
		"forged": {control.Faults{WebhookBadSignatureRate: 1}, func(t *testing.T, got []hooked, _ []control.Delivery) {
			if len(got) != 20 || got[0].valid {
				t.Errorf("got %d events, valid %v", len(got), got[0].valid)
			}
		}},
		"stale": {control.Faults{WebhookStaleRate: 1}, func(t *testing.T, got []hooked, _ []control.Delivery) {
			if len(got) != 20 || time.Since(got[0].dated) < 9*time.Minute {
				t.Errorf("got %d events, dated %v", len(got), got[0].dated)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, nil)
				defer g.run()()
				g.ok(g.client.SetFaults(t.Context(), tc.faults))
				for i := range 20 {
					g.say("juliet", fmt.Sprint(i))
				}
				g.idle()
				ledger := must[control.Ledger[control.Delivery]](t)(g.client.Deliveries(t.Context(), 0, 100))
				tc.check(t, g.got("said"), ledger.Items)
			})
		})
	}
}

// With the fault parallel a chat's updates fly together, so that a slow one is overtaken; without it they never do.
func TestOrder(t *testing.T) {
	for _, parallel := range []int{0, 4} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(_ *sandbox.Config, s *sandbox.Spec) { s.Ladder.Steps = []time.Duration{time.Second} })
				g.ok(g.client.SetFaults(t.Context(), control.Faults{WebhookParallel: parallel}))
				failed := map[string]bool{}
				g.answer(func(e hooked) (int, http.Header) {
					if e.Text == "0" && !failed["0"] {
						failed["0"] = true
						return 503, nil
					}
					return 200, nil
				})
				for i := range 4 {
					g.say("juliet", fmt.Sprint(i))
				}
				defer g.run()() // all of them wait when the first is sent
				g.idle()
				var order []int64
				for _, e := range g.got("said") {
					order = append(order, e.N)
				}
				if inOrder := slices.IsSorted(order); inOrder != (parallel == 0) || len(order) != 4 {
					t.Errorf("got %v with parallel %d", order, parallel)
				}
			})
		})
	}
}

func TestBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(_ *sandbox.Config, s *sandbox.Spec) { s.Batch = 1000 })
		defer g.run()()
		g.ok(g.client.SetBatching(t.Context(), control.Batching{Max: 5, LingerMS: 100}))
		for i := range 4 {
			g.say("juliet", fmt.Sprint(i))
			g.say("nurse", fmt.Sprint(i))
		}
		g.idle()
		sizes := map[int]int{}
		for _, e := range g.got("said") {
			sizes[e.batch]++
		}
		if len(sizes) != 2 || sizes[5] != 5 || sizes[3] != 3 {
			t.Errorf("got updates by size of their request %v, want 5 in one of 5 and 3 in one of 3", sizes)
		}
	})
}

func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(c *sandbox.Config, s *sandbox.Spec) {
			c.Accounts[0].Subscribed, s.FirstUpdate = false, 1000
		})
		defer g.run()()
		for i := range 5 {
			g.say([]string{"juliet", "nurse"}[i%2], fmt.Sprint(i))
		}
		numbers := func(from int64, limit int) (out []int64) {
			g.sim.Do(func(st *sandbox.State) {
				for _, u := range st.Pending(st.Account("42"), from, limit) {
					out = append(out, u.N)
				}
			})
			return out
		}
		if got := numbers(0, 3); !slices.Equal(got, []int64{1000, 1001, 1002}) {
			t.Errorf("got %v, want the first three", got)
		}
		if got := numbers(-2, 0); !slices.Equal(got, []int64{1003, 1004}) {
			t.Errorf("got %v, want the last two", got)
		}
		g.sim.Do(func(st *sandbox.State) { st.Confirm(st.Account("42"), 1004) })
		if got := numbers(0, 0); !slices.Equal(got, []int64{1004}) {
			t.Errorf("got %v, want what was not confirmed", got)
		}
		sandbox.Pause(t.Context(), 25*time.Hour)
		if got := numbers(0, 0); len(got) != 0 {
			t.Errorf("got %v after a day, want nothing", got)
		}
	})
}

func TestAccountsChooseWhatTheyHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) { c.Accounts[0].Hook.Events = []string{"said"} })
		defer g.run()()
		g.ok(g.client.Type(t.Context(), "juliet", "", true))
		g.say("juliet", "hear me")
		g.idle()
		if got := g.got(""); len(got) != 1 || got[0].N != 1 {
			t.Errorf("got %+v, want the message alone", got)
		}
	})
}
