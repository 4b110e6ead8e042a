package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger/simulator"
)

const (
	romeo    = "102030405060708"
	mercutio = "102030405060709"
	first    = "EAAromeoPageToken00000000000000000001"
	second   = "EAAmercutioPageToken000000000000000002"
)

// stand is Messenger or Instagram with two pages, and a sink for what is posted.
type stand struct {
	*sandboxtest.Sandbox
	kind   simulator.Kind
	status atomic.Int64 // what the sink answers
}

// hook is the body of a webhook.
type hook struct {
	Entry []struct{ Messaging, Standby []map[string]any }
}

func newStand(t *testing.T, kind simulator.Kind, change func(*simulator.Config)) *stand {
	t.Helper()
	s := &stand{kind: kind}
	s.status.Store(http.StatusOK)
	s.Sandbox = sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "messenger", Status: func() int { return int(s.status.Load()) },
		Open: func(b *sandboxtest.Sandbox, cfg simulator.Config) (sandboxtest.Simulator, error) {
			cfg.Accounts = []control.Account{simulator.Page(kind, romeo, "romeo", "Romeo", first), simulator.Page(kind, mercutio, "mercutio", "Mercutio", second)}
			for i := range cfg.Accounts {
				cfg.Accounts[i].Hook.URL, cfg.Accounts[i].Subscribed = b.Hook, true
			}
			if change != nil {
				change(&cfg)
			}
			return simulator.New(kind, cfg)
		},
	})
	return s
}

// items are the elements that a page was told, of messaging and standby, once there are so many with that member.
func (s *stand) items(member string, n int) (out []map[string]any) {
	s.T.Helper()
	s.Eventually(fmt.Sprintf("%d items with %s", n, member), func() bool {
		out = nil
		for _, r := range s.Webhooks() {
			var h hook
			if err := json.Unmarshal(r.Body, &h); err != nil {
				s.T.Errorf("webhook: got %v and %s", err, r.Body)
			}
			for _, e := range h.Entry {
				for _, it := range append(e.Messaging, e.Standby...) {
					if it[member] != nil {
						out = append(out, it)
					}
				}
			}
		}
		return len(out) >= n
	})
	return out
}

// answer is what every call says.
type answer struct {
	MessageID string `json:"message_id"`
	Token     string `json:"access_token"`
	Expires   int    `json:"expires_in"`
	Error     struct {
		Code    int `json:"code"`
		Subcode int `json:"error_subcode"`
	} `json:"error"`
	status int
	header http.Header
}

// code is "" for success, else code and subcode.
func (a answer) code() string {
	switch {
	case a.Error.Code == 0:
		return ""
	case a.Error.Subcode == 0:
		return fmt.Sprint(a.Error.Code)
	}
	return fmt.Sprintf("%d/%d", a.Error.Code, a.Error.Subcode)
}

func (s *stand) call(method, path, token, typ string, body io.Reader) (out answer) {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), method, s.URL+path, body)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if typ != "" {
		req.Header.Set("Content-Type", typ)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.T.Fatalf("%s %s: status %d: %v", method, path, resp.StatusCode, err)
	}
	if (out.Error.Code == 0) != (resp.StatusCode == http.StatusOK) {
		s.T.Errorf("%s %s: got status %d with error %s", method, path, resp.StatusCode, out.code())
	}
	out.status, out.header = resp.StatusCode, resp.Header
	return out
}

// send makes a call of the Send API.
func (s *stand) send(token, raw string) answer {
	s.T.Helper()
	return s.call(http.MethodPost, "/v24.0/me/messages", token, "application/json", strings.NewReader(raw))
}

// begin lets Juliet write to a page, and returns her id there.
func (s *stand) begin(page string) string {
	s.T.Helper()
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: page, Text: "hark"}, nil)
	var p control.PersonView
	s.Do(http.MethodGet, "/people/juliet", nil, &p)
	for _, c := range p.Chats {
		if c.User == page {
			return c.Native
		}
	}
	s.T.Fatal("no chat")
	return ""
}

func text(to, words, more string) string {
	return fmt.Sprintf(`{"messaging_type":"RESPONSE","recipient":{"id":%q},"message":{"text":%q}%s}`, to, words, more)
}

// TestRefusals: each mistake has the code of the document.
func TestRefusals(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			s := newStand(t, kind, nil)
			juliet, elsewhere := s.begin(romeo), s.begin(mercutio)
			if juliet == elsewhere {
				t.Error("a person has the same id for two pages")
			}
			either := func(messenger, instagram string) string {
				if kind == simulator.Messenger {
					return messenger
				}
				return instagram
			}
			tests := []struct{ name, token, raw, want string }{
				{"good", first, text(juliet, "hi", ""), ""},
				{"no token", "EAAnobody", text(juliet, "hi", ""), "190/463"},
				{"the id of another page", first, text(elsewhere, "hi", ""), either("100/2018001", "100/2534014")},
				{"not JSON", first, "{", "100"},
				{"nothing to do", first, `{"recipient":{"id":"` + juliet + `"}}`, "100"},
				{"no type", first, `{"recipient":{"id":"` + juliet + `"},"message":{"text":"hi"}}`, either("100", "")},
				{"a removed tag", first, `{"messaging_type":"MESSAGE_TAG","tag":"ACCOUNT_UPDATE","recipient":{"id":"` + juliet + `"},"message":{"text":"hi"}}`, "100"},
				{"a tag that was not granted", first, `{"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT","recipient":{"id":"` + juliet + `"},"message":{"text":"hi"}}`, "100"},
				{"text and action", first, text(juliet, "hi", `,"sender_action":"typing_on"`), "100"},
				{"two thousand letters", first, text(juliet, strings.Repeat("a", 2000), ""), either("", "100")},
				{"one more", first, text(juliet, strings.Repeat("a", 2001), ""), "100"},
				{"a thousand bytes", first, text(juliet, strings.Repeat("ü", 500), ""), ""},
				{"one more byte", first, text(juliet, strings.Repeat("ü", 500)+"a", ""), either("", "100")},
				{"an answer to nothing", first, text(juliet, "hi", `,"reply_to":{"mid":"m_nobody"}`), "100"},
				{"typing", first, `{"recipient":{"id":"` + juliet + `"},"sender_action":"typing_on"}`, ""},
				{"dancing", first, `{"recipient":{"id":"` + juliet + `"},"sender_action":"dance"}`, "100"},
				{"a reaction to nothing", first, `{"recipient":{"id":"` + juliet + `"},"sender_action":"react","payload":{"message_id":"m_x","reaction":"love"}}`, "100"},
				{"a file at no address", first, `{"messaging_type":"RESPONSE","recipient":{"id":"` + juliet + `"},"message":{"attachment":{"type":"image","payload":{"url":"http://127.0.0.1:1/x.png"}}}}`, "100/2018008"},
				{"a file that is not there", first, `{"messaging_type":"RESPONSE","recipient":{"id":"` + juliet + `"},"message":{"attachment":{"type":"image","payload":{"attachment_id":"7"}}}}`, "100/2018074"},
			}
			for _, tc := range tests {
				if got := s.send(tc.token, tc.raw); got.code() != tc.want || (got.MessageID != "") != (tc.want == "" && !strings.Contains(tc.raw, "sender_action")) {
					t.Errorf("%s: got %q and message %q, want %q", tc.name, got.code(), got.MessageID, tc.want)
				}
			}
			s.Offset.Store(int64(25 * time.Hour))
			if got, want := s.send(first, text(juliet, "late", "")).code(), either("10/2018278", "10/2534022"); got != want {
				t.Errorf("after a day: got %q, want %q", got, want)
			}
			s.Do(http.MethodPatch, "/users/"+romeo, map[string]any{"ids": map[string]string{"messages_off": "true"}}, nil)
			if got := s.send(first, text(juliet, "hi", "")).code(); got != "200/2534041" {
				t.Errorf("with access switched off: got %q, want 200/2534041", got)
			}
			s.Do(http.MethodPut, "/people/juliet/block", map[string]any{"to": mercutio, "blocked": true}, nil)
			if got := s.send(second, text(elsewhere, "hi", "")).code(); got != "551" {
				t.Errorf("to somebody who blocked the page: got %q, want 551", got)
			}
		})
	}
}

// TestWebhooks: what is told, in which form, and under which signature.
func TestWebhooks(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			s := newStand(t, kind, nil)
			juliet := s.begin(romeo)
			sent := s.send(first, `{"messaging_type":"RESPONSE","recipient":{"id":"`+juliet+`"},"message":{"text":"Grüße/Küsse","metadata":"gw-42"}}`)
			s.Do(http.MethodPost, "/people/juliet/read", control.ReadIn{To: romeo}, nil)
			echo, _ := s.items("message", 2)[1]["message"].(map[string]any)
			if echo["is_echo"] != true || echo["mid"] != sent.MessageID || fmt.Sprintf("%.0f", echo["app_id"]) != simulator.AppID || (echo["metadata"] == "gw-42") != (kind == simulator.Messenger) {
				t.Errorf("echo: got %v", echo)
			}
			read, _ := s.items("read", 1)[0]["read"].(map[string]any)
			if kind == simulator.Messenger {
				delivery, _ := s.items("delivery", 1)[0]["delivery"].(map[string]any)
				if delivery["watermark"] == nil || delivery["mids"] != nil || read["watermark"] == nil || read["mid"] != nil {
					t.Errorf("got delivery %v and read %v, want times", delivery, read)
				}
			} else if read["mid"] != sent.MessageID || read["watermark"] != nil {
				t.Errorf("got read %v, want the message", read)
			}
			for _, r := range s.Webhooks() {
				signature, raw := r.Header.Get(graph.HeaderSignature), string(r.Body)
				if signature != graph.Sign(kind.Secret(), r.Body) || strings.ContainsAny(raw, "üß") || strings.Contains(raw, "e/K") {
					t.Errorf("got signature %s of %s, want escapes under it", signature, raw)
				}
				if kind != simulator.Messenger && strings.Contains(raw, `"delivery"`) {
					t.Error("Instagram told of a delivery")
				}
			}
		})
	}
}

// TestPatience: who answers nothing for an hour is unsubscribed, and hears nothing until it subscribes again.
func TestPatience(t *testing.T) {
	s := newStand(t, simulator.Messenger, func(c *simulator.Config) { c.Speed = 36000 }) // an hour is a tenth of a second
	s.status.Store(http.StatusInternalServerError)
	s.begin(romeo)
	s.Eventually("it is unsubscribed", func() bool {
		var st control.State
		s.Do(http.MethodGet, "/state", nil, &st)
		return !st.Accounts[0].Subscribed || st.Accounts[0].Hook.Disabled
	})
	s.status.Store(http.StatusOK)
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: romeo, Text: "lost"}, nil)
	if got := s.call(http.MethodPost, "/v24.0/me/subscribed_apps?subscribed_fields=messages", first, "", nil); got.code() != "" {
		t.Fatalf("subscribed_apps: got %q", got.code())
	}
	s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: romeo, Text: "heard"}, nil)
	for _, it := range s.items("message", 1) {
		if m, _ := it["message"].(map[string]any); m["text"] == "lost" {
			t.Error("what was said while nobody was subscribed came all the same")
		}
	}
}

// TestFaults: what is taken although the answer says that nobody knows, and a limit without Retry-After.
func TestFaults(t *testing.T) {
	s := newStand(t, simulator.Messenger, nil)
	juliet := s.begin(romeo)
	s.Do(http.MethodPut, "/faults", control.Faults{TimeoutRate: 1, TimeoutHoldMS: 1}, nil)
	if got := s.send(first, text(juliet, "did you hear?", "")); got.code() != "1/1357046" || got.status != http.StatusInternalServerError {
		t.Errorf("time-out: got %q, %d", got.code(), got.status)
	}
	s.Do(http.MethodPut, "/faults", control.Faults{LimitRate: 1, LimitRetryAfterS: 90}, nil)
	got := s.send(first, text(juliet, "too fast", ""))
	usage := graph.UsageOf(got.header)
	if got.code() != "613" || got.header.Get("Retry-After") != "" || usage.Percent != 100 || usage.Regain != 2*time.Minute {
		t.Errorf("limit: got %q, Retry-After %q and %+v", got.code(), got.header.Get("Retry-After"), usage)
	}
	s.Do(http.MethodPut, "/faults", control.Faults{}, nil)
	posts, err := s.Control.Posts(t.Context(), 0, 10)
	if err != nil || len(posts.Items) != 1 || posts.Items[0].Text != "did you hear?" {
		t.Errorf("got %+v and %v, want the message of the time-out alone", posts.Items, err)
	}
}

// TestStickers: in their own form, and as pictures with a sticker_id, as until August 2026. What may be seen once has no address.
func TestStickers(t *testing.T) {
	s := newStand(t, simulator.Messenger, nil)
	var part control.MediaPart
	s.Do(http.MethodPost, "/media", map[string]any{"type": "image/png", "size": 100, "kind": "sticker"}, &part)
	say := func(p control.MediaPart, n int) map[string]any {
		t.Helper()
		s.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: romeo, Content: &control.Content{Media: []control.MediaPart{p}}}, nil)
		m, _ := s.items("message", n)[n-1]["message"].(map[string]any)
		all, _ := m["attachments"].([]any)
		one, _ := all[0].(map[string]any)
		return one
	}
	for i, want := range []string{"sticker", "image"} {
		if i == 1 {
			s.Do(http.MethodPatch, "/users/"+romeo, map[string]any{"ids": map[string]string{"old_stickers": "true"}}, nil)
		}
		got := say(part, i+1)
		if p, _ := got["payload"].(map[string]any); got["type"] != want || p["sticker_id"] == nil || p["url"] == nil {
			t.Errorf("got %v, want type %s with a sticker_id", got, want)
		}
	}
	part.ViewOnce, part.Kind = true, "image"
	got := say(part, 3)
	if p, _ := got["payload"].(map[string]any); got["type"] != "ephemeral" || p["url"] != nil {
		t.Errorf("got %v, want no address", got)
	}
}

// TestTokens: a token of an hour becomes one of sixty days, which is refreshed after a day.
func TestTokens(t *testing.T) {
	s := newStand(t, simulator.InstagramLogin, nil)
	refresh := func(token string) answer {
		t.Helper()
		return s.call(http.MethodGet, "/refresh_access_token?grant_type=ig_refresh_token&access_token="+token, "", "", nil)
	}
	long := refresh(first)
	if long.Expires != 60*24*3600 || long.Token == first {
		t.Fatalf("refresh: got %+v", long)
	}
	if got := refresh(long.Token).code(); got != "190" {
		t.Errorf("refresh at once: got %q, want 190", got)
	}
	s.Offset.Store(int64(25 * time.Hour))
	if got := refresh(long.Token).code(); got != "" {
		t.Errorf("refresh after a day: got %q", got)
	}
	s.Offset.Store(int64(61 * 24 * time.Hour))
	if got := s.call(http.MethodGet, "/v24.0/me?fields=user_id", long.Token, "", nil).code(); got != "190/463" {
		t.Errorf("after sixty days: got %q, want 190/463", got)
	}
	form := url.Values{"client_id": {simulator.AppID}, "client_secret": {"wrong"}, "code": {"x"}}
	if got := s.call(http.MethodPost, "/oauth/access_token", "", "application/x-www-form-urlencoded", strings.NewReader(form.Encode())).code(); got != "101" {
		t.Errorf("a wrong secret: got %q, want 101", got)
	}
}

// TestForm: a file goes with its message, and has to be what it is said to be.
func TestForm(t *testing.T) {
	s := newStand(t, simulator.Messenger, nil)
	juliet := s.begin(romeo)
	post := func(kind, typ string, size int) answer {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for k, v := range map[string]string{
			"recipient": `{"id":"` + juliet + `"}`, "messaging_type": "RESPONSE", "message": `{"attachment":{"type":"` + kind + `","payload":{}}}`,
		} {
			if err := w.WriteField(k, v); err != nil {
				t.Fatal(err)
			}
		}
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="filedata"; filename="a.png"`}, "Content-Type": {typ}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(make([]byte, size)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return s.call(http.MethodPost, "/v24.0/"+romeo+"/messages", first, w.FormDataContentType(), &body)
	}
	if got := post("image", "image/png", 100); got.code() != "" || got.MessageID == "" {
		t.Errorf("a picture: got %q", got.code())
	}
	if got := post("video", "image/png", 100).code(); got != "100/2018047" {
		t.Errorf("a picture as a video: got %q, want 100/2018047", got)
	}
	if got := post("image", "image/png", 25<<20+1).code(); got != "100/2018109" {
		t.Errorf("a file of more than 25 MB: got %q, want 100/2018109", got)
	}
}

// TestProof: a proof that is there has to be right.
func TestProof(t *testing.T) {
	s := newStand(t, simulator.Messenger, nil)
	secrets, err := graph.NewSecrets(simulator.AppSecret)
	if err != nil {
		t.Fatal(err)
	}
	for proof, want := range map[string]string{secrets.Proof(first): "", secrets.Proof(second): "100"} {
		if got := s.call(http.MethodGet, "/v24.0/me?appsecret_proof="+proof, first, "", nil).code(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := s.call(http.MethodGet, "/v24.0/"+mercutio, first, "", nil).code(); got != "100/33" {
		t.Errorf("another page: got %q, want 100/33", got)
	}
}
