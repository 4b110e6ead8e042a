//go:build servers

package story

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/gatekeeper"
	"postern/cmd/internal/app"
	"postern/cmd/internal/user"
	"postern/deploy"
	"postern/deploy/lab"
	"postern/xmpp/conformance"
)

// storyTimeout bounds one story on one server; the machine may be busy.
const storyTimeout = 3 * time.Minute

// stage is where one story plays: its own component name, users and prefix in the store, on servers that all stories share.
type stage struct {
	*testing.T
	ctx  context.Context //nolint:containedctx // the life of one story
	kind deploy.Server
	xmpp *lab.XMPP
	gw   string // the component's domain
	keep func() // the domain is not to be used by later stages
	n    string // in names that no other stage has
	dir  string
	yaml string // postern.yaml
	hook string // host:port of webhooks
	site string // host:port of health and metrics

	users *[]string // bare addresses of all that logged in

	store, prefix string // URL of the store, and what keys begin with

	collector *traces // of a story that is traced

	*sandbox
	*postern
}

// both plays a story on Prosody and on ejabberd at once, each with one Redis.
func both(t *testing.T, play func(*stage)) {
	t.Helper()
	bothAs(t, func(*stage) {}, play)
}

// bothAs plays a story after something about the stage, such as its configuration, was changed.
func bothAs(t *testing.T, prepare, play func(*stage)) {
	t.Helper()
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, kind, onRedis)
			prepare(s)
			s.start()
			play(s)
			s.discreet()
		})
	}
}

// discreet asserts that the log, at its most talkative, names neither users nor secrets.
func (s *stage) discreet() {
	s.Helper()
	said := s.log.String()
	hook, err := os.ReadFile(filepath.Join(s.dir, "webhook.secret"))
	if err != nil {
		s.Fatal(err)
	}
	proof := s.prove(96)
	for _, word := range append(slices.Clone(*s.users), secret, strings.TrimSpace(string(hook)), "Bearer ", "gku_") {
		at := strings.Index(said, word)
		proof.That(at < 0, "the log holds %q: %.300q", word, said[max(0, at-150):])
	}
}

// prove claims statements for the stage's server; see package conformance.
func (s *stage) prove(numbers ...int) *conformance.Proof {
	s.Helper()
	return conformance.Prove(s.T, conformance.Server(s.kind), numbers...)
}

// newStage prepares everything but starts no Postern.
func newStage(t *testing.T, kind deploy.Server, store string) *stage {
	t.Helper()
	return prepare(t, kind, store, false)
}

// prepare makes a stage whose gateway has the rights of XEP-0356, or none.
func prepare(t *testing.T, kind deploy.Server, store string, rights bool) *stage {
	t.Helper()
	srv, x := xmppServer(t, kind)
	gw, keep := srv.name(t, rights)
	ctx, cancel := context.WithTimeout(t.Context(), storyTimeout)
	t.Cleanup(cancel)
	s := &stage{T: t, ctx: ctx, kind: kind, xmpp: x, gw: gw, keep: keep, n: fmt.Sprint(ground.stages.Add(1)), dir: t.TempDir(), hook: freeAddr(t), site: freeAddr(t), users: &[]string{}}
	s.sandbox = newSandbox(t, "http://"+s.hook+"/.well-known/gia-partner/jwks.json")
	s.store, s.prefix = storeURL(t, store), "story"+s.n+":"
	s.writeFiles()
	s.postern = &postern{t: t}
	return s
}

// act plays a part of a story as a subtest of its own.
func (s *stage) act(name string, play func(*stage)) {
	s.Helper()
	s.Run(name, func(t *testing.T) {
		part := *s
		part.T = t
		part.sandbox.t, part.postern.t = t, t
		defer func() { part.sandbox.t, part.postern.t = s.T, s.T }()
		play(&part)
	})
}

// headYAML is the configuration up to the adapters.
const headYAML = `
server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key, prefix: %q}
http: {public: %q, admin: %q, public_url: %q}
log: {level: debug, format: json}
delivery: {drain: 5s}
media: {internal_hosts: [%q]}
state_dir: state
adapters:
`

const gatekeeperYAML = `
  gatekeeper:
    type: gatekeeper
    jid: %s
    secret_file: component.secret
    base_url: %q
    client_id: postern
    key_file: gatekeeper.pem
    webhook_secret_file: webhook.secret
`

func (s *stage) writeFiles() {
	s.Helper()
	key, err := gatekeeper.NewSigningKey()
	if err != nil {
		s.Fatal(err)
	}
	var hookKey [32]byte
	_, _ = rand.Read(hookKey[:])
	s.file("gatekeeper.pem", key)
	s.file("webhook.secret", "whsec_"+base64.StdEncoding.EncodeToString(hookKey[:])+"\n")
	s.file("component.secret", secret+"\n")
	s.file("store.key", app.NewKey())
	s.yaml = s.file("postern.yaml", s.config())
}

func (s *stage) config() string { return s.head() + fmt.Sprintf(gatekeeperYAML, s.gw, s.url) }

func (s *stage) head() string {
	return fmt.Sprintf(headYAML, s.xmpp.ComponentAddr(), s.store, s.prefix, s.hook, s.site, "http://"+s.hook, s.xmpp.UploadAddr())
}

// file writes one that only its owner reads, and returns its path.
func (s *stage) file(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// start runs Postern and waits until the server has accepted its component.
func (s *stage) start() {
	s.Helper()
	s.run(s.yaml)
	s.ready()
}

// ready waits until the server has accepted the component, and the sandbox knows where webhooks go.
func (s *stage) ready() {
	s.Helper()
	s.said("xmpp stream up", 1)
	s.said("webhook address told to the platform", 1)
}

// login adds a user to the server and logs in with a client that agrees to every subscription.
func (s *stage) login(name string) *user.Client {
	return s.loginAs(user.Config{JID: name, Accept: true, Receipts: true})
}

func (s *stage) loginAs(cfg user.Config) *user.Client {
	s.Helper()
	host := "localhost"
	if name, at, ok := strings.Cut(cfg.JID, "@"); ok {
		cfg.JID, host = name, at
	}
	local := cfg.JID + s.n // no other story's
	if err := s.xmpp.AddUser(s.ctx, lab.Login{User: local, Domain: host, Password: "p"}); err != nil {
		s.Fatal(err)
	}
	*s.users = append(*s.users, local+"@"+host)
	cfg.JID, cfg.Password, cfg.Addr = local+"@"+host, "p", s.xmpp.ClientAddr()
	c, err := user.Dial(s.ctx, cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Close() }) // how a client leaves is not the story
	return c
}

// see waits for a stanza that came, or comes, after the n-th of a client.
func (s *stage) see(c *user.Client, n int, what string, match func(*user.Stanza) bool) *user.Stanza {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	got, err := c.WaitAfter(ctx, n, match)
	if err != nil {
		for _, st := range c.Stanzas(n) {
			s.Log(st.XML())
		}
		s.Fatalf("%s: %v\n%s", what, err, s.log.tail())
	}
	return got
}

// presence matches a presence stanza from a bare address.
func presence(from, typ string) func(*user.Stanza) bool {
	return func(p *user.Stanza) bool { return p.Kind == user.Presence && bare(p.From) == from && p.Type == typ }
}

// text matches a message with a body from a bare address, carbons excluded.
func text(from, body string) func(*user.Stanza) bool {
	return func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.Carbon == "" && bare(m.From) == from && m.Body == body && m.Type != "error"
	}
}

func bare(jid string) string {
	b, _, _ := strings.Cut(jid, "/")
	return b
}

// get fetches something whole.
func (s *stage) get(url string) (status int, body []byte) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, body
}
