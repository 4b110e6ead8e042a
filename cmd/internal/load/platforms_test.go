//go:build servers

package load

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/adapters/control"
	gatekeeper "postern/adapters/gatekeeper/simulator"
	messenger "postern/adapters/messenger/simulator"
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
	// own are its keys in postern.yaml; URL is its simulator's address, DIR the folder with files.
	own string
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
			name: "gatekeeper", start: startGatekeeper, keeps: true,
			own:     "base_url: URL\nclient_id: load\nkey_file: DIR/key.pem\nwebhook_secret_file: DIR/whsec",
			account: func(n int) string { return userName(n) + "@localhost" },
		},
		{
			name: "instagram", start: ofMeta(messenger.InstagramLogin), minutes: true, own: "base_url: URL\ntoken_url: URL\napp_secret_file: DIR/instagram.app\nverify_token_file: DIR/word",
			account: func(n int) string { return page(messenger.InstagramLogin, n).ID },
			answers: func(n int) map[string]string {
				return map[string]string{"token": page(messenger.InstagramLogin, n).Token}
			},
		},
		{
			name: "messenger", start: ofMeta(messenger.Messenger), minutes: true, own: "base_url: URL\napp_secret_file: DIR/meta.app\nverify_token_file: DIR/word",
			account: func(n int) string { return page(messenger.Messenger, n).ID },
			answers: func(n int) map[string]string { return map[string]string{"token": page(messenger.Messenger, n).Token} },
		},
		{
			name: "telegram", start: framed(telegram.New, bot), own: "base_url: URL\nwebhook_secret_file: DIR/word",
			account: func(n int) string { return bot(n).ID },
			answers: func(n int) map[string]string { return map[string]string{"token": bot(n).Token} },
		},
		{
			name: "whatsapp", start: framed(whatsapp.New, number), account: func(n int) string { return number(n).ID },
			own: "base_url: URL\napp_id: \"" + whatsapp.AppID + "\"\napp_secret_file: DIR/meta.app\nverify_token_file: DIR/word",
			answers: func(n int) map[string]string {
				return map[string]string{"phone_number_id": number(n).ID, "token": number(n).Token}
			},
		},
	}
}

func number(n int) control.Account {
	id := fmt.Sprintf("7006005004%05d", n)
	return whatsapp.Number(id, "9"+id[1:], fmt.Sprintf("+155500%05d", n), fmt.Sprint("Number ", n), fmt.Sprintf("EAAloadToken%020d", n))
}

// secrets are files of a platform's own, beside those that all use.
var secrets = map[string]string{"meta.app": whatsapp.AppSecret, "instagram.app": messenger.InstagramSecret}

func page(kind messenger.Kind, n int) control.Account {
	name := fmt.Sprint("page", n)
	return messenger.Page(kind, fmt.Sprintf("1020304050%05d", n), name, name, fmt.Sprintf("EAAloadPageToken%020d", n))
}

// ofMeta starts a platform whose dashboard was told where webhooks go.
func ofMeta(kind messenger.Kind) func(*rig, uint64) (simulator, error) {
	return func(r *rig, seed uint64) (simulator, error) {
		return framed(
			func(cfg messenger.Config) (simulator, error) { return messenger.New(kind, cfg) },
			func(n int) control.Account {
				a := page(kind, n)
				a.Hook.URL = "http://" + r.hook + "/hooks/" + map[messenger.Kind]string{messenger.Messenger: "messenger", messenger.InstagramLogin: "instagram"}[kind]
				return a
			},
		)(r, seed)
	}
}

func bot(n int) control.Account {
	name := fmt.Sprintf("load_%d_bot", n)
	return telegram.Bot(fmt.Sprintf("%d:AAH-load-token-%020d", 7_000_000_001+n, n), name, name)
}

// speed makes the waits between attempts at webhooks shorter; limits are as they are.
const speed = 10

// framed starts a simulator that stands on the common frame. Limits are counted and not enforced: nothing may exceed them.
func framed[S simulator](start func(telegram.Config) (S, error), account func(user int) control.Account) func(*rig, uint64) (simulator, error) {
	return func(r *rig, seed uint64) (simulator, error) {
		cfg := telegram.Config{Seed: seed, Speed: speed, WebhookTimeout: time.Minute}
		for n := range r.users {
			cfg.Accounts = append(cfg.Accounts, account(n))
		}
		for n := range r.people {
			cfg.People = append(cfg.People, control.Person{ID: personName(n), Display: strings.ToUpper(personName(n)), Phone: fmt.Sprintf("+3904512%05d", n)})
		}
		return start(cfg)
	}
}

func startGatekeeper(r *rig, seed uint64) (simulator, error) {
	cfg := gatekeeper.Config{
		Partners:  []gatekeeper.Partner{{ClientID: "load", JWKSURL: "http://" + r.hook + "/.well-known/gia-partner/jwks.json"}},
		RetryBase: 50 * time.Millisecond, RetryMax: time.Second, WebhookTimeout: time.Minute, Seed: seed,
	}
	for n := range r.people {
		cfg.People = append(cfg.People, gatekeeper.Person{ID: personName(n), Display: personName(n), OptedIn: true, Accepts: gatekeeper.AccessOpen})
	}
	return gatekeeper.New(cfg)
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

// keyPEM makes the key of a gateway.
func keyPEM() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}
