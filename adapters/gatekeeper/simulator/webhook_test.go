package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// talk makes the nurse say n things to romeo.
func (b *sandbox) talk(n int) {
	b.t.Helper()
	for i := range n {
		b.control("POST", "/people/nurse/messages", obj{"to": romeo, "text": fmt.Sprint(i + 1)})
	}
}

// texts are the texts of received messages in order of arrival, without repeats when first is set.
func (b *sandbox) texts(first bool) []string {
	var out []string
	seen := map[string]bool{}
	for _, e := range b.received("message.received") {
		if first && seen[e.ID] || e.status >= 300 {
			continue
		}
		seen[e.ID] = true
		out = append(out, e.Data["content"].(obj)["text"].(string))
	}
	return out
}

// A failing endpoint gets the same event again, later and later, and what comes after it waits: order holds.
func TestWebhookRetriesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		b.enlist(romeo)
		tries := 0
		b.answerWith(func(e *hookEvent) int {
			if tries++; tries <= 4 {
				return 503
			}
			return 200
		})
		b.talk(3)
		b.idle()
		if diff := cmp.Diff([]string{"1", "2", "3"}, b.texts(false)); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		events := b.received("message.received")
		for i := 1; i < 5; i++ {
			if events[i].ID != events[0].ID {
				t.Errorf("attempt %d: got event %s, want %s again", i+1, events[i].ID, events[0].ID)
			}
			// 500 ms doubled each time, at least half of it and at most all.
			gap, full := events[i].at.Sub(events[i-1].at), 500*time.Millisecond<<(i-1)
			if gap < full/2 || gap > full+time.Millisecond {
				t.Errorf("attempt %d: got after %v, want between %v and %v", i+1, gap, full/2, full)
			}
		}
		for i, e := range b.received("") {
			if err := verify(t, e); err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
	})
}

func TestWebhookGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		b.enlist(romeo)
		b.answerWith(func(*hookEvent) int { return 410 })
		b.talk(2)
		pass(time.Hour)
		b.token = ""
		if got := len(b.received("")); got != 1 {
			t.Errorf("got %d deliveries, want 1: 410 disables", got)
		}
		if got := b.must(200, "GET", "/v1/webhook", "", nil); got.str("state") != "disabled" || got.str("secret") != "" {
			t.Errorf("got %s, want disabled and no secret", got.raw)
		}
		b.answerWith(nil)
		b.token = ""
		b.must(200, "PUT", "/v1/webhook", "", obj{"url": hook, "secret": secret})
		b.idle()
		if diff := cmp.Diff([]string{"1", "2"}, b.texts(false)); diff != "" {
			t.Errorf("after enabling (-want +got):\n%s", diff)
		}
	})
}

func TestWebhookRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		rotated := b.must(200, "POST", "/v1/webhook:rotate", "", obj{"overlap_s": 60})
		fresh, err := standardwebhooks.NewWebhook(rotated.str("secret"))
		if err != nil {
			t.Fatal(err)
		}
		test := b.must(202, "POST", "/v1/webhook:test", "", nil)
		b.idle()
		pass(2 * time.Minute)
		b.must(202, "POST", "/v1/webhook:test", "", nil)
		b.idle()
		got := b.received("webhook.test")
		if len(got) != 2 || got[0].ID != test.str("event_id") {
			t.Fatalf("got %d test events, want 2 beginning with %s", len(got), test.str("event_id"))
		}
		for i, e := range got {
			oldOK, newOK := verify(t, e) == nil, fresh.VerifyIgnoringTimestamp(e.body, e.header) == nil
			if !newOK || oldOK != (i == 0) {
				t.Errorf("event %d: got old secret %v, new %v; want old %v, new true", i, oldOK, newOK, i == 0)
			}
		}
	})
}

// Parallel webhooks of one conversation may overtake each other; seq tells the order.
func TestWebhookParallelReorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		b.control("PUT", "/faults", obj{"webhook_parallel": 8})
		b.enlist(romeo)
		b.answerWith(func(e *hookEvent) int {
			pass(time.Duration(20-e.Seq) * time.Millisecond) // the later, the faster
			return 200
		})
		b.talk(8)
		stop := b.run()
		defer stop()
		b.idle()
		if diff := cmp.Diff([]string{"8", "7", "6", "5", "4", "3", "2", "1"}, b.texts(false)); diff != "" {
			t.Errorf("arrival (-want +got):\n%s", diff)
		}
	})
}

func TestWebhookFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault obj
		check func(t *testing.T, b *sandbox)
	}{
		{"dropped", obj{"webhook_drop_rate": 1}, func(t *testing.T, b *sandbox) {
			if got := b.received(""); len(got) != 0 {
				t.Errorf("got %d webhooks, want none", len(got))
			}
			page := b.must(200, "GET", "/v1/events", "", nil)
			if got := page.body["events"].([]any); len(got) != 3 {
				t.Errorf("backlog: got %d events, want 3", len(got))
			}
			if got := b.ledger(); len(got) != 3 || got[0]["result"] != "dropped" {
				t.Errorf("got ledger %v, want three dropped", got)
			}
		}},
		{"replayed", obj{"webhook_replay_rate": 1}, func(t *testing.T, b *sandbox) {
			if got := len(b.received("")); got != 6 {
				t.Errorf("got %d webhooks, want each of 3 twice", got)
			}
			if diff := cmp.Diff([]string{"1", "2", "3"}, b.texts(true)); diff != "" {
				t.Errorf("first arrivals (-want +got):\n%s", diff)
			}
		}},
		{"bad signature", obj{"webhook_bad_signature_rate": 0.5}, func(t *testing.T, b *sandbox) {
			bad := 0
			for _, e := range b.received("") {
				if verify(t, e) != nil {
					bad++
				}
			}
			if bad == 0 {
				t.Error("got no bad signature")
			}
			if diff := cmp.Diff([]string{"1", "2", "3"}, b.texts(false)); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		}},
		{"stale", obj{"webhook_stale_rate": 0.5}, func(t *testing.T, b *sandbox) {
			stale := 0
			for _, e := range b.received("") {
				if e.status == 401 {
					stale++
				}
			}
			if stale == 0 {
				t.Error("got no stale timestamp")
			}
			if diff := cmp.Diff([]string{"1", "2", "3"}, b.texts(false)); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSandbox(t, nil)
				defer b.run()()
				b.enlist(romeo)
				b.control("PUT", "/faults", tt.fault)
				b.answerWith(func(e *hookEvent) int { // a partner that checks
					var ts int64
					if _, err := fmt.Sscan(e.header.Get("webhook-timestamp"), &ts); err != nil {
						t.Errorf("webhook-timestamp: %v", err)
					}
					if verify(t, e) != nil || e.at.Sub(time.Unix(ts, 0)).Abs() > 5*time.Minute {
						return 401
					}
					return 200
				})
				b.talk(3)
				b.idle()
				tt.check(t, b)
			})
		})
	}
}

// The same seed meets the same faults.
func TestFaultsRepeat(t *testing.T) {
	fates := func() string {
		b := newSandbox(t, nil)
		b.enlist(romeo)
		b.control("PUT", "/faults", obj{"error_rate": 0.3, "limit_rate": 0.3})
		var out strings.Builder
		for range 40 {
			fmt.Fprint(&out, b.call("GET", "/v1/status", "", nil).status, " ")
		}
		return out.String()
	}
	first, second := fates(), fates()
	if first != second {
		t.Errorf("got %s\nthen %s", first, second)
	}
	for _, status := range []string{"200", "429", "503"} {
		if !strings.Contains(first, status) {
			t.Errorf("got %s, want some %s", first, status)
		}
	}
}

func TestRequestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		usr := b.enlist(romeo)
		body := message("c1", usr, "gku_nurse", "Hi")
		b.control("PUT", "/faults", obj{"latency_ms": 700})
		began := time.Now()
		b.must(200, "GET", "/v1/status", "", nil)
		if got := time.Since(began); got != 700*time.Millisecond {
			t.Errorf("latency: got %v, want 700ms", got)
		}
		b.control("PUT", "/faults", obj{"error_rate": 1})
		if got := b.call("POST", "/v1/messages", romeo, body); got.status != 503 || got.str("code") != "upstream_down" {
			t.Errorf("got %d %s, want 503 upstream_down", got.status, got.raw)
		}
		b.control("PUT", "/faults", obj{"limit_rate": 1, "limit_retry_after_s": 3})
		if got := b.call("POST", "/v1/messages", romeo, body); got.status != 429 || got.header.Get("Retry-After") != "3" {
			t.Errorf("got %d Retry-After %q, want 429 and 3", got.status, got.header.Get("Retry-After"))
		}
		b.control("PUT", "/faults", obj{"limit_rate": 1})
		if got := b.call("POST", "/v1/messages", romeo, body); got.status != 429 || got.header.Get("Retry-After") != "" {
			t.Errorf("got %d Retry-After %q, want 429 without", got.status, got.header.Get("Retry-After"))
		}
		if got := b.control("GET", "/state", nil)["counts"].(obj)["posts"]; got != 0.0 {
			t.Errorf("got %v accepted messages, want none so far", got)
		}
		b.control("PUT", "/faults", obj{"timeout_rate": 1, "timeout_hold_ms": 2000})
		key := []string{"Idempotency-Key", "timed-out-1"}
		began = time.Now()
		if got := b.call("POST", "/v1/messages", romeo, body, key...); got.status != 504 || time.Since(began) != 2*time.Second {
			t.Errorf("got %d after %v, want 504 after 2s", got.status, time.Since(began))
		}
		b.control("PUT", "/faults", obj{})
		if got := b.must(202, "POST", "/v1/messages", romeo, body, key...); got.header.Get("Idempotent-Replayed") != "true" {
			t.Error("the message whose answer was held back was not accepted the first time")
		}
		if got := b.control("GET", "/state", nil)["counts"].(obj)["posts"]; got != 1.0 {
			t.Errorf("got %v accepted messages, want 1", got)
		}
	})
}
