package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandbox"
)

type (
	// Config is everything that the simulator can be told at start; its Accounts are pages, or accounts of Instagram.
	Config = sandbox.Config
	// Server plays one of the platforms.
	Server = sandbox.Server
)

// Kind is which of the platforms is played.
type Kind string

// The kinds.
const (
	Messenger      Kind = "messenger"
	InstagramLogin Kind = "instagram"
	FacebookLogin  Kind = "instagram-facebook" // Instagram by the token of the linked page
)

// The app that all pages belong to. Instagram Login has a secret of its own.
const (
	AppID           = "100000000000001"
	AppSecret       = "sandbox-app-secret-0123456789abcdef"
	InstagramSecret = "sandbox-instagram-secret-0123456789"
	DefaultPage     = "102030405060708"
	DefaultAccount  = "17841400000000001"
	DefaultToken    = "EAAsandboxVeronaToken000000000000001"
	inboxApp        = "263902037430900"
)

// Further ids of accounts and people.
const (
	idPage        = "page_id"
	idAgent       = "human_agent"
	idOldStickers = "old_stickers"
	idInbox       = "inbox"
	idOff         = "messages_off"
	idAnyReaction = "any_reaction"
	idNoProfile   = "no_profile"
)

// DefaultPages is one page, or one account of Instagram.
func DefaultPages(kind Kind) []control.Account {
	if kind == Messenger {
		return []control.Account{Page(kind, DefaultPage, "verona", "Verona", DefaultToken)}
	}
	return []control.Account{Page(kind, DefaultAccount, "verona", "Verona", DefaultToken)}
}

// Page is an account: its id, its name in addresses, its name and the token that opens it.
func Page(kind Kind, id, username, name, token string) control.Account {
	a := control.Account{ID: id, Kind: "page", Username: username, Name: name, Token: token, Secret: kind.Secret(), IDs: map[string]string{}}
	if kind != Messenger {
		a.Kind = "account"
	}
	if kind == FacebookLogin {
		a.IDs[idPage] = "9" + id[max(0, len(id)-14):]
	}
	return a
}

// Secret is the app's, which signs webhooks.
func (k Kind) Secret() string {
	if k == InstagramLogin {
		return InstagramSecret
	}
	return AppSecret
}

func (k Kind) object() string {
	if k == Messenger {
		return "page"
	}
	return "instagram"
}

// New makes a simulator. Requests are served at once; webhooks need Run.
func New(kind Kind, cfg Config) (*Server, error) {
	if cfg.Accounts == nil {
		cfg.Accounts = DefaultPages(kind)
	}
	if cfg.WebhookTimeout == 0 {
		cfg.WebhookTimeout = 5 * time.Second
	}
	return sandbox.New(cfg, platform{kind})
}

// platform is what is Meta's of the sandbox.
type platform struct{ kind Kind }

// Limits of the documents.
const (
	ruleAccount = "messages per account"
	ruleThread  = "messages per thread"
	windowFor   = 24 * time.Hour
	agentFor    = 7 * 24 * time.Hour
	linkLife    = 24 * time.Hour
	typingFor   = 20 * time.Second
	maxFile     = 25 << 20
	downloads   = "/cdn/"
)

// Spec implements sandbox.Platform.
func (p platform) Spec() sandbox.Spec {
	spec := sandbox.Spec{
		Name: "messenger", Title: "Messenger", AccountWord: "page", Hint: "Invites look like https://m.me/" + DefaultPage + "?ref=TOKEN.",
		Ladder: sandbox.Ladder{
			Steps: []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour},
			Keep:  36 * time.Hour, FailFor: time.Hour, Taken: func(status int) bool { return status == http.StatusOK },
		},
		Batch: 1000,
		Rules: []sandbox.Rule{
			{Name: ruleAccount, Scope: "page", Every: time.Second / 300, Burst: 300},
			{Name: ruleThread, Scope: "thread", Every: time.Second / 2, Burst: 40},
		},
		Contact: func(a *sandbox.Account, p *sandbox.Person) string { return "7" + sandbox.Digits(a.ID+"/"+p.ID, 15) },
		MessageID: func(_ *sandbox.State, m *sandbox.Message) string {
			sum := sha256.Sum256([]byte(m.Chat.Account.ID + "/" + m.ID))
			return "m_" + base64.RawURLEncoding.EncodeToString(sum[:])
		},
		Split: split, ReadLink: p.readLink, Refuse: p.refuseFault,
		Exempt: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, downloads) },
		Reset:  func(st *sandbox.State) { st.Own = newBooks() },
	}
	if p.kind != Messenger {
		spec.Name, spec.Title, spec.AccountWord, spec.Hint = "instagram", "Instagram", "account", "Invites look like https://ig.me/m/verona?ref=TOKEN."
		spec.Rules[0] = sandbox.Rule{Name: ruleAccount, Scope: "account", Every: time.Second / 100, Burst: 100}
		spec.MessageID = func(_ *sandbox.State, m *sandbox.Message) string {
			sum := sha256.Sum256([]byte(m.Chat.Account.ID + "/" + m.ID))
			return "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE" + base64.RawURLEncoding.EncodeToString(sum[:])
		}
	}
	return spec
}

// split makes a message of the words and one of the files: "no captions on attachments".
func split(c sandbox.Content) []sandbox.Content {
	if len(c.Media) == 0 || c.Text == "" {
		return []sandbox.Content{c}
	}
	return []sandbox.Content{{Media: c.Media}, {Text: c.Text, Spans: c.Spans}}
}

// readLink understands https://m.me/<page>?ref=<token> and https://ig.me/m/<account>?ref=<token>.
func (p platform) readLink(st *sandbox.State, u *url.URL) (sandbox.Link, error) {
	host, begin := "m.me", "/"
	if p.kind != Messenger {
		host, begin = "ig.me", "/m/"
	}
	name, ok := strings.CutPrefix(u.Path, begin)
	if u.Host != host || !ok {
		return sandbox.Link{}, errors.New("links begin with https://" + host + begin)
	}
	a := st.AccountNamed(strings.Trim(name, "/"))
	if name == "" || a == nil {
		return sandbox.Link{}, errors.New("there is no page of that name")
	}
	return sandbox.Link{Account: a, Token: u.Query().Get("ref")}, nil
}

// Routes implements sandbox.Platform.
func (p platform) Routes(s *sandbox.Server, r chi.Router) {
	on := func(do func(*call) (any, *fault)) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) { p.serve(s, w, q, do) }
	}
	raw := func(do func(*sandbox.Server, http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) { do(s, w, q) }
	}
	r.Post("/{version}/{id}/messages", on(postMessage))
	r.Post("/{version}/{id}/subscribed_apps", on(subscribe))
	r.Get("/{version}/{id}/subscribed_apps", on(subscribed))
	r.Delete("/{version}/{id}/subscribed_apps", on(unsubscribe))
	r.Get("/{version}/{id}/conversations", on(conversations))
	r.Get("/{version}/debug_token", raw(p.debugToken))
	if p.kind == InstagramLogin {
		r.Get("/oauth/authorize", raw(p.dialog))
		r.Post("/oauth/access_token", raw(p.instagramCode))
		r.Get("/access_token", raw(p.instagramProlong))
		r.Get("/refresh_access_token", raw(p.instagramRefresh))
	} else {
		r.Get("/{version}/dialog/oauth", raw(p.dialog))
		r.Get("/{version}/oauth/access_token", raw(p.accessToken))
		r.Get("/{version}/me/accounts", raw(p.pages))
		r.Post("/{version}/{id}/subscriptions", raw(p.registerApp))
		r.Post("/{version}/{id}/messenger_profile", on(profileOfPage))
		r.Post("/{version}/{id}/take_thread_control", on(takeThread))
	}
	r.Get("/{version}/{id}", on(getObject))
	r.Get(downloads+"{link}/{name}", raw(download))
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, &fault{Code: 2500, Text: "Unknown path components"})
	})
}

// Request implements sandbox.Platform: items in the entry of their account, or whole entries where somebody told a raw one.
func (p platform) Request(_ *sandbox.State, d sandbox.Delivery) sandbox.Request {
	var entries []object
	for _, u := range d.Updates {
		e := object{"id": d.Account.ID, "time": u.At.UnixMilli()}
		switch body := u.Body.(type) {
		case sandbox.Raw:
			var members object
			if json.Unmarshal(body.Body, &members) != nil {
				continue
			}
			if members["sender"] == nil { // members of an entry, as changes
				maps.Copy(e, members)
				break
			}
			e["messaging"] = []any{members}
		case item:
			name := "messaging"
			if body.standby {
				name = "standby"
			}
			e[name] = []any{body.object}
		}
		entries = append(entries, e)
	}
	raw, err := json.Marshal(object{"object": p.kind.object(), "entry": entries})
	if err != nil || len(entries) == 0 {
		return sandbox.Request{}
	}
	raw = graph.Escape(raw)
	secret := d.Account.Secret
	if d.Forged {
		secret = "forged-" + secret
	}
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"facebookexternalua"}, "Accept": {"*/*"}}
	h.Set(graph.HeaderSignature, graph.Sign(secret, raw))
	return sandbox.Request{URL: d.Account.Hook.URL, Header: h, Body: raw}
}

// refuseFault words an injected fault as Meta, or the proxy in front of it, does. What timed out was done.
func (p platform) refuseFault(w http.ResponseWriter, r *http.Request, f sandbox.Refusal) {
	switch f.Kind {
	case sandbox.Limited:
		p.limited(w, f.RetryAfter)
	case sandbox.TimedOut:
		if path.Base(r.URL.Path) == "messages" {
			answer(w, nil, &fault{Status: 500, Code: 1, Subcode: 1357046, Text: "An unknown error occurred"})
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusGatewayTimeout)
		_, _ = w.Write([]byte("<html><title>Sorry, something went wrong.</title></html>"))
	case sandbox.Unavailable:
		answer(w, nil, &fault{Status: 503, Code: 2, Subcode: 2018344, Text: "Service temporarily unavailable", Transient: true})
	}
}
