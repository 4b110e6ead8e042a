package simulator

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"postern/adapters/internal/sandbox"
)

// Config is everything the sandbox can be told at start. Its zero value works: default people, no faults, no partner yet (one is
// registered through the control API).
type Config struct {
	// Issuer is the public origin, as "https://gatekeeper.example", without a trailing slash. Empty: taken from the Host of each request.
	Issuer string
	// Name is what the directory and the page call this gatekeeper.
	Name string
	// Partners may call the API.
	Partners []Partner
	// People are the gatekeeper's users. Nil: DefaultPeople.
	People []Person
	// Faults are in force from the start; the control API changes them.
	Faults Faults
	// Seed makes the dice of the faults repeatable.
	Seed uint64
	// SlowDelay is how long the slow persona takes for each of delivering, reading and answering. Zero: 5 s.
	SlowDelay time.Duration
	// TokenTTL is the life of a bearer token. Zero: 5 min.
	TokenTTL time.Duration
	// CodeTTL is how long a code proves a number or an address. Zero: 10 min.
	CodeTTL time.Duration
	// NewCode makes those codes, of 4 to 10 digits. Nil: six random ones.
	NewCode func() string
	// RetryBase and RetryMax bound the exponential backoff of webhooks. Zero: 500 ms and 5 min.
	RetryBase, RetryMax time.Duration
	// WebhookTimeout bounds one webhook delivery. Zero: 10 s (GIA, Webhooks).
	WebhookTimeout time.Duration
	// MessagesPerMinute is the quota of one enlisted user. Zero: 60,000.
	MessagesPerMinute int
	// Limits bound memory.
	Limits Limits
	// Without lists features that the directory calls unavailable from the start; the control API switches each.
	Without []string
	// MediaDir is where a folder for files is made; it goes when Run ends. Empty: the system's folder for temporary files.
	MediaDir string
	// SigningKey signs v1a webhooks and deletion receipts. Nil: made at start.
	SigningKey ed25519.PrivateKey
	// Client sends webhooks and fetches partner keys. Nil: one with the webhook timeout.
	Client *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Log receives what an operator of the sandbox would want to know. Nil: nothing is logged.
	Log *slog.Logger
}

// Partner is a registered caller of the API.
type Partner struct {
	// ClientID is the OAuth2 client id and the `iss` of every assertion.
	ClientID string `json:"client_id"`
	// JWKS holds the partner's public keys inline; JWKSURL says where to fetch them instead.
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURL string          `json:"jwks_url,omitempty"`
	// WebhookURL and WebhookSecret preset what the partner could set by PUT /v1/webhook.
	WebhookURL    string `json:"webhook_url,omitempty"`
	WebhookSecret string `json:"webhook_secret,omitempty"`
}

// Persona is how a person behaves when nobody plays it.
type Persona string

// The personas.
const (
	// PersonaNone is played by a human on the page or by the control API: messages are delivered at once and read when shown.
	PersonaNone Persona = "none"
	// PersonaEcho reads at once and answers every message with the same text.
	PersonaEcho Persona = "echo"
	// PersonaSlow is echo with Config.SlowDelay before each step.
	PersonaSlow Persona = "slow"
)

// Access is whether a person takes messages without a contact request.
type Access string

// The two ways to be reached.
const (
	AccessOpen    Access = "open"
	AccessRequest Access = "request"
)

// Person is a user of the gatekeeper.
type Person struct {
	// ID is letters and digits; the internal id is "gku_" and it.
	ID          string       `json:"id"`
	Display     string       `json:"display"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
	// Persona defaults to PersonaNone, Accepts to AccessRequest.
	Persona Persona `json:"persona,omitempty"`
	Accepts Access  `json:"accepts,omitempty"`
	// OptedIn says whether the person takes part at all.
	OptedIn bool `json:"opted_in"`
	// TellsDecline says whether a declined contact request is told to the requester.
	TellsDecline bool `json:"tells_decline,omitempty"`
	// Avatar is a media id of POST /sandbox/v1/media; empty for none.
	Avatar string `json:"avatar,omitempty"`
}

// Identifier names somebody by what others know: type is email, phone, username or jid.
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Limits bound what is kept; the oldest goes first, zero takes the default.
type Limits struct {
	People          int   // 1,000
	Users           int   // 10,000 enlistments
	Chats           int   // 20,000
	ChatMessages    int   // 500 per chat
	Events          int   // 50,000 in the backlog of a partner
	IdempotencyKeys int   // 100,000
	Ledger          int   // 100,000 entries of each kind
	Media           int   // 5,000 files
	MediaBytes      int64 // 2 GiB of files
}

// DefaultPeople are Juliet, who wants to be asked, and the personas Echo and Slow, who take messages from everybody.
func DefaultPeople() []Person {
	return []Person{
		{ID: "juliet", Display: "Juliet Capulet", OptedIn: true, Accepts: AccessRequest, Identifiers: []Identifier{{"email", "juliet@capulet.example"}, {"phone", "+390451230001"}, {"username", "juliet"}}},
		{ID: "nurse", Display: "The Nurse", OptedIn: true, Accepts: AccessOpen, Identifiers: []Identifier{{"email", "nurse@capulet.example"}, {"username", "nurse"}}},
		{ID: "tybalt", Display: "Tybalt", OptedIn: false, Accepts: AccessRequest, Identifiers: []Identifier{{"email", "tybalt@capulet.example"}, {"username", "tybalt"}}},
		{ID: "echo", Display: "Echo", OptedIn: true, Accepts: AccessOpen, Persona: PersonaEcho, Identifiers: []Identifier{{"email", "echo@capulet.example"}, {"username", "echo"}}},
		{ID: "slow", Display: "Slow Echo", OptedIn: true, Accepts: AccessOpen, Persona: PersonaSlow, Identifiers: []Identifier{{"email", "slow@capulet.example"}, {"username", "slow"}}},
	}
}

var personID = regexp.MustCompile(`^[A-Za-z0-9]{1,60}$`)

// Validate reports everything that is wrong with the configuration. It does no I/O.
func (c Config) Validate() error {
	var errs []error
	if c.Issuer != "" {
		if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" || u.Path != "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, fmt.Errorf("issuer %q: want an http or https origin", c.Issuer))
		}
	}
	seen := map[string]bool{}
	for _, p := range c.Partners {
		if p.ClientID == "" || seen[p.ClientID] {
			errs = append(errs, fmt.Errorf("partner %q: want a client id of its own", p.ClientID))
		}
		seen[p.ClientID] = true
		errs = append(errs, p.validate())
	}
	ids, idents := map[string]bool{}, map[Identifier]bool{}
	for _, p := range c.People {
		errs = append(errs, p.validate())
		if ids[p.ID] {
			errs = append(errs, fmt.Errorf("person %q: there are two of it", p.ID))
		}
		ids[p.ID] = true
		for _, i := range p.Identifiers {
			if idents[i.fold()] {
				errs = append(errs, fmt.Errorf("person %q: %s %q belongs to two people", p.ID, i.Type, i.Value))
			}
			idents[i.fold()] = true
		}
	}
	if c.SigningKey != nil && len(c.SigningKey) != ed25519.PrivateKeySize {
		errs = append(errs, fmt.Errorf("signing key: want %d bytes, got %d", ed25519.PrivateKeySize, len(c.SigningKey)))
	}
	for _, f := range c.Without {
		if !canSwitch(f) {
			errs = append(errs, fmt.Errorf("without %q: want one of %s", f, strings.Join(switchable, ", ")))
		}
	}
	errs = append(errs, c.Faults.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("simulator: config: %w", err)
	}
	return nil
}

func (p Partner) validate() error {
	if p.WebhookSecret != "" {
		if _, err := decodeSecret(p.WebhookSecret); err != nil {
			return fmt.Errorf("partner %q: webhook secret: %w", p.ClientID, err)
		}
	}
	for _, raw := range []string{p.JWKSURL, p.WebhookURL} {
		if raw != "" && !webURL(raw) {
			return fmt.Errorf("partner %q: %q is not an http or https url", p.ClientID, raw)
		}
	}
	if len(p.JWKS) > 0 {
		if _, err := parseKeys(p.JWKS); err != nil {
			return fmt.Errorf("partner %q: jwks: %w", p.ClientID, err)
		}
	}
	return nil
}

func (p Person) validate() error {
	var errs []error
	if !personID.MatchString(p.ID) {
		errs = append(errs, fmt.Errorf("person %q: an id is 1 to 60 letters and digits", p.ID))
	}
	switch p.Persona {
	case "", PersonaNone, PersonaEcho, PersonaSlow:
	default:
		errs = append(errs, fmt.Errorf("person %q: persona %q: want none, echo or slow", p.ID, p.Persona))
	}
	switch p.Accepts {
	case "", AccessOpen, AccessRequest:
	default:
		errs = append(errs, fmt.Errorf("person %q: accepts %q: want open or request", p.ID, p.Accepts))
	}
	for _, i := range p.Identifiers {
		switch i.Type {
		case "email", "phone", "username", "jid":
		default:
			errs = append(errs, fmt.Errorf("person %q: identifier type %q: want email, phone, username or jid", p.ID, i.Type))
		}
	}
	return errors.Join(errs...)
}

func webURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// withDefaults fills what is unset.
func (c Config) withDefaults() Config {
	or(&c.Name, "Sandbox Messenger")
	or(&c.SlowDelay, 5*time.Second)
	or(&c.TokenTTL, 5*time.Minute)
	or(&c.CodeTTL, 10*time.Minute)
	or(&c.RetryBase, 500*time.Millisecond)
	or(&c.RetryMax, 5*time.Minute)
	or(&c.WebhookTimeout, 10*time.Second)
	or(&c.MessagesPerMinute, 60_000)
	or(&c.Limits.People, 1_000)
	or(&c.Limits.Users, 10_000)
	or(&c.Limits.Chats, 20_000)
	or(&c.Limits.ChatMessages, 500)
	or(&c.Limits.Events, 50_000)
	or(&c.Limits.IdempotencyKeys, 100_000)
	or(&c.Limits.Ledger, 100_000)
	or(&c.Limits.Media, 5_000)
	or(&c.Limits.MediaBytes, 2<<30)
	if c.People == nil {
		c.People = DefaultPeople()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewCode == nil {
		c.NewCode = randomCode
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = sandbox.WebhookClient(c.WebhookTimeout)
	}
	return c
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
