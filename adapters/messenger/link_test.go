package messenger_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

var (
	hrefs = regexp.MustCompile(`href="([^"]+)">([^<]*)`)
	noHop = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
)

// visit opens a login page as a browser does and follows the link of that name: what it brings back are the answers.
func (b *sandbox) visit(page, name string) map[string]string {
	b.T.Helper()
	resp, err := noHop.Get(page) //nolint:noctx // a browser's
	if err != nil {
		b.T.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.T.Fatalf("login page: got %v, status %d: %s", err, resp.StatusCode, raw)
	}
	for _, m := range hrefs.FindAllStringSubmatch(string(raw), -1) {
		if m[2] != name {
			continue
		}
		back, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			b.T.Fatal(err)
		}
		answers := map[string]string{}
		for k, v := range back.Query() {
			answers[k] = v[0]
		}
		if back.Fragment != "" && answers["code"] != "" {
			answers["code"] += "#" + back.Fragment
		}
		return answers
	}
	b.T.Fatalf("login page has no link %q: %s", name, raw)
	return nil
}

// TestLinkInABrowser: the page, what it brings back, and the choice where a login is good for several.
func TestLinkInABrowser(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a := b.open(config(t, kind, b.URL), http.DefaultClient)
			in := gateway.LinkInput{User: "romeo@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook}
			var step gateway.LinkStep
			next := func(answers map[string]string) {
				t.Helper()
				var err error
				in.State, in.Answers = step.State, answers
				if step, err = a.Link(t.Context(), in); err != nil {
					t.Fatalf("Link: %v", err)
				}
			}
			next(nil)
			in.State, in.Answers = step.State, map[string]string{"how": "browser"}
			if _, err := a.Link(t.Context(), in); gateway.ClassOf(err) != gateway.Unsupported {
				t.Errorf("without a public address: got %v, want class unsupported", err)
			}
			in.Return, in.Token = "https://gateway.example/link/"+string(kind), "state-of-the-dialogue"
			next(map[string]string{"how": "browser"})
			if !strings.HasPrefix(step.Redirect, b.URL) || !strings.Contains(step.Redirect, "state=state-of-the-dialogue") {
				t.Fatalf("got redirect %q, want the login with our state", step.Redirect)
			}
			next(nil) // by hand, without the page
			if step.Redirect == "" {
				t.Fatal("answers without a code: want the page again")
			}
			next(b.visit(step.Redirect, "Cancel"))
			if !strings.HasSuffix(step.Text, ".declined") || step.Redirect == "" {
				t.Errorf("after a refusal: got %q and redirect %q, want the page again", step.Text, step.Redirect)
			}
			next(map[string]string{"code": "no-code-at-all"})
			if !strings.HasSuffix(step.Text, ".declined") {
				t.Errorf("a code that is none: got %q, want the page again", step.Text)
			}
			choice, shown := "All pages", "Mercutio"
			if kind == simulator.InstagramLogin {
				choice = "Mercutio"
			}
			if kind != simulator.Messenger {
				shown = "@mercutio"
			}
			next(b.visit(step.Redirect, choice))
			if kind != simulator.InstagramLogin {
				if len(step.Fields) != 1 || len(step.Fields[0].Options) != len(pages) || step.Fields[0].Options[1].Title != shown {
					t.Fatalf("got %+v, want a choice of pages", step.Fields)
				}
				next(map[string]string{"page": "12345"})
				if step.Done != nil || len(step.Fields) != 1 {
					t.Fatal("a page that was not offered: want the choice again")
				}
				next(map[string]string{"page": pages[1]})
			}
			if step.Done == nil || string(step.Done.Endpoint) != pages[1] || step.Done.Shown != shown {
				t.Fatalf("got %+v, want the second page", step)
			}
			b.Say("juliet", pages[1], control.Text("hark"))
			account := gateway.Credentials{Account: in.Account, User: in.User, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
			op := gateway.Op{ID: gateway.NewOpID(), Chat: b.chat("juliet", pages[1]), Body: gateway.OpMessage{Content: gateway.PlainText("good morrow")}}
			if _, err := a.Send(t.Context(), account, op); err != nil {
				t.Errorf("Send by what the login brought: %v", err)
			}
			until, _ := secretOf(t, account.Secret)["until"].(float64)
			if ends := kind == simulator.InstagramLogin; ends != (until > float64(time.Now().Add(59*24*time.Hour).Unix())) {
				t.Errorf("got a token until %v, want an end in sixty days: %v", until, ends)
			}
		})
	}
}

// TestLinkByToken: what is no token, one that is not known, and one of another app.
func TestLinkByToken(t *testing.T) {
	b := newSandbox(t, simulator.Messenger)
	a := b.open(config(t, simulator.Messenger, b.URL), http.DefaultClient)
	ask := func(token string) gateway.LinkStep {
		t.Helper()
		step, err := a.Link(t.Context(), gateway.LinkInput{User: "u", Hook: b.Hook, State: []byte(`{"at":"paste"}`), Answers: map[string]string{"token": token}})
		if err != nil {
			t.Fatalf("Link: %v", err)
		}
		return step
	}
	for token, want := range map[string]string{
		"": "messenger.paste.form", "sword fish": "messenger.paste.form", "EAAforeign0000000000000000": "messenger.paste.foreign",
		"EAAnobodyKnowsThisToken000000": "messenger.paste.unknown",
	} {
		if step := ask(token); step.Done != nil || step.Text != want || len(step.Fields) != 1 || step.Fields[0].Kind != gateway.FieldSecret {
			t.Errorf("token %q: got %+v, want the form again with %s", token, step, want)
		}
	}
	account := b.link(a, "romeo@montague.example", tokens[0])
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink: %v", err)
	}
	b.Do(http.MethodPut, "/users/"+pages[0]+"/state", map[string]string{"state": "revoked"}, nil)
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink of a page whose token was taken back: got %v, want nil", err)
	}
	if _, err := a.Keep(t.Context(), account); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("Keep of it: got %v, want class reauth_needed", err)
	}
}

// TestLine: a page for all stays when a user goes, and its name is asked for once where that is needed and not configured.
func TestLine(t *testing.T) {
	const token = "abcdefghij234567klmnopqrst"
	for kind, want := range map[simulator.Kind]string{
		simulator.Messenger: "https://m.me/" + pages[3], simulator.InstagramLogin: "https://ig.me/m/verona", simulator.FacebookLogin: "https://ig.me/m/verona",
	} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			c := b.lineConfig(config(t, kind, b.URL))
			c.Username = ""
			asked := 0
			a := b.open(c, sandboxtest.Counting(&asked))
			line, ok := a.Line()
			if !ok || string(line.Endpoint) != pages[3] || !strings.HasSuffix(line.Shown, " "+pages[3]) {
				t.Fatalf("Line: got %v, %q, %q", ok, line.Endpoint, line.Shown)
			}
			account := gateway.Credentials{Endpoint: line.Endpoint, Secret: line.Secret}
			for range 2 {
				if link, err := a.InviteURL(t.Context(), account, token); err != nil || link != want+"?ref="+token {
					t.Errorf("InviteURL: got %q, %v, want %s", link, err, want)
				}
			}
			most := 1
			if kind == simulator.Messenger {
				most = 0
			}
			if asked != most {
				t.Errorf("got %d requests for the name, want %d", asked, most)
			}
			if _, err := a.InviteURL(t.Context(), account, "a&b"); gateway.ClassOf(err) != gateway.Permanent {
				t.Errorf("InviteURL of what is no token: got %v, want class permanent", err)
			}
			if err := a.Unlink(t.Context(), account); err != nil || asked != most {
				t.Errorf("Unlink of a user of the line: got %v and %d requests, want nothing to happen", err, asked-most)
			}
		})
	}
}

// TestRenewal: a token of Instagram Login gets another sixty days when it is a week old; that of a line goes into its file.
func TestRenewal(t *testing.T) {
	b := newSandbox(t, simulator.InstagramLogin)
	cfg := config(t, simulator.InstagramLogin, b.URL)
	a := b.open(cfg, http.DefaultClient)
	account := b.link(a, "romeo@montague.example", tokens[0])
	if secret, err := a.Keep(t.Context(), account); secret != nil || err != nil {
		t.Errorf("Keep of a new token: got %d bytes and %v, want nothing", len(secret), err)
	}
	account.Secret = []byte(`{"token":"` + tokens[0] + `","made":1700000000}`)
	secret, err := a.Keep(t.Context(), account)
	if err != nil || secret == nil {
		t.Fatalf("Keep of an old token: got %v, want a secret", err)
	}
	now := secretOf(t, secret)
	token, _ := now["token"].(string)
	if until, _ := now["until"].(float64); token == tokens[0] || token == "" || until < float64(time.Now().Add(59*24*time.Hour).Unix()) {
		t.Errorf("got token %q until %v, want another one for sixty days", token, now["until"])
	}
	b.Say("juliet", pages[0], control.Text("hark"))
	op := gateway.Op{ID: gateway.NewOpID(), Chat: b.chat("juliet", pages[0]), Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	account.Secret = secret
	if _, err := a.Send(t.Context(), account, op); err != nil {
		t.Errorf("Send by the new token: %v", err)
	}
	b.Offset.Store(int64(61 * 24 * time.Hour)) // nobody kept it
	if _, err := a.Send(t.Context(), account, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("Send by a token that has ended: got %v, want class reauth_needed", err)
	}
	b.Offset.Store(0)

	lined := b.lineConfig(cfg)
	old := time.Now().Add(-8 * 24 * time.Hour)
	if err := os.Chtimes(lined.TokenFile, old, old); err != nil {
		t.Fatal(err)
	}
	line := b.open(lined, http.DefaultClient)
	l, _ := line.Line()
	credentials := gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}
	if secret, err := line.Keep(t.Context(), credentials); secret != nil || err != nil {
		t.Fatalf("Keep of a line: got %d bytes and %v, want nothing for the core to keep", len(secret), err)
	}
	raw, err := os.ReadFile(lined.TokenFile)
	if err != nil || strings.TrimSpace(string(raw)) == tokens[3] {
		t.Errorf("token_file: got %v and the old token, want the new one", err)
	}
	b.Do(http.MethodPatch, "/users/"+pages[3], map[string]any{"token": "EAAanotherTokenOfTheLine00000000001"}, nil)
	b.Say("juliet", pages[3], control.Text("hark"))
	op.Chat = b.chat("juliet", pages[3])
	for _, who := range []*messenger.Adapter{line, b.open(lined, http.DefaultClient)} { // now, and after a restart
		if _, err := who.Send(t.Context(), credentials, op); err != nil {
			t.Errorf("Send by the line's new token: %v", err)
		}
	}
}

// secretOf reads what Link sealed.
func secretOf(t *testing.T, raw []byte) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
