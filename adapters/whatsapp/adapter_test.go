package whatsapp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/whatsapp"
	"postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*whatsapp.Config)
		want   string
	}{
		{"complete", func(*whatsapp.Config) {}, ""},
		{"a line", func(c *whatsapp.Config) { c.PhoneNumberID, c.TokenFile, c.AppID = "123456", "f", "" }, ""},
		{"a line with all", func(c *whatsapp.Config) {
			c.PhoneNumberID, c.TokenFile, c.AccountID, c.PhoneNumber = "123456", "f", "1234567", "15550001111"
		}, ""},
		{"base_url with a password", func(c *whatsapp.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"dialog_url that is none", func(c *whatsapp.Config) { c.DialogURL = "swordfish" }, "dialog_url"},
		{"no version", func(c *whatsapp.Config) { c.Version = "" }, "version"},
		{"version without v", func(c *whatsapp.Config) { c.Version = "24.0" }, "version"},
		{"no app secret", func(c *whatsapp.Config) { c.AppSecretFile = "" }, "app_secret_file"},
		{"no verify token", func(c *whatsapp.Config) { c.VerifyTokenFile = "" }, "verify_token_file"},
		{"no app and no line", func(c *whatsapp.Config) { c.AppID = "" }, "app_id"},
		{"app that is no number", func(c *whatsapp.Config) { c.AppID = "swordfish" }, "app_id"},
		{"sign-up that is no number", func(c *whatsapp.Config) { c.SignupID = "x" }, "signup_id"},
		{"a line without a token", func(c *whatsapp.Config) { c.PhoneNumberID = "123456" }, "token_file"},
		{"a token without a line", func(c *whatsapp.Config) { c.TokenFile = "f" }, "token_file"},
		{"an account without a line", func(c *whatsapp.Config) { c.AccountID = "123456" }, "phone_number_id"},
		{"a number with a plus", func(c *whatsapp.Config) { c.PhoneNumberID, c.TokenFile, c.PhoneNumber = "123456", "f", "+15550001111" }, "phone_number"},
		{"invite without a code", func(c *whatsapp.Config) { c.InviteText = "hello" }, "invite_text"},
		{"invite with two codes", func(c *whatsapp.Config) { c.InviteText = "{code} {code}" }, "invite_text"},
		{"variables without a template", func(c *whatsapp.Config) { c.ReopenTemplate = "" }, "reopen_variables"},
		{"template of another form", func(c *whatsapp.Config) { c.ReopenTemplate = "Write Again" }, "reopen_template"},
		{"template without a language", func(c *whatsapp.Config) { c.ReopenLanguage = "" }, "reopen_language"},
		{"a host with a path", func(c *whatsapp.Config) { c.MediaHosts = []string{"h.example/x"} }, "media_hosts"},
		{"a host that is everything", func(c *whatsapp.Config) { c.MediaHosts = []string{"."} }, "media_hosts"},
		{"no timeout", func(c *whatsapp.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", func(c *whatsapp.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, "https://graph.example")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "whatsapp: "+tc.want+": ")) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	for name, change := range map[string]func(*whatsapp.Config){
		"app_secret_file":   func(c *whatsapp.Config) { c.AppSecretFile = write(t, "hunter2\n") },
		"verify_token_file": func(c *whatsapp.Config) { c.VerifyTokenFile = write(t, "hunter2\n") },
		"token_file":        func(c *whatsapp.Config) { c.PhoneNumberID, c.TokenFile = "123456", write(t, "hunter2 hunter2\n") },
	} {
		c := config(t, "https://graph.example")
		change(c)
		if _, err := whatsapp.New(*c, http.DefaultClient); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that names the key and does not quote the file", name, err)
		}
		for _, missing := range []*string{&c.AppSecretFile, &c.VerifyTokenFile, &c.TokenFile} {
			c := config(t, "https://graph.example")
			change(c)
			*missing = filepath.Join(t.TempDir(), "none")
			if c.TokenFile != "" {
				c.PhoneNumberID = "123456"
			}
			if _, err := whatsapp.New(*c, http.DefaultClient); err == nil {
				t.Error("a file that is not there: got an adapter")
			}
		}
	}
	c := config(t, "https://graph.example")
	c.AppSecretFile = write(t, otherSecret+"\n"+simulator.AppSecret+"\n")
	a, err := whatsapp.New(*c, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{otherSecret, simulator.AppSecret} {
		if err := a.Verify(sign(secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("during a rotation: got %v, want nil", err)
		}
	}
}

func TestChallenge(t *testing.T) {
	a := newAdapter(t, config(t, "https://graph.example"))
	q := map[string][]string{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {verifyToken}}
	if got, ok := a.Challenge(gateway.Request{Method: http.MethodGet, Query: q}); !ok || string(got) != "1158201444" {
		t.Errorf("got %q, %v, want the challenge", got, ok)
	}
	q["hub.verify_token"] = []string{"another"}
	if got, ok := a.Challenge(gateway.Request{Method: http.MethodGet, Query: q}); ok {
		t.Errorf("another token: got %q, want no answer", got)
	}
}

func newAdapter(t *testing.T, c *whatsapp.Config) *whatsapp.Adapter {
	t.Helper()
	a, err := whatsapp.New(*c, newClient(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCaps: what the configuration leaves out is not offered, and refused without any request.
func TestCaps(t *testing.T) {
	c := config(t, "https://graph.example")
	c.Typing, c.ReopenTemplate, c.ReopenVariables = false, "", nil
	bare := newAdapter(t, c)
	line := newAdapter(t, lined(t, "https://graph.example", numbers[3]))
	direct := gateway.ChatFacts{Kind: gateway.ChatDirect}
	if caps := bare.Caps(direct); caps.Has(gateway.FeatureTypingOut) || caps.TypingAfter || caps.Window == nil || caps.Window.Reopen || caps.Window.For != 24*time.Hour {
		t.Errorf("without typing and template: got %+v", caps)
	}
	if line.Caps(direct).Has(gateway.FeatureBlock) || !bare.Caps(direct).Has(gateway.FeatureBlock) {
		t.Error("block: want it where a number is one user's only")
	}
	account := gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "34600111222"}, Body: gateway.OpReopen{From: "Romeo"}}
	if _, err := bare.Send(t.Context(), account, op); gateway.ClassOf(err) != gateway.Unsupported {
		t.Errorf("OpReopen without a template: got %v, want class unsupported", err)
	}
	if err := line.Block(t.Context(), account, "34600111222", true); gateway.ClassOf(err) != gateway.Unsupported {
		t.Errorf("Block on a line: got %v, want class unsupported", err)
	}
	for name, secret := range map[string]string{"no token": `{}`, "no JSON": `x`} {
		_, err := line.Send(t.Context(), gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(secret)}, op)
		if gateway.ClassOf(err) != gateway.ReauthNeeded {
			t.Errorf("%s: got %v, want class reauth_needed", name, err)
		}
	}
	if on := newAdapter(t, config(t, "https://graph.example")); on.Caps(direct).Window.Reopen != true {
		t.Error("with a template: got no way to reopen")
	}
}

// TestNamedVariables: a template has its variables in order, or by name.
func TestNamedVariables(t *testing.T) {
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := new(bytes.Buffer)
		_, _ = buf.ReadFrom(r.Body)
		body = buf.Bytes()
		_, _ = w.Write([]byte(`{"messages":[{"id":"wamid.T"}]}`))
	}))
	defer server.Close()
	c := config(t, server.URL)
	c.ReopenLanguage, c.ReopenVariables = "pt_BR", []string{"sender={from}", "a = b"}
	op := gateway.Op{ID: "01JD4Q0MXY0000000000000000", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "34600111222"}, Body: gateway.OpReopen{From: "Romeo"}}
	sent, err := newAdapter(t, c).Send(t.Context(), gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}, op)
	if err != nil || !slices.Equal(sent.IDs, []gateway.MessageID{"wamid.T"}) {
		t.Fatalf("got %v, %v", sent.IDs, err)
	}
	want := `"parameters":[{"type":"text","parameter_name":"sender","text":"Romeo"},{"type":"text","text":"a = b"}]`
	if !strings.Contains(string(body), want) || !strings.Contains(string(body), `"language":{"code":"pt_BR"}`) {
		t.Errorf("got %s, want %s in it", body, want)
	}
}

// TestStanding: news of a business account concern the number of the address that they came to, or the operator's.
func TestStanding(t *testing.T) {
	c := lined(t, "https://graph.example", number{goldenNumber, goldenAccount, "", "", numbers[3].token})
	line, personal := newAdapter(t, c), newAdapter(t, config(t, "https://graph.example"))
	token := pathToken(t, goldenNumber)
	paths, err := filepath.Glob("testdata/standing/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("fixtures: got %v and %d", err, len(paths))
	}
	for _, p := range paths {
		t.Run(filepath.Base(p), func(t *testing.T) {
			archive, err := txtar.ParseFile(p)
			if err != nil {
				t.Fatal(err)
			}
			body := bytes.TrimSpace(archive.Files[0].Data)
			events, err := line.Parse(gateway.Request{Body: body})
			addressed, err2 := personal.Parse(gateway.Request{Body: body, Query: map[string][]string{"token": {token}}})
			nobody, err3 := personal.Parse(gateway.Request{Body: body, Query: map[string][]string{"token": {goldenNumber + "-0"}}})
			if err := errors.Join(err, err2, err3); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(events, addressed); diff != "" {
				t.Errorf("by the configuration, and by the address:\n%s", diff)
			}
			if len(nobody) != 0 {
				t.Errorf("to an address that is none of ours: got %d events, want none", len(nobody))
			}
			raw, err := json.MarshalIndent(events, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, '\n')
			if flag.Lookup("update").Value.String() == "true" {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "events.json", Data: raw})
				if err := os.WriteFile(p, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), string(raw)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

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
	a := b.open(config(t, b.url), adapters.Deps{HTTP: newClient(t)})
	in := gateway.LinkInput{User: "tybalt@capulet.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink}
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
	resp, err := newClient(t).Do(req)
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
	cfg := config(t, b.url)
	cfg.SignupID = "555000111222"
	a := b.open(cfg, adapters.Deps{HTTP: newClient(t)})
	in := gateway.LinkInput{User: "romeo@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink, Return: "https://gateway.example/link/whatsapp", Token: "state-token"}
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
	a := b.open(config(t, b.url), adapters.Deps{HTTP: newClient(t)})
	one := b.link(a, "romeo@montague.example", numbers[0])
	two := b.link(a, "mercutio@montague.example", number{second.ID, "", "", "", second.Token})
	listening := func(id string) bool {
		var state control.State
		b.do(http.MethodGet, "/state", nil, &state)
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
	b.do(http.MethodPut, "/users/"+numbers[0].id+"/state", map[string]string{"state": "revoked"}, nil)
	if err := a.Unlink(t.Context(), one); err != nil {
		t.Errorf("Unlink with a token that is revoked: got %v, want nil", err)
	}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "390451230001"}, Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	if _, err := a.Send(t.Context(), one, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("Send with a token that is revoked: got %v, want class reauth_needed", err)
	}
}

func TestResolve(t *testing.T) {
	a := newAdapter(t, config(t, "https://graph.example"))
	account := gateway.Credentials{Endpoint: goldenNumber}
	for query, want := range map[string]gateway.ContactID{
		"+39 045 123-0001": "390451230001", " +390451230001 ": "390451230001", "ES.1349120": "ES.1349120", "US.ENT.88": "US.ENT.88",
		"390451230001": "", "@ana.r": "", "+0123456": "", "+1234567890123456": "", "": "", "es.1": "", "juliet@capulet.example": "",
	} {
		p, err := a.Resolve(t.Context(), account, query)
		if p.ID != want || (want == "") != errors.Is(err, gateway.ErrNoPerson) || p.Accepts != (want != "") {
			t.Errorf("%q: got %+v, %v; want %q", query, p, err, want)
		}
	}
	line := newAdapter(t, lined(t, "https://graph.example", numbers[3]))
	l, _ := line.Line()
	if _, err := line.Resolve(t.Context(), gateway.Credentials{Endpoint: l.Endpoint}, "+390451230001"); !errors.Is(err, gateway.ErrNoPerson) {
		t.Errorf("on a line: got %v, want %v", err, gateway.ErrNoPerson)
	}
}

func TestInviteURL(t *testing.T) {
	b := newSandbox(t)
	a := b.open(lined(t, b.url, numbers[3]), adapters.Deps{HTTP: newClient(t)})
	l, _ := a.Line()
	account := gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}
	for token, want := range map[string]string{
		"":                           "https://wa.me/15550000004",
		"abcdefghij234567klmnopqrst": "https://wa.me/15550000004?text=Hello%21%20Please%20connect%20me.%20%28Just%20send%20this%20message%20as%20it%20is%3A%20invite-abcdefghij234567klmnopqrst%29",
	} {
		if got, err := a.InviteURL(t.Context(), account, token); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", token, got, err, want)
		}
	}
	for _, token := range []string{"short", "ABCDEFGHIJ234567KLMNOPQRST", "abcdefghij234567klmnopqrs&"} {
		if got, err := a.InviteURL(t.Context(), account, token); gateway.ClassOf(err) != gateway.Permanent || err == nil {
			t.Errorf("%q: got %q, %v; want class permanent", token, got, err)
		}
	}
}

// TestFetchOnlyFromTheList: the token goes to no host that is not on the list, however the API or a redirect names it.
func TestFetchOnlyFromTheList(t *testing.T) {
	stolen := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer evil.Close()
	var address string
	expired := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v24.0/1300":
			fmt.Fprintf(w, `{"url":%q,"mime_type":"image/png","file_size":3,"sha256":"x"}`, address)
		case "/file":
			if expired > 0 {
				expired--
				http.NotFound(w, r)
				return
			}
			if r.Header.Get("Authorization") != "Bearer EAAx" || r.Header.Get("User-Agent") == "" {
				t.Error("a file was asked for without token or User-Agent")
			}
			_, _ = w.Write([]byte("png"))
		case "/away":
			http.Redirect(w, r, evil.URL+"/file", http.StatusFound)
		}
	}))
	defer api.Close()
	c := config(t, api.URL)
	c.MediaHosts = []string{".fbsbx.com", "cdn.example"}
	a := newAdapter(t, c)
	account := gateway.Credentials{Endpoint: goldenNumber, Secret: []byte(`{"token":"EAAx"}`)}
	fetch := func() error {
		body, m, err := a.Fetch(t.Context(), account, gateway.Media{Handle: "1300"})
		if err == nil {
			if m.MIME != "image/png" || m.Size != 3 {
				t.Errorf("got %+v", m)
			}
			_ = body.Close()
		}
		return err
	}
	for _, to := range []string{
		evil.URL + "/file", api.URL + "/away", "https://evilfbsbx.com/file", "https://fbsbx.com.evil.example/", "http://lookaside.fbsbx.com/x", "https://u@cdn.example/x",
		"/file", "", "file:///etc/passwd", "https://sub.cdn.example/",
	} {
		address = to
		if err := fetch(); err == nil {
			t.Errorf("%s: got a file, want an error", to)
		}
	}
	if stolen != 0 {
		t.Errorf("another host got %d requests", stolen)
	}
	address, expired = api.URL+"/file", 1
	if err := fetch(); err != nil {
		t.Errorf("an address that was over: got %v, want a second try", err)
	}
	expired = 2
	if err := fetch(); err == nil {
		t.Error("twice over: got a file")
	}
}
