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
	"postern/adapters/simulators"
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

// play opens the simulator of the platform that was asked for. How an adapter reaches it is said once its address is known.
func (c *sandboxCmd) play(log *slog.Logger) (player, func(out io.Writer, base string), error) {
	sim, ok := simulators.Named(c.Platform)
	if !ok {
		return nil, nil, fmt.Errorf("--platform: want gatekeeper, %s", strings.Join(simulators.Names(), ", "))
	}
	if c.PartnerKey != "" || c.WebhookURL != "" || c.WebhookSecret != "" || len(c.Without) > 0 {
		return nil, nil, fmt.Errorf("--platform %s: flags about partner, webhook and missing features are the gatekeeper's", c.Platform)
	}
	in, err := c.cast()
	if err != nil {
		return nil, nil, err
	}
	if in.Accounts == nil {
		in.Accounts = sim.Accounts()
	}
	server, err := sim.New(simulators.Config{
		Accounts: in.Accounts, People: in.People, SlowDelay: c.SlowDelay, Speed: c.Speed, Enforce: c.Enforce, Log: log,
	})
	return server, func(out io.Writer, base string) { connects(out, sim, in.Accounts, base) }, err
}

// connects says what connects an adapter to a simulator at an origin.
func connects(out io.Writer, sim simulators.Simulator, accounts []control.Account, base string) {
	fmt.Fprintf(out, "\nThis, below \"adapters:\" in postern.yaml, connects a gateway with it:\n\n")
	var line []simulators.Key
	if len(accounts) > 0 {
		line = sim.Line(accounts[0])
	}
	yaml, files := simulators.Block(sim.Type, sim.Type+".example.org", slices.Concat(sim.Keys(base), line))
	fmt.Fprint(out, yaml)
	fmt.Fprintf(out, "\nand these files beside it (umask 077):\n\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(out, "  echo '%s' > %s\n", strings.TrimSpace(files[name]), name)
	}
	if len(line) > 0 {
		var names []string
		for _, k := range line {
			names = append(names, k.Name)
		}
		fmt.Fprintf(out, "\nAll users then share one %s. Without %s each links their own:\n\n", accounts[0].Kind, strings.Join(names, ", "))
		for _, a := range accounts {
			fmt.Fprintf(out, "  %s %s (%s): token %s\n", a.Kind, a.ID, a.Name, a.Token)
		}
	}
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
