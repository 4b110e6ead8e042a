package telegram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

var (
	_ gateway.Adapter       = (*Adapter)(nil)
	_ gateway.Webhook       = (*Adapter)(nil)
	_ gateway.Poller        = (*Adapter)(nil)
	_ gateway.Sharer        = (*Adapter)(nil)
	_ gateway.Linker        = (*Adapter)(nil)
	_ gateway.Directory     = (*Adapter)(nil)
	_ gateway.EachRegistrar = (*Adapter)(nil)
	_ gateway.MediaSender   = (*Adapter)(nil)
	_ gateway.Profiles      = (*Adapter)(nil)
	_ gateway.Acknowledger  = (*Adapter)(nil)
	_ gateway.Prober        = (*Adapter)(nil)
)

const (
	// maxTimeout keeps a send shorter than a shard's lease (15 s) less its renewal (5 s), so that no send outlives its owner.
	maxTimeout = 9 * time.Second
	// maxPoll is the most that the server waits for an update.
	maxPoll = 50 * time.Second
	// minSecret is the shortest webhook secret, in characters.
	minSecret = 32
	// retractFor is deleteMessage's "if it was sent less than 48 hours ago".
	retractFor = 48 * time.Hour
)

// Ways to receive updates.
const (
	ReceiveWebhook = "webhook"
	ReceivePoll    = "poll"
)

// tokenForm is what @BotFather gives out: the bot's id and a secret.
var tokenForm = regexp.MustCompile(`^([1-9][0-9]{0,15}):[A-Za-z0-9_-]{30,64}$`)

// nameForm is that of user names.
var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{3,31}$`)

// Adapter is the Bot API, for the bots of many users or for the one of the operator's.
type Adapter struct {
	cfg    Config
	client *client
	log    *slog.Logger
	hooks  hookSecrets
	line   secret // of the operator's bot; without a token each user links their own
	// name is the line's user name once it was asked for.
	name atomic.Pointer[string]
}

// Config says where the API is, how updates come, and whether there is a bot for all.
type Config struct {
	// BaseURL is the origin of the API: Telegram's, or that of a local server.
	BaseURL string `yaml:"base_url"`
	// Receive is how updates come: webhook, which needs http.public_url, or poll.
	Receive string `yaml:"receive"`
	// WebhookSecretFile holds what webhook addresses are derived from, one secret of at least 32 characters per line: the first is used,
	// the others still count. Only polling does without.
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	// TokenFile holds the token of the operator's bot, which then serves all users; empty: each links their own.
	TokenFile string `yaml:"token_file"`
	// BotName is the user name of that bot; empty: it is asked for when first needed.
	BotName string `yaml:"bot_name"`
	// PollTimeout is how long one request of polling waits for an update.
	PollTimeout time.Duration `yaml:"poll_timeout"`
	// Timeout bounds one send with all that it takes, but a file's way.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig is what the example configuration shows.
func DefaultConfig() *Config {
	return &Config{BaseURL: "https://api.telegram.org", Receive: ReceiveWebhook, PollTimeout: 25 * time.Second, Timeout: 8 * time.Second}
}

// Origin is where the API is.
func (c *Config) Origin() string { return c.BaseURL }

// Validate checks the values without I/O.
func (c *Config) Validate() error {
	if _, err := rest.ParseBase(c.BaseURL); err != nil {
		return errors.New("telegram: base_url: want an absolute https:// or http:// URL without user, query and fragment")
	}
	switch {
	case c.Receive != ReceiveWebhook && c.Receive != ReceivePoll:
		return errors.New("telegram: receive: want webhook or poll")
	case c.Receive == ReceiveWebhook && c.WebhookSecretFile == "":
		return errors.New("telegram: webhook_secret_file: is missing")
	case c.BotName != "" && !nameForm.MatchString(c.BotName):
		return errors.New("telegram: bot_name: want a user name without @")
	case c.BotName != "" && c.TokenFile == "":
		return errors.New("telegram: bot_name: names the bot of token_file, which is missing")
	case c.PollTimeout < time.Second || c.PollTimeout > maxPoll:
		return fmt.Errorf("telegram: poll_timeout: got %s, want 1s to %s", c.PollTimeout, maxPoll)
	case c.Timeout <= 0 || c.Timeout > maxTimeout:
		return fmt.Errorf("telegram: timeout: got %s, want more than 0 and at most %s", c.Timeout, maxTimeout)
	}
	return nil
}

// New reads the secret files and returns the adapter. It calls nobody.
func New(cfg Config, hc *http.Client, log *slog.Logger) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Adapter{cfg: cfg, log: log}
	if cfg.WebhookSecretFile != "" {
		raw, err := os.ReadFile(cfg.WebhookSecretFile)
		if err != nil {
			return nil, fmt.Errorf("telegram: webhook_secret_file: %w", err)
		}
		a.hooks = strings.Fields(string(raw))
		if len(a.hooks) == 0 || slices.ContainsFunc(a.hooks, func(s string) bool { return len(s) < minSecret }) {
			return nil, fmt.Errorf("telegram: webhook_secret_file: want secrets of at least %d characters, one per line", minSecret)
		}
	}
	if cfg.TokenFile != "" {
		raw, err := os.ReadFile(cfg.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("telegram: token_file: %w", err)
		}
		a.line = secret{Token: strings.TrimSpace(string(raw)), Name: cfg.BotName}
		if !tokenForm.MatchString(a.line.Token) {
			return nil, errors.New("telegram: token_file: holds no token as @BotFather gives out")
		}
	}
	rc, err := rest.New(hc, cfg.BaseURL, cfg.Timeout, "Postern")
	if err != nil {
		return nil, fmt.Errorf("telegram: %w", err)
	}
	// The server answers a poll at its timeout; the rest is the way.
	polls, err := rest.New(hc, cfg.BaseURL, cfg.PollTimeout+cfg.Timeout, "Postern")
	if err != nil {
		return nil, fmt.Errorf("telegram: %w", err)
	}
	a.client = &client{rest: rc, polls: polls}
	return a, nil
}

// String hides what the adapter holds from every print verb.
func (a *Adapter) String() string { return "telegram.Adapter(" + a.client.rest.String() + ")" }

// GoString hides what the adapter holds from %#v.
func (a *Adapter) GoString() string { return a.String() }

// Caps returns what a chat of two supports. Groups are not carried.
func (a *Adapter) Caps(facts gateway.ChatFacts) gateway.Caps { return capsOf(facts) }

func capsOf(facts gateway.ChatFacts) gateway.Caps {
	caps := gateway.Caps{
		Levels: map[gateway.Feature]gateway.Level{}, TextMax: maxText, TextUnit: gateway.UTF16Units, MediaMax: maxUpload,
		RetractFor: retractFor, Reactions: slices.Clone(reactions), ReactionsMax: 1,
	}
	if facts.Kind == gateway.ChatGroup {
		return caps
	}
	for _, f := range []gateway.Feature{
		gateway.FeatureText, gateway.FeatureMedia, gateway.FeatureLocation, gateway.FeatureContact, gateway.FeaturePoll, gateway.FeatureSticker,
		gateway.FeatureStyling, gateway.FeatureReply, gateway.FeatureEdit, gateway.FeatureRetract, gateway.FeatureReact,
		gateway.FeatureTypingOut, gateway.FeatureProfile,
	} {
		if !slices.Contains(facts.Without, f) {
			caps.Levels[f] = gateway.Native
		}
	}
	return caps
}

// allows refuses before any I/O what Caps does not offer.
func allows(op gateway.Op) error {
	caps := capsOf(gateway.ChatFacts{Kind: op.Chat.Kind})
	var need []gateway.Feature
	var said gateway.Content
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		need, said = append(need, gateway.FeatureText), b.Content
	case gateway.OpEdit:
		need, said = append(need, gateway.FeatureEdit), b.Content
	case gateway.OpRetract:
		need = append(need, gateway.FeatureRetract)
	case gateway.OpReact:
		need = append(need, gateway.FeatureReact)
		if len(b.Emojis) > caps.ReactionsMax {
			return refuse(gateway.Unsupported, "too_many", "a bot has one reaction")
		}
	case gateway.OpTyping:
		need = append(need, gateway.FeatureTypingOut)
	case gateway.OpMarkRead:
		need = append(need, gateway.FeatureReadOut)
	case gateway.OpAnswer:
		need = append(need, gateway.FeatureAnswer)
	case gateway.OpGroup:
		need = append(need, gateway.FeatureGroups)
	case gateway.OpReopen: // render's to refuse
	}
	for _, f := range need {
		if !caps.Has(f) {
			return refuse(gateway.Unsupported, string(f), "not offered here")
		}
	}
	if text, _ := joinTexts(said); units(text) > caps.TextMax {
		return refuse(gateway.Unsupported, "too_large", "the text is longer than Telegram allows")
	}
	return nil
}

// Descriptor returns what users are told before they link a bot.
func (a *Adapter) Descriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "telegram", Platform: "Telegram", Version: 1, DiscoType: "telegram",
		// Bots have no secret chats.
		Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		// People see the bot, never whose messages it carries.
		Reveals:        gateway.IdentifierOpaque,
		MetadataSeenBy: []string{"gateway operator", "Telegram"},
		Retention:      72 * time.Hour,
		// "Incoming updates are stored on the server until the bot receives them, but no longer than 24 hours."
		PlatformRetention: 24 * time.Hour,
		TermsURL:          "https://telegram.org/tos/bot-developers",
		API:               "Telegram Bot API 10.1",
		Addressing:        []gateway.Identifier{gateway.IdentifierOpaque},
		Caps:              capsOf(gateway.ChatFacts{Kind: gateway.ChatDirect}),
		// Bots FAQ, "My bot is hitting limits": about one message a second in a chat, short bursts aside, and about thirty in all.
		Limits: []gateway.Limit{
			{Scope: gateway.LimitChat, Every: time.Second, Burst: 3},
			{Scope: gateway.LimitAccount, Every: time.Second / 30, Burst: 30},
		},
	}
}

// Send carries one op.
func (a *Adapter) Send(ctx context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	return a.send(ctx, account, op, nil)
}

// SendMedia carries one op with its file, which takes as long as the file takes.
func (a *Adapter) SendMedia(ctx context.Context, account gateway.Credentials, op gateway.Op, body io.ReadSeeker) (gateway.Sent, error) {
	return a.send(ctx, account, op, body)
}

func (a *Adapter) send(ctx context.Context, account gateway.Credentials, op gateway.Op, body io.ReadSeeker) (gateway.Sent, error) {
	if err := allows(op); err != nil {
		return gateway.Sent{}, err
	}
	calls, err := render(op)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	who, err := parseSecret(account)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	sent := gateway.Sent{Final: true} // a bot is told nothing more
	for _, c := range calls {
		m, err := a.make(ctx, who.Token, c, body)
		if err != nil {
			return gateway.Sent{}, err
		}
		if m.ID == 0 {
			continue
		}
		chat := op.Chat
		if m.Chat.ID != 0 {
			sent.Chat = gateway.ChatID(strconv.FormatInt(m.Chat.ID, 10))
			chat.ID = sent.Chat // a group that became a supergroup has another
		}
		sent.IDs, sent.At = append(sent.IDs, messageID(chat, m.ID)), unix(m.Date)
	}
	return sent, nil
}

// make makes a call, and the other one where the platform says that this one does not fit.
func (a *Adapter) make(ctx context.Context, token string, c call, body io.ReadSeeker) (sentMessage, error) {
	m, err := a.client.send(ctx, token, c, body)
	if err == nil {
		return m, nil
	}
	switch se := sendError(err); {
	case c.once && (se.Code == codeSame || se.Code == codeGone):
		return sentMessage{}, nil // it is as it was asked to be
	case c.or != nil && (se.Code == codeNoPhoto || se.Code == codeNoText):
		return a.make(ctx, token, *c.or, body)
	default:
		return sentMessage{}, se
	}
}
