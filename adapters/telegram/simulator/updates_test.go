package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters/control"
)

// TestPolling: what is asked for from a number on confirms what is before it; who asks anew ends who asked before.
func TestPolling(t *testing.T) {
	s := newStand(t, nil)
	s.open("romeo_bot")
	for _, text := range []string{"one", "two"} {
		s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: "romeo_bot", Text: text}, nil)
	}
	_, all := s.updates(romeo, nil)
	if want := []int64{100001, 100002, 100003}; !slices.Equal(all, want) {
		t.Fatalf("got updates %v, want %v", all, want)
	}
	if _, got := s.updates(romeo, map[string]any{"offset": 100003, "limit": 1}); !slices.Equal(got, []int64{100003}) {
		t.Errorf("from 100003 on: got %v", got)
	}
	if _, got := s.updates(romeo, map[string]any{"offset": -5}); !slices.Equal(got, []int64{100003}) {
		t.Errorf("the last five: got %v, want the one that is not confirmed", got)
	}
	ended := make(chan answer, 1)
	go func() { ended <- s.call(romeo, "getUpdates", map[string]any{"offset": 100004, "timeout": 30}) }()
	s.Eventually("the first request is ended by another", func() bool { // the first request is there when it is the one that a second ends
		_ = s.call(romeo, "getUpdates", map[string]any{"offset": 100004})
		return len(ended) > 0
	})
	s.refused(<-ended, 409, "terminated by other getUpdates request")
	go func() { ended <- s.call(romeo, "getUpdates", map[string]any{"offset": 100004, "timeout": 30}) }()
	s.Eventually("it is ended by a webhook", func() bool {
		_ = s.call(romeo, "deleteWebhook", nil)
		_ = s.call(romeo, "setWebhook", map[string]any{"url": "https://gateway.example/x"})
		return len(ended) > 0
	})
	if got := <-ended; got.Status != 409 {
		t.Errorf("a webhook while somebody asks: got %+v, want 409", got)
	}
	s.refused(s.call(romeo, "getUpdates", nil), 409, "can't use getUpdates method while webhook is active")
}

// TestAllowedUpdates: reactions are told only to who asked for them by name.
func TestAllowedUpdates(t *testing.T) {
	s := newStand(t, nil)
	s.open("romeo_bot")
	var said control.Said
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: "romeo_bot", Text: "one"}, &said)
	react := func(emoji string) {
		s.Do(http.MethodPut, "/messages/"+said.MessageID+"/reactions", map[string]any{"emojis": []string{emoji}, "person": "juliet"}, nil)
	}
	react("👍")
	if kinds, _ := s.updates(romeo, map[string]any{"allowed_updates": []string{"message", "message_reaction"}}); slices.Contains(kinds, "message_reaction") {
		t.Errorf("by default: got %v, want no reactions", kinds)
	}
	react("🔥")
	if kinds, _ := s.updates(romeo, nil); !slices.Contains(kinds, "message_reaction") {
		t.Errorf("asked for: got %v, want reactions", kinds)
	}
	s.call(romeo, "getUpdates", map[string]any{"allowed_updates": []string{"message_reaction"}})
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: "romeo_bot", Text: "unheard"}, nil)
	if kinds, n := s.updates(romeo, map[string]any{"allowed_updates": []string{}}); kinds[len(kinds)-1] == "message" && len(n) == 4 {
		t.Errorf("nothing but reactions: got %v", kinds)
	}
}

// TestWebhook: an update comes with the secret, is tried again at once, then by the ladder, and holds back what is behind it.
func TestWebhook(t *testing.T) {
	s := newStand(t, nil)
	var mu sync.Mutex
	var texts []string
	var at []time.Time
	fail := 2
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var u struct {
			Message struct{ Text string }
		}
		if err := json.Unmarshal(raw, &u); err != nil || r.Header.Get("X-Telegram-Bot-Api-Secret-Token") != "swordfish" {
			t.Errorf("got %s with secret %q, %v", raw, r.Header.Get("X-Telegram-Bot-Api-Secret-Token"), err)
		}
		mu.Lock()
		defer mu.Unlock()
		texts, at = append(texts, u.Message.Text), append(at, time.Now())
		if fail > 0 {
			fail--
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer sink.Close()
	s.refused(s.call(romeo, "setWebhook", map[string]any{"url": sink.URL, "secret_token": "sword fish"}), 400, "unallowed characters")
	s.refused(s.call(romeo, "setWebhook", map[string]any{"url": "gateway.example"}), 400, "bad webhook")
	if got := s.call(romeo, "setWebhook", map[string]any{"url": sink.URL, "secret_token": "swordfish"}); !got.OK {
		t.Fatalf("setWebhook: %+v", got)
	}
	s.open("romeo_bot")
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: "romeo_bot", Text: "one"}, nil)
	s.Eventually("it has come", func() bool { mu.Lock(); defer mu.Unlock(); return len(texts) == 4 })
	if want := []string{"/start", "/start", "/start", "one"}; !slices.Equal(texts, want) {
		t.Errorf("got %q, want %q", texts, want)
	}
	// Two seconds at a hundred times the speed, and up to as much more.
	if wait := at[2].Sub(at[1]); wait < 20*time.Millisecond {
		t.Errorf("the second repetition came after %s, want 20ms or more", wait)
	}
	if got := s.call(romeo, "getWebhookInfo", nil); !strings.Contains(string(got.Result), `502`) {
		t.Errorf("getWebhookInfo: got %s, want the last error", got.Result)
	}
}
