package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"postern/adapters/gatekeeper/simulator"
	"postern/cmd/internal/app"
)

// gatekeeper is the platform that is played unless another one is named.
const gatekeeper = "gatekeeper"

type sandboxCmd struct {
	Platform      string        `default:"gatekeeper" help:"What to play: gatekeeper, ${platforms} (default: ${default})." placeholder:"NAME"`
	Listen        string        `default:"127.0.0.1:8490" help:"Address of the API and the page (default: ${default})." placeholder:"ADDR"`
	Partner       string        `default:"postern" help:"Client id of the gateway (default: ${default})." placeholder:"ID"`
	PartnerKey    string        `name:"partner-key" help:"The gateway's key in PEM; of a private key only the public half is used." placeholder:"FILE" xor:"key"`
	PartnerJWKS   string        `name:"partner-jwks-url" default:"http://127.0.0.1:8443/.well-known/gia-partner/jwks.json" help:"Where the gateway publishes its keys (default: ${default})." placeholder:"URL" xor:"key"`
	WebhookURL    string        `name:"webhook-url" help:"Where webhooks go; the gateway says so by itself when it starts." placeholder:"URL"`
	WebhookSecret string        `name:"webhook-secret-file" help:"File with the whsec_ secret that webhooks are signed with." placeholder:"FILE"`
	Seed          string        `help:"JSON file with the people of the gatekeeper, or the people and accounts of another platform." placeholder:"FILE"`
	Name          string        `default:"Sandbox Messenger" help:"Name of the gatekeeper (default: ${default})."`
	Without       []string      `help:"Features that the gatekeeper lacks, such as edit,media, or read_in for one direction; the page and the control API switch them too." placeholder:"FEATURE,..."`
	SlowDelay     time.Duration `default:"5s" help:"How long the slow persona takes for each step (default: ${default})."`
	Speed         float64       `default:"1" help:"Of another platform: by how much its windows, retries and lives of links are shortened." placeholder:"FACTOR"`
	Enforce       bool          `help:"Of another platform: refuse what is above its limits, which else is only counted."`
}

// Help is what postern sandbox --help adds.
func (sandboxCmd) Help() string {
	return `A server that plays the gatekeeper, or with --platform another messenger, with a page on which you are one of its users.
All of it is in memory, and whoever reaches its address is in control of it: keep it on loopback.

With --platform it says what connects a gateway with it. --listen, --seed, --slow-delay, --speed, --enforce and
--webhook-url count, the other flags are the gatekeeper's. The seed file holds what another messenger has, either part may be left out:
  {"accounts": [{"id": "7000000001", "username": "verona_bot", "token": "7000000001:..."}], "people": [{"id": "juliet"}]}

The gatekeeper:

It offers all that the document describes but groups, keys and calls. To see how the gateway does without a feature, switch
it off: on the page under Features, with --without, or while it runs:
  curl -X PATCH http://127.0.0.1:8490/sandbox/v1/capabilities -d '{"edit": "unavailable"}'

The seed file is a list of people:
  [{"id": "juliet", "display": "Juliet", "opted_in": true, "accepts": "open",
    "identifiers": [{"type": "email", "value": "juliet@capulet.example"}]}]`
}

// Run serves until a signal comes.
func (c *sandboxCmd) Run(ctx context.Context, at *console) error {
	log := newLogger(app.Log{Format: "auto"}, slog.LevelInfo, at.err)
	s, hint, err := c.open(log)
	if err != nil {
		return err
	}
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	fmt.Fprintf(at.out, "sandbox page and API: http://%s/\n", socket.Addr())
	if hint != nil {
		hint(at.out, "http://"+socket.Addr().String())
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		<-ctx.Done()
		_ = server.Close() // pages that wait for news would hold up an orderly end
	})
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			log.Error("sandbox stopped", "err", err)
		}
	})
	if err := server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// open makes the simulator. The hint, if any, says how a gateway reaches it at an origin.
func (c *sandboxCmd) open(log *slog.Logger) (s player, hint func(out io.Writer, base string), err error) {
	if c.Platform != gatekeeper {
		return c.play(log)
	}
	cfg, err := c.config(log)
	if err != nil {
		return nil, nil, err
	}
	s, err = simulator.New(cfg)
	return s, nil, err
}

func (c *sandboxCmd) config(log *slog.Logger) (simulator.Config, error) {
	p := simulator.Partner{ClientID: c.Partner, JWKSURL: c.PartnerJWKS, WebhookURL: c.WebhookURL}
	if c.PartnerKey != "" {
		keys, err := publicKeys(c.PartnerKey)
		if err != nil {
			return simulator.Config{}, err
		}
		p.JWKS, p.JWKSURL = keys, ""
	}
	if c.WebhookSecret != "" {
		raw, err := os.ReadFile(c.WebhookSecret)
		if err != nil {
			return simulator.Config{}, fmt.Errorf("--webhook-secret-file: %w", err)
		}
		for line := range strings.FieldsSeq(string(raw)) {
			if strings.HasPrefix(line, "whsec_") && p.WebhookSecret == "" {
				p.WebhookSecret = line
			}
		}
	}
	people, err := c.people()
	return simulator.Config{Name: c.Name, Partners: []simulator.Partner{p}, People: people, SlowDelay: c.SlowDelay, Without: c.Without, Log: log}, err
}

// people reads the seed; nil leaves it to the sandbox.
func (c *sandboxCmd) people() ([]simulator.Person, error) {
	if c.Seed == "" {
		return nil, nil
	}
	f, err := os.Open(c.Seed)
	if err != nil {
		return nil, fmt.Errorf("--seed: %w", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	people := []simulator.Person{}
	if err := d.Decode(&people); err != nil {
		return nil, fmt.Errorf("--seed: %s: %w", c.Seed, err)
	}
	return people, nil
}

// publicKeys turns keys in PEM into the JWKS of their public halves, each named by its thumbprint (RFC 7638) as the
// gateway names them.
func publicKeys(file string) (json.RawMessage, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--partner-key: %w", err)
	}
	set, err := jwk.Parse(raw, jwk.WithPEM(true))
	if err == nil {
		set, err = jwk.PublicSetOf(set)
	}
	if err != nil || set.Len() == 0 {
		return nil, fmt.Errorf("--partner-key: %s holds no key in PEM", file) // the parser's error may quote the key
	}
	for i := range set.Len() {
		key, _ := set.Key(i)
		if err := jwk.AssignKeyID(key); err != nil {
			return nil, fmt.Errorf("--partner-key: %s: key %d: %w", file, i+1, err)
		}
	}
	return json.Marshal(set)
}
