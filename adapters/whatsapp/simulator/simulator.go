package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the platform's older header has it
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandbox"
)

type (
	// Config is everything that the simulator can be told at start; its Accounts are business phone numbers.
	Config = sandbox.Config
	// Server plays WhatsApp.
	Server = sandbox.Server
)

// The Meta app that all numbers belong to, and the number that exists when the configuration has none.
const (
	AppID         = "100000000000001"
	AppSecret     = "sandbox-app-secret-0123456789abcdef"
	DefaultNumber = "700600500400300"
	DefaultToken  = "EAAsandboxVeronaToken000000000000001"
)

// DefaultNumbers is one number, +1 555 000 1111.
func DefaultNumbers() []control.Account {
	return []control.Account{Number(DefaultNumber, "900100200300400", "+15550001111", "Verona", DefaultToken)}
}

// Number is a business phone number: its id, its business account, its phone number, its name and the token that opens it.
func Number(id, account, phone, name, token string) control.Account {
	return control.Account{ID: id, Kind: "number", Name: name, Phone: phone, Token: token, Secret: AppSecret, IDs: map[string]string{idAccount: account}}
}

// Further ids of accounts and people.
const (
	idAccount     = "waba_id"
	idCoexistence = "coexistence"
	idRegistered  = "registered"
	idUser        = "user_id"
	idHidden      = "hidden"
)

// New makes a simulator. Requests are served at once; webhooks need Run.
func New(cfg Config) (*Server, error) {
	if cfg.Accounts == nil {
		cfg.Accounts = DefaultNumbers()
	}
	return sandbox.New(cfg, platform{})
}

// platform is what is WhatsApp's of the sandbox.
type platform struct{}

// Limits of the documents.
const (
	rulePair   = "messages per pair"
	ruleNumber = "messages per number"
	windowFor  = 24 * time.Hour
	linkLife   = 5 * time.Minute
	typingFor  = 25 * time.Second
	maxBody    = 4096
	maxCaption = 1024
	maxUpload  = 100 << 20
)

// Spec implements sandbox.Platform.
func (platform) Spec() sandbox.Spec {
	return sandbox.Spec{
		Name: "whatsapp", Title: "WhatsApp", AccountWord: "number", Hint: "Invites look like https://wa.me/15550001111?text=...",
		Ladder: sandbox.Ladder{
			Steps: []time.Duration{0, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour},
			Keep:  7 * 24 * time.Hour, Hold: true, Taken: func(status int) bool { return status == http.StatusOK },
		},
		Batch: 1000,
		Rules: []sandbox.Rule{
			// "A burst of up to 45 in 6 s that borrows from later quota."
			{Name: rulePair, Scope: "pair", Every: 6 * time.Second, Burst: 45},
			{Name: ruleNumber, Scope: "number", Every: time.Second / 80, Burst: 80},
		},
		Native: native,
		MessageID: func(_ *sandbox.State, m *sandbox.Message) string {
			return "wamid." + sandbox.Digits(m.Chat.Account.ID+m.ID, 30)
		},
		Split: split, ReadLink: readLink, Refuse: refuseFault,
		Exempt: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, downloads) },
		Reset:  func(st *sandbox.State) { st.Own = newBooks() },
	}
}

// native gives a person the ids of the platform: the phone number in digits, and the business-scoped one.
func native(p *sandbox.Person) {
	if p.IDs == nil {
		p.IDs = map[string]string{}
	}
	if p.IDs[idUser] == "" {
		p.IDs[idUser] = userID(p.ID + p.Phone)
	}
	if p.Phone == "" {
		p.Phone = "+39" + sandbox.Digits(p.ID, 10)
	}
	p.Native = digits(p.Phone)
	if hidden(p) {
		p.Native = p.IDs[idUser]
	}
}

func userID(of string) string { return "IT." + sandbox.Digits(of, 18) }

func hidden(p *sandbox.Person) bool { return p.IDs[idHidden] == "true" }

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// split makes a message of each file, the words below the first.
func split(c sandbox.Content) []sandbox.Content {
	if len(c.Media) < 2 {
		return []sandbox.Content{c}
	}
	var out []sandbox.Content
	for i, m := range c.Media {
		piece := sandbox.Content{Media: []sandbox.MediaPart{m}}
		if i == 0 {
			piece.Text = c.Text
		}
		out = append(out, piece)
	}
	return out
}

// readLink understands https://wa.me/<number>?text=<text>, which writes the text into the message field.
func readLink(st *sandbox.State, u *url.URL) (sandbox.Link, error) {
	phone := strings.Trim(u.Path, "/")
	if u.Host == "api.whatsapp.com" {
		phone = u.Query().Get("phone")
	} else if u.Host != "wa.me" {
		return sandbox.Link{}, errors.New("links begin with https://wa.me/")
	}
	a := st.AccountNamed("+" + digits(phone))
	if phone == "" || a == nil {
		return sandbox.Link{}, errors.New("there is no such number")
	}
	return sandbox.Link{Account: a, Text: u.Query().Get("text")}, nil
}

// Routes implements sandbox.Platform.
func (platform) Routes(s *sandbox.Server, r chi.Router) {
	call := func(do func(*call) (any, *fault)) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) { serve(s, w, q, do) }
	}
	r.Post("/{version}/{id}/messages", call(postMessage))
	r.Post("/{version}/{id}/media", call(postMedia))
	r.Post("/{version}/{id}/register", call(register))
	r.Post("/{version}/{id}/block_users", call(blockUsers(true)))
	r.Delete("/{version}/{id}/block_users", call(blockUsers(false)))
	r.Post("/{version}/{id}/subscribed_apps", call(subscribe))
	r.Get("/{version}/{id}/subscribed_apps", call(subscribed))
	r.Delete("/{version}/{id}/subscribed_apps", call(unsubscribe))
	r.Get("/{version}/{id}/phone_numbers", call(phoneNumbers))
	r.Get("/{version}/oauth/access_token", func(w http.ResponseWriter, q *http.Request) { accessToken(s, w, q) })
	r.Get("/{version}/debug_token", func(w http.ResponseWriter, q *http.Request) { debugToken(s, w, q) })
	r.Get("/{version}/dialog/oauth", func(w http.ResponseWriter, q *http.Request) { dialog(s, w, q) })
	r.Get("/{version}/{id}", call(getObject))
	r.Post("/{version}/{id}", call(postObject))
	r.Delete("/{version}/{id}", call(deleteMedia))
	r.Get(downloads, func(w http.ResponseWriter, q *http.Request) { download(s, w, q) })
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, &fault{Status: 400, Code: 2500, Text: "Unknown path components"})
	})
}

// Request implements sandbox.Platform. Several updates are spread over two entries, one change for each.
func (platform) Request(_ *sandbox.State, d sandbox.Delivery) sandbox.Request {
	account := d.Account.IDs[idAccount]
	entries := []object{}
	for i, u := range d.Updates {
		if i == 0 || i == (len(d.Updates)+1)/2 {
			entries = append(entries, object{"id": account, "time": u.At.Unix(), "changes": []object{}})
		}
		last := entries[len(entries)-1]
		changes, _ := last["changes"].([]object)
		last["changes"] = append(changes, changeOf(u))
	}
	raw, err := json.Marshal(object{"object": "whatsapp_business_account", "entry": entries})
	if err != nil {
		return sandbox.Request{}
	}
	raw = graph.Escape(raw)
	secret := d.Account.Secret
	if d.Forged {
		secret = "forged-" + secret
	}
	old := hmac.New(sha1.New, []byte(secret))
	old.Write(raw)
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"facebookexternalua"}, "Accept": {"*/*"}}
	h.Set(graph.HeaderSignature, graph.Sign(secret, raw))
	h.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(old.Sum(nil)))
	return sandbox.Request{URL: d.Account.Hook.URL, Header: h, Body: raw}
}

func changeOf(u *sandbox.Update) object {
	body := u.Body
	if raw, ok := body.(sandbox.Raw); ok {
		body = raw.Body
	}
	return object{"field": u.Type, "value": body}
}

// refuseFault words an injected fault as Meta, or the proxy in front of it, does.
func refuseFault(w http.ResponseWriter, _ *http.Request, f sandbox.Refusal) {
	switch f.Kind {
	case sandbox.Limited:
		answer(w, nil, &fault{Status: 400, Code: 130429, Text: "Rate limit hit", After: f.RetryAfter})
	case sandbox.TimedOut:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusGatewayTimeout)
		_, _ = w.Write([]byte("<html><title>Sorry, something went wrong.</title></html>"))
	case sandbox.Unavailable:
		answer(w, nil, &fault{Status: 500, Code: 131016, Text: "Service unavailable"})
	}
}
