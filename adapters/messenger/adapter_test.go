package messenger_test

import (
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		kind   simulator.Kind
		change func(*messenger.Config)
		want   string
	}{
		{"complete", simulator.Messenger, func(*messenger.Config) {}, ""},
		{"complete", simulator.InstagramLogin, func(*messenger.Config) {}, ""},
		{"complete", simulator.FacebookLogin, func(*messenger.Config) {}, ""},
		{"base_url with a password", simulator.Messenger, func(c *messenger.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"no address at all is the login's own", simulator.InstagramLogin, func(c *messenger.Config) { c.BaseURL, c.DialogURL, c.TokenURL = "", "", "" }, ""},
		{"login of Instagram", simulator.Messenger, func(c *messenger.Config) { c.Login = messenger.LoginInstagram }, "login"},
		{"no login", simulator.InstagramLogin, func(c *messenger.Config) { c.Login = "" }, "login"},
		{"tokens of another login", simulator.FacebookLogin, func(c *messenger.Config) { c.TokenURL = "https://h.example" }, "token_url"},
		{"a login's configuration", simulator.InstagramLogin, func(c *messenger.Config) { c.LoginID = "12345" }, "login_id"},
		{"version without a v", simulator.Messenger, func(c *messenger.Config) { c.Version = "24.0" }, "version"},
		{"app_id", simulator.Messenger, func(c *messenger.Config) { c.AppID = "app" }, "app_id"},
		{"no app_secret_file", simulator.Messenger, func(c *messenger.Config) { c.AppSecretFile = "" }, "app_secret_file"},
		{"no verify_token_file", simulator.Messenger, func(c *messenger.Config) { c.VerifyTokenFile = "" }, "verify_token_file"},
		{"a page without a token", simulator.Messenger, func(c *messenger.Config) { c.PageID = goldenPage }, "token_file"},
		{"a token without a page", simulator.Messenger, func(c *messenger.Config) { c.TokenFile = "f" }, "token_file"},
		{"a page for all", simulator.Messenger, func(c *messenger.Config) { c.PageID, c.TokenFile, c.Username = goldenPage, "f", "verona" }, ""},
		{"an account on Messenger", simulator.Messenger, func(c *messenger.Config) { c.InstagramID = goldenPage }, "instagram_id"},
		{"a page with Instagram Login", simulator.InstagramLogin, func(c *messenger.Config) { c.PageID = goldenPage }, "page_id"},
		{"an account without its page", simulator.FacebookLogin, func(c *messenger.Config) { c.InstagramID, c.TokenFile = goldenPage, "f" }, "page_id"},
		{"a name without a page", simulator.Messenger, func(c *messenger.Config) { c.Username = "verona" }, "username"},
		{"a name that is none", simulator.Messenger, func(c *messenger.Config) { c.PageID, c.TokenFile, c.Username = goldenPage, "f", "@verona" }, "username"},
		{"reactions of Messenger", simulator.Messenger, func(c *messenger.Config) { c.AnyReaction = true }, "any_reaction"},
		{"media", simulator.Messenger, func(c *messenger.Config) { c.Media = "pigeon" }, "media"},
		{"media_hosts", simulator.Messenger, func(c *messenger.Config) { c.MediaHosts = []string{"https://h"} }, "media_hosts"},
		{"no timeout", simulator.Messenger, func(c *messenger.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", simulator.Messenger, func(c *messenger.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, tc.kind, "https://graph.example")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if want := entry(t, tc.kind).Name + ": " + tc.want + ": "; tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
	if err := new(messenger.Config).Validate(); err == nil {
		t.Error("a configuration of neither platform: got nil, want an error")
	}
}

// TestSecretFiles: a file that holds no secret is refused without being quoted, and any of several app secrets may sign.
func TestSecretFiles(t *testing.T) {
	open := func(change func(*messenger.Config)) (*messenger.Adapter, error) {
		c := config(t, simulator.Messenger, "https://graph.example")
		change(c)
		return messenger.New(*c, http.DefaultClient)
	}
	for name, change := range map[string]func(*messenger.Config){
		"short secret":  func(c *messenger.Config) { c.AppSecretFile = write(t, "swordfish\n") },
		"no secret":     func(c *messenger.Config) { c.AppSecretFile = write(t, "\n") },
		"missing":       func(c *messenger.Config) { c.AppSecretFile = "/nonexistent/secret" },
		"short word":    func(c *messenger.Config) { c.VerifyTokenFile = write(t, "swordfish") },
		"two words":     func(c *messenger.Config) { c.VerifyTokenFile = write(t, verifyToken+" swordfish") },
		"no word":       func(c *messenger.Config) { c.VerifyTokenFile = "/nonexistent/verify" },
		"no token":      func(c *messenger.Config) { c.PageID, c.TokenFile = goldenPage, write(t, "swordfish") },
		"missing token": func(c *messenger.Config) { c.PageID, c.TokenFile = goldenPage, "/nonexistent/token" },
	} {
		if _, err := open(change); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: got %v, want an error that does not quote the file", name, err)
		}
	}
	a, err := open(func(c *messenger.Config) {
		c.AppSecretFile = write(t, simulator.AppSecret+"\n"+simulator.InstagramSecret+"\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{simulator.AppSecret, simulator.InstagramSecret} {
		if err := a.Verify(sign(secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("signed with either secret: got %v, want nil", err)
		}
	}
	q := map[string][]string{"hub.mode": {"subscribe"}, "hub.challenge": {"1158"}, "hub.verify_token": {verifyToken}}
	if answer, ok := a.Challenge(gateway.Request{Query: q}); !ok || string(answer) != "1158" {
		t.Errorf("Challenge: got %q, %v", answer, ok)
	}
}

var (
	hrefs = regexp.MustCompile(`href="([^"]+)">([^<]*)`)
	noHop = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
)

// visit opens a login page as a browser does and follows the link of that name: what it brings back are the answers.
func (b *sandbox) visit(page, name string) map[string]string {
	b.t.Helper()
	resp, err := noHop.Get(page) //nolint:noctx // a browser's
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("login page: got %v, status %d: %s", err, resp.StatusCode, raw)
	}
	for _, m := range hrefs.FindAllStringSubmatch(string(raw), -1) {
		if m[2] != name {
			continue
		}
		back, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			b.t.Fatal(err)
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
	b.t.Fatalf("login page has no link %q: %s", name, raw)
	return nil
}

// TestLinkInABrowser: the page, what it brings back, and the choice where a login is good for several.
func TestLinkInABrowser(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a := b.open(config(t, kind, b.url), http.DefaultClient)
			in := gateway.LinkInput{User: "romeo@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink}
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
			if !strings.HasPrefix(step.Redirect, b.url) || !strings.Contains(step.Redirect, "state=state-of-the-dialogue") {
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
			b.say("juliet", pages[1], control.Text("hark"))
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
	a := b.open(config(t, simulator.Messenger, b.url), http.DefaultClient)
	ask := func(token string) gateway.LinkStep {
		t.Helper()
		step, err := a.Link(t.Context(), gateway.LinkInput{User: "u", Hook: b.sink, State: []byte(`{"at":"paste"}`), Answers: map[string]string{"token": token}})
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
	b.do(http.MethodPut, "/users/"+pages[0]+"/state", map[string]string{"state": "revoked"}, nil)
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
			c := b.lineConfig(config(t, kind, b.url))
			c.Username = ""
			asked := 0
			a := b.open(c, &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked++
				return http.DefaultTransport.RoundTrip(r)
			})})
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

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRenewal: a token of Instagram Login gets another sixty days when it is a week old; that of a line goes into its file.
func TestRenewal(t *testing.T) {
	b := newSandbox(t, simulator.InstagramLogin)
	cfg := config(t, simulator.InstagramLogin, b.url)
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
	b.say("juliet", pages[0], control.Text("hark"))
	op := gateway.Op{ID: gateway.NewOpID(), Chat: b.chat("juliet", pages[0]), Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	account.Secret = secret
	if _, err := a.Send(t.Context(), account, op); err != nil {
		t.Errorf("Send by the new token: %v", err)
	}
	b.offset.Store(int64(61 * 24 * time.Hour)) // nobody kept it
	if _, err := a.Send(t.Context(), account, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("Send by a token that has ended: got %v, want class reauth_needed", err)
	}
	b.offset.Store(0)

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
	b.do(http.MethodPatch, "/users/"+pages[3], map[string]any{"token": "EAAanotherTokenOfTheLine00000000001"}, nil)
	b.say("juliet", pages[3], control.Text("hark"))
	op.Chat = b.chat("juliet", pages[3])
	for _, who := range []*messenger.Adapter{line, b.open(lined, http.DefaultClient)} { // now, and after a restart
		if _, err := who.Send(t.Context(), credentials, op); err != nil {
			t.Errorf("Send by the line's new token: %v", err)
		}
	}
}

// rig is a linked page with Juliet in a chat.
func (b *sandbox) rig(change func(*messenger.Config)) (*messenger.Adapter, gateway.Credentials, gateway.Chat) {
	b.t.Helper()
	c := config(b.t, b.kind, b.url)
	if change != nil {
		change(c)
	}
	a := b.open(c, http.DefaultClient)
	account := b.link(a, "romeo@montague.example", tokens[0])
	b.say("juliet", pages[0], control.Text("hark"))
	return a, account, b.chat("juliet", pages[0])
}

func say(chat gateway.Chat, text string) gateway.Op {
	return gateway.Op{ID: gateway.NewOpID(), Chat: chat, At: time.Now().UTC(), Body: gateway.OpMessage{Content: gateway.PlainText(text)}}
}

// TestHumanAgent: for seven days where Meta has approved the feature and the configuration says so, whatever is known of the last message.
func TestHumanAgent(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			var seen []string // bodies of what was sent
			count := roundTrip(func(r *http.Request) (*http.Response, error) {
				raw, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				seen, r.Body = append(seen, string(raw)), io.NopCloser(strings.NewReader(string(raw)))
				return http.DefaultTransport.RoundTrip(r)
			})
			_, account, chat := b.rig(nil)
			agent := config(t, kind, b.url)
			agent.HumanAgent = true
			a := b.open(agent, &http.Client{Transport: count})
			plain := b.open(config(t, kind, b.url), http.DefaultClient)
			if got, want := a.Caps(gateway.ChatFacts{}).Window.For, 7*24*time.Hour; got != want {
				t.Errorf("window: got %s, want %s", got, want)
			}
			ids := map[string]string{"human_agent": "true"}
			maps.Copy(ids, simulator.Page(kind, pages[0], "", "", "").IDs)
			b.do(http.MethodPatch, "/users/"+pages[0], map[string]any{"ids": ids}, nil)
			last := time.Now()
			send := func(who *messenger.Adapter, after time.Duration, known bool) error {
				b.offset.Store(int64(after))
				op := say(chat, "are you there?")
				if known {
					op.LastInbound = last.Add(-after) // our clock stands still
				}
				_, err := who.Send(t.Context(), account, op)
				return err
			}
			if err := send(a, time.Hour, true); err != nil || len(seen) != 1 || strings.Contains(seen[0], "HUMAN_AGENT") {
				t.Errorf("after an hour: got %v and %q, want a plain answer", err, seen)
			}
			for _, known := range []bool{true, false} {
				seen = nil
				if err := send(a, 2*24*time.Hour, known); err != nil {
					t.Errorf("after two days, known %v: got %v, want it to go as a human agent's", known, err)
				}
				if n := len(seen); known != (n == 1) || !strings.Contains(seen[n-1], "HUMAN_AGENT") {
					t.Errorf("after two days, known %v: got %q, want the tag, at once where it is known", known, seen)
				}
				if err := send(a, 8*24*time.Hour, known); gateway.ClassOf(err) != gateway.WindowClosed {
					t.Errorf("after eight days, known %v: got %v, want class window_closed", known, err)
				}
				if err := send(plain, 2*24*time.Hour, known); gateway.ClassOf(err) != gateway.WindowClosed {
					t.Errorf("without the feature after two days: got %v, want class window_closed", err)
				}
			}
		})
	}
}

// TestInbox: while another app holds a conversation its items come as standby; an answer takes it over, where the configuration lets it.
func TestInbox(t *testing.T) {
	b := newSandbox(t, simulator.Messenger)
	a, account, chat := b.rig(nil)
	polite := config(t, simulator.Messenger, b.url)
	polite.TakeThread = false
	b.do(http.MethodPatch, "/users/"+pages[0], map[string]any{"ids": map[string]string{"inbox": "true"}}, nil)
	id := b.say("juliet", pages[0], control.Text("is anybody there?"))
	b.waitFor(a, func(e gateway.Event) bool { m, ok := e.Body.(gateway.Message); return ok && m.ID == id })
	if !slices.ContainsFunc(b.webhooks(), func(r gateway.Request) bool { return strings.Contains(string(r.Body), `"standby"`) }) {
		t.Error("nothing came as standby")
	}
	_, err := b.open(polite, http.DefaultClient).Send(t.Context(), account, say(chat, "here"))
	if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.Permanent || se.Code != "10/2018300" {
		t.Errorf("without take_thread: got %v, want 10/2018300", err)
	}
	if _, err := a.Send(t.Context(), account, say(chat, "here")); err != nil {
		t.Errorf("with take_thread: %v", err)
	}
	var said control.Said
	b.do(http.MethodPost, "/users/"+pages[0]+"/messages", control.SayIn{To: "juliet", Text: "from the inbox"}, &said)
	e := b.waitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		return ok && string(m.ID) == said.Native
	})
	if !e.FromMe || e.Chat != chat {
		t.Errorf("what the owner wrote in the inbox: got %+v, want it from our user", e)
	}
}

// TestUncertain: what was sent although the answer says 1/1357046 is told by its echo, or found in the conversation.
func TestUncertain(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, chat := b.rig(nil)
			b.do(http.MethodPut, "/faults", control.Faults{TimeoutRate: 1, TimeoutHoldMS: 1}, nil)
			op := say(chat, "did you hear me?")
			_, err := a.Send(t.Context(), account, op)
			if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.Uncertain || se.Code != "1/1357046" {
				t.Fatalf("Send: got %v, want 1/1357046 as uncertain", err)
			}
			b.do(http.MethodPut, "/faults", control.Faults{}, nil)
			all := b.messages("juliet", pages[0])
			id := gateway.MessageID(all[len(all)-1].Native)
			e := b.waitFor(a, func(e gateway.Event) bool {
				s, ok := e.Body.(gateway.Status)
				return ok && s.State == gateway.StatusAccepted && slices.Equal(s.IDs, []gateway.MessageID{id})
			})
			want := op.ID
			if kind != simulator.Messenger {
				want = ""
			}
			if s, _ := e.Body.(gateway.Status); s.Ref != want {
				t.Errorf("the echo names op %q, want %q", s.Ref, want)
			}
			if sent, found, err := a.Reconcile(t.Context(), account, op); err != nil || !found || !slices.Equal(sent.IDs, []gateway.MessageID{id}) {
				t.Errorf("Reconcile: got %v, %v, %v, want the message", sent.IDs, found, err)
			}
			never := say(chat, "what was never sent")
			later := say(chat, "did you hear me?")
			later.At = later.At.Add(time.Minute)
			for _, op := range []gateway.Op{never, later} {
				if sent, found, err := a.Reconcile(t.Context(), account, op); err != nil || found {
					t.Errorf("Reconcile of what was not sent: got %v, %v, %v", sent.IDs, found, err)
				}
			}
		})
	}
}

// TestMediaByLink: Meta fetches a file from where the user put it, and gets it by the form where it cannot.
func TestMediaByLink(t *testing.T) {
	b := newSandbox(t, simulator.InstagramLogin)
	a, account, chat := b.rig(func(c *messenger.Config) { c.Media = messenger.MediaLink })
	served := 0
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		if r.URL.Path == "/gone.png" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "rose")
	}))
	defer up.Close()
	// The address that a user's server gives is https; the sandbox is told another that it can reach.
	plain := strings.Replace(up.URL, "http://", "https://", 1)
	sandboxed := b.open(func() *messenger.Config {
		c := config(t, simulator.InstagramLogin, b.url)
		c.Media = messenger.MediaLink
		return c
	}(), &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Content-Type") == "application/json" {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			raw = []byte(strings.ReplaceAll(string(raw), plain, up.URL))
			r = r.Clone(r.Context())
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(raw))), int64(len(raw))
		}
		return http.DefaultTransport.RoundTrip(r)
	})})
	if c := a.Caps(gateway.ChatFacts{}); !slices.Contains(c.MediaTypes, "application/pdf") || slices.Contains(c.MediaTypes, "application/zip") {
		t.Errorf("media types: got %v", c.MediaTypes)
	}
	for _, name := range []string{"rose.png", "gone.png"} {
		op := say(chat, "")
		op.Body = gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{
			gateway.Media{Kind: gateway.MediaImage, Handle: plain + "/" + name, MIME: "image/png", Name: name, Size: 4},
		}}}
		sent, err := sandboxed.SendMedia(t.Context(), account, op, strings.NewReader("rose"))
		if err != nil || len(sent.IDs) != 1 {
			t.Fatalf("%s: got %v, %v, want one message", name, sent.IDs, err)
		}
		all := b.messages("juliet", pages[0])
		if got := all[len(all)-1].Content.Media; len(got) != 1 || got[0].Size != 4 || got[0].Kind != "image" {
			t.Errorf("%s: got %+v, want the picture", name, got)
		}
	}
	if served != 2 {
		t.Errorf("got %d fetches by the platform, want one for each file", served)
	}
}

// TestFetchAgain: the address of a file ends after a day; then it is asked for once more. That of a picture is asked for each time.
func TestFetchAgain(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, _ := b.rig(nil)
			for _, typ := range []string{"image/png", "video/mp4", "application/pdf"} {
				var part control.MediaPart
				b.do(http.MethodPost, "/media", map[string]any{"type": typ, "size": 1000}, &part)
				b.offset.Store(0)
				m := b.arrived(a, b.say("juliet", pages[0], control.Content{Media: []control.MediaPart{part}}))
				for _, after := range []time.Duration{0, 25 * time.Hour} {
					b.offset.Store(int64(after))
					body, got, err := a.Fetch(t.Context(), account, m)
					if err != nil {
						t.Fatalf("Fetch of %s after %s: %v", typ, after, err)
					}
					raw, err := io.ReadAll(body)
					if err != nil || len(raw) != 1000 || got.MIME != typ || body.Close() != nil {
						t.Errorf("Fetch of %s after %s: got %d bytes of %s, %v", typ, after, len(raw), got.MIME, err)
					}
				}
			}
			gone := gateway.Media{Handle: pages[0] + " m m_nobody/0 https://evil.example/x"}
			if _, _, err := a.Fetch(t.Context(), account, gone); gateway.ClassOf(err) != gateway.Permanent {
				t.Errorf("Fetch of what is gone, off the list of hosts: got %v, want class permanent", err)
			}
			b.do(http.MethodPatch, "/people/juliet", map[string]any{"ids": map[string]string{"no_profile": "true"}}, nil)
			if _, err := a.Profile(t.Context(), account, b.chat("juliet", pages[0]).Contact); !errors.Is(err, gateway.ErrNoPerson) {
				t.Errorf("Profile of somebody who shows nothing: got %v, want nobody", err)
			}
		})
	}
}

// TestRedirects: a file may be on another host of the list, and on no other.
func TestRedirects(t *testing.T) {
	var to string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.png" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		if r.Header.Get("Authorization") != "" && r.URL.Path == "/b.png" {
			t.Error("the token went along to a file")
		}
		_, _ = io.WriteString(w, "rose")
	}))
	defer server.Close()
	h := graph.Hosts{HTTP: server.Client(), Base: server.URL, List: []string{".fbcdn.net"}, Timeout: time.Second, Agent: "test"}
	for target, want := range map[string]bool{"/b.png?oe=1": true, server.URL + "/b.png": true, "https://evil.example/b.png": false, "http://scontent.fbcdn.net/b.png": false, "/a.png": false} {
		to = target
		body, err := h.Open(t.Context(), "download", server.URL+"/a.png?oe=1")
		if (err == nil) != want {
			t.Errorf("redirect to %s: got %v, want it followed: %v", target, err, want)
		}
		if err == nil {
			_ = body.Close()
		}
	}
}

// TestPeople: what people do there comes as events.
func TestPeople(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, chat := b.rig(nil)
			sent, err := a.Send(t.Context(), account, say(chat, "good morrow"))
			if err != nil {
				t.Fatal(err)
			}
			all := b.messages("juliet", pages[0])
			mine := all[len(all)-1]
			var said control.Said
			b.do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: pages[0], Text: "🌹 sweet", ReplyTo: mine.ID}, &said)
			b.do(http.MethodPatch, "/messages/"+said.MessageID, map[string]string{"text": "🌹 sweeter"}, nil)
			b.do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{"❤️"}, "person": "juliet"}, nil)
			b.do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{}, "person": "juliet"}, nil)
			b.do(http.MethodPost, "/people/juliet/read", control.ReadIn{To: pages[0]}, nil)
			b.do(http.MethodDelete, "/messages/"+said.MessageID, nil, nil)
			theirs := func(target gateway.Target) bool {
				return slices.Equal(target.IDs, []gateway.MessageID{gateway.MessageID(said.Native)})
			}
			is := map[string]func(gateway.Event) bool{
				"message": func(e gateway.Event) bool {
					m, ok := e.Body.(gateway.Message)
					return ok && string(m.ID) == said.Native && m.ReplyTo != nil && m.ReplyTo.IDs[0] == sent.IDs[0]
				},
				"edit": func(e gateway.Event) bool { m, ok := e.Body.(gateway.Edited); return ok && theirs(m.Target) },
				"reaction": func(e gateway.Event) bool {
					r, ok := e.Body.(gateway.Reacted)
					return ok && r.Target.IDs[0] == sent.IDs[0] && slices.Equal(r.Emojis, []string{"❤️"})
				},
				"reaction taken back": func(e gateway.Event) bool { r, ok := e.Body.(gateway.Reacted); return ok && len(r.Emojis) == 0 },
				"read": func(e gateway.Event) bool {
					s, ok := e.Body.(gateway.Status)
					return ok && s.State == gateway.StatusRead && (kind == simulator.Messenger && !s.Through.Before(sent.At) || slices.Equal(s.IDs, sent.IDs))
				},
				"retraction": func(e gateway.Event) bool { r, ok := e.Body.(gateway.Retracted); return ok && theirs(r.Target) },
			}
			for name, f := range is {
				if e := b.waitFor(a, f); e.Chat != chat || e.FromMe || string(e.Endpoint) != pages[0] {
					t.Errorf("%s: got %+v, want it from the contact", name, e)
				}
			}
		})
	}
}
