package example

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

var (
	_ gateway.Adapter = (*Adapter)(nil)
	_ gateway.Webhook = (*Adapter)(nil)
	_ gateway.Linker  = (*Adapter)(nil)
)

// maxText is in characters ("A pigeon carries 2,000 characters").
const maxText = 2000

// Adapter is Pigeon Post, for users who each have a token.
type Adapter struct {
	client *client
	secret []byte
}

// Config says where Pigeon is and what signs its webhooks.
type Config struct {
	BaseURL           string        `yaml:"base_url"`
	WebhookSecretFile string        `yaml:"webhook_secret_file"`
	Timeout           time.Duration `yaml:"timeout"`
}

// DefaultConfig is what an example configuration would show.
func DefaultConfig() *Config {
	return &Config{BaseURL: "https://api.pigeon.example", Timeout: 8 * time.Second}
}

// Origin is where the API is.
func (c *Config) Origin() string { return c.BaseURL }

// Validate checks the values without I/O.
func (c *Config) Validate() error {
	switch _, err := rest.ParseBase(c.BaseURL); {
	case err != nil:
		return errors.New("pigeon: base_url: want an absolute https:// or http:// URL without user, query and fragment")
	case c.WebhookSecretFile == "":
		return errors.New("pigeon: webhook_secret_file: is missing")
	case c.Timeout <= 0 || c.Timeout > 9*time.Second:
		return fmt.Errorf("pigeon: timeout: got %s, want more than 0 and at most 9s", c.Timeout) // shorter than a lease
	}
	return nil
}

// New reads the secret and returns the adapter. It calls nobody.
func New(cfg Config, hc *http.Client) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(cfg.WebhookSecretFile)
	if err != nil {
		return nil, fmt.Errorf("pigeon: webhook_secret_file: %w", err)
	}
	rc, err := rest.New(hc, cfg.BaseURL, cfg.Timeout, "Postern")
	if err != nil {
		return nil, fmt.Errorf("pigeon: %w", err)
	}
	return &Adapter{&client{rc}, bytes.TrimSpace(raw)}, nil
}

// String and GoString hide what the adapter holds from every print verb.
func (a *Adapter) String() string { return "example.Adapter" }

// GoString is String.
func (a *Adapter) GoString() string { return a.String() }

// Caps returns what a chat of two supports.
func (a *Adapter) Caps(facts gateway.ChatFacts) gateway.Caps {
	caps := gateway.Caps{Levels: map[gateway.Feature]gateway.Level{}, TextMax: maxText, TextUnit: gateway.CodePoints, Idempotent: true}
	for _, f := range []gateway.Feature{gateway.FeatureText, gateway.FeatureDelivered, gateway.FeatureReadIn} {
		if facts.Kind == gateway.ChatDirect && !slices.Contains(facts.Without, f) {
			caps.Levels[f] = gateway.Native
		}
	}
	return caps
}

// Descriptor returns what users are told before they link an account.
func (a *Adapter) Descriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "pigeon", Platform: "Pigeon Post", Version: 1, DiscoType: "pigeon", API: "Pigeon Post API 2",
		Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		Reveals: gateway.IdentifierUsername, MetadataSeenBy: []string{"gateway operator", "Pigeon Post"}, Retention: 72 * time.Hour,
		Addressing: []gateway.Identifier{gateway.IdentifierUsername}, Caps: a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}),
		Limits: []gateway.Limit{{Scope: gateway.LimitAccount, Every: time.Second / 10, Burst: 10}}, // "ten pigeons a second"
	}
}

// Send carries one op.
func (a *Adapter) Send(ctx context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	msg, err := render(op)
	if err != nil {
		return gateway.Sent{}, err
	}
	id, err := a.client.send(ctx, account, op.ID, msg)
	if err != nil {
		return gateway.Sent{}, sendError(err)
	}
	return gateway.Sent{IDs: []gateway.MessageID{id}}, nil
}
