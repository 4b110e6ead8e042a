package gatekeeper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/rest"
	"postern/adapters/internal/webhook"
	"postern/gateway"
)

var (
	_ gateway.Adapter   = (*Adapter)(nil)
	_ gateway.Webhook   = (*Adapter)(nil)
	_ gateway.Linker    = (*Adapter)(nil)
	_ gateway.Directory = (*Adapter)(nil)
	_ gateway.Registrar = (*Adapter)(nil)
	_ gateway.Backlog   = (*Adapter)(nil)
	_ gateway.Publisher = (*Adapter)(nil)

	_ gateway.MediaStore = (*Adapter)(nil)
	_ gateway.Profiles   = (*Adapter)(nil)
	_ gateway.Moderator  = (*Adapter)(nil)
	_ gateway.Prober     = (*Adapter)(nil)
)

const (
	// apiVersion is the contract version that every request names.
	apiVersion = "2026-11-01"
	// textBytes is Content.text's maxLength; a gatekeeper's directory may say less.
	textBytes = 65536
	// maxTimeout keeps a send shorter than a shard's lease (15 s) less its renewal (5 s), so that no send outlives its owner.
	maxTimeout = 9 * time.Second
)

// Adapter is one gatekeeper, as one partner sees it.
type Adapter struct {
	cfg      Config
	client   *client
	verifier *webhook.Verifier
	secret   string       // the first webhook secret, which the gatekeeper signs with
	most     gateway.Caps // the best that the document allows
}

// Config says which gatekeeper, and who we are there.
type Config struct {
	// BaseURL is the gatekeeper's origin, such as https://interop.example.com.
	BaseURL string `yaml:"base_url"`
	// ClientID is our name at the gatekeeper, from the partner agreement.
	ClientID string `yaml:"client_id"`
	// KeyFile holds our private key in PEM, P-256 or Ed25519; further keys are published but do not sign.
	KeyFile string `yaml:"key_file"`
	// WebhookSecretFile holds one key per line: whsec_... and, for Ed25519 signatures, whpk_...; the first secret is the one that we ask for.
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	// Identifier is which of a user's identifiers is enlisted: jid, which the XMPP server proves, or phone or email, which the
	// gatekeeper proves by a code. A user has one account by jid, and may have and move several by the others.
	Identifier string `yaml:"identifier"`
	// Region is where the operator attests that users live, such as EEA; empty attests nothing.
	Region string `yaml:"region"`
	// Platform is the name that users know.
	Platform string `yaml:"platform"`
	// TermsURL and TermsVersion name the gatekeeper's terms to users. A version that is not the gatekeeper's refuses enlistments
	// until it is corrected, because users would agree to other terms; empty takes any.
	TermsURL     string `yaml:"terms_url"`
	TermsVersion string `yaml:"terms_version"`
	// Timeout bounds one send with all that it takes.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig is what the example configuration shows.
func DefaultConfig() *Config {
	return &Config{Identifier: string(gateway.IdentifierJID), Platform: "Gatekeeper Sandbox", Timeout: 8 * time.Second}
}

// Origin is where the API is.
func (c *Config) Origin() string { return c.BaseURL }

// Validate checks the values without I/O.
func (c *Config) Validate() error {
	if _, err := rest.ParseBase(c.BaseURL); err != nil {
		return errors.New("gatekeeper: base_url: want an absolute https:// or http:// URL without user, query and fragment")
	}
	for _, f := range []struct{ name, value string }{
		{"client_id", c.ClientID}, {"key_file", c.KeyFile}, {"webhook_secret_file", c.WebhookSecretFile}, {"platform", c.Platform},
	} {
		if f.value == "" {
			return fmt.Errorf("gatekeeper: %s: is missing", f.name)
		}
	}
	switch gateway.Identifier(c.Identifier) {
	case gateway.IdentifierJID, gateway.IdentifierPhone, gateway.IdentifierEmail:
	case gateway.IdentifierUsername, gateway.IdentifierOpaque:
		// We vouch for what we assert, and nobody has proved a name that a user types.
		return errors.New("gatekeeper: identifier: want jid, phone or email, nothing else is proved to be the user's own")
	default:
		return errors.New("gatekeeper: identifier: want jid, phone or email")
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		return fmt.Errorf("gatekeeper: timeout: got %s, want more than 0 and at most %s", c.Timeout, maxTimeout)
	}
	return nil
}

// New reads the key files and returns the adapter. It calls nobody.
func New(cfg Config, hc *http.Client) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("gatekeeper: key_file: %w", err)
	}
	keys, err := parseKeys(pem)
	if err != nil {
		return nil, err
	}
	lines, err := os.ReadFile(cfg.WebhookSecretFile)
	if err != nil {
		return nil, fmt.Errorf("gatekeeper: webhook_secret_file: %w", err)
	}
	secrets := strings.Fields(string(lines))
	verifier, err := webhook.NewVerifier(secrets...)
	if err != nil {
		return nil, fmt.Errorf("gatekeeper: webhook_secret_file: %w", err)
	}
	rc, err := rest.New(hc, cfg.BaseURL, cfg.Timeout, "Postern")
	if err != nil {
		return nil, fmt.Errorf("gatekeeper: %w", err)
	}
	a := &Adapter{cfg: cfg, client: newClient(rc, cfg, keys), verifier: verifier, most: capsOf(gateway.ChatFacts{Kind: gateway.ChatDirect}, nil)}
	for _, s := range secrets {
		if strings.HasPrefix(s, "whsec_") {
			a.secret = s
			break
		}
	}
	return a, nil
}

// String hides what the adapter holds from every print verb.
func (a *Adapter) String() string { return "gatekeeper.Adapter(" + a.client.rest.String() + ")" }

// GoString hides what the adapter holds from %#v.
func (a *Adapter) GoString() string { return a.String() }

// Caps returns what the adapter does, narrowed by the gatekeeper's directory once that is known.
func (a *Adapter) Caps(facts gateway.ChatFacts) gateway.Caps {
	d, ordinary := a.client.dir.Load(), facts.Kind == gateway.ChatDirect && len(facts.Without) == 0
	switch {
	case d == nil && ordinary:
		return a.most
	case d == nil:
		return capsOf(facts, nil)
	case ordinary:
		return d.caps
	}
	return capsOf(facts, &d.directory)
}

// capsOf is Caps with its inputs; no directory means the best that the document allows.
func capsOf(facts gateway.ChatFacts, dir *directory) gateway.Caps {
	caps := gateway.Caps{Levels: map[gateway.Feature]gateway.Level{}, TextMax: textBytes, TextUnit: gateway.Bytes, ReactionsMax: maxReactions, Idempotent: true, Echo: true}
	if facts.Kind == gateway.ChatGroup {
		return caps
	}
	for ours, theirs := range features {
		if (dir == nil || dir.has(theirs)) && !slices.Contains(facts.Without, ours) {
			caps.Levels[ours] = gateway.Native
		}
	}
	if dir != nil {
		l := dir.Limits
		if l.TextBytes > 0 {
			caps.TextMax = min(caps.TextMax, l.TextBytes)
		}
		caps.EditFor, caps.RetractFor = time.Duration(l.EditWindowS)*time.Second, time.Duration(l.RetractWindowS)*time.Second
		if l.ReactionsPerUser > 0 {
			caps.ReactionsMax = min(caps.ReactionsMax, l.ReactionsPerUser)
		}
		caps.MediaMax, caps.MediaTypes, caps.Reactions = l.MediaBytes, slices.Clone(l.MediaTypes), slices.Clone(l.Reactions)
	}
	return caps
}

// allows refuses before any I/O what Caps does not offer.
func (a *Adapter) allows(op gateway.Op) error {
	caps := a.Caps(gateway.ChatFacts{Kind: op.Chat.Kind})
	var need []gateway.Feature
	text := gateway.Content{}
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		need, text = append(need, gateway.FeatureText), b.Content
		if b.ReplyTo != nil {
			need = append(need, gateway.FeatureReply)
		}
	case gateway.OpEdit:
		need, text = append(need, gateway.FeatureEdit), b.Content
	case gateway.OpRetract:
		need = append(need, gateway.FeatureRetract)
	case gateway.OpReact:
		need = append(need, gateway.FeatureReact)
		if len(distinct(b.Emojis)) > caps.ReactionsMax {
			return refuse(gateway.Unsupported, "too_large", "more reactions than the gatekeeper allows")
		}
	case gateway.OpMarkRead:
		need = append(need, gateway.FeatureReadOut)
	case gateway.OpAnswer:
		need = append(need, gateway.FeatureAnswer)
	case gateway.OpTyping:
		need = append(need, gateway.FeatureTypingOut)
	case gateway.OpReopen:
	case gateway.OpGroup:
		need = append(need, gateway.FeatureGroups)
	}
	for _, p := range text.Parts {
		need = append(need, partFeature(p))
	}
	for _, f := range need {
		if !caps.Has(f) {
			return refuse(gateway.Unsupported, string(f), "not offered here")
		}
	}
	size := 0
	for _, p := range text.Parts {
		if t, ok := p.(gateway.Text); ok {
			size += len(t.Text)
		}
	}
	if size > caps.TextMax {
		return refuse(gateway.Unsupported, "too_large", "the text is longer than the gatekeeper allows")
	}
	return nil
}

// undecorated leaves out previews where they are not carried: they only decorate a link.
func (a *Adapter) undecorated(op gateway.Op) gateway.Op {
	if d := a.client.dir.Load(); d == nil || d.has("previews") {
		return op
	}
	if b, ok := op.Body.(gateway.OpMessage); ok {
		b.Content = withoutPreviews(b.Content)
		op.Body = b
	}
	if b, ok := op.Body.(gateway.OpEdit); ok {
		b.Content = withoutPreviews(b.Content)
		op.Body = b
	}
	return op
}

func withoutPreviews(c gateway.Content) gateway.Content {
	parts := slices.Clone(c.Parts)
	for i, p := range parts {
		if t, ok := p.(gateway.Text); ok {
			t.Previews = nil
			parts[i] = t
		}
	}
	return gateway.Content{Parts: parts}
}

// partFeature says which feature a part needs; one that the adapter never carries is render's to refuse.
func partFeature(p gateway.Part) gateway.Feature {
	switch p.(type) {
	case gateway.Media:
		return gateway.FeatureMedia
	case gateway.Location:
		return gateway.FeatureLocation
	case gateway.ContactCard:
		return gateway.FeatureContact
	case gateway.Poll:
		return gateway.FeaturePoll
	case gateway.Sticker:
		return gateway.FeatureSticker
	case gateway.Text, gateway.Interactive, gateway.UnsupportedPart:
	}
	return gateway.FeatureText
}

// features names ours by the directory's; those that the adapter does not do are not here. What a user can do decides of replies,
// edits, retractions and reactions: those of people come when they come.
var features = map[gateway.Feature]string{
	gateway.FeatureText: "text", gateway.FeatureReply: "reply_out", gateway.FeatureEdit: "edit_out", gateway.FeatureRetract: "retract_out",
	gateway.FeatureReact: "react_out", gateway.FeatureDelivered: "delivered", gateway.FeatureReadOut: "read_out", gateway.FeatureReadIn: "read_in",
	gateway.FeatureTypingOut: "typing_out", gateway.FeatureTypingIn: "typing_in", gateway.FeatureMedia: "media", gateway.FeatureSticker: "sticker",
	gateway.FeatureLocation: "location", gateway.FeatureContact: "contact", gateway.FeaturePoll: "poll", gateway.FeatureAnswer: "answer",
	gateway.FeatureStyling: "spans", gateway.FeaturePresence: "presence", gateway.FeatureProfile: "profile", gateway.FeatureBlock: "blocks",
	gateway.FeatureReport: "reports",
}

// Descriptor returns what users are told before they enlist.
func (a *Adapter) Descriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "gatekeeper", Platform: a.cfg.Platform, Version: 1,
		// XMPP Registrar, service discovery identities, category "gateway": none of the types is a neutral one. "simple" (SIP for
		// instant messaging) is an open standard's, so that clients show an icon without naming a network that this is not.
		DiscoType: "simple",
		// Mode plaintext: "the gatekeeper can read".
		Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		Reveals:        gateway.Identifier(a.cfg.Identifier),
		MetadataSeenBy: []string{"gateway operator", a.cfg.Platform},
		Retention:      72 * time.Hour,
		Region:         a.cfg.Region,
		TermsURL:       a.cfg.TermsURL,
		TermsVersion:   a.cfg.TermsVersion,
		// "seq counts 1, 2, 3, ... per conversation and receiving user", and every type that counts becomes an event.
		Sequenced:  true,
		API:        "Gatekeeper Interop API " + apiVersion,
		Addressing: []gateway.Identifier{gateway.IdentifierEmail, gateway.IdentifierPhone, gateway.IdentifierUsername},
		Caps:       a.most,
	}
}

// Send carries one op. Each request of it is harmless when repeated: a POST by its Idempotency-Key, the others by their nature.
func (a *Adapter) Send(ctx context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.allows(op); err != nil {
		return gateway.Sent{}, err
	}
	calls, err := render(a.undecorated(op), account.Endpoint)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	who, err := a.client.person(account)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	// Where the gatekeeper tells nothing of delivery, that it took the message is all that there is to tell.
	sent := gateway.Sent{Final: !a.Caps(gateway.ChatFacts{Kind: op.Chat.Kind}).Has(gateway.FeatureDelivered)}
	for _, call := range calls {
		var accepted messageAccepted
		var out any
		if _, ok := call.Body.(messageCreate); ok {
			out = &accepted
		}
		if err := a.client.do(ctx, who, call, out); err != nil {
			return gateway.Sent{}, sendError(err)
		}
		if out == nil {
			continue
		}
		if accepted.MessageID == "" {
			return gateway.Sent{}, sendError(&rest.Error{Call: call.Name, Status: http.StatusAccepted, Written: true, Err: errors.New("answer holds no message_id")})
		}
		sent.IDs = append(sent.IDs, gateway.MessageID(accepted.MessageID))
		sent.Chat, sent.At = gateway.ChatID(accepted.Conversation), firstTime(accepted.AcceptedAt)
	}
	return sent, nil
}
