//go:build servers

package story

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"postern/cmd/internal/user"
	"postern/gateway"
	"postern/gateway/redisstore"
)

var badWebhooks = []badInput{
	{"webhook too large", func(s *scene) {
		body := `{"pad": "` + strings.Repeat("x", 4<<20) + `"}`
		s.hooked(http.StatusRequestEntityTooLarge, s.signed("big", time.Now(), body), body)
	}},
	{"webhook without a signature", func(s *scene) {
		n, body := s.c.Count(), s.event("evt_unsigned", "unsigned")
		s.hooked(http.StatusUnauthorized, http.Header{}, body)
		forged := s.signed("evt_forged", time.Now(), body)
		forged.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		s.hooked(http.StatusUnauthorized, forged, body)
		s.hooked(http.StatusUnauthorized, s.signed("evt_other", time.Now(), body+" "), body)
		s.notShown(n, "unsigned")
	}},
	{"webhook from long ago", func(s *scene) {
		n, body := s.c.Count(), s.event("evt_stale", "stale")
		s.hooked(http.StatusUnauthorized, s.signed("evt_stale", time.Now().Add(-6*time.Minute), body), body)
		s.hooked(http.StatusUnauthorized, s.signed("evt_stale", time.Now().Add(6*time.Minute), body), body)
		s.notShown(n, "stale")
	}},
	{"webhook twice", func(s *scene) {
		n, body := s.c.Count(), s.event("evt_twice", "once only")
		for range 3 {
			s.hooked(http.StatusOK, s.signed("evt_twice", time.Now(), body), body)
		}
		s.see(s.c, n, "text", text(s.jid, "once only"))
		s.say("nurse", s.c.JID(), "after the replay")
		s.see(s.c, n, "text after it", text(s.jid, "after the replay"))
		times := 0
		for _, m := range s.c.Stanzas(n) {
			if m.Body == "once only" {
				times++
			}
		}
		if times != 1 {
			s.Errorf("a webhook sent three times: shown %d times, want once", times)
		}
	}},
	{"webhook nobody understands", func(s *scene) {
		for _, body := range []string{
			"not json", "", "[]", `{"id": 7}`, `{"id": "evt_x", "type": "message.received", "data": "no object"}`,
			strings.Replace(s.event("evt_nobody", "x"), "usr_", "", 1)[:40], strings.Repeat("[", 20_000),
		} {
			before := s.dead()
			s.hooked(http.StatusOK, s.signed("evt_bad", time.Now(), body), body)
			if after := s.dead(); len(after) != len(before)+1 || after[len(after)-1].Why.Code != "malformed" {
				s.Errorf("%.40q: got %d dead letters, want %d and the last malformed", body, len(after), len(before)+1)
			}
		}
	}},
	{"webhook for nobody here", func(s *scene) {
		n, body := s.c.Count(), s.event("evt_gone", "for nobody")
		body = strings.ReplaceAll(body, s.endpoint(), "usr_nobody")
		s.hooked(http.StatusOK, s.signed("evt_gone", time.Now(), body), body)
		s.notShown(n, "for nobody")
	}},
	{"webhook at an address that is none", func(s *scene) {
		for _, path := range []string{"/hooks/other", "/hooks/", "/hooks/gatekeeper/../gatekeeper2"} {
			if status := s.post(path, http.Header{}, "{}"); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
				s.Errorf("%s: got %d, want 404", path, status)
			}
		}
	}},
}

// notShown asserts that a text is not shown; a later one is, and they would come in order.
func (s *scene) notShown(n int, body string) {
	s.Helper()
	later := "later " + s.c.NewID()
	s.say("nurse", s.c.JID(), later)
	s.see(s.c, n, "later text", text(s.jid, later))
	for _, m := range s.c.Stanzas(n) {
		if m.Kind == user.Message && m.Body == body {
			s.Errorf("got %s, want it refused", m.XML())
		}
	}
}

// endpoint is how the sandbox names our user.
func (s *scene) endpoint() string {
	s.Helper()
	return hold[enlistment](s.sandbox, wait{Kind: "enlistment", User: s.c.JID(), State: "active"})[0].InternalID
}

// event is a message of the nurse, as the gatekeeper would tell of it; without seq it is outside of any order.
func (s *scene) event(id, line string) string {
	s.Helper()
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	to := s.endpoint()
	return fmt.Sprintf(`{"id": %q, "type": "message.received", "api_version": "2026-11-01", "occurred_at": %q, "subject": {"to": %q, "peer": "gku_nurse"}, `+
		`"data": {"message_id": %q, "from": "gku_nurse", "to": %q, "sent_at": %q, "mode": "plaintext", "content": {"text": %q}}}`,
		id, now, to, "msg_"+id, to, now, line)
}

// signed are the headers of a webhook (Standard Webhooks, Signature scheme).
func (s *scene) signed(id string, at time.Time, body string) http.Header {
	s.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "webhook.secret"))
	if err != nil {
		s.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(raw)), "whsec_"))
	if err != nil {
		s.Fatal(err)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "." + body))
	return http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

func (s *scene) hooked(want int, h http.Header, body string) {
	s.Helper()
	if got := s.post("/hooks/gatekeeper", h, body); got != want {
		s.Errorf("webhook %.60q: got %d, want %d", body, got, want)
	}
}

func (s *scene) post(path string, h http.Header, body string) int {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.hook+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.Fatal(err)
	}
	req.Header = h
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it
	return resp.StatusCode
}

// dead lists the dead letters of webhooks, from the store itself.
func (s *scene) dead() []gateway.DeadLetter {
	s.Helper()
	store, err := redisstore.Open(s.ctx, s.store, redisstore.Options{Prefix: s.prefix})
	if err != nil {
		s.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // it was only read from
	letters, err := store.ListDead(s.ctx, gateway.LaneKey{Adapter: "gatekeeper"}.Shard(), "", 100)
	if err != nil {
		s.Fatal(err)
	}
	return letters
}
