package gatekeeper_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/gatekeeper"
	"postern/gateway"
)

// scripted answers requests without a network, so that the adapter runs under virtual time.
type scripted struct {
	mu         sync.Mutex
	tokens     int
	refuse     int           // so many messages are answered 401 unauthenticated
	stranger   bool          // tokens are refused
	hang       string        // a path that is never answered
	lifetime   time.Duration // of tokens
	features   string
	calls      map[string]int
	bearers    []string
	assertions []string
	lapsed     bool            // messages are refused
	refused    map[string]bool // the keys of those that were, for whom that is remembered
	keys       []string        // of messages
	events     string          // the backlog
	proofs     string          // of the directory, JSON
	enlistment string          // the answer to every enlistment
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[r.URL.Path]++
	if r.URL.Path == s.hang {
		s.mu.Unlock()
		<-r.Context().Done()
		s.mu.Lock()
		return nil, r.Context().Err()
	}
	status, body, header := http.StatusOK, "", http.Header{}
	switch r.URL.Path {
	case "/.well-known/gia":
		body = fmt.Sprintf(`{"issuer":"https://issuer.example","features":%s,"limits":{"text_bytes":100,"edit_window_s":60,"retract_window_s":120,"reactions_per_user":2},"terms":{"version":"1","sha256":"x"},"identifier_proofs":{%s}}`, s.features, s.proofs)
	case "/oauth/token":
		s.tokens++
		body = fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":%d}`, s.tokens, int(s.lifetime/time.Second))
		if s.stranger {
			status, body = http.StatusUnauthorized, `{"error":"invalid_client","error_description":"who?"}`
		}
	case "/v1/enlistments":
		status, body = http.StatusCreated, s.enlistment
	case "/v1/events":
		body = s.events
	case "/v1/messages":
		s.bearers = append(s.bearers, r.Header.Get("Authorization"))
		s.assertions = append(s.assertions, r.Header.Get("GIA-User-Assertion"))
		status, body = http.StatusAccepted, `{"message_id":"msg_1","conversation":"cnv_1","accepted_at":"2026-11-22T14:00:00.000Z"}`
		if s.refuse > 0 {
			s.refuse--
			status, body = http.StatusUnauthorized, `{"code":"unauthenticated"}`
		}
		key := r.Header.Get("Idempotency-Key")
		s.keys = append(s.keys, key)
		if s.refused[key] {
			header.Set("Idempotent-Replayed", "true")
		}
		if s.refused[key] || s.lapsed {
			s.refused[key] = true
			status, body = http.StatusForbidden, `{"code":"not_enlisted"}`
		}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

const allFeatures = `{"text":"native","reply":"native","edit":"native","retract":"native","react":"native","delivered":"native","read":"native","typing":"native"}`

func script(t *testing.T, change func(*scripted)) (*scripted, *gatekeeper.Adapter) {
	t.Helper()
	s := &scripted{lifetime: 5 * time.Minute, features: allFeatures, calls: map[string]int{}, refused: map[string]bool{}}
	change(s)
	a, err := gatekeeper.New(*config(t, "https://gatekeeper.example"), &http.Client{Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

var romeo = gateway.Credentials{Endpoint: "usr_1", Secret: []byte(`{"enlistment":"enl_1","subject":"romeo@montague.example"}`)}

func hello() gateway.Op {
	return gateway.Op{ID: "01JD4Q0MXY0000000000000000", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "gku_1"}, Body: gateway.OpMessage{Content: gateway.PlainText("hello")}}
}

func TestTokenLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := script(t, func(*scripted) {})
		send := func() {
			t.Helper()
			if _, err := a.Send(t.Context(), romeo, hello()); err != nil {
				t.Fatalf("Send: %v", err)
			}
		}
		for range 3 {
			send()
		}
		<-time.After(4*time.Minute + 31*time.Second)
		send()
		if s.tokens != 2 || s.calls["/.well-known/gia"] != 1 {
			t.Errorf("got %d tokens and %d directories, want 2 and 1", s.tokens, s.calls["/.well-known/gia"])
		}
		<-time.After(time.Hour)
		send()
		if s.calls["/.well-known/gia"] != 2 {
			t.Errorf("after an hour: got %d directories, want 2", s.calls["/.well-known/gia"])
		}
	})
}

func TestBearerRefused(t *testing.T) {
	for refusals, want := range map[int]gateway.Class{1: 0, 2: gateway.Retryable} {
		s, a := script(t, func(s *scripted) { s.refuse = refusals })
		_, err := a.Send(t.Context(), romeo, hello())
		if refusals == 1 && err != nil || refusals == 2 && gateway.ClassOf(err) != want {
			t.Errorf("refused %d times: got %v", refusals, err)
		}
		if got, want := strings.Join(s.bearers, ", "), "Bearer t1, Bearer t2"; got != want {
			t.Errorf("refused %d times: got %s, want %s", refusals, got, want)
		}
	}
}

// TestRefusalIsNotForGood wants an op that was refused while the enlistment had lapsed to go out after the next one, although the
// gatekeeper remembers the refusal under its key; and to use the same keys each time.
func TestRefusalIsNotForGood(t *testing.T) {
	s, a := script(t, func(s *scripted) { s.lapsed = true })
	for range 2 {
		if _, err := a.Send(t.Context(), romeo, hello()); gateway.ClassOf(err) != gateway.ReauthNeeded {
			t.Errorf("lapsed: got %v, want class reauth_needed", err)
		}
	}
	s.lapsed = false
	for range 2 {
		if sent, err := a.Send(t.Context(), romeo, hello()); err != nil || len(sent.IDs) != 1 {
			t.Errorf("enlisted again: got %v, %v", sent, err)
		}
	}
	const key = "01JD4Q0MXY0000000000000000"
	want := []string{key, key, key + ".1", key, key + ".1", key + ".2", key, key + ".1", key + ".2"}
	if got := strings.Join(s.keys, " "); got != strings.Join(want, " ") {
		t.Errorf("got keys %s, want %s", got, strings.Join(want, " "))
	}
	// A gatekeeper that calls every answer remembered is not asked for ever.
	for n := range 20 {
		s.refused[fmt.Sprintf("%s.%d", key, n)] = true
	}
	s.keys = nil
	if _, err := a.Send(t.Context(), romeo, hello()); gateway.ClassOf(err) != gateway.ReauthNeeded || len(s.keys) != 8 {
		t.Errorf("got %v after %d requests, want class reauth_needed after 8", err, len(s.keys))
	}
}

// TestDirectoryAway wants the directory that is known to serve on while the gatekeeper's does not answer.
func TestDirectoryAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := script(t, func(*scripted) {})
		send := func(within time.Duration) {
			t.Helper()
			began := time.Now()
			if _, err := a.Send(t.Context(), romeo, hello()); err != nil {
				t.Errorf("Send: %v", err)
			}
			if took := time.Since(began); took > within {
				t.Errorf("took %s, want at most %s", took, within)
			}
		}
		send(0)
		s.mu.Lock()
		s.hang = "/.well-known/gia"
		s.mu.Unlock()
		<-time.After(10 * time.Minute) // token, assertion and directory are old
		var wg sync.WaitGroup
		wg.Go(func() { send(2 * time.Second) })
		synctest.Wait()
		send(0) // one caller waits, not all
		wg.Wait()
		send(0)
		if got := s.calls["/.well-known/gia"]; got != 2 {
			t.Errorf("got %d directories, want the first and one more", got)
		}
		s.mu.Lock()
		s.hang, s.features = "", `{"text":"native"}`
		s.mu.Unlock()
		<-time.After(31 * time.Second)
		send(0)
		if a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).Has(gateway.FeatureEdit) {
			t.Error("the directory was not read when it was there again")
		}
	})
}

// TestCrowdedMessage wants a few parts of a message that has thousands, since each becomes a stanza.
func TestCrowdedMessage(t *testing.T) {
	_, a := script(t, func(*scripted) {})
	content := map[string]any{"text": "hello", "contact": map[string]any{"name": "N", "phones": make([]string, 1000), "emails": make([]string, 1000)}}
	for n := range 1000 {
		content[fmt.Sprint("z", n)] = n
	}
	body, err := json.Marshal(map[string]any{
		"id": "evt_1", "type": "message.received", "subject": map[string]any{"to": "usr_1", "peer": "gku_1"}, "data": map[string]any{"message_id": "msg_1", "content": content},
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := a.Parse(gateway.Request{Body: body})
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	parts := events[0].Body.(gateway.Message).Content.Parts
	if got := len(parts); got != 12 || parts[11].(gateway.Text).Text != "hello" {
		t.Fatalf("got %d parts, want 10 notices, the card and the text", got)
	}
	if card := parts[10].(gateway.ContactCard); len(card.Phones) != 10 || len(card.Emails) != 10 {
		t.Errorf("got %d numbers and %d addresses, want 10 of each", len(card.Phones), len(card.Emails))
	}
}

// TestMissingBesideBroken wants what can be read of a backlog, whatever stands beside it.
func TestMissingBesideBroken(t *testing.T) {
	_, a := script(t, func(s *scripted) {
		s.events = `{"events":[{"id":"evt_1","type":"message.received","seq":2,"subject":{"to":"usr_2","peer":"gku_1"},"data":{}},` +
			`{"id":"evt_2","type":"message.retracted","seq":2,"subject":{"to":"usr_1","peer":"gku_1"},"data":{"message_id":"msg_1"}}]}`
	})
	got, err := a.Missing(t.Context(), romeo, gateway.Chat{ID: "cnv_1", Kind: gateway.ChatDirect, Contact: "gku_1"}, 1)
	if err != nil || len(got) != 1 || got[0].Dedupe != "evt_2" {
		t.Errorf("got %+v, %v, want the second event", got, err)
	}
}

// TestTokenRefused wants a partner that the gatekeeper does not know to be the operator's matter, not the user's: the op waits.
func TestTokenRefused(t *testing.T) {
	_, a := script(t, func(s *scripted) { s.stranger = true })
	_, err := a.Send(t.Context(), romeo, hello())
	se, ok := err.(*gateway.SendError) //nolint:errorlint // Send promises the type itself
	if !ok || se.Class != gateway.Retryable || se.Code != "invalid_client" {
		t.Errorf("got %v, want class retryable, code invalid_client", err)
	}
}

// TestAssertion wants the claims that the document lists, and the assertion to be used again until well before its end.
func TestAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := script(t, func(*scripted) {})
		for range 3 {
			if _, err := a.Send(t.Context(), romeo, hello()); err != nil {
				t.Fatal(err)
			}
			<-time.After(2*time.Minute + time.Second)
		}
		if s.assertions[0] != s.assertions[1] || s.assertions[1] == s.assertions[2] {
			t.Errorf("assertions of 0, 2 and 4 minutes: got equal %v and %v, want true and false", s.assertions[0] == s.assertions[1], s.assertions[1] == s.assertions[2])
		}
		parts := strings.Split(s.assertions[0], ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Iss, Sub, Jti  string
			Aud            []string
			Iat, Exp       int64
			RegionAttested bool   `json:"region_attested"`
			RegionMethod   string `json:"region_method"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if c.Iss != clientID || c.Sub != "romeo@montague.example" || len(c.Aud) != 1 || c.Aud[0] != "https://issuer.example" || c.Jti == "" || !c.RegionAttested || c.RegionMethod != "provider" {
			t.Errorf("claims: got %+v", c)
		}
		if life := time.Duration(c.Exp-c.Iat) * time.Second; life <= 0 || life > 10*time.Minute {
			t.Errorf("life: got %s, want at most 10m", life)
		}
	})
}

// TestDeadline wants a send to end within its time-out wherever it hangs, and to say whether it may have been taken.
func TestDeadline(t *testing.T) {
	for _, path := range []string{"/.well-known/gia", "/oauth/token", "/v1/messages"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a := script(t, func(s *scripted) { s.hang = path })
				began := time.Now()
				_, err := a.Send(context.Background(), romeo, hello())
				if took := time.Since(began); took != 8*time.Second {
					t.Errorf("got %s, want 8s", took)
				}
				if gateway.ClassOf(err) != gateway.Retryable {
					t.Errorf("nothing reached a wire: got %v, want class retryable", err)
				}
			})
		})
	}
}

func TestDirectoryNarrowsCaps(t *testing.T) {
	s, a := script(t, func(s *scripted) {
		s.features = `{"text":"native","edit":"native","react":"unavailable","typing":"native"}`
	})
	direct := gateway.ChatFacts{Kind: gateway.ChatDirect}
	if c := a.Caps(direct); c.TextMax != 65536 || !c.Has(gateway.FeatureReact) {
		t.Errorf("before the directory: got %d bytes and react %v, want the document's best", c.TextMax, c.Has(gateway.FeatureReact))
	}
	if _, err := a.Send(t.Context(), romeo, hello()); err != nil {
		t.Fatal(err)
	}
	c := a.Caps(direct)
	if c.TextMax != 100 || c.EditFor != time.Minute || c.RetractFor != 2*time.Minute || c.ReactionsMax != 2 {
		t.Errorf("limits: got %d, %s, %s, %d; want the directory's", c.TextMax, c.EditFor, c.RetractFor, c.ReactionsMax)
	}
	for f, want := range map[gateway.Feature]bool{
		gateway.FeatureText: true, gateway.FeatureEdit: true, gateway.FeatureReact: false, gateway.FeatureReply: false, gateway.FeatureTypingIn: true, gateway.FeatureReadOut: false,
	} {
		if c.Has(f) != want {
			t.Errorf("%s: got %v, want %v", f, c.Has(f), want)
		}
	}
	before := len(s.bearers)
	long := hello()
	long.Body = gateway.OpMessage{Content: gateway.PlainText(strings.Repeat("x", 101))}
	if _, err := a.Send(t.Context(), romeo, long); gateway.ClassOf(err) != gateway.Unsupported || len(s.bearers) != before {
		t.Errorf("one byte too many: got %v and %d requests, want class unsupported and none", err, len(s.bearers)-before)
	}
	if a.Descriptor().Caps.TextMax != 65536 {
		t.Error("Descriptor changed with the directory: it must stay the same")
	}
}

func TestCredentials(t *testing.T) {
	s, a := script(t, func(*scripted) {})
	for _, secret := range []string{"", "{}", "null", "canary-hunter2"} {
		account := romeo
		account.Secret = []byte(secret)
		_, err := a.Send(t.Context(), account, hello())
		if gateway.ClassOf(err) != gateway.ReauthNeeded || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("secret of %d bytes: got %v, want class reauth_needed", len(secret), err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("got requests %v, want none", s.calls)
	}
}

// TestTermsVersion refuses to enlist under terms that the disclosure did not name.
func TestTermsVersion(t *testing.T) {
	s, _ := script(t, func(*scripted) {})
	c := config(t, "https://gatekeeper.example")
	c.TermsVersion = "2"
	a, err := gatekeeper.New(*c, &http.Client{Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Link(t.Context(), gateway.LinkInput{}); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("got %v, want class permanent", err)
	}
	if _, err := a.Link(t.Context(), gateway.LinkInput{State: []byte("not ours")}); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("foreign state: got %v, want class permanent", err)
	}
}
