//go:build servers

package load

import (
	"context"
	"errors"
	"fmt"
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
)

// simulator plays a platform.
type simulator interface {
	API() http.Handler
	Control() http.Handler
	Run(ctx context.Context) error
}

// platform is one entry of the load.
type platform struct {
	name string
	// start makes the simulator, with an account for each user.
	start func(r *rig, seed uint64) (simulator, error)
	// keys are its keys in postern.yaml, for its simulator's address.
	keys func(r *rig, url string) []simulators.Key
	// account names that of a user in the control API, answers are what the user enters to have it.
	account func(user int) string
	answers func(user int) map[string]string
	// keeps: it numbers what it tells and keeps it, so that webhooks may be lost and overtake each other.
	keeps bool
	// minutes: it tells waits in whole minutes, for all that an account sends: few are enough.
	minutes bool
}

// platforms are all that there are.
func platforms() []platform {
	return []platform{
		{
			name: "gatekeeper", start: startGatekeeper, keys: gatekeeperKeys, keeps: true,
			account: func(n int) string { return userName(n) + "@localhost" },
		},
		minutes(framed("instagram", func(n int) control.Account { return page(messenger.InstagramLogin, n) })),
		minutes(framed("messenger", func(n int) control.Account { return page(messenger.Messenger, n) })),
		framed("telegram", bot),
		framed("whatsapp", number),
	}
}

// minutes are platforms that tell waits in minutes.
func minutes(p platform) platform {
	p.minutes = true
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
func framed(name string, account func(user int) control.Account) platform {
	sim, known := simulators.Named(name)
	start := func(r *rig, seed uint64) (simulator, error) {
		if !known {
			return nil, errors.New("no simulator")
		}
		cfg := simulators.Config{Seed: seed, Speed: speed, WebhookTimeout: time.Minute}
		for n := range r.users {
			a := account(n)
			if sim.Dashboard {
				a.Hook.URL = "http://" + r.hook + "/hooks/" + sim.Type
			}
			cfg.Accounts = append(cfg.Accounts, a)
		}
		for n := range r.people {
			cfg.People = append(cfg.People, control.Person{ID: personName(n), Display: strings.ToUpper(personName(n)), Phone: fmt.Sprintf("+3904512%05d", n)})
		}
		return sim.New(cfg)
	}
	return platform{
		name: name, start: start, keys: func(_ *rig, url string) []simulators.Key { return sim.Keys(url) },
		account: func(n int) string { return account(n).ID },
		answers: func(n int) map[string]string {
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

func startGatekeeper(r *rig, seed uint64) (simulator, error) {
	cfg := gatekeepersim.Config{
		Partners:  []gatekeepersim.Partner{{ClientID: "load", JWKSURL: "http://" + r.hook + "/.well-known/gia-partner/jwks.json"}},
		RetryBase: 50 * time.Millisecond, RetryMax: time.Second, WebhookTimeout: time.Minute, Seed: seed,
	}
	for n := range r.people {
		cfg.People = append(cfg.People, gatekeepersim.Person{ID: personName(n), Display: personName(n), OptedIn: true, Accepts: gatekeepersim.AccessOpen})
	}
	return gatekeepersim.New(cfg)
}

func gatekeeperKeys(r *rig, url string) []simulators.Key {
	r.t.Helper()
	key, err := gatekeeper.NewSigningKey()
	if err != nil {
		r.t.Fatal(err)
	}
	return []simulators.Key{
		{Name: "base_url", Value: url},
		{Name: "client_id", Value: "load"},
		{Name: "key_file", Value: key, File: true},
		{Name: "webhook_secret_file", Value: "whsec_" + strings.Repeat("A", 44), File: true},
	}
}

// share is how many of all requests meet each kind of fault.
const share = 0.05

// faults are those of a platform in a turn: they change between two kinds of refusal and of lost answers, which a simulator
// cannot have at once.
func (p platform) faults(n int) control.Faults {
	f := control.Faults{
		ErrorRate: share, LimitRate: share, TimeoutRate: share, TimeoutHoldMS: 1000, // a proxy gives up
		WebhookReplayRate: share, WebhookBadSignatureRate: share,
	}
	if n%2 == 1 {
		f.TimeoutHoldMS = 9000 // longer than an adapter waits
	}
	if n%2 == 1 && (!p.minutes || n == 1 || n == 31) {
		f.LimitRetryAfterS = 1
	}
	if p.keeps {
		f.WebhookDropRate, f.WebhookParallel, f.WebhookStaleRate = share, 4, share
	}
	return f
}
