package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"postern/adapters/control"
	"postern/adapters/gatekeeper"
	gatekeepersim "postern/adapters/gatekeeper/simulator"
	messenger "postern/adapters/messenger/simulator"
	"postern/adapters/simulators"
	telegram "postern/adapters/telegram/simulator"
	whatsapp "postern/adapters/whatsapp/simulator"
	"postern/cmd/internal/user"
)

// Simulator plays a platform.
type Simulator interface {
	API() http.Handler
	Control() http.Handler
	Run(ctx context.Context) error
}

// Setting is what a simulator is made for.
type Setting struct {
	Users, People int
	// Hook is host:port of Postern's webhooks, whose adapter is named like the platform.
	Hook string
	Seed uint64
}

// Platform is one entry of the load.
type Platform struct {
	Name string
	// Start makes the simulator, with an account for each user.
	Start func(Setting) (Simulator, error)
	// Keys are its keys in postern.yaml, for its simulator's address.
	Keys func(url string) ([]simulators.Key, error)
	// Account names that of a user in the control API, Answers are what the user enters to have it; nil: nothing.
	Account func(user int) string
	Answers func(user int) map[string]string
	// Keeps: it numbers what it tells and keeps it, so that webhooks may be lost and overtake each other.
	Keeps bool
	// Minutes: it tells waits in whole minutes, for all that an account sends: few are enough.
	Minutes bool
}

// UserName and PersonName are how users and people are called, by their numbers.
func UserName(n int) string   { return fmt.Sprintf("u%d", n) }
func PersonName(n int) string { return fmt.Sprintf("p%d", n) }

// Platforms are all that there are.
func Platforms() []Platform {
	return []Platform{
		{
			Name: "gatekeeper", Start: startGatekeeper, Keys: gatekeeperKeys, Keeps: true,
			Account: func(n int) string { return UserName(n) + "@localhost" },
		},
		minutes(framed("instagram", func(n int) control.Account { return page(messenger.InstagramLogin, n) })),
		minutes(framed("messenger", func(n int) control.Account { return page(messenger.Messenger, n) })),
		framed("telegram", bot),
		framed("whatsapp", number),
	}
}

// minutes are platforms that tell waits in minutes.
func minutes(p Platform) Platform {
	p.Minutes = true
	return p
}

func number(n int) control.Account {
	id := fmt.Sprintf("7006005004%05d", n)
	return whatsapp.Number(id, "9"+id[1:], fmt.Sprintf("+155500%05d", n), fmt.Sprint("Number ", n), fmt.Sprintf("EAAloadToken%020d", n))
}

func page(kind messenger.Kind, n int) control.Account {
	name := fmt.Sprint("page", n)
	return messenger.Page(kind, fmt.Sprintf("1020304050%05d", n), name, name, fmt.Sprintf("EAAloadPageToken%020d", n))
}

func bot(n int) control.Account {
	name := fmt.Sprintf("load_%d_bot", n)
	return telegram.Bot(fmt.Sprintf("%d:AAH-load-token-%020d", 7_000_000_001+n, n), name, name)
}

// speed makes the waits between attempts at webhooks shorter; limits are as they are.
const speed = 10

// framed is a platform whose simulator stands on the common frame. Limits are counted and not enforced: nothing may exceed them.
func framed(name string, account func(user int) control.Account) Platform {
	sim, known := simulators.Named(name)
	start := func(s Setting) (Simulator, error) {
		if !known {
			return nil, errors.New("no simulator")
		}
		cfg := simulators.Config{Seed: s.Seed, Speed: speed, WebhookTimeout: time.Minute}
		for n := range s.Users {
			a := account(n)
			if sim.Dashboard {
				a.Hook.URL = "http://" + s.Hook + "/hooks/" + sim.Type
			}
			cfg.Accounts = append(cfg.Accounts, a)
		}
		for n := range s.People {
			cfg.People = append(cfg.People, control.Person{ID: PersonName(n), Display: strings.ToUpper(PersonName(n)), Phone: fmt.Sprintf("+3904512%05d", n)})
		}
		return sim.New(cfg)
	}
	return Platform{
		Name: name, Start: start, Keys: func(url string) ([]simulators.Key, error) { return sim.Keys(url), nil },
		Account: func(n int) string { return account(n).ID },
		Answers: func(n int) map[string]string {
			a := account(n)
			switch sim.Type {
			case "instagram", "messenger": // which can also be linked in a browser
				return map[string]string{"how": "token", "token": a.Token}
			case "whatsapp":
				return map[string]string{"phone_number_id": a.ID, "token": a.Token}
			}
			return map[string]string{"token": a.Token}
		},
	}
}

func startGatekeeper(s Setting) (Simulator, error) {
	cfg := gatekeepersim.Config{
		Partners:  []gatekeepersim.Partner{{ClientID: "load", JWKSURL: "http://" + s.Hook + "/.well-known/gia-partner/jwks.json"}},
		RetryBase: 50 * time.Millisecond, RetryMax: time.Second, WebhookTimeout: time.Minute, Seed: s.Seed,
	}
	for n := range s.People {
		cfg.People = append(cfg.People, gatekeepersim.Person{ID: PersonName(n), Display: PersonName(n), OptedIn: true, Accepts: gatekeepersim.AccessOpen})
	}
	return gatekeepersim.New(cfg)
}

func gatekeeperKeys(url string) ([]simulators.Key, error) {
	key, err := gatekeeper.NewSigningKey()
	return []simulators.Key{
		{Name: "base_url", Value: url},
		{Name: "client_id", Value: "load"},
		{Name: "key_file", Value: key, File: true},
		{Name: "webhook_secret_file", Value: "whsec_" + strings.Repeat("A", 44), File: true},
	}, err
}

// Register answers the forms of a platform's component for a user until no other comes.
func (p Platform) Register(ctx context.Context, c *user.Client, component string, n int) error {
	reg, err := c.Registration(ctx, component)
	if err != nil || reg.Registered {
		return err
	}
	for range 4 { // terms, a way, a token
		answers := reg.Form.Agree()
		if p.Answers != nil {
			maps.Copy(answers, p.Answers(n))
		}
		err := c.Register(ctx, component, reg, answers)
		more, ok := errors.AsType[*user.Error](err)
		if !ok || more.Registration().Form == nil {
			return err
		}
		reg = more.Registration()
	}
	return errors.New("one form after another")
}
