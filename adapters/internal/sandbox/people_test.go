package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

func TestInviteLinks(t *testing.T) {
	g := newRig(t, nil)
	ctx := t.Context()
	got := must[control.Opened](t)(g.client.OpenLink(ctx, "juliet", "https://toy.example/romeo_bot?start=abc"))
	if got.User != "42" || !got.Granted {
		t.Errorf("got %+v, want an open chat with the bot", got)
	}
	got = must[control.Opened](t)(g.client.OpenLink(ctx, "nurse", "https://toy.example/romeo_bot?text=Hello+abc"))
	if m := must[control.Chat](t)(g.client.Chat(ctx, got.ID)).Messages; len(m) != 1 || m[0].Content.Text != "Hello abc" || m[0].ID != got.MessageID {
		t.Errorf("got %+v, want what the link says", m)
	}
	var refused *control.Error
	if _, err := g.client.OpenLink(ctx, "juliet", "https://elsewhere.example/x"); !errors.As(err, &refused) || refused.Status != 400 {
		t.Errorf("got %v, want a refusal with 400", err)
	}
	draft := must[control.Opened](t)(post[control.Opened](ctx, g, "/people/echo/open", control.OpenIn{URL: "https://toy.example/romeo_bot?text=Hi", Draft: true}))
	if draft.Draft != "Hi" || draft.Count != 0 || draft.Granted {
		t.Errorf("got %+v, want a draft and nothing said", draft)
	}
}

func post[T any](ctx context.Context, g *rig, path string, in any) (T, error) {
	var out T
	return out, g.client.Do(ctx, http.MethodPost, path, in, &out)
}

func TestPersonas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		defer g.run()()
		ctx := t.Context()
		for _, who := range []string{"echo", "slow", "tybalt", "juliet"} {
			must[control.Opened](t)(g.client.Open(ctx, who, "", ""))
			if status, _ := g.send(g.native(who), "ho "+who); status != 200 {
				t.Fatalf("%s: got %d, want 200", who, status)
			}
		}
		for _, c := range []control.Condition{
			{Person: "echo", Direction: "to_user", Text: "ho echo"},
			{Person: "echo", Direction: "to_person", Status: "read"},
			{Person: "slow", Direction: "to_user", Text: "ho slow"},
			{Person: "tybalt", Direction: "to_person", Status: "failed"},
			{Person: "juliet", Direction: "to_person", Status: "delivered"},
		} {
			must[[]control.Message](t)(g.client.Messages(ctx, c, time.Minute))
		}
		g.idle()
		if got := g.got("failed"); len(got) != 1 || got[0].Code != "absent" {
			t.Errorf("got %+v, want the one who is not there", got)
		}
		if n := len(g.got("typing")); n != 1 {
			t.Errorf("got %d typing, want that of slow", n)
		}
		if _, err := g.client.Wait(ctx, control.Condition{Kind: "message", Text: "never said"}, 150*time.Second); !errors.Is(err, control.ErrNot) {
			t.Errorf("got %v, want ErrNot", err)
		}
	})
}

func TestAlbumsAnswersAndHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		defer g.run()()
		ctx := t.Context()
		one := must[control.MediaPart](t)(g.client.Make(ctx, control.MediaIn{Width: 8, Height: 8}))
		two := must[control.MediaPart](t)(g.client.Upload(ctx, strings.NewReader("%PDF-1.7"), "application/pdf", "folio.pdf"))
		said := must[control.Said](t)(g.client.SayContent(ctx, "juliet", control.SayIn{Content: &control.Content{Text: "look", Media: []control.MediaPart{one, two}}}))
		byHand := must[control.Said](t)(g.client.SayByHand(ctx, "", control.SayIn{To: "juliet", Content: &control.Content{Poll: &control.Poll{Question: "?", Options: []control.Choice{{ID: "y", Title: "yes"}}}}}))
		must[control.Said](t)(g.client.SayContent(ctx, "juliet", control.SayIn{ReplyTo: byHand.MessageID, Content: &control.Content{Answer: &control.Answer{Choices: []control.Choice{{ID: "y", Title: "yes"}}}}}))
		g.idle()
		messages := must[control.Chat](t)(g.client.Chat(ctx, said.Conversation)).Messages
		if len(messages) != 4 || messages[0].Content.Media[0].MediaID != one.MediaID || messages[1].Content.Media[0].SHA256 != two.SHA256 {
			t.Fatalf("got %+v, want two files, a poll and its answer", messages)
		}
		if !messages[2].ByHand || !slices.Equal(messages[2].Answers["juliet"], []string{"y"}) {
			t.Errorf("got %+v, want the answer of juliet", messages[2])
		}
		if got := g.got("answered"); len(got) != 1 || got[0].Text != "y" || got[0].Message != "3" {
			t.Errorf("got %+v, want the answer to the third message", got)
		}
	})
}

func TestGroupsAndChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		defer g.run()()
		ctx := t.Context()
		group := must[control.Chat](t)(g.client.PutGroup(ctx, control.GroupIn{Title: "Capulets", Native: "-100", Members: []string{"juliet", "nurse"}}))
		must[control.Said](t)(g.client.Say(ctx, "nurse", group.ID, "Madam!"))
		g.ok(g.client.Join(ctx, group.ID, "nurse", false))
		if _, err := g.client.Say(ctx, "nurse", group.ID, "Madam?"); err == nil {
			t.Error("who left a group can still write into it")
		}
		g.say("juliet", "anon")
		before := g.native("juliet")
		changed := must[control.Person](t)(g.client.ChangePerson(ctx, "juliet", map[string]any{"native": "777", "display": "Juliet Montague"}))
		if changed.First != "Juliet" || changed.Last != "Montague" || changed.Username != "juliet_c" {
			t.Errorf("got %+v, want another name and the rest as before", changed)
		}
		g.say("juliet", "it is I")
		g.idle()
		said := byNumber(g.got("said")) // keys fly in parallel
		if said[0].Chat != "-100" || said[1].Chat != before || said[2].Chat != "777" || said[2].From != "777" {
			t.Errorf("got %+v, want the group, the old and the new id", said)
		}
		if got := byNumber(g.got("changed")); len(got) != 2 || got[0].Text != before {
			t.Errorf("got %+v, want a change for both chats", got)
		}
		st := must[control.State](t)(g.client.State(ctx))
		if n := len(st.Groups); n != 1 || len(st.Groups[0].Members) != 1 {
			t.Errorf("got groups %+v, want one with one member", st.Groups)
		}
	})
}

func TestRequestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		ctx := t.Context()
		must[control.Opened](t)(g.client.Open(ctx, "juliet", "", ""))
		to := g.native("juliet")
		for _, tc := range []struct {
			faults control.Faults
			status int
			after  string
			took   time.Duration
			posts  int64
		}{
			{control.Faults{ErrorRate: 1}, 503, "", 0, 0},
			{control.Faults{LimitRate: 1, LimitRetryAfterS: 7}, 429, "7", 0, 0},
			{control.Faults{LimitRate: 1}, 429, "", 0, 0},
			{control.Faults{TimeoutRate: 1, TimeoutHoldMS: 2000}, 504, "", 2 * time.Second, 1},
			{control.Faults{LatencyMS: 300}, 200, "", 300 * time.Millisecond, 2},
		} {
			g.ok(g.client.SetFaults(ctx, tc.faults))
			began := time.Now()
			status, header := g.send(to, "x")
			if got := time.Since(began); status != tc.status || header.Get("Retry-After") != tc.after || got != tc.took {
				t.Errorf("%+v: got %d after %v with Retry-After %q", tc.faults, status, got, header.Get("Retry-After"))
			}
			if got := must[control.Ledger[control.Post]](t)(g.client.Posts(ctx, 0, 10)).Total; got != tc.posts {
				t.Errorf("%+v: got %d messages accepted, want %d", tc.faults, got, tc.posts)
			}
		}
		g.ok(g.client.SetFaults(ctx, control.Faults{}))
		want := map[string]int64{"error": 1, "limit": 1, "limit_untimed": 1, "timeout": 1}
		if diff := cmp.Diff(want, must[control.State](t)(g.client.State(ctx)).Counts.Faults); diff != "" {
			t.Errorf("faults that were met (-want +got):\n%s", diff)
		}
		g.ok(g.client.SetAccountState(ctx, "", "revoked"))
		if status, _ := g.send(to, "x"); status != 403 {
			t.Errorf("got %d with a revoked token, want 403", status)
		}
		if err := g.client.SetFaults(ctx, control.Faults{ErrorRate: 2}); err == nil {
			t.Error("a rate of 2 is taken")
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		ctx := t.Context()
		must[control.Opened](t)(g.client.Open(ctx, "juliet", "", ""))
		to := g.native("juliet")
		statuses := func() (out []int) {
			for range 4 {
				status, _ := g.send(to, "x")
				out = append(out, status)
			}
			return out
		}
		if got := statuses(); !slices.Equal(got, []int{200, 200, 200, 200}) {
			t.Errorf("got %v, want limits only counted", got)
		}
		st := must[control.State](t)(g.client.State(ctx))
		if r := st.Limits.Rules[0]; r.Violations != 2 || r.Taken != 4 || r.Worst != 2 || r.WorstKey != to || st.Counts.Violations != 2 {
			t.Errorf("got %+v, want 2 of 4 above the limit", r)
		}
		g.ok(g.client.EnforceLimits(ctx, true))
		if got := statuses(); !slices.Equal(got, []int{200, 200, 429, 429}) {
			t.Errorf("got %v, want the burst of 2", got)
		}
		sandbox.Pause(ctx, time.Second)
		if got := statuses(); !slices.Equal(got, []int{200, 429, 429, 429}) {
			t.Errorf("got %v a second later, want one more", got)
		}
	})
}

func TestMediaLinksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) { c.Limits.MediaBytes, c.Speed = 1000, 2 })
		m := g.sim.Make("application/pdf", "folio.pdf", 5000, 1)
		var link string
		g.sim.Do(func(st *sandbox.State) { link = st.Link(m, 10*time.Minute) })
		get := func() (int, []byte) {
			w := httptest.NewRecorder()
			g.sim.API().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/file/"+link, nil))
			return w.Code, w.Body.Bytes()
		}
		if status, body := get(); status != 200 || len(body) != 5000 || !bytes.HasPrefix(body, []byte("%PDF")) {
			t.Errorf("got %d with %d bytes, want the file", status, len(body))
		}
		sandbox.Pause(t.Context(), 5*time.Minute)
		if status, _ := get(); status != 404 {
			t.Errorf("got %d after the life of the link, want 404", status)
		}
		var kept []*sandbox.Media
		for range 3 {
			m, err := g.sim.Upload(nil, bytes.NewReader(make([]byte, 400)), "image/png", "", 500)
			g.ok(err)
			kept = append(kept, m)
		}
		g.sim.Do(func(st *sandbox.State) {
			if st.Media(kept[0].ID) != nil || st.Media(kept[2].ID) == nil {
				t.Error("the oldest file has to go when there are too many bytes")
			}
		})
		if _, err := g.sim.Upload(nil, io.LimitReader(bytes.NewReader(make([]byte, 900)), 900), "", "", 500); !errors.Is(err, sandbox.ErrTooLarge) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) {
		c.Limits = sandbox.Limits{ChatMessages: 3, Updates: 4, Ledger: 2, Chats: 2}
		c.Accounts[0].Subscribed = false
	})
	ctx := t.Context()
	for range 10 {
		g.say("juliet", "word")
	}
	g.say("nurse", "words")
	if _, err := g.client.Say(ctx, "echo", "", "words, words"); err == nil {
		t.Error("a third chat was begun, want at most 2")
	}
	st := must[control.State](t)(g.client.State(ctx))
	if st.Counts.Messages != 4 || st.Counts.WebhooksWaiting > 4 || st.Counts.Forgotten != 7 {
		t.Errorf("got %+v, want 4 messages, 4 waiting and 7 forgotten", st.Counts)
	}
	if err := g.client.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if st := must[control.State](t)(g.client.State(ctx)); st.Counts.Messages != 0 || len(st.People) != 5 || st.Counts.WebhooksWaiting != 0 {
		t.Errorf("got %+v after a reset, want the configuration", st.Counts)
	}
}

func TestPageIsGuarded(t *testing.T) {
	g := newRig(t, nil)
	for path, kind := range map[string]string{"/": "text/html", "/page/app.js": "text/javascript", "/page/style.css": "text/css", "/page/icon.svg": "image/svg+xml"} {
		w := httptest.NewRecorder()
		g.sim.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: got %d %v", path, w.Code, w.Header())
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sandbox/v1/reset", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	g.sim.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("got %d for a page of another origin, want 403", w.Code)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]sandbox.Config{
		"base":     {Base: "ftp://x"},
		"speed":    {Speed: -1},
		"two":      {Accounts: []control.Account{bot(), bot()}},
		"id":       {People: []control.Person{{ID: "no spaces"}}},
		"persona":  {People: []control.Person{{ID: "x", Persona: "loud"}}},
		"parallel": {Faults: control.Faults{WebhookParallel: 9}},
		"batching": {Batching: control.Batching{Max: -1}},
		"webhook":  {Accounts: []control.Account{{ID: "1", Hook: control.Hook{URL: "nowhere"}}}},
	} {
		if _, err := sandbox.New(cfg, &toy{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %q", err, want)
		}
	}
}
