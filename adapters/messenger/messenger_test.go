package messenger_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

const (
	verifyToken = "a-word-that-meta-has-to-name"
	otherSecret = "another-app-secret-0123456789abcdef"
	// goldenPage is the page or account of the fixtures.
	goldenPage = "102030405060708"
	// lineName is that of the page that serves all.
	lineName = "verona"
)

// tokens are those of the sandbox's pages: two that users link, one that a login links, and the line's.
var tokens = []string{
	"EAAromeoPageToken00000000000000000001", "EAAmercutioPageToken000000000000000002", "EAAbenvolioPageToken000000000000000003", "EAAlinePageToken0000000000000000000004",
}

var (
	pages = []string{goldenPage, "102030405060709", "102030405060710", "102030405060711"}
	names = []string{"romeo", "mercutio", "benvolio", lineName}
)

// typeOf is the name of the adapter that speaks to a platform.
func typeOf(kind simulator.Kind) string {
	if kind == simulator.Messenger {
		return "messenger"
	}
	return "instagram"
}

// config is a valid configuration for a server at url.
func config(t testing.TB, kind simulator.Kind, url string) *messenger.Config {
	t.Helper()
	cfg := messenger.DefaultConfig()
	if kind != simulator.Messenger {
		cfg = messenger.DefaultInstagramConfig()
		cfg.Media = messenger.MediaUpload // the kit's files are nowhere to be fetched
	}
	if kind == simulator.FacebookLogin {
		cfg.Login = messenger.LoginFacebook
	}
	cfg.BaseURL, cfg.DialogURL, cfg.AppID = url, url, simulator.AppID
	if kind == simulator.InstagramLogin {
		cfg.TokenURL = url
	}
	cfg.AppSecretFile, cfg.VerifyTokenFile = sandboxtest.Secret(t, kind.Secret()+"\n"), sandboxtest.Secret(t, verifyToken+"\n")
	return cfg
}

// sandbox is Messenger or Instagram with the pages of the tests.
type sandbox struct {
	*sandboxtest.Sandbox
	kind simulator.Kind
}

func newSandbox(t *testing.T, kind simulator.Kind) *sandbox {
	t.Helper()
	return &sandbox{kind: kind, Sandbox: sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "messenger", Challenge: func(q url.Values) ([]byte, bool) { return graph.Challenge(q, verifyToken) },
		Open: func(b *sandboxtest.Sandbox, cfg simulator.Config) (sandboxtest.Simulator, error) {
			cfg.Base = b.URL
			for i, token := range tokens {
				a := simulator.Page(kind, pages[i], names[i], strings.ToTitle(names[i][:1])+names[i][1:], token)
				if kind == simulator.InstagramLogin { // the app's dashboard says where its webhooks go
					a.Hook.URL = b.Hook
				}
				cfg.Accounts = append(cfg.Accounts, a)
			}
			return simulator.New(kind, cfg)
		},
	})}
}

// chat is what a page knows a person as.
func (b *sandbox) chat(person, page string) gateway.Chat {
	b.T.Helper()
	for _, c := range b.Person(person).Chats {
		if c.User == page {
			return gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(c.Native)}
		}
	}
	b.T.Fatalf("%s has no chat with %s", person, page)
	return gateway.Chat{}
}

func (b *sandbox) open(cfg *messenger.Config, hc *http.Client) *messenger.Adapter {
	b.T.Helper()
	return sandboxtest.Open[*messenger.Adapter](b.T, typeOf(b.kind), cfg, adapters.Deps{HTTP: hc})
}

// link links a page as the core does, by its token.
func (b *sandbox) link(a *messenger.Adapter, user gateway.UserID, token string) gateway.Credentials {
	b.T.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook}
	var step gateway.LinkStep
	for _, in.Answers = range []map[string]string{nil, {"how": "token"}, {"token": " " + token + "\n"}} {
		var err error
		in.State = step.State
		if step, err = a.Link(b.T.Context(), in); err != nil {
			b.T.Fatalf("Link: %v", err)
		}
	}
	if step.Done == nil {
		b.T.Fatalf("Link: got %+v, want an account", step)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

// sign makes a call that is signed with an app's secret.
func sign(secret string) func([]byte, time.Time) gateway.Request {
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{}
		h.Set(graph.HeaderSignature, graph.Sign(secret, body))
		return gateway.Request{Method: http.MethodPost, Header: h, Body: body, Now: at.Unix()}
	}
}

var proof = regexp.MustCompile(`\?appsecret_proof=[0-9a-f]+$`)

// goldenPath hides what the logins of Instagram differ in, and the proof.
func goldenPath(kind simulator.Kind) func(string) string {
	return func(p string) string {
		p = proof.ReplaceAllString(p, "")
		if kind == simulator.FacebookLogin {
			p = strings.Replace(p, "/"+simulator.Page(kind, goldenPage, "", "", "").IDs["page_id"]+"/", "/me/", 1)
		}
		return p
	}
}

func TestConformance(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			h := adaptertest.Harness{
				Type: sandboxtest.Type(t, typeOf(kind)),
				Dir:  "testdata/" + typeOf(kind),
				Open: func(t *testing.T, deps adapters.Deps) *adaptertest.Rig { return openRig(t, kind, deps) },
				Sign: sign(kind.Secret()), Forge: sign(otherSecret), SignatureHeaders: []string{graph.HeaderSignature},
				Nameless: true, Silent: []gateway.Feature{gateway.FeatureProfile},
				RenderEndpoint: goldenPage, RenderPath: goldenPath(kind), RenderAnswer: `{"recipient_id":"7000000000000001","message_id":"m_golden"}`,
				Errors: errorCases(kind),
			}
			if kind != simulator.Messenger {
				h.Silent = append(h.Silent, gateway.FeatureSticker)
			}
			adaptertest.Run(t, h)
		})
	}
}

func openRig(t *testing.T, kind simulator.Kind, deps adapters.Deps) *adaptertest.Rig {
	b := newSandbox(t, kind)
	cfg := config(t, kind, b.URL)
	a := b.open(cfg, deps.HTTP)
	line := b.open(b.lineConfig(cfg), deps.HTTP)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps.HTTP) },
		Secrets: append(slices.Clone(tokens), kind.Secret(), verifyToken),
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook},
			Answers: []map[string]string{{"how": "token"}, {"token": tokens[2]}}, Wrong: map[string]string{"token": strings.Replace(tokens[2], "A", "B", 1)},
			Lasting: true,
		},
		Windowed: &adaptertest.Windowed{Close: func(int) { b.Offset.Add(int64(25 * time.Hour)) }},
		Native: &adaptertest.Native{
			Say: func(i int, text string) gateway.MessageID {
				var said control.Said
				b.Do(http.MethodPost, "/users/"+pages[i]+"/messages", control.SayIn{To: []string{"juliet", "nurse"}[i], Text: text}, &said)
				return gateway.MessageID(said.Native)
			},
		},
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(names[i]+"@montague.example"), tokens[i]))
		b.Say(person, pages[i], control.Text("hark"))
		rig.Chats = append(rig.Chats, b.chat(person, pages[i]))
	}
	// The page that a login links knows her under another id.
	b.Say("juliet", pages[2], control.Text("hark"))
	rig.Login.Chat = b.chat("juliet", pages[2])
	if l, ok := line.Line(); ok {
		if err := line.Register(t.Context(), gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}, b.Hook); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: func() []gateway.Request {
			return slices.DeleteFunc(b.Webhooks(), func(r gateway.Request) bool { return !strings.Contains(string(r.Body), pages[3]) })
		},
		Open: func(link string) { b.Open("nurse", control.OpenIn{URL: link}) },
	}
	b.furnish(rig)
	return rig
}

// lineConfig is a configuration with the page that serves all.
func (b *sandbox) lineConfig(cfg *messenger.Config) *messenger.Config {
	c := *cfg
	c.TokenFile, c.Username = sandboxtest.Secret(b.T, tokens[3]+"\n"), lineName
	switch b.kind {
	case simulator.Messenger:
		c.PageID = pages[3]
	case simulator.FacebookLogin:
		c.InstagramID, c.PageID = pages[3], simulator.Page(b.kind, pages[3], "", "", "").IDs["page_id"]
	case simulator.InstagramLogin:
		c.InstagramID = pages[3]
	}
	return &c
}

// furnish gives the kit hands on the sandbox.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	who := []string{"juliet", "nurse"}
	b.Furnish(rig, who, pages)
	rig.File = func(i int, size int64) gateway.Media {
		m, sum := b.File(rig.Adapter, who[i], pages[i], size)
		m.SHA256 = sum // which the platform does not tell
		return m
	}
	rig.Stored = func(id string) ([]byte, int64) { return b.Stored("juliet", id) }
	rig.Look = func(i int, display string) { b.Look(who[i], display) }
}
