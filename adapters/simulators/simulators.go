// Package simulators lists the simulators of all platforms but the gatekeeper, each with the keys by which an adapter reaches it.
package simulators

import (
	"fmt"
	"slices"
	"strings"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
	messenger "postern/adapters/messenger/simulator"
	telegram "postern/adapters/telegram/simulator"
	whatsapp "postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

type (
	// Config is everything that a simulator can be told at start.
	Config = sandbox.Config
	// Server plays a platform.
	Server = sandbox.Server
)

// Simulator plays the platform of one adapter type.
type Simulator struct {
	// Name is what it is asked for by, Type the adapter's type, Title the platform's name.
	Name, Type, Title string
	// New makes the simulator. Requests are served at once; webhooks need Run.
	New func(Config) (*Server, error)
	// Accounts are those that exist when a Config has none.
	Accounts func() []control.Account
	// Keys are what an adapter's configuration needs to reach a simulator at an origin, with a line or without.
	Keys func(base string) []Key
	// Line are further keys, by which an account becomes the line of all users.
	Line func(a control.Account) []Key
	// Untold are features by which people change what they said, of which these accounts are not told as such.
	Untold []gateway.Feature
}

// All returns every simulator, sorted by name.
func All() []Simulator {
	return []Simulator{
		meta(messenger.InstagramLogin, "Instagram"),
		meta(messenger.FacebookLogin, "Instagram"),
		meta(messenger.Messenger, "Messenger"),
		{
			"telegram", "telegram", "Telegram", telegram.New, telegram.DefaultBots, telegramKeys, telegramLine,
			[]gateway.Feature{gateway.FeatureRetract},
		},
		{
			"whatsapp", "whatsapp", "WhatsApp", whatsapp.New, whatsapp.DefaultNumbers, whatsappKeys, whatsappLine,
			// Both are told of numbers that are on a phone too.
			[]gateway.Feature{gateway.FeatureEdit, gateway.FeatureRetract},
		},
	}
}

// Named returns a simulator by its name.
func Named(name string) (Simulator, bool) {
	all := All()
	i := slices.IndexFunc(all, func(s Simulator) bool { return s.Name == name })
	if i < 0 {
		return Simulator{}, false
	}
	return all[i], true
}

// Names lists the names of all.
func Names() []string {
	var out []string
	for _, s := range All() {
		out = append(out, s.Name)
	}
	return out
}

// Key is one key of an adapter's configuration.
type Key struct {
	Name, Value string
	// File says that the value stands in a file of its own, which the configuration names.
	File bool
}

// Block is the part of postern.yaml for an adapter that is named like its type, below `adapters:`, and the files that it names, which
// stand in the same folder. The component's secret is not among them.
func Block(typ, jid string, keys []Key) (yaml string, files map[string]string) {
	var out strings.Builder
	files = map[string]string{}
	fmt.Fprintf(&out, "  %s:\n    type: %[1]s\n    jid: %s\n    secret_file: %[1]s.secret # as in the XMPP server's configuration\n", typ, jid)
	for _, k := range keys {
		value := k.Value
		if k.File {
			value = typ + "." + strings.TrimSuffix(k.Name, "_file")
			files[value] = k.Value + "\n"
		}
		fmt.Fprintf(&out, "    %s: %q\n", k.Name, value)
	}
	return out.String(), files
}

// Secrets of the gateway's own that a simulator only hears of.
const (
	hookSecret  = "sandbox-webhook-secret-000000000001"
	verifyToken = "sandbox-verify-token"
)

func telegramKeys(base string) []Key {
	return []Key{{Name: "base_url", Value: base}, {"webhook_secret_file", hookSecret, true}}
}

func telegramLine(a control.Account) []Key {
	return []Key{{"token_file", a.Token, true}, {Name: "bot_name", Value: a.Username}}
}

func whatsappKeys(base string) []Key {
	return []Key{
		{Name: "base_url", Value: base},
		{Name: "dialog_url", Value: base},
		{Name: "app_id", Value: whatsapp.AppID},
		{"app_secret_file", whatsapp.AppSecret, true},
		{"verify_token_file", verifyToken, true},
		{Name: "reopen_template", Value: "please_write"}, // the simulator has approved every template
	}
}

func whatsappLine(a control.Account) []Key {
	return []Key{
		{Name: "phone_number_id", Value: a.ID},
		{"token_file", a.Token, true},
		{Name: "account_id", Value: a.IDs["waba_id"]},
		{Name: "phone_number", Value: strings.TrimPrefix(a.Phone, "+")},
	}
}

// meta is Messenger, or Instagram in one of its flavours.
func meta(kind messenger.Kind, title string) Simulator {
	typ := "instagram"
	var untold []gateway.Feature
	if kind == messenger.Messenger {
		typ, untold = "messenger", []gateway.Feature{gateway.FeatureRetract}
	}
	return Simulator{
		Name: string(kind), Type: typ, Title: title, Untold: untold,
		New:      func(cfg Config) (*Server, error) { return messenger.New(kind, cfg) },
		Accounts: func() []control.Account { return messenger.DefaultPages(kind) },
		Keys: func(base string) []Key {
			keys := []Key{
				{Name: "base_url", Value: base},
				{Name: "dialog_url", Value: base},
				{Name: "app_id", Value: messenger.AppID},
				{"app_secret_file", kind.Secret(), true},
				{"verify_token_file", verifyToken, true},
				{Name: "media", Value: "upload"}, // a simulator need not be able to reach where users' files are
			}
			switch kind {
			case messenger.FacebookLogin:
				keys = append(keys, Key{Name: "login", Value: "facebook"})
			case messenger.InstagramLogin:
				keys = append(keys, Key{Name: "token_url", Value: base})
			case messenger.Messenger:
			}
			return keys
		},
		Line: func(a control.Account) []Key {
			line := []Key{{"token_file", a.Token, true}, {Name: "username", Value: a.Username}}
			switch kind {
			case messenger.FacebookLogin:
				return append(line, Key{Name: "instagram_id", Value: a.ID}, Key{Name: "page_id", Value: a.IDs["page_id"]})
			case messenger.InstagramLogin:
				return append(line, Key{Name: "instagram_id", Value: a.ID})
			case messenger.Messenger:
			}
			return append(line, Key{Name: "page_id", Value: a.ID})
		},
	}
}
