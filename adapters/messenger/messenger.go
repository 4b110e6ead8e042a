package messenger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"postern/adapters/internal/graph"
	"postern/gateway"
)

var (
	_ gateway.Adapter       = (*Adapter)(nil)
	_ gateway.Webhook       = (*Adapter)(nil)
	_ gateway.Sharer        = (*Adapter)(nil)
	_ gateway.Linker        = (*Adapter)(nil)
	_ gateway.EachRegistrar = (*Adapter)(nil)
	_ gateway.Keeper        = (*Adapter)(nil)
	_ gateway.MediaSender   = (*Adapter)(nil)
	_ gateway.Profiles      = (*Adapter)(nil)
	_ gateway.Reconciler    = (*Adapter)(nil)
	_ gateway.Prober        = (*Adapter)(nil)
)

const (
	// maxText is the longest text of Messenger, in characters ("text: must be UTF-8 and has a 2000 character limit"). Counted in UTF-16 it
	// is never more, whatever a character is there.
	maxText = 2000
	// maxTextBytes is Instagram's ("must be 1000 bytes or less").
	maxTextBytes = 1000
	// maxFile is the limit of every kind of file (Send API, Attachments).
	maxFile = 25 << 20
	// windowFor is the standard messaging window, agentFor that of the tag HUMAN_AGENT.
	windowFor = 24 * time.Hour
	agentFor  = 7 * 24 * time.Hour
)

// Adapter is the Messenger Platform, or Instagram, for the pages of many users or for the one of the operator's.
type Adapter struct {
	cfg         Config
	client      *client
	secrets     *graph.Secrets
	verifyToken string
	// line is the secret of the operator's page; nil: each user links their own. It changes when a token is renewed.
	line atomic.Pointer[secret]
	// username is the line's name for invites once it was asked for; announced the address that Meta took for the app.
	username, announced atomic.Pointer[string]
}

// New reads the secret files and returns the adapter. It calls nobody.
func New(cfg Config, hc *http.Client) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	name := cfg.name()
	a := &Adapter{cfg: cfg}
	secrets, err := graph.Words(name, "app_secret_file", cfg.AppSecretFile)
	if err != nil {
		return nil, err
	}
	if a.secrets, err = graph.NewSecrets(secrets...); err != nil {
		return nil, fmt.Errorf("%s: app_secret_file: %w", name, err)
	}
	lines, err := graph.Words(name, "verify_token_file", cfg.VerifyTokenFile)
	if err != nil {
		return nil, err
	}
	if len(lines) != 1 || len(lines[0]) < minToken {
		return nil, fmt.Errorf("%s: verify_token_file: want one word of at least %d characters", name, minToken)
	}
	a.verifyToken = lines[0]
	if cfg.TokenFile != "" {
		if lines, err = graph.Words(name, "token_file", cfg.TokenFile); err != nil {
			return nil, err
		}
		if len(lines) != 1 || !tokenForm.MatchString(lines[0]) {
			return nil, fmt.Errorf("%s: token_file: holds no access token", name)
		}
		line := &secret{Token: lines[0], Page: cfg.linePage()}
		if info, err := os.Stat(cfg.TokenFile); err == nil {
			line.Made = info.ModTime().Unix()
		}
		a.line.Store(line)
	}
	if a.client, err = newClient(cfg, hc, a.secrets); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a.client.secret = secrets[0]
	return a, nil
}

// String hides what the adapter holds from every print verb.
func (a *Adapter) String() string { return "messenger.Adapter(" + a.client.graph.String() + ")" }

// GoString hides what the adapter holds from %#v.
func (a *Adapter) GoString() string { return a.String() }

// Caps returns what a chat supports. There are only chats of two.
func (a *Adapter) Caps(facts gateway.ChatFacts) gateway.Caps { return a.cfg.caps(facts) }

func (c *Config) caps(facts gateway.ChatFacts) gateway.Caps {
	caps := gateway.Caps{
		Levels: map[gateway.Feature]gateway.Level{}, TextMax: maxText, TextUnit: gateway.UTF16Units, MediaMax: maxFile, ReactionsMax: 1,
		Window: &gateway.WindowRule{For: windowFor}, Watermarks: true, Echo: true,
	}
	if c.HumanAgent {
		caps.Window.For = agentFor
	}
	if c.Platform == Instagram {
		caps.TextMax, caps.TextUnit, caps.MediaTypes, caps.Watermarks, caps.Echo = maxTextBytes, gateway.Bytes, slices.Clone(instagramTypes), false, false
		if !c.AnyReaction {
			caps.Reactions = []string{heart}
		}
	}
	if facts.Kind == gateway.ChatGroup {
		return caps
	}
	for _, f := range []gateway.Feature{
		gateway.FeatureText, gateway.FeatureMedia, gateway.FeatureSticker, gateway.FeatureReply, gateway.FeatureReact, gateway.FeatureDelivered,
		gateway.FeatureReadOut, gateway.FeatureReadIn, gateway.FeatureTypingOut, gateway.FeatureProfile,
	} {
		switch {
		case slices.Contains(facts.Without, f):
		case f == gateway.FeatureSticker: // ours are pictures there
			caps.Levels[f] = gateway.Emulated
		case f == gateway.FeatureDelivered && c.Platform == Instagram: // which tells nothing of it
		default:
			caps.Levels[f] = gateway.Native
		}
	}
	return caps
}

// allows refuses before any I/O what Caps does not offer.
func (a *Adapter) allows(op gateway.Op) error {
	caps := a.Caps(gateway.ChatFacts{Kind: op.Chat.Kind})
	var need gateway.Feature
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		need = gateway.FeatureText
	case gateway.OpEdit:
		need = gateway.FeatureEdit
	case gateway.OpRetract:
		need = gateway.FeatureRetract
	case gateway.OpReact:
		need = gateway.FeatureReact
		if len(b.Emojis) > caps.ReactionsMax {
			return a.refuse(gateway.Unsupported, "too_many", "a message has one reaction of each")
		}
	case gateway.OpMarkRead:
		need = gateway.FeatureReadOut
	case gateway.OpAnswer:
		need = gateway.FeatureAnswer
	case gateway.OpTyping:
		need = gateway.FeatureTypingOut
	case gateway.OpGroup:
		need = gateway.FeatureGroups
	case gateway.OpReopen:
		return a.refuse(gateway.Unsupported, "no_template", "there is no way to ask a person to write")
	}
	if !caps.Has(need) {
		return a.refuse(gateway.Unsupported, string(need), "not offered here")
	}
	return nil
}

// Descriptor returns what users are told before they link a page.
func (a *Adapter) Descriptor() gateway.Descriptor {
	d := gateway.Descriptor{
		Type: string(a.cfg.Platform), Platform: "Messenger", Version: 1, DiscoType: "facebook",
		// Chats with pages are not end-to-end encrypted (Messenger, "End-to-end encryption": "business messages are not").
		Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		// People see the page, never whose messages it carries.
		Reveals:        gateway.IdentifierOpaque,
		MetadataSeenBy: []string{"gateway operator", "Meta"},
		Retention:      72 * time.Hour,
		// "Retries for 36 hours" (Webhooks); what is in the conversation stays there.
		PlatformRetention: 36 * time.Hour,
		TermsURL:          "https://developers.facebook.com/devpolicy/",
		API:               "Messenger Platform, Graph " + a.cfg.Version,
		Addressing:        []gateway.Identifier{gateway.IdentifierOpaque},
		Caps:              a.cfg.caps(gateway.ChatFacts{Kind: gateway.ChatDirect}),
		// Rate limits, Send API: 300 calls a second for a page; to one thread less, in numbers that nobody tells.
		Limits: []gateway.Limit{{Scope: gateway.LimitChat, Every: time.Second / 2, Burst: 20}, {Scope: gateway.LimitAccount, Every: time.Second / 300, Burst: 300}},
	}
	if a.cfg.Platform == Instagram {
		d.Platform, d.DiscoType, d.API = "Instagram", "instagram", "Instagram Messaging, Graph "+a.cfg.Version
		// "100 calls per second per Instagram professional account" for text, links, reactions and stickers.
		d.Limits[1] = gateway.Limit{Scope: gateway.LimitAccount, Every: time.Second / 100, Burst: 100}
	}
	return d
}

// secret is what an account's Credentials hold.
type secret struct {
	Token string `json:"token"`
	// Page is the Facebook page that an Instagram account hangs on, with Facebook Login.
	Page string `json:"page,omitempty"`
	// Made is when the token was given, Until when it ends, as Unix seconds; 0 is not known, or never.
	Made  int64 `json:"made,omitempty"`
	Until int64 `json:"until,omitempty"`
}

func (s secret) seal() []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil // strings and numbers always encode
	}
	return raw
}

// parseSecret reads what Link sealed. The token of a line may be a newer one than the core was told at start.
func (a *Adapter) parseSecret(account gateway.Credentials) (secret, error) {
	if line := a.line.Load(); line != nil && string(account.Endpoint) == a.cfg.lineID() {
		return *line, nil
	}
	var s secret
	if err := json.Unmarshal(account.Secret, &s); err != nil || s.Token == "" || !idForm.MatchString(string(account.Endpoint)) {
		return s, a.refuse(gateway.ReauthNeeded, "no_credentials", "the account holds no page and token")
	}
	return s, nil
}

// Send carries one op. The platform knows no idempotency key: what is uncertain is told by its echo (messenger), or looked for
// (instagram, Reconcile).
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
	if err := a.allows(op); err != nil {
		return gateway.Sent{}, err
	}
	requests, err := a.cfg.render(op, time.Now())
	if err != nil {
		return gateway.Sent{}, a.sendError(err)
	}
	who, err := a.parseSecret(account)
	if err != nil {
		return gateway.Sent{}, a.sendError(err)
	}
	// Of delivery Instagram tells nothing more.
	sent := gateway.Sent{Final: a.cfg.Platform == Instagram}
	for _, r := range requests {
		got, err := a.make(ctx, who, account.Endpoint, r, body)
		if err != nil {
			return gateway.Sent{}, err
		}
		if got.id != "" {
			sent.IDs, sent.At = append(sent.IDs, gateway.MessageID(got.id)), got.at
		}
	}
	return sent, nil
}

// make makes one call, and another one where the platform says why this one does not fit: it has refused, so that nothing was done.
func (a *Adapter) make(ctx context.Context, who secret, from gateway.Endpoint, r outbound, body io.ReadSeeker) (taken, error) {
	for tries := 0; ; tries++ {
		got, err := a.client.send(ctx, who, from, r, body)
		if err == nil {
			return got, nil
		}
		se := a.sendError(err)
		fault := faultOf(err)
		switch {
		case fault.code == codeDuplicate: // "treat as sent"
			return taken{}, nil
		case tries > 0:
			return taken{}, se
		case se.Class == gateway.WindowClosed && a.cfg.HumanAgent && r.Message != nil && r.Tag == "":
			r = r.tagged()
		case fault == faultControl && a.cfg.TakeThread:
			if err := a.client.takeThread(ctx, who, from, r.Recipient); err != nil {
				return taken{}, notTaken(a.sendError(err), se)
			}
		case fetchFailed(fault) && r.link && body != nil:
			r.link = false // "failures 100/2018008 ...: once more by multipart"
		case fault.code == codeParameter && !fault.named() && r.ReplyTo != nil:
			// What it answers is gone, or this account cannot answer yet: the core quotes instead.
			return taken{}, a.refuse(gateway.Unsupported, string(gateway.FeatureReply), "refused as an answer")
		default:
			return taken{}, se
		}
	}
}

// notTaken is how a send failed whose conversation could not be taken over: what passes is waited for, and nothing was sent. Else the
// platform's answer to the send says what is the matter.
func notTaken(taking, sending *gateway.SendError) *gateway.SendError {
	switch taking.Class {
	case gateway.RateLimited, gateway.ReauthNeeded:
		return taking
	case gateway.Retryable, gateway.Uncertain: // taking over twice is taking over once
		again := *taking
		again.Class = gateway.Retryable
		return &again
	case gateway.WindowClosed, gateway.Unsupported, gateway.NotReachable, gateway.Permanent:
	}
	return sending
}
