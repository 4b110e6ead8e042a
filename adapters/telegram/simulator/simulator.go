package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

type (
	// Config is everything that the simulator can be told at start; its Accounts are bots.
	Config = sandbox.Config
	// Server plays Telegram.
	Server = sandbox.Server
)

// DefaultToken is that of the bot that exists when the configuration has none.
const DefaultToken = "7000000001:AAH-verona-sandbox-token-000000000001"

// DefaultBots is one bot, @verona_bot.
func DefaultBots() []control.Account {
	return []control.Account{Bot(DefaultToken, "verona_bot", "Verona")}
}

// Bot is an account with a token, whose beginning is its id.
func Bot(token, username, name string) control.Account {
	id, _, _ := strings.Cut(token, ":")
	return control.Account{ID: id, Kind: "bot", Username: username, Name: name, Token: token}
}

// New makes a simulator. Requests are served at once; webhooks need Run.
func New(cfg Config) (*Server, error) {
	if cfg.Accounts == nil {
		cfg.Accounts = DefaultBots()
	}
	return sandbox.New(cfg, platform{})
}

// platform is what is Telegram's of the sandbox.
type platform struct{}

// Limits of the Bots FAQ, "My bot is hitting limits", and of the documents of the methods.
const (
	ruleChat    = "messages per chat"
	ruleGroup   = "messages per group"
	ruleBot     = "requests per bot"
	maxText     = 4096
	maxCaption  = 1024
	maxUpload   = 50 << 20
	maxDownload = 20 << 20
	maxPhoto    = 10 << 20
	linkLife    = time.Hour
	deleteFor   = 48 * time.Hour
	buttonLife  = 150 * time.Second
	typingLasts = 5 * time.Second
)

// Spec implements sandbox.Platform.
func (platform) Spec() sandbox.Spec {
	return sandbox.Spec{
		Name: "telegram", Title: "Telegram", AccountWord: "bot", Hint: "Invites look like https://t.me/verona_bot?start=TOKEN.",
		Ladder: sandbox.Ladder{
			Steps: []time.Duration{0, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute}, Jitter: 1,
			Keep: 24 * time.Hour, RetryAfter: time.Hour, Gone: 23 * time.Hour, Hold: true,
		},
		Parallel: 40, FirstUpdate: 100001,
		Rules: []sandbox.Rule{
			{Name: ruleChat, Scope: "chat", Every: time.Second, Burst: 5},
			{Name: ruleGroup, Scope: "group", Every: 3 * time.Second, Burst: 20},
			{Name: ruleBot, Scope: "bot", Every: time.Second / 30, Burst: 30},
		},
		Native: func(p *sandbox.Person) {
			if p.Native == "" {
				p.Native = sandbox.Digits(p.ID, 10)
			}
		},
		MessageID: func(_ *sandbox.State, m *sandbox.Message) string {
			if m.Chat.Group() {
				return strconv.FormatInt(m.Seq, 10)
			}
			return strconv.FormatInt(m.Chat.Account.Seq, 10)
		},
		Split: split, ReadLink: readLink, Refuse: refuseFault,
		Exempt: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/file/") },
	}
}

// split makes an album of several files: messages of their own, the words below the first.
func split(c sandbox.Content) []sandbox.Content {
	if len(c.Media) < 2 {
		return []sandbox.Content{c}
	}
	var out []sandbox.Content
	for i, m := range c.Media {
		piece := sandbox.Content{Media: []sandbox.MediaPart{m}}
		if i == 0 {
			piece.Text, piece.Spans = c.Text, c.Spans
		}
		out = append(out, piece)
	}
	return out
}

// readLink understands https://t.me/<bot>?start=<token> and tg://resolve?domain=<bot>&start=<token>.
func readLink(st *sandbox.State, u *url.URL) (sandbox.Link, error) {
	name := strings.Trim(u.Path, "/")
	switch {
	case u.Scheme == "tg" && u.Host == "resolve":
		name = u.Query().Get("domain")
	case u.Host != "t.me" && u.Host != "telegram.me":
		return sandbox.Link{}, errors.New("links begin with https://t.me/")
	}
	bot := st.AccountNamed("@" + name)
	if name == "" || bot == nil {
		return sandbox.Link{}, errors.New("there is no bot of that name")
	}
	return sandbox.Link{Account: bot, Token: u.Query().Get("start")}, nil
}

// Routes implements sandbox.Platform.
func (platform) Routes(s *sandbox.Server, r chi.Router) {
	r.HandleFunc("/bot{token}/{method}", func(w http.ResponseWriter, q *http.Request) { serve(s, w, q) })
	r.Get("/file/bot{token}/*", func(w http.ResponseWriter, q *http.Request) { download(s, w, q) })
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, &fault{Code: 404, Text: "Not Found"}) })
}

// Request implements sandbox.Platform: one update, as WebhookActor posts it.
func (platform) Request(_ *sandbox.State, d sandbox.Delivery) sandbox.Request {
	h := http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"gzip, deflate"}}
	if secret := d.Account.Hook.Secret; secret != "" {
		if d.Forged {
			secret = "forged" + secret[min(6, len(secret)):]
		}
		h.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	}
	raw, err := json.Marshal(updateOf(d.Updates[0]))
	if err != nil {
		return sandbox.Request{}
	}
	return sandbox.Request{URL: d.Account.Hook.URL, Header: h, Body: raw}
}

// updateOf is an Update.
func updateOf(u *sandbox.Update) object {
	body := u.Body
	if raw, ok := body.(sandbox.Raw); ok {
		body = raw.Body
	}
	return object{"update_id": u.N, u.Type: body}
}

// refuseFault words an injected fault as the server, or the proxy in front of it, does.
func refuseFault(w http.ResponseWriter, _ *http.Request, f sandbox.Refusal) {
	switch f.Kind {
	case sandbox.Limited:
		answer(w, nil, tooMany(f.RetryAfter))
	case sandbox.TimedOut:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusGatewayTimeout)
		_, _ = w.Write([]byte("<html><title>504 Gateway Time-out</title></html>"))
	case sandbox.Unavailable:
		answer(w, nil, &fault{Code: 503, Text: "Service Unavailable"})
	}
}

var tokenForm = regexp.MustCompile(`^[1-9][0-9]{0,15}:[A-Za-z0-9_-]{30,64}$`)
