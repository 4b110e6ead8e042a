package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"postern/adapters/control"
)

// Config is everything that a sandbox can be told at start. Its zero value works: default people, no faults, no account.
type Config struct {
	// Base is the public origin, as "http://127.0.0.1:8490", for links. Empty: taken from the Host of the latest request.
	Base string
	// Name is what the page calls the platform. Empty: Spec.Title.
	Name string
	// Accounts are the bots, numbers or pages that exist.
	Accounts []control.Account
	// People use the platform. Nil: DefaultPeople.
	People []control.Person
	// Faults are in force from the start; the control API changes them, and so it does Batching and Enforce.
	Faults   Faults
	Batching Batching
	// Enforce answers requests above the platform's limits with its 429; else they are only counted.
	Enforce bool
	// Seed makes the dice of the faults repeatable.
	Seed uint64
	// Speed divides waits of ladders, windows and the lives of links: 60 makes a minute a second. Zero: 1.
	Speed float64
	// SlowDelay is how long the slow persona takes for each of delivering, reading and answering. Zero: 5 s.
	SlowDelay time.Duration
	// WebhookTimeout bounds one attempt. Zero: 10 s.
	WebhookTimeout time.Duration
	// Limits bound memory.
	Limits Limits
	// Client sends webhooks. Nil: one with the webhook timeout that follows no redirects.
	Client *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Log receives what an operator of the sandbox would want to know. Nil: nothing is logged.
	Log *slog.Logger
}

// Limits bound what is kept; the oldest goes first, zero takes the default.
type Limits struct {
	People       int   // 1,000
	Accounts     int   // 1,000
	Chats        int   // 20,000
	ChatMessages int   // 500 per chat
	Updates      int   // 50,000 that wait, per account
	Ledger       int   // 100,000 entries of each kind
	Media        int   // 5,000 files
	MediaBytes   int64 // 256 MiB of bytes that are kept; what is made on the fly is free
	Buckets      int   // 50,000 per limit rule
	Links        int   // 100,000 download links
}

// DefaultPeople are Juliet and the Nurse, to be played, Tybalt, who is not there any more, and the personas Echo and Slow.
func DefaultPeople() []control.Person {
	return []control.Person{
		{ID: "juliet", Display: "Juliet Capulet", Username: "juliet_c", Phone: "+390451230001", Lang: "it"},
		{ID: "nurse", Display: "The Nurse", Username: "the_nurse", Phone: "+390451230002", Lang: "en"},
		{ID: "tybalt", Display: "Tybalt", Username: "tybalt_c", Phone: "+390451230003", Lang: "en", Absent: true},
		{ID: "echo", Display: "Echo", Username: "echo_echo", Phone: "+390451230004", Lang: "en", Persona: control.PersonaEcho},
		{ID: "slow", Display: "Slow Echo", Username: "slow_echo", Phone: "+390451230005", Lang: "en", Persona: control.PersonaSlow},
	}
}

var handle = regexp.MustCompile(`^[A-Za-z0-9]{1,60}$`)

// Validate reports everything that is wrong with the configuration. It does no I/O.
func (c Config) Validate() error {
	var errs []error
	if c.Base != "" {
		if u, err := url.Parse(c.Base); err != nil || u.Host == "" || u.Path != "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, fmt.Errorf("base %q: want an http or https origin", c.Base))
		}
	}
	if c.Speed < 0 {
		errs = append(errs, fmt.Errorf("speed %v: want more than zero", c.Speed))
	}
	accounts, people := map[string]bool{}, map[string]bool{}
	for _, a := range c.Accounts {
		errs = append(errs, validateAccount(a))
		if accounts[a.ID] {
			errs = append(errs, fmt.Errorf("account %q: there are two of it", a.ID))
		}
		accounts[a.ID] = true
	}
	for _, p := range c.People {
		errs = append(errs, validatePerson(p))
		if people[p.ID] {
			errs = append(errs, fmt.Errorf("person %q: there are two of it", p.ID))
		}
		people[p.ID] = true
	}
	errs = append(errs, c.Faults.Validate(), validateBatching(c.Batching))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sandbox: config: %w", err)
	}
	return nil
}

func validateAccount(a control.Account) error {
	if a.ID == "" || len(a.ID) > 120 {
		return fmt.Errorf("account %q: want an id of 1 to 120 characters", a.ID)
	}
	if u, err := url.Parse(a.Hook.URL); a.Hook.URL != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		return fmt.Errorf("account %q: the webhook is not an http or https url", a.ID)
	}
	return nil
}

func validatePerson(p control.Person) error {
	if !handle.MatchString(p.ID) {
		return fmt.Errorf("person %q: an id is 1 to 60 letters and digits", p.ID)
	}
	switch p.Persona {
	case "", control.PersonaNone, control.PersonaEcho, control.PersonaSlow, control.PersonaSilent:
		return nil
	}
	return fmt.Errorf("person %q: persona %q: want none, echo, slow or silent", p.ID, p.Persona)
}

func validateBatching(b Batching) error {
	if b.Max < 0 || b.Max > 1000 || b.LingerMS < 0 || b.LingerMS > 60_000 {
		return errors.New("batching: want max 0 to 1000 and linger_ms 0 to 60000")
	}
	return nil
}

// withDefaults fills what is unset.
func (c Config) withDefaults(spec Spec) Config {
	or(&c.Name, spec.Title)
	or(&c.Speed, 1)
	or(&c.SlowDelay, 5*time.Second)
	or(&c.WebhookTimeout, 10*time.Second)
	or(&c.Limits.People, 1_000)
	or(&c.Limits.Accounts, 1_000)
	or(&c.Limits.Chats, 20_000)
	or(&c.Limits.ChatMessages, 500)
	or(&c.Limits.Updates, 50_000)
	or(&c.Limits.Ledger, 100_000)
	or(&c.Limits.Media, 5_000)
	or(&c.Limits.MediaBytes, 256<<20)
	or(&c.Limits.Buckets, 50_000)
	or(&c.Limits.Links, 100_000)
	if c.People == nil {
		c.People = DefaultPeople()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = WebhookClient(c.WebhookTimeout)
	}
	return c
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// WebhookClient posts webhooks: it keeps many connections, and follows no redirect.
func WebhookClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
