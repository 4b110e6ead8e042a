package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"postern/adapters/control"
	messenger "postern/adapters/messenger/simulator"
	telegram "postern/adapters/telegram/simulator"
	whatsapp "postern/adapters/whatsapp/simulator"
)

// player is a simulator that plays a platform.
type player interface {
	Handler() http.Handler
	Run(ctx context.Context) error
}

// cast is who is there when a simulator begins; nil leaves it to the simulator.
type cast struct {
	Accounts []control.Account `json:"accounts"`
	People   []control.Person  `json:"people"`
}

// platforms opens the simulators of everything but the gatekeeper, by the adapter's type. What is written to io says how to begin.
func (c *sandboxCmd) platforms() map[string]func(cast, *slog.Logger, io.Writer) (player, error) {
	return map[string]func(cast, *slog.Logger, io.Writer) (player, error){
		"messenger":          c.pages(messenger.Messenger),
		"instagram":          c.pages(messenger.InstagramLogin),
		"instagram-facebook": c.pages(messenger.FacebookLogin),
		"telegram": func(in cast, log *slog.Logger, out io.Writer) (player, error) {
			if in.Accounts == nil {
				in.Accounts = telegram.DefaultBots()
			}
			for _, bot := range in.Accounts {
				fmt.Fprintf(out, "bot @%s: token %s\n", bot.Username, bot.Token)
			}
			return telegram.New(telegram.Config{Accounts: in.Accounts, People: in.People, SlowDelay: c.SlowDelay, Log: log})
		},
		"whatsapp": func(in cast, log *slog.Logger, out io.Writer) (player, error) {
			if in.Accounts == nil {
				in.Accounts = whatsapp.DefaultNumbers()
			}
			fmt.Fprintf(out, "app %s: secret %s\n", whatsapp.AppID, whatsapp.AppSecret)
			for _, n := range in.Accounts {
				fmt.Fprintf(out, "number %s: phone_number_id %s, token %s\n", n.Phone, n.ID, n.Token)
			}
			return whatsapp.New(whatsapp.Config{Accounts: in.Accounts, People: in.People, SlowDelay: c.SlowDelay, Log: log})
		},
	}
}

// pages opens Messenger, or Instagram in one of its flavours.
func (c *sandboxCmd) pages(kind messenger.Kind) func(cast, *slog.Logger, io.Writer) (player, error) {
	return func(in cast, log *slog.Logger, out io.Writer) (player, error) {
		if in.Accounts == nil {
			in.Accounts = messenger.DefaultPages(kind)
		}
		fmt.Fprintf(out, "app %s: secret %s\n", messenger.AppID, kind.Secret())
		for _, a := range in.Accounts {
			fmt.Fprintf(out, "%s %s: id %s, token %s\n", a.Kind, a.Name, a.ID, a.Token)
		}
		return messenger.New(kind, messenger.Config{Accounts: in.Accounts, People: in.People, SlowDelay: c.SlowDelay, Log: log})
	}
}

// play opens the simulator of the platform that was asked for.
func (c *sandboxCmd) play(log *slog.Logger, out io.Writer) (player, error) {
	platforms := c.platforms()
	open, ok := platforms[c.Platform]
	if !ok {
		return nil, fmt.Errorf("--platform: want gatekeeper, %s", strings.Join(slices.Sorted(maps.Keys(platforms)), ", "))
	}
	in, err := c.cast()
	if err != nil {
		return nil, err
	}
	return open(in, log, out)
}

// cast reads the seed.
func (c *sandboxCmd) cast() (cast, error) {
	var in cast
	if c.Seed == "" {
		return in, nil
	}
	f, err := os.Open(c.Seed)
	if err != nil {
		return in, fmt.Errorf("--seed: %w", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, fmt.Errorf("--seed: %s: %w", c.Seed, err)
	}
	return in, nil
}
