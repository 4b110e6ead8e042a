package whatsapp_test

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp"
	"postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

// pathToken is the address that Register announces for a number.
func pathToken(t *testing.T, id gateway.Endpoint) string {
	t.Helper()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Webhook struct {
				URL string `json:"override_callback_uri"`
			} `json:"webhook_configuration"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		got = in.Webhook.URL[strings.LastIndexByte(in.Webhook.URL, '/')+1:]
		_, _ = w.Write([]byte(`{"success":true}`))
	}))
	defer server.Close()
	a := newAdapter(t, config(t, server.URL))
	if err := a.Register(t.Context(), gateway.Credentials{Endpoint: id, Secret: []byte(`{"token":"EAAx"}`)}, "https://gateway.example/hooks/whatsapp"); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestLongHook: Meta takes addresses of up to 200 characters.
func TestLongHook(t *testing.T) {
	a := newAdapter(t, config(t, "https://graph.example"))
	err := a.Register(t.Context(), gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}, "https://gateway.example/"+strings.Repeat("x", 200))
	if gateway.ClassOf(err) != gateway.Permanent || err == nil {
		t.Errorf("got %v, want class permanent", err)
	}
}

func TestPaste(t *testing.T) {
	fresh := simulator.Number("700000000000009", "900000000000009", "+15550000009", "Fresh", "EAAfreshTokenSecret0000000000009")
	fresh.IDs["registered"] = "false"
	b := newSandbox(t, fresh)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	in := gateway.LinkInput{User: "tybalt@capulet.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook}
	step := mustLink(t, a, in)
	for _, tc := range []struct{ id, token, want string }{
		{"juliet", fresh.Token, "whatsapp.paste.form"},
		{fresh.ID, "two words", "whatsapp.paste.form"},
		{fresh.ID, "", "whatsapp.paste.form"},
		{fresh.ID, "EAAforeignTokenSecret000000000001", "whatsapp.paste.foreign"},
		{fresh.ID, "EAAunknownTokenSecret000000000001", "whatsapp.paste.unknown"},
		{numbers[0].id, fresh.Token, "whatsapp.paste.unknown"},
	} {
		in.State, in.Answers = step.State, map[string]string{"phone_number_id": tc.id, "token": tc.token}
		if got := mustLink(t, a, in); got.Done != nil || got.Text != tc.want || len(got.Fields) != 2 {
			t.Errorf("%s by %.10s: got %q, done %v; want %q", tc.id, tc.token, got.Text, got.Done != nil, tc.want)
		}
	}
	in.State, in.Answers = step.State, map[string]string{"phone_number_id": fresh.ID, "token": fresh.Token}
	pin := mustLink(t, a, in)
	if pin.Done != nil || len(pin.Fields) != 1 || pin.Fields[0].Name != "pin" || pin.Text != "whatsapp.pin.how" {
		t.Fatalf("a number that is not registered: got %+v", pin)
	}
	in.State, in.Answers = pin.State, map[string]string{"pin": "12345"}
	if again := mustLink(t, a, in); again.Text != "whatsapp.pin.wrong" {
		t.Errorf("a PIN of five digits: got %q", again.Text)
	}
	in.Answers = map[string]string{"pin": "123456"}
	done := mustLink(t, a, in)
	if done.Done == nil || done.Done.Endpoint != gateway.Endpoint(fresh.ID) || done.Done.Shown != "+15550000009" {
		t.Fatalf("got %+v, want the number", done.Done)
	}
	in.Answers = map[string]string{"pin": "654321"}
	if again := mustLink(t, a, in); again.Text != "whatsapp.pin.wrong" {
		t.Errorf("another PIN than the number's: got %q", again.Text)
	}
	in.State = []byte("x")
	if _, err := a.Link(t.Context(), in); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("a state that is none: got %v, want class permanent", err)
	}
}

func mustLink(t *testing.T, a *whatsapp.Adapter, in gateway.LinkInput) gateway.LinkStep {
	t.Helper()
	step, err := a.Link(t.Context(), in)
	if err != nil {
		t.Fatalf("Link: %v", err)
	}
	return step
}

var href = regexp.MustCompile(`<a href="([^"]+)">([^<]+)</a>`)

// browse opens a page of the platform and returns where its links lead back to, by their words.
func browse(t *testing.T, page string) map[string]url.Values {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sandboxtest.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buf := new(bytes.Buffer)
	if _, err := buf.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, status %d: %s", err, resp.StatusCode, buf)
	}
	out := map[string]url.Values{}
	for _, m := range href.FindAllStringSubmatch(buf.String(), -1) {
		u, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Scheme + "://" + u.Host + u.Path; got != "https://gateway.example/link/whatsapp" {
			t.Errorf("the page leads to %s", got)
		}
		out[html.UnescapeString(m[2])] = u.Query()
	}
	return out
}

// TestSignup links a number by the page of the platform: declined, by hand, with one number and with several.
func TestSignup(t *testing.T) {
	second := simulator.Number("700000000000011", numbers[0].account, "+15550000011", "Romeo too", "EAAromeo2TokenSecret000000000011")
	b := newSandbox(t, second)
	cfg := config(t, b.URL)
	cfg.SignupID = "555000111222"
	a := b.open(cfg, adapters.Deps{HTTP: sandboxtest.Client(t)})
	in := gateway.LinkInput{User: "romeo@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook, Return: "https://gateway.example/link/whatsapp", Token: "state-token"}
	next := func(step gateway.LinkStep, answers map[string]string) gateway.LinkStep {
		t.Helper()
		in := in
		in.State, in.Answers = step.State, answers
		return mustLink(t, a, in)
	}
	first := mustLink(t, a, in)
	if len(first.Fields) != 1 || len(first.Fields[0].Options) != 2 {
		t.Fatalf("first step: got %+v, want a choice of ways", first.Fields)
	}
	if paste := next(first, map[string]string{"how": "token"}); len(paste.Fields) != 2 {
		t.Errorf("by hand: got %+v", paste.Fields)
	}
	page := next(first, map[string]string{"how": "browser"})
	if !strings.Contains(page.Redirect, "state=state-token") || !strings.Contains(page.Redirect, "config_id=555000111222") {
		t.Fatalf("got a page at %q", page.Redirect)
	}
	links := browse(t, page.Redirect)
	if again := next(page, nil); again.Redirect == "" {
		t.Error("went on without the page: got no page")
	}
	if declined := next(page, map[string]string{"error": links["Cancel"].Get("error")}); declined.Text != "whatsapp.declined" || declined.Redirect == "" {
		t.Errorf("declined: got %+v", declined)
	}
	if wrong := next(page, map[string]string{"code": "made-up"}); wrong.Text != "whatsapp.declined" {
		t.Errorf("a code that is none: got %+v", wrong)
	}
	benvolio := next(page, map[string]string{"code": links["+15550000003 Benvolio"].Get("code"), "state": "state-token"})
	if benvolio.Done == nil || benvolio.Done.Endpoint != gateway.Endpoint(numbers[2].id) {
		t.Fatalf("one number: got %+v, %q", benvolio.Done, benvolio.Text)
	}
	several := next(page, map[string]string{"code": links["+15550000001 Romeo"].Get("code")})
	if len(several.Fields) != 1 || len(several.Fields[0].Options) != 2 {
		t.Fatalf("several numbers: got %+v", several)
	}
	if again := next(several, map[string]string{"phone_number_id": "1"}); again.Done != nil || len(again.Fields) != 1 {
		t.Errorf("another number: got %+v", again)
	}
	romeo := next(several, map[string]string{"phone_number_id": second.ID})
	if romeo.Done == nil || romeo.Done.Endpoint != gateway.Endpoint(second.ID) {
		t.Fatalf("the chosen number: got %+v", romeo.Done)
	}
	in.Return = ""
	in.State, in.Answers = first.State, map[string]string{"how": "browser"}
	if _, err := a.Link(t.Context(), in); gateway.ClassOf(err) != gateway.Unsupported {
		t.Errorf("without a public address: got %v, want class unsupported", err)
	}
}

// TestUnlink ends the webhooks of a number, but not those of another number of the same business that was linked since.
func TestUnlink(t *testing.T) {
	second := simulator.Number("700000000000011", numbers[0].account, "+15550000011", "Romeo too", "EAAromeo2TokenSecret000000000011")
	b := newSandbox(t, second)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	one := b.link(a, "romeo@montague.example", numbers[0])
	two := b.link(a, "mercutio@montague.example", number{second.ID, "", "", "", second.Token})
	listening := func(id string) bool {
		var state control.State
		b.Do(http.MethodGet, "/state", nil, &state)
		i := slices.IndexFunc(state.Accounts, func(a control.Account) bool { return a.ID == id })
		return state.Accounts[i].Subscribed
	}
	if err := a.Unlink(t.Context(), one); err != nil || !listening(second.ID) {
		t.Errorf("Unlink of the first: got %v, the second still listens %v", err, listening(second.ID))
	}
	for range 2 {
		if err := a.Unlink(t.Context(), two); err != nil || listening(second.ID) {
			t.Errorf("Unlink of the second: got %v, it still listens %v", err, listening(second.ID))
		}
	}
	b.Do(http.MethodPut, "/users/"+numbers[0].id+"/state", map[string]string{"state": "revoked"}, nil)
	if err := a.Unlink(t.Context(), one); err != nil {
		t.Errorf("Unlink with a token that is revoked: got %v, want nil", err)
	}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "390451230001"}, Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	if _, err := a.Send(t.Context(), one, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("Send with a token that is revoked: got %v, want class reauth_needed", err)
	}
}
