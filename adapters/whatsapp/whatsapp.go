package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

var (
	_ gateway.Adapter       = (*Adapter)(nil)
	_ gateway.Webhook       = (*Adapter)(nil)
	_ gateway.Sharer        = (*Adapter)(nil)
	_ gateway.Linker        = (*Adapter)(nil)
	_ gateway.Directory     = (*Adapter)(nil)
	_ gateway.EachRegistrar = (*Adapter)(nil)
	_ gateway.MediaStore    = (*Adapter)(nil)
	_ gateway.Moderator     = (*Adapter)(nil)
	_ gateway.Prober        = (*Adapter)(nil)
)

const (
	// maxTimeout keeps a send shorter than a shard's lease (15 s) less its renewal (5 s), so that no send outlives its owner.
	maxTimeout = 9 * time.Second
	// maxText is text.body's limit, in characters (Text messages).
	maxText = 4096
	// maxDocument is the limit of the kind of file that takes every type (Media, Supported media types).
	maxDocument = 100 << 20
	// windowFor is the customer service window: "24 hours after the last message from the user".
	windowFor = 24 * time.Hour
	// minToken is the shortest verify token, in characters.
	minToken = 16
)

var (
	numberForm = regexp.MustCompile(`^[0-9]{5,25}$`)
	// phoneForm is E.164 without its plus.
	phoneForm = regexp.MustCompile(`^[1-9][0-9]{4,14}$`)
	// userForm is a business-scoped user id: a country and up to 128 letters and digits, with ENT between them for a parent.
	userForm     = regexp.MustCompile(`^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`)
	templateForm = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(_[A-Za-z]{2,4})?$`)
)

// Adapter is the Cloud API, for the numbers of many users or for the one of the operator's.
type Adapter struct {
	cfg         Config
	client      *client
	secrets     *graph.Secrets
	verifyToken string
	line        secret // of the operator's number; without a token each user links their own
	invite      *inviteText
	// phone is the line's phone number once it was asked for.
	phone atomic.Pointer[string]
}

// Config says which app of Meta's calls, how webhooks are known, and whether there is a number for all.
type Config struct {
	// BaseURL is the origin of the Graph API, Version its version in use, DialogURL where browsers go to sign up.
	BaseURL   string `yaml:"base_url"`
	Version   string `yaml:"version"`
	DialogURL string `yaml:"dialog_url"`
	// AppID is the operator's Meta app. Tokens that users paste have to be of this app.
	AppID string `yaml:"app_id"`
	// AppSecretFile holds the app's secret, one per line: the first proves our calls, any may sign webhooks.
	AppSecretFile string `yaml:"app_secret_file"`
	// VerifyTokenFile holds what Meta has to name when it checks a webhook's address.
	VerifyTokenFile string `yaml:"verify_token_file"`
	// SignupID is the app's configuration of Facebook Login for Business with WhatsApp embedded sign-up; empty: users paste a token.
	SignupID string `yaml:"signup_id"`
	// PhoneNumberID is the operator's number that serves all users, TokenFile a system user's token for it; empty: each user links
	// their own.
	PhoneNumberID string `yaml:"phone_number_id"`
	TokenFile     string `yaml:"token_file"`
	// AccountID is the WhatsApp Business account of that number, which account news name; PhoneNumber is the number itself, for invites.
	// Both may be empty: the number is then asked for.
	AccountID   string `yaml:"account_id"`
	PhoneNumber string `yaml:"phone_number"`
	// InviteText is what an invite link writes into a person's message; it holds {code}.
	InviteText string `yaml:"invite_text"`
	// ReopenTemplate is an approved template that asks a person to write, ReopenLanguage its language, ReopenVariables the values of its body's
	// variables in order, or name=value where they are named; {from} becomes the user's name. Empty: nobody is asked.
	ReopenTemplate  string   `yaml:"reopen_template"`
	ReopenLanguage  string   `yaml:"reopen_language"`
	ReopenVariables []string `yaml:"reopen_variables"`
	// Typing passes our users' typing on. The platform marks the person's messages as read with it, hence no default.
	Typing bool `yaml:"typing"`
	// MediaHosts are where files may be fetched from besides the API's own host; one that begins with a dot stands for all below it.
	MediaHosts []string `yaml:"media_hosts"`
	// Timeout bounds one send with all that it takes, but a file's way.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig is what the example configuration shows.
func DefaultConfig() *Config {
	return &Config{
		BaseURL: graph.DefaultBase, Version: "v24.0", DialogURL: graph.DefaultDialog,
		InviteText:     "Hello! Please connect me. (Just send this message as it is: {code})",
		ReopenLanguage: "en", ReopenVariables: []string{}, MediaHosts: []string{".fbsbx.com", ".fbcdn.net", ".whatsapp.net"}, Timeout: 8 * time.Second,
	}
}

// Origin is where the API is.
func (c *Config) Origin() string { return c.BaseURL }

// Validate checks the values without I/O.
func (c *Config) Validate() error {
	for _, u := range []struct{ name, value string }{{"base_url", c.BaseURL}, {"dialog_url", c.DialogURL}} {
		if _, err := rest.ParseBase(u.value); err != nil {
			return fmt.Errorf("whatsapp: %s: want an absolute https:// or http:// URL without user, query and fragment", u.name)
		}
	}
	if err := graph.CheckVersion(c.Version); err != nil {
		return fmt.Errorf("whatsapp: version: %w", err)
	}
	if err := c.validateApp(); err != nil {
		return err
	}
	if err := c.validateReopen(); err != nil {
		return err
	}
	if _, err := newInviteText(c.InviteText); err != nil {
		return err
	}
	if err := graph.CheckHosts(c.MediaHosts); err != nil {
		return fmt.Errorf("whatsapp: media_hosts: %w", err)
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		return fmt.Errorf("whatsapp: timeout: got %s, want more than 0 and at most %s", c.Timeout, maxTimeout)
	}
	return nil
}

func (c *Config) validateApp() error {
	for _, f := range []struct{ name, value string }{{"app_secret_file", c.AppSecretFile}, {"verify_token_file", c.VerifyTokenFile}} {
		if f.value == "" {
			return fmt.Errorf("whatsapp: %s: is missing", f.name)
		}
	}
	for _, n := range []struct{ name, value string }{
		{"app_id", c.AppID}, {"signup_id", c.SignupID}, {"phone_number_id", c.PhoneNumberID}, {"account_id", c.AccountID},
	} {
		if n.value != "" && !numberForm.MatchString(n.value) {
			return fmt.Errorf("whatsapp: %s: want digits", n.name)
		}
	}
	switch {
	case c.PhoneNumberID == "" && c.AppID == "":
		return errors.New("whatsapp: app_id: is missing: users' tokens are held against it; or set phone_number_id for a number that serves all")
	case (c.PhoneNumberID == "") != (c.TokenFile == ""):
		return errors.New("whatsapp: token_file: belongs to phone_number_id: set both or neither")
	case c.PhoneNumberID == "" && (c.AccountID != "" || c.PhoneNumber != ""):
		return errors.New("whatsapp: phone_number_id: is missing: account_id and phone_number say more about it")
	case c.PhoneNumber != "" && !phoneForm.MatchString(c.PhoneNumber):
		return errors.New("whatsapp: phone_number: want digits with the country's code and without a plus")
	}
	return nil
}

func (c *Config) validateReopen() error {
	switch {
	case c.ReopenTemplate == "" && len(c.ReopenVariables) > 0:
		return errors.New("whatsapp: reopen_variables: belong to reopen_template, which is missing")
	case c.ReopenTemplate != "" && !templateForm.MatchString(c.ReopenTemplate):
		return errors.New("whatsapp: reopen_template: want a template's name, of a-z, 0-9 and _")
	case c.ReopenTemplate != "" && !languageForm.MatchString(c.ReopenLanguage):
		return errors.New("whatsapp: reopen_language: want a language's code, such as en or en_US")
	}
	return nil
}

// New reads the secret files and returns the adapter. It calls nobody.
func New(cfg Config, hc *http.Client) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Adapter{cfg: cfg}
	lines, err := graph.Words(name, "app_secret_file", cfg.AppSecretFile)
	if err != nil {
		return nil, err
	}
	if a.secrets, err = graph.NewSecrets(lines...); err != nil {
		return nil, fmt.Errorf("whatsapp: app_secret_file: %w", err)
	}
	if lines, err = graph.Words(name, "verify_token_file", cfg.VerifyTokenFile); err != nil {
		return nil, err
	}
	if len(lines) != 1 || len(lines[0]) < minToken {
		return nil, fmt.Errorf("whatsapp: verify_token_file: want one word of at least %d characters", minToken)
	}
	a.verifyToken = lines[0]
	if cfg.TokenFile != "" {
		if lines, err = graph.Words(name, "token_file", cfg.TokenFile); err != nil {
			return nil, err
		}
		if len(lines) != 1 || !tokenForm.MatchString(lines[0]) {
			return nil, errors.New("whatsapp: token_file: holds no access token")
		}
		a.line = secret{Token: lines[0], Account: cfg.AccountID, Phone: cfg.PhoneNumber}
	}
	if a.invite, err = newInviteText(cfg.InviteText); err != nil {
		return nil, err
	}
	rc, err := rest.New(hc, cfg.BaseURL, cfg.Timeout, agent)
	if err != nil {
		return nil, fmt.Errorf("whatsapp: %w", err)
	}
	a.client = &client{graph: graph.NewClient(rc, cfg.Version, a.secrets), files: hc, cfg: cfg}
	return a, nil
}

// agent is our User-Agent: "some CDNs refuse an empty or odd one".
const agent = "Postern"

// String hides what the adapter holds from every print verb.
func (a *Adapter) String() string { return "whatsapp.Adapter(" + a.client.graph.String() + ")" }

// GoString hides what the adapter holds from %#v.
func (a *Adapter) GoString() string { return a.String() }

// Caps returns what a chat of two supports. Groups are not carried.
func (a *Adapter) Caps(facts gateway.ChatFacts) gateway.Caps { return a.cfg.caps(facts) }

func (c *Config) caps(facts gateway.ChatFacts) gateway.Caps {
	caps := gateway.Caps{
		Levels: map[gateway.Feature]gateway.Level{}, TextMax: maxText, TextUnit: gateway.CodePoints, MediaMax: maxDocument, ReactionsMax: 1,
		Window:      &gateway.WindowRule{For: windowFor, Reopen: c.ReopenTemplate != "", Late: true},
		TypingAfter: c.Typing, Echo: true,
	}
	if facts.Kind == gateway.ChatGroup {
		return caps
	}
	for _, f := range []gateway.Feature{
		gateway.FeatureText, gateway.FeatureMedia, gateway.FeatureLocation, gateway.FeatureContact, gateway.FeatureSticker, gateway.FeatureStyling,
		gateway.FeatureReply, gateway.FeatureReact, gateway.FeatureDelivered, gateway.FeatureReadOut, gateway.FeatureReadIn,
		gateway.FeatureTypingOut, gateway.FeatureBlock,
	} {
		switch {
		case slices.Contains(facts.Without, f):
		case f == gateway.FeatureTypingOut && !c.Typing:
		case f == gateway.FeatureBlock && c.PhoneNumberID != "":
			// On a number that serves all, a block would be everybody's; the core keeps the user's own.
		default:
			caps.Levels[f] = gateway.Native
		}
	}
	return caps
}

// allows refuses before any I/O what Caps does not offer.
func (a *Adapter) allows(op gateway.Op) error {
	caps := a.Caps(gateway.ChatFacts{Kind: op.Chat.Kind})
	var need []gateway.Feature
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		need = append(need, gateway.FeatureText)
		if b.ReplyTo != nil {
			need = append(need, gateway.FeatureReply)
		}
	case gateway.OpEdit:
		need = append(need, gateway.FeatureEdit)
	case gateway.OpRetract:
		need = append(need, gateway.FeatureRetract)
	case gateway.OpReact:
		need = append(need, gateway.FeatureReact)
	case gateway.OpMarkRead:
		need = append(need, gateway.FeatureReadOut)
	case gateway.OpAnswer:
		need = append(need, gateway.FeatureAnswer)
	case gateway.OpTyping:
		need = append(need, gateway.FeatureTypingOut)
	case gateway.OpReopen:
		if !caps.Window.Reopen || op.Chat.Kind == gateway.ChatGroup {
			return refuse(gateway.Unsupported, "no_template", "there is no template to ask with")
		}
	case gateway.OpGroup:
		need = append(need, gateway.FeatureGroups)
	}
	for _, f := range need {
		if !caps.Has(f) {
			return refuse(gateway.Unsupported, string(f), "not offered here")
		}
	}
	return nil
}

// Descriptor returns what users are told before they link a number.
func (a *Adapter) Descriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "whatsapp", Platform: "WhatsApp", Version: 1, DiscoType: "whatsapp",
		// WhatsApp's end-to-end encryption ends at Meta, which runs the Cloud API for the business (Data privacy and security).
		Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		Reveals:        gateway.IdentifierPhone,
		MetadataSeenBy: []string{"gateway operator", "Meta"},
		Retention:      72 * time.Hour,
		// "Maximum retention of 30 days" for messages in the Cloud API.
		PlatformRetention: 30 * 24 * time.Hour,
		TermsURL:          "https://www.whatsapp.com/legal/business-terms",
		API:               "WhatsApp Business Cloud API, Graph " + a.cfg.Version,
		Addressing:        []gateway.Identifier{gateway.IdentifierPhone},
		Caps:              a.cfg.caps(gateway.ChatFacts{Kind: gateway.ChatDirect}),
		Renames:           true,
		// Throughput: a message in six seconds to one person, with bursts that borrow from what follows (up to 45; a burst of 20 is
		// repaid in two minutes), and 80 a second by one number.
		Limits: []gateway.Limit{
			{Scope: gateway.LimitChat, Every: 6 * time.Second, Burst: 20},
			{Scope: gateway.LimitAccount, Every: time.Second / 80, Burst: 80},
		},
	}
}

// secret is what an account's Credentials hold.
type secret struct {
	Token string `json:"token"`
	// Account is the WhatsApp Business account, where known; Phone the number in digits.
	Account string `json:"account,omitempty"`
	Phone   string `json:"phone,omitempty"`
}

func (s secret) seal() []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil // strings always encode
	}
	return raw
}

// parseSecret reads what Link sealed.
func parseSecret(account gateway.Credentials) (secret, error) {
	var s secret
	if err := json.Unmarshal(account.Secret, &s); err != nil || s.Token == "" || !numberForm.MatchString(string(account.Endpoint)) {
		return s, refuse(gateway.ReauthNeeded, "no_credentials", "the account holds no number and token")
	}
	return s, nil
}

// Send carries one op. The platform knows no idempotency key: what is uncertain is told by the status that bears our OpID.
func (a *Adapter) Send(ctx context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.allows(op); err != nil {
		return gateway.Sent{}, err
	}
	messages, err := a.cfg.render(op)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	who, err := parseSecret(account)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	var sent gateway.Sent
	for _, m := range messages {
		id, err := a.client.send(ctx, who.Token, account.Endpoint, m)
		if err != nil {
			return gateway.Sent{}, sendError(err)
		}
		if id != "" {
			sent.IDs = append(sent.IDs, gateway.MessageID(id))
		}
	}
	return sent, nil
}
