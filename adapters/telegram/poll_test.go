package telegram_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/telegram"
	"postern/gateway"
)

// script answers getUpdates by turns; beyond its end it lets the request wait until the caller has had enough.
type script struct {
	answers []string // bodies; an empty one is a connection that is refused
	at      []time.Duration
	began   time.Time
	offsets []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	answer := func(body string) (*http.Response, error) {
		status := 200
		_, _ = fmt.Sscanf(body, `{"ok":false,"error_code":%d`, &status)
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	if !strings.HasSuffix(r.URL.Path, "/getUpdates") {
		return answer(`{"ok":true,"result":true}`)
	}
	s.at = append(s.at, time.Since(s.began))
	_, offset, _ := strings.Cut(string(raw), `"offset":`)
	offset, _, _ = strings.Cut(offset, ",")
	s.offsets = append(s.offsets, offset)
	if len(s.at) > len(s.answers) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := s.answers[len(s.at)-1]
	if body == "" {
		return nil, errors.New("connection refused")
	}
	return answer(body)
}

// intake is what the core would be.
type intake struct {
	take   func([]gateway.Event) error
	buried []string
}

func (in *intake) Take(_ context.Context, events []gateway.Event) error { return in.take(events) }

func (in *intake) Bury(_ context.Context, raw []byte) error {
	in.buried = append(in.buried, string(raw))
	return nil
}

func run(t *testing.T, s *script, take func([]gateway.Event) error, buried ...*[]string) (rested time.Duration, err error) {
	t.Helper()
	c := config(t, "https://api.example")
	c.Receive = telegram.ReceivePoll
	a, err := telegram.New(*c, &http.Client{Transport: s}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	account := gateway.Credentials{Endpoint: goldenBot, Secret: []byte(`{"token":"` + tokens[0] + `"}`)}
	in := intake{take: take}
	err = a.Run(ctx, account, &in)
	for _, b := range buried {
		*b = in.buried
	}
	return time.Since(s.began), err
}

const flood = `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 90","parameters":{"retry_after":90}}`

// update is a message of Ana's.
func update(n int) string {
	return fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"date":1790000000,"chat":{"id":5550001,"type":"private"},"from":{"id":5550001},"text":"%d"}}`, n, n, n)
}

func batch(updates ...string) string {
	return `{"ok":true,"result":[` + strings.Join(updates, ",") + `]}`
}

// TestPollingRests: after failures longer and longer, after a flood as long as it says, and what is confirmed is what was stored.
func TestPollingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []string{"", "", batch(update(10), update(11)), batch(), flood, batch(update(12), `{"update_id":13,"message":{"text":5}}`, update(14))}}
		var got, buried []string
		stored := 0
		_, err := run(t, s, func(events []gateway.Event) error {
			if stored++; stored == 2 {
				return errors.New("full")
			}
			for _, e := range events {
				got = append(got, e.Dedupe)
			}
			return nil
		}, &buried)
		if want := `[{"update_id":13,"message":{"text":5}}]`; fmt.Sprint(buried) != want {
			t.Errorf("kept as not understood: got %v, want %s", buried, want)
		}
		if err != nil {
			t.Errorf("Run: got %v, want nil at the end of its context", err)
		}
		if want := "[10 12 14]"; fmt.Sprint(got) != want {
			t.Errorf("stored: got %v, want %s: what comes again is the script's matter", got, want)
		}
		// The second update of the first batch was not stored, so that the next request confirms the first alone.
		if want := "[   11 11 11 15]"; fmt.Sprint(s.offsets[:7]) != want {
			t.Errorf("offsets: got %v, want %s", s.offsets[:7], want)
		}
		waits := []time.Duration{}
		for i := 1; i < len(s.at); i++ {
			waits = append(waits, s.at[i]-s.at[i-1])
		}
		between := func(n int, least, most time.Duration) {
			t.Helper()
			if waits[n] < least || waits[n] > most {
				t.Errorf("wait %d: got %s, want %s to %s", n, waits[n], least, most)
			}
		}
		between(0, time.Second/2, time.Second)
		between(1, time.Second, 2*time.Second)
		between(2, 2*time.Second, 4*time.Second) // what could not be stored is a failure too
		between(3, 0, 0)
		between(4, 90*time.Second, 90*time.Second)
	})
}

// TestButtonIsAnswered: the person's app stops waiting, by a call that names the query.
func TestButtonIsAnswered(t *testing.T) {
	pressed := `{"update_id":20,"callback_query":{"id":"4382bfdwdsb323b2d9","from":{"id":5550001},"data":"yes","message":{"message_id":7,"date":1790000000,"chat":{"id":5550001,"type":"private"},"from":{"id":7000000001,"is_bot":true},"text":"Well?"}}}`
	synctest.Test(t, func(t *testing.T) {
		s := &calls{}
		a, err := telegram.New(*config(t, "https://api.example"), &http.Client{Transport: s}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		account := gateway.Credentials{Endpoint: goldenBot, Secret: []byte(`{"token":"` + tokens[0] + `"}`)}
		for _, body := range []string{update(19), pressed} {
			events, err := a.Parse(gateway.Request{Query: map[string][]string{"token": {goldenBot + "-proof"}}, Body: []byte(body)})
			if err != nil || len(events) != 1 {
				t.Fatalf("%s: got %v and %v, want an event", body, events, err)
			}
			if got, want := a.Awaited(events[0]), body == pressed; got != want {
				t.Errorf("%s: awaited: got %v, want %v", body, got, want)
			}
			if err := a.Acknowledge(t.Context(), account, events[0]); err != nil {
				t.Error(err)
			}
		}
		if want := `[/answerCallbackQuery {"callback_query_id":"4382bfdwdsb323b2d9"}]`; fmt.Sprint(s.made) != want {
			t.Errorf("got calls %v, want %s", s.made, want)
		}
	})
}

// calls says yes to everything.
type calls struct{ made []string }

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	c.made = append(c.made, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):]+" "+string(raw))
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"ok":true,"result":true}`)), Request: r}, err
}

// TestPollingStops where asking makes no sense any more.
func TestPollingStops(t *testing.T) {
	for answer, want := range map[string]struct {
		class gateway.Class
		code  string
	}{
		`{"ok":false,"error_code":401,"description":"Unauthorized"}`:                                                                                      {gateway.ReauthNeeded, "unauthorized"},
		`{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"}`: {gateway.Permanent, "other_poller"},
		`{"ok":false,"error_code":409,"description":"Conflict: terminated by setWebhook request"}`:                                                        {gateway.Permanent, "webhook_active"},
	} {
		synctest.Test(t, func(t *testing.T) {
			took, err := run(t, &script{answers: []string{answer}}, func([]gateway.Event) error { return nil })
			se, ok := errors.AsType[*gateway.SendError](err)
			if !ok || se.Class != want.class || se.Code != want.code || took > 0 {
				t.Errorf("got %v after %s, want class %s, code %s at once", err, took, want.class, want.code)
			}
		})
	}
}
