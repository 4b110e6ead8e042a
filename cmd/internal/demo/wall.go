package demo

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/simulators"
	"postern/cmd/internal/app"
	"postern/gateway"
)

// wall is a platform that plays on adapters/internal/sandbox, with one account that serves all users. A nil wall is the gatekeeper.
type wall struct {
	simulators.Simulator
	account control.Account
	caps    gateway.Caps // of a chat with somebody who has just written
}

// speed shortens the waits between a platform's attempts, which may be minutes.
const speed = 20

// newWall finds a platform by its name; nil is the gatekeeper.
func newWall(name string) (*wall, error) {
	if name == "" || name == gatekeeperName {
		return nil, nil
	}
	sim, ok := simulators.Named(name)
	if !ok {
		return nil, fmt.Errorf("demo: --platform: want %s, %s", gatekeeperName, strings.Join(simulators.Names(), ", "))
	}
	return &wall{Simulator: sim, account: sim.Accounts()[0]}, nil
}

const gatekeeperName = "gatekeeper"

func (w *wall) adapter() string {
	if w == nil {
		return gatekeeperName
	}
	return w.Type
}

func (w *wall) component() string { return w.adapter() + "." + domain }

// place is how the platform is called in a sentence.
func (w *wall) place() string {
	if w == nil {
		return "a gatekeeper"
	}
	return w.Title
}

// source is where the configuration comes from.
func (w *wall) source() string {
	if w == nil {
		return "postern init"
	}
	return "postern init and postern sandbox"
}

// others says how to reach more people.
func (w *wall) others() string {
	if w == nil {
		return `People who answer by themselves: "add echo", "add slow".`
	}
	return `More people: write "invite" to the gateway, and open its link on the page, as anybody there.`
}

// play opens the simulator, for a gateway with a public address.
func (w *wall) play(public string, faults control.Faults) func(*slog.Logger) (player, error) {
	if w.Dashboard {
		w.account.Hook.URL = "http://" + public + "/hooks/" + w.Type
	}
	return func(log *slog.Logger) (player, error) {
		return w.New(simulators.Config{
			Accounts: []control.Account{w.account}, Faults: faults, Speed: speed, SlowDelay: 2 * time.Second, Enforce: true, Log: log,
		})
	}
}

// populate brings Anna there.
func (w *wall) populate(ctx context.Context, s *sandbox) error {
	if w == nil {
		return nil
	}
	anna := control.Person{ID: annaID, Display: "Anna", Username: "anna_castle", Phone: "+390451230009"}
	return s.do(ctx, http.MethodPut, "/people/"+annaID, anna, nil)
}

// own answers what postern init asks of the platform: the gatekeeper is the sandbox with its terms, of another one furnish has all.
func (w *wall) own(base string) adapters.Answers {
	if w == nil {
		return adapters.Answers{"base_url": base, "client_id": clientID, "terms_url": base + "/page/terms.html", "terms_version": "1"}
	}
	out := adapters.Answers{}
	for _, t := range adapters.All() {
		for _, k := range w.Keys(base) {
			if t.Name == w.Type && slices.Contains(t.Setup().Asked(), k.Name) {
				out[k.Name] = k.Value
			}
		}
	}
	return out
}

// furnish puts the adapter's block into the configuration, writes the files that it names, and asks the adapter what a chat can do.
func (w *wall) furnish(config, jid, base string) error {
	if w == nil {
		return nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	before, _, ok := bytes.Cut(text, []byte("\nadapters:"))
	if !ok {
		return fmt.Errorf("demo: %s has no adapters", config)
	}
	block, files := simulators.Block(w.Type, jid, slices.Concat(w.Keys(base), w.Line(w.account)))
	files[filepath.Base(config)] = string(before) + "\nadapters:\n" + block
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(filepath.Dir(config), name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return w.learn(config)
}

// learn opens the adapter as the configuration has it, for its Caps.
func (w *wall) learn(config string) error {
	cfg, err := app.Load(config)
	if err != nil {
		return err
	}
	for _, t := range adapters.All() {
		if t.Name != w.Type {
			continue
		}
		a, err := t.New(cfg.Adapters[w.Type].Own, adapters.Deps{Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient})
		if err != nil {
			return err
		}
		w.caps = a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect, LastInbound: time.Now()})
	}
	return nil
}

// can reports whether the platform has something; the gatekeeper has all that is played.
func (s *stage) can(f gateway.Feature) bool { return s.wall == nil || s.wall.caps.Has(f) }

// knows reports whether a send without an answer can be made again without a second effect.
func (s *stage) knows() bool { return s.wall == nil || s.wall.caps.Idempotent || s.wall.caps.Echo }

// to is whom Anna writes to: romeo, or the account that he shares with others.
func (p *play) to() string {
	if p.wall != nil {
		return p.wall.account.ID
	}
	return p.romeo.JID()
}
