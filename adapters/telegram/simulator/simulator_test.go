package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/telegram/simulator"
)

const (
	romeo    = "7000000001:AAH-romeo-token-secret-00000000001"
	mercutio = "7000000002:AAH-mercutio-token-secret-000000002"
)

// stand is Telegram with two bots.
type stand struct{ *sandboxtest.Sandbox }

func newStand(t *testing.T, change func(*simulator.Config)) *stand {
	t.Helper()
	return &stand{sandboxtest.Start(t, sandboxtest.Setup{
		Open: func(_ *sandboxtest.Sandbox, cfg simulator.Config) (sandboxtest.Simulator, error) {
			cfg.Accounts = []control.Account{simulator.Bot(romeo, "romeo_bot", "Romeo"), simulator.Bot(mercutio, "mercutio_bot", "Mercutio")}
			cfg.Speed = 100
			if change != nil {
				change(&cfg)
			}
			return simulator.New(cfg)
		},
	})}
}

// answer is what every method says.
type answer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"`
	} `json:"parameters"`
	Status int
	Header http.Header
}

func (s *stand) post(token, method, typ string, body io.Reader) (out answer) {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), http.MethodPost, s.URL+"/bot"+token+"/"+method, body)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Content-Type", typ)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.T.Fatalf("%s: status %d: %v", method, resp.StatusCode, err)
	}
	if out.OK != (resp.StatusCode == 200) || !out.OK && out.ErrorCode != resp.StatusCode {
		s.T.Errorf("%s: got status %d with %+v", method, resp.StatusCode, out)
	}
	out.Status, out.Header = resp.StatusCode, resp.Header
	return out
}

// call makes a call with JSON.
func (s *stand) call(token, method string, in map[string]any) answer {
	s.T.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.post(token, method, "application/json", bytes.NewReader(raw))
}

// refused wants an answer with a status and some words.
func (s *stand) refused(got answer, status int, words string) {
	s.T.Helper()
	if got.Status != status || !strings.Contains(got.Description, words) {
		s.T.Errorf("got %d %q, want %d and %q", got.Status, got.Description, status, words)
	}
}

// open lets Juliet press Start and returns her chat's id.
func (s *stand) open(bot string) string {
	s.T.Helper()
	s.Open("juliet", control.OpenIn{To: bot})
	return s.native("juliet")
}

func (s *stand) native(person string) string {
	s.T.Helper()
	return s.Person(person).Native
}

// updates asks for what waits and returns kinds and numbers.
func (s *stand) updates(token string, in map[string]any) (kinds []string, numbers []int64) {
	s.T.Helper()
	got := s.call(token, "getUpdates", in)
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(got.Result, &list); err != nil {
		s.T.Fatalf("getUpdates: %+v: %v", got, err)
	}
	for _, u := range list {
		for name, raw := range u {
			if name != "update_id" {
				kinds = append(kinds, name)
				continue
			}
			var n int64
			if err := json.Unmarshal(raw, &n); err != nil {
				s.T.Fatal(err)
			}
			numbers = append(numbers, n)
		}
	}
	return kinds, numbers
}

func TestTokens(t *testing.T) {
	s := newStand(t, nil)
	s.refused(s.call("nonsense", "getMe", nil), 404, "Not Found")
	s.refused(s.call("7000000001:AAH-somebody-elses-secret-00000001", "getMe", nil), 401, "Unauthorized")
	s.refused(s.call(romeo, "makeCoffee", nil), 404, "method not found")
	got := s.call(romeo, "GETME", nil)
	if !got.OK || !strings.Contains(string(got.Result), `"username":"romeo_bot"`) || !strings.Contains(string(got.Result), `"id":7000000001`) {
		t.Errorf("getMe: got %+v", got)
	}
	s.Do(http.MethodPut, "/users/romeo_bot/state", map[string]string{"state": "revoked"}, nil)
	s.refused(s.call(romeo, "getMe", nil), 401, "Unauthorized")
}

// TestForms: parameters come in four ways and mean the same.
func TestForms(t *testing.T) {
	s := newStand(t, nil)
	chat := s.open("romeo_bot")
	reply := `{"message_id":1,"allow_sending_without_reply":true}`
	values := url.Values{"chat_id": {chat}, "text": {"hark"}, "reply_parameters": {reply}, "entities": {`[{"type":"bold","offset":0,"length":4}]`}}
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	for name, v := range values {
		if err := w.WriteField(name, v[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	nested := map[string]any{
		"chat_id": chat, "text": "hark", "reply_parameters": json.RawMessage(reply), "entities": []map[string]any{{"type": "bold", "offset": 0, "length": 4}},
	}
	for name, got := range map[string]answer{
		"query":     s.post(romeo, "sendMessage?"+values.Encode(), "", nil),
		"form":      s.post(romeo, "sendMessage", "application/x-www-form-urlencoded", strings.NewReader(values.Encode())),
		"multipart": s.post(romeo, "sendMessage", w.FormDataContentType(), &parts),
		"json":      s.call(romeo, "sendMessage", nested),
	} {
		var m struct {
			Text     string
			Entities []struct{ Type string }
			Reply    *struct{ Text string } `json:"reply_to_message"`
		}
		if err := json.Unmarshal(got.Result, &m); err != nil || m.Text != "hark" || len(m.Entities) != 1 || m.Reply == nil || m.Reply.Text != "/start" {
			t.Errorf("%s: got %s, %v", name, got.Result, err)
		}
	}
	s.refused(s.post(romeo, "sendMessage", "application/json", strings.NewReader("{")), 400, "can't parse JSON")
	s.refused(s.post(romeo, "sendMessage", "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nabc")), 400, "can't parse")
}

// TestWhoMayWrite: a bot writes only to who pressed Start, and not to who blocked it or is gone.
func TestWhoMayWrite(t *testing.T) {
	s := newStand(t, nil)
	juliet := s.native("juliet")
	say := func(chat string) answer {
		return s.call(romeo, "sendMessage", map[string]any{"chat_id": chat, "text": "hark"})
	}
	s.refused(say(juliet), 400, "chat not found")
	s.refused(say(""), 400, "chat_id is empty")
	s.open("romeo_bot")
	if got := say(juliet); !got.OK {
		t.Errorf("after Start: got %+v", got)
	}
	s.Do(http.MethodPut, "/people/juliet/block", map[string]any{"to": "romeo_bot", "blocked": true}, nil)
	s.refused(say(juliet), 403, "bot was blocked by the user")
	s.open("romeo_bot")
	if got := say(juliet); !got.OK {
		t.Errorf("after Start again: got %+v", got)
	}
	s.Do(http.MethodPatch, "/people/juliet", map[string]any{"absent": true}, nil)
	s.refused(say(juliet), 403, "user is deactivated")
	kinds, _ := s.updates(romeo, nil)
	if want := []string{"message", "my_chat_member", "my_chat_member", "message"}; !slices.Equal(kinds, want) {
		t.Errorf("told: got %v, want %v", kinds, want)
	}
}

func TestChanges(t *testing.T) {
	s := newStand(t, nil)
	chat := s.open("romeo_bot")
	send := func(method string, in map[string]any) answer {
		in["chat_id"] = chat
		return s.call(romeo, method, in)
	}
	id := func(a answer) int64 {
		t.Helper()
		var m struct {
			ID int64 `json:"message_id"`
		}
		if err := json.Unmarshal(a.Result, &m); err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		return m.ID
	}
	s.refused(send("sendMessage", map[string]any{"text": " \n"}), 400, "message text is empty")
	s.refused(send("sendMessage", map[string]any{"text": strings.Repeat("ü", 4097)}), 400, "message is too long")
	s.refused(send("sendMessage", map[string]any{"text": "x", "entities": []any{map[string]any{"type": "bold", "offset": 0, "length": 9}}}), 400, "ENTITY_BOUNDS_INVALID")
	s.refused(send("sendMessage", map[string]any{"text": "x", "reply_parameters": map[string]any{"message_id": 999}}), 400, "message to be replied not found")
	n := id(send("sendMessage", map[string]any{"text": "good morrow"}))
	if got := id(send("editMessageText", map[string]any{"message_id": n, "text": "good night"})); got != n {
		t.Errorf("edited: got message %d, want %d", got, n)
	}
	s.refused(send("editMessageText", map[string]any{"message_id": n, "text": "good night"}), 400, "message is not modified")
	s.refused(send("editMessageText", map[string]any{"message_id": 999, "text": "x"}), 400, "message to edit not found")
	s.refused(send("editMessageText", map[string]any{"message_id": 1, "text": "x"}), 400, "message can't be edited")
	s.refused(send("editMessageCaption", map[string]any{"message_id": n, "caption": "x"}), 400, "there is no caption")
	for reaction, words := range map[string]string{
		`[{"type":"emoji","emoji":"❤️"}]`: "REACTION_INVALID", `[{"type":"emoji","emoji":"🌹"}]`: "REACTION_INVALID",
		`[{"type":"emoji","emoji":"👍"},{"type":"emoji","emoji":"🔥"}]`: "REACTIONS_TOO_MANY",
	} {
		s.refused(send("setMessageReaction", map[string]any{"message_id": 1, "reaction": json.RawMessage(reaction)}), 400, words)
	}
	if got := send("setMessageReaction", map[string]any{"message_id": 1, "reaction": json.RawMessage(`[{"type":"emoji","emoji":"👍"}]`)}); !got.OK {
		t.Errorf("reaction: got %+v", got)
	}
	s.refused(send("sendChatAction", map[string]any{"action": "dancing"}), 400, "wrong parameter action")
	// The sandbox's speed makes 48 hours 1728 seconds.
	s.Offset.Store(int64(48*time.Hour)/100 + int64(time.Second))
	s.refused(send("deleteMessage", map[string]any{"message_id": n}), 400, "message can't be deleted")
	s.Offset.Store(0)
	if got := send("deleteMessage", map[string]any{"message_id": n}); !got.OK {
		t.Errorf("delete: got %+v", got)
	}
	s.refused(send("deleteMessage", map[string]any{"message_id": n}), 400, "message to delete not found")
}

func TestFiles(t *testing.T) {
	s := newStand(t, nil)
	chat := s.open("romeo_bot")
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	file, err := w.CreateFormFile("document", "plan.pdf")
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write([]byte("%PDF-1.7 a plan"))
	if err != nil || w.WriteField("chat_id", chat) != nil || w.WriteField("caption", "the plan") != nil || w.Close() != nil {
		t.Fatal("the form does not write")
	}
	got := s.post(romeo, "sendDocument", w.FormDataContentType(), &parts)
	var m struct {
		Caption  string
		Document struct {
			ID   string `json:"file_id"`
			Name string `json:"file_name"`
		}
	}
	if err := json.Unmarshal(got.Result, &m); err != nil || m.Caption != "the plan" || m.Document.Name != "plan.pdf" {
		t.Fatalf("sendDocument: got %+v, %v", got, err)
	}
	s.refused(s.call(mercutio, "getFile", map[string]any{"file_id": m.Document.ID}), 400, "wrong file_id")
	download := func(token string) (int, string, string) {
		var f struct {
			Path string `json:"file_path"`
		}
		if err := json.Unmarshal(s.call(romeo, "getFile", map[string]any{"file_id": m.Document.ID}).Result, &f); err != nil {
			t.Fatal(err)
		}
		defer s.Offset.Store(0)
		if token == "" {
			s.Offset.Store(int64(time.Hour)/100 + int64(time.Second))
			token = romeo
		}
		resp, err := http.Get(s.URL + "/file/bot" + token + "/" + f.Path) //nolint:noctx // a test's own question
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
	}
	if status, typ, body := download(romeo); status != 200 || typ != "application/octet-stream" || body != "%PDF-1.7 a plan" {
		t.Errorf("download: got %d, %s, %q", status, typ, body)
	}
	for _, token := range []string{"", "7000000009:AAH-nobody-token-secret-00000000000"} {
		if status, _, _ := download(token); status != 404 {
			t.Errorf("download after an hour, or with another token: got %d, want 404", status)
		}
	}
	if again := s.call(romeo, "sendDocument", map[string]any{"chat_id": chat, "document": m.Document.ID}); !again.OK {
		t.Errorf("the same file by its id: got %+v", again)
	}
	s.refused(s.call(romeo, "sendPhoto", map[string]any{"chat_id": chat, "photo": "nothing"}), 400, "wrong file identifier")
}

// TestLimits counts what is above one message a second, and refuses it when it is told to.
func TestLimits(t *testing.T) {
	s := newStand(t, nil)
	chat := s.open("romeo_bot")
	flood := func() (last answer) {
		for n := range 8 {
			last = s.call(romeo, "sendMessage", map[string]any{"chat_id": chat, "text": fmt.Sprint(n)})
		}
		return last
	}
	if got := flood(); !got.OK {
		t.Errorf("counted only: got %+v", got)
	}
	state, err := s.Control.State(t.Context())
	if err != nil || state.Counts.Violations == 0 {
		t.Errorf("got %d violations, %v, want some", state.Counts.Violations, err)
	}
	if err := s.Control.EnforceLimits(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	got := flood()
	if got.Status != 429 || got.Parameters.RetryAfter < 1 || got.Header.Get("Retry-After") != fmt.Sprint(got.Parameters.RetryAfter) {
		t.Errorf("enforced: got %+v, want 429 that says how long, twice", got)
	}
}

// TestInvite: a link opens the chat and says its token; an album is several messages, the words below the first.
func TestInvite(t *testing.T) {
	s := newStand(t, nil)
	s.Do(http.MethodPost, "/people/nurse/open", control.OpenIn{URL: "https://t.me/mercutio_bot?start=abc"}, nil)
	got := s.call(mercutio, "getUpdates", nil)
	if !strings.Contains(string(got.Result), `"text":"/start abc"`) || !strings.Contains(string(got.Result), `"bot_command"`) {
		t.Errorf("got %s, want /start with the token", got.Result)
	}
	var parts []control.MediaPart
	for range 2 {
		var p control.MediaPart
		s.Do(http.MethodPost, "/media", map[string]any{"width": 20, "height": 20}, &p)
		parts = append(parts, p)
	}
	s.Do(http.MethodPost, "/people/nurse/messages", control.SayIn{To: "mercutio_bot", Content: &control.Content{Text: "look", Media: parts}}, nil)
	raw := string(s.call(mercutio, "getUpdates", nil).Result)
	if strings.Count(raw, `"photo"`) != 2 || strings.Count(raw, `"caption":"look"`) != 1 || strings.Count(raw, `"media_group_id"`) != 2 {
		t.Errorf("got %s, want two pictures of one album", raw)
	}
}
