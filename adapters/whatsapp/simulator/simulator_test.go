package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

const (
	api     = "/v24.0/"
	account = "900100200300400"
)

// rig is WhatsApp with a place for its webhooks, which answers with status.
type rig struct {
	*sandboxtest.Sandbox

	mu     sync.Mutex
	status []int // of the next answers; then 200
}

func newRig(t *testing.T, cfg simulator.Config) *rig {
	t.Helper()
	r := &rig{}
	r.Sandbox = sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "whatsapp", Challenge: func(q url.Values) ([]byte, bool) { return graph.Challenge(q, "vt") }, Status: r.next,
		Open: func(_ *sandboxtest.Sandbox, preset simulator.Config) (sandboxtest.Simulator, error) {
			cfg.Client, cfg.Now = preset.Client, preset.Now
			return simulator.New(cfg)
		},
	})
	return r
}

func (r *rig) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.status) == 0 {
		return http.StatusOK
	}
	status := r.status[0]
	r.status = r.status[1:]
	return status
}

// call makes a request and returns its status, the code of its error, and its answer.
func (r *rig) call(method, path, token, body string) (status, code int, out map[string]any) {
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), method, r.URL+path, strings.NewReader(body))
	if err != nil {
		r.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return r.send(req)
}

func (r *rig) send(req *http.Request) (status, code int, out map[string]any) {
	r.T.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		r.T.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.T.Fatal(err)
	}
	_ = json.Unmarshal(raw, &out) // pages are no JSON
	var e struct{ Error struct{ Code int } }
	_ = json.Unmarshal(raw, &e)
	return resp.StatusCode, e.Error.Code, out
}

// hears waits for a webhook that holds all of these, as Meta writes them.
func (r *rig) hears(words ...string) (found gateway.Request) {
	r.T.Helper()
	r.Eventually("a webhook with "+strings.Join(words, ", "), func() bool {
		for _, p := range r.Webhooks() {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(string(p.Body), w) }) {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

func (r *rig) listen() {
	r.T.Helper()
	if status, code, _ := r.call(http.MethodPost, api+account+"/subscribed_apps", simulator.DefaultToken, `{"override_callback_uri":"`+r.Hook+`","verify_token":"vt"}`); status != 200 {
		r.T.Fatalf("subscribed_apps: status %d, code %d", status, code)
	}
}

func text(to, words string) string {
	return `{"messaging_product":"whatsapp","to":"` + to + `","type":"text","text":{"body":"` + words + `"},"biz_opaque_callback_data":"ref-1"}`
}

// TestRefusals: what is wrong with a request is answered at once, in Graph's envelope.
func TestRefusals(t *testing.T) {
	cold := simulator.Number("700600500400301", "900100200300401", "+15550002222", "Cold", "EAAcoldTokenSecret000000000000001")
	cold.IDs["registered"] = "false"
	r := newRig(t, simulator.Config{Accounts: append(simulator.DefaultNumbers(), cold)})
	messages := api + simulator.DefaultNumber + "/messages"
	tests := []struct {
		name, path, token, body string
		status, code            int
	}{
		{"no token", messages, "", text("390451230001", "x"), 401, 190},
		{"another's token", messages, cold.Token, text("390451230001", "x"), 400, 100},
		{"a wrong proof", messages + "?appsecret_proof=00", simulator.DefaultToken, text("390451230001", "x"), 400, 100},
		{"no JSON", messages, simulator.DefaultToken, "{", 400, 100},
		{"no product", messages, simulator.DefaultToken, `{"to":"1"}`, 400, 100},
		{"nobody", messages, simulator.DefaultToken, text("", "x"), 400, 131008},
		{"no words", messages, simulator.DefaultToken, text("390451230001", " "), 400, 131008},
		{"too many words", messages, simulator.DefaultToken, text("390451230001", strings.Repeat("x", 4097)), 400, 100},
		{"a body of another type", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"image","text":{"body":"x"}}`, 400, 131008},
		{"a file that is not there", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"image","image":{"id":"1"}}`, 400, 131009},
		{"an unknown type", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"poll"}`, 400, 131051},
		{"a template that is missing", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"template","template":{"name":"missing_one","language":{"code":"en"}}}`, 404, 132001},
		{"a line feed in a variable", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"template","template":{"name":"t","language":{"code":"en"},"components":[{"type":"body","parameters":[{"type":"text","text":"a\nb"}]}]}}`, 400, 132012},
		{"a card without a further name", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","to":"1","type":"contacts","contacts":[{"name":{"formatted_name":"x"}}]}`, 400, 131008},
		{"reading what is not there", messages, simulator.DefaultToken, `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.X"}`, 400, 131009},
		{"a number that is not registered", api + cold.ID + "/messages", cold.Token, text("390451230001", "x"), 400, 133010},
		{"a PIN of five digits", api + cold.ID + "/register", cold.Token, `{"messaging_product":"whatsapp","pin":"12345"}`, 400, 131009},
		{"a webhook that does not answer", api + account + "/subscribed_apps", simulator.DefaultToken, `{"override_callback_uri":"` + r.Hook + `","verify_token":"wrong"}`, 400, 2200},
		{"a webhook whose address is long", api + account + "/subscribed_apps", simulator.DefaultToken, `{"override_callback_uri":"https://x.example/` + strings.Repeat("x", 200) + `"}`, 400, 131009},
		{"blocking somebody who never wrote", api + simulator.DefaultNumber + "/block_users", simulator.DefaultToken, `{"messaging_product":"whatsapp","block_users":[{"user":"390451230001"}]}`, 400, 139100},
		{"an unknown path", "/v24.0/a/b/c", simulator.DefaultToken, "", 400, 2500},
	}
	for _, tt := range tests {
		if status, code, _ := r.call(http.MethodPost, tt.path, tt.token, tt.body); status != tt.status || code != tt.code {
			t.Errorf("%s: got status %d and code %d, want %d and %d", tt.name, status, code, tt.status, tt.code)
		}
	}
}

// TestWindow: outside the window a send is taken, and fails; a template passes; opening a chat opens no window, writing and calling do.
func TestWindow(t *testing.T) {
	r := newRig(t, simulator.Config{})
	r.listen()
	messages := api + simulator.DefaultNumber + "/messages"
	send := func(body string) string {
		t.Helper()
		status, code, out := r.call(http.MethodPost, messages, simulator.DefaultToken, body)
		if status != 200 {
			t.Fatalf("got status %d, code %d; want it to be taken", status, code)
		}
		list, _ := out["messages"].([]any)
		first, _ := list[0].(map[string]any)
		id, _ := first["id"].(string)
		return id
	}
	r.Do(http.MethodPost, "/people/juliet/open", control.OpenIn{}, nil)
	r.hears(`"status":"failed"`, send(text("390451230001", "shut")), `"code":131047`, `"biz_opaque_callback_data":"ref-1"`)
	r.hears(`"status":"delivered"`, send(`{"messaging_product":"whatsapp","to":"390451230001","type":"template","template":{"name":"write_again","language":{"code":"en"}}}`))
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{Text: "hello"}, nil)
	r.hears(`"status":"delivered"`, send(text("+390451230001", "open")), `"recipient_id":"390451230001"`)
	r.Do(http.MethodPost, "/people/nurse/calls", control.CallIn{State: "ringing", CallID: "7"}, nil)
	r.hears(`"field":"calls"`, `"event":"connect"`, "wacid.7")
	r.hears(`"status":"delivered"`, send(text("390451230002", "you called")))
	r.hears(`"status":"failed"`, send(text("390459999999", "nobody")), `"code":131026`)
	for _, p := range []string{"sent", "delivered"} {
		if strings.Contains(string(r.hears(`"status":"`+p+`"`).Body), `"conversation"`) {
			t.Error("a status has a conversation, which v24 left out")
		}
	}
}

// TestWebhook: escaped JSON under a signature of its bytes; anything but 200 is repeated; the address of the app comes back.
func TestWebhook(t *testing.T) {
	r := newRig(t, simulator.Config{Speed: 1000})
	app := r.Hook + "/app"
	r.Do(http.MethodPatch, "/users/-", map[string]any{"hook": map[string]any{"url": app}, "subscribed": true}, nil)
	r.mu.Lock()
	r.status = []int{202, 500, 404}
	r.mu.Unlock()
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{Text: "für a/b 🌹"}, nil)
	got := r.hears(`f\u00fcr a\/b \ud83c\udf39`)
	secrets, err := graph.NewSecrets(simulator.AppSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets.Verify(got.Header, got.Body); err != nil || !slices.Equal(got.Query["token"], []string{"app"}) {
		t.Errorf("got %v at %s", err, got.Query["token"])
	}
	if !strings.HasPrefix(got.Header.Get("X-Hub-Signature"), "sha1=") {
		t.Error("the older signature is missing")
	}
	r.Eventually("a fourth attempt after 202, 500 and 404", func() bool { return len(r.Webhooks()) == 4 })
	r.listen()
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{Text: "second"}, nil)
	if p := r.hears("second"); len(p.Query["token"]) != 0 {
		t.Errorf("under an override: got it at %s", p.Query["token"])
	}
	r.call(http.MethodPost, api+account+"/subscribed_apps", simulator.DefaultToken, "")
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{Text: "third"}, nil)
	if p := r.hears("third"); !slices.Equal(p.Query["token"], []string{"app"}) {
		t.Errorf("without an override: got it at %s", p.Query["token"])
	}
	r.Do(http.MethodPut, "/faults", control.Faults{WebhookBadSignatureRate: 1}, nil)
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{Text: "fourth"}, nil)
	if p := r.hears("fourth"); secrets.Verify(p.Header, p.Body) == nil {
		t.Error("a forged webhook has a good signature")
	}
}

// TestMedia: two steps, a token at each, five minutes; uploads belong to a number.
func TestMedia(t *testing.T) {
	other := simulator.Number("700600500400301", account, "+15550002222", "Other", "EAAotherTokenSecret00000000000001")
	r := newRig(t, simulator.Config{Accounts: append(simulator.DefaultNumbers(), other)})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.WriteField("messaging_product", "whatsapp")
	_ = w.WriteField("type", "image/png")
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="a.png"`}, "Content-Type": {"image/png"}}
	part, err := w.CreatePart(h)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte("rose"))
	_ = w.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+api+simulator.DefaultNumber+"/media", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+simulator.DefaultToken)
	req.Header.Set("Content-Type", w.FormDataContentType())
	status, code, out := r.send(req)
	id, _ := out["id"].(string)
	if status != 200 || id == "" {
		t.Fatalf("upload: got status %d, code %d, id %q", status, code, id)
	}
	if _, code, _ := r.call(http.MethodGet, api+id+"?phone_number_id="+other.ID, other.Token, ""); code != 100 {
		t.Errorf("by another number: got code %d, want 100", code)
	}
	_, _, info := r.call(http.MethodGet, api+id, simulator.DefaultToken, "")
	sum := sha256.Sum256([]byte("rose"))
	if info["sha256"] != base64.StdEncoding.EncodeToString(sum[:]) || info["file_size"] != "4" || info["mime_type"] != "image/png" {
		t.Errorf("got %v", info)
	}
	address, _ := info["url"].(string)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		ahead       time.Duration
		want        int
	}{{"in time", simulator.DefaultToken, 0, 200}, {"without a token", "", 0, 404}, {"too late", simulator.DefaultToken, 6 * time.Minute, 404}} {
		r.Offset.Store(int64(tt.ahead))
		if status, _, _ := r.call(http.MethodGet, u.RequestURI(), tt.token, ""); status != tt.want {
			t.Errorf("%s: got status %d, want %d", tt.name, status, tt.want)
		}
	}
	if status, _, _ := r.call(http.MethodDelete, api+id, simulator.DefaultToken, ""); status != 200 {
		t.Errorf("delete: got status %d", status)
	}
	if _, code, _ := r.call(http.MethodGet, api+id, simulator.DefaultToken, ""); code != 100 {
		t.Errorf("after it was deleted: got code %d, want 100", code)
	}
}

// TestUnasked: kinds that nobody knows, groups, and a person under an invite's token alone.
func TestUnasked(t *testing.T) {
	r := newRig(t, simulator.Config{})
	r.listen()
	r.Do(http.MethodPost, "/users/-/updates", map[string]any{"type": "hologram_update", "body": map[string]int{"x": 1}}, nil)
	r.hears(`"field":"hologram_update"`, `"x":1`)
	var group control.Chat
	r.Do(http.MethodPost, "/groups", control.GroupIn{Title: "Verona", Native: "Y2FwaV9ncm91cDo1", Members: []string{"juliet"}}, &group)
	r.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: group.ID, Text: "all"}, nil)
	r.hears(`"group_id":"Y2FwaV9ncm91cDo1"`, `"body":"all"`)
	r.Do(http.MethodPut, "/groups/"+group.ID+"/members", map[string]any{"person": "nurse", "in": true}, nil)
	r.hears(`"field":"group_participants_update"`, "added_participants")
	r.Do(http.MethodPost, "/people/nurse/open", control.OpenIn{Token: "abcdefghij234567klmnopqrst"}, nil)
	r.hears("invite-abcdefghij234567klmnopqrst", `"from":"390451230002"`)
}
