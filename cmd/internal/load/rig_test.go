//go:build servers

package load

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/simulators"
	"postern/cmd/internal/app"
	"postern/cmd/internal/chaos/stand"
	"postern/cmd/internal/user"
	"postern/deploy/lab"
	"postern/gateway"
)

const componentSecret = "a secret of the load"

// rig is an installation with all platforms.
type rig struct {
	t             *testing.T
	users, people int
	dir, hook     string // hook is host:port of Postern's webhooks
	sides         []*side
	clients       []*user.Client
	prosody       *lab.XMPP
	book          *book
}

// side is one platform's part of the rig.
type side struct {
	Platform
	sim     Simulator
	control *control.Client
	caps    gateway.Caps
}

// domain is a platform's component.
func (p Platform) domain() string { return p.Name + ".localhost" }

// chats is how many there are on one platform.
func (r *rig) chats() int { return r.users * r.people }

// place says what a chat is: chats count through all platforms, users and people.
func (r *rig) place(chat int) (s, user, person int) {
	return chat / r.chats(), chat % r.chats() / r.people, chat % r.people
}

// newRig starts everything and introduces everybody to each other. Nothing goes wrong yet.
func newRig(t *testing.T, users, people int, seed uint64) *rig {
	t.Helper()
	ctx := t.Context()
	r := &rig{t: t, users: users, people: people, dir: t.TempDir(), hook: addr(t)}
	l := stand.FastForTest(t)
	redis, err := l.StartRedis(ctx, lab.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg := lab.XMPPConfig{}
	for _, p := range Platforms() {
		cfg.Components = append(cfg.Components, lab.Component{Domain: p.domain(), Secret: componentSecret})
	}
	for n := range users {
		cfg.Users = append(cfg.Users, lab.Login{User: UserName(n), Password: "secret"})
	}
	if r.prosody, err = l.StartProsody(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	yaml := r.head(redis.URL())
	for n, p := range Platforms() {
		yaml += r.platform(p, seed+uint64(n))
	}
	r.book = newBook(len(r.sides)*r.chats(), len(r.sides))
	r.postern(yaml)
	r.introduce(ctx)
	return r
}

// head writes the key of the store and returns the beginning of postern.yaml.
func (r *rig) head(redis string) string {
	r.t.Helper()
	r.file("store.key", app.NewKey())
	return fmt.Sprintf(`server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key}
http: {public: %q, admin: %q, public_url: "http://%s"}
delivery: {drain: 5s}
state_dir: state
adapters:
`, r.prosody.ComponentAddr(), redis, r.hook, addr(r.t), r.hook)
}

// file writes one that postern.yaml names.
func (r *rig) file(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// platform starts a simulator and returns its part of postern.yaml.
func (r *rig) platform(p Platform, seed uint64) string {
	r.t.Helper()
	sim, err := p.Start(Setting{Users: r.users, People: r.people, Hook: r.hook, Seed: seed})
	if err != nil {
		r.t.Fatalf("%s: %v", p.Name, err)
	}
	web := httptest.NewServer(sim.API())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = sim.Run(ctx) }) // ends with its context
	r.t.Cleanup(func() { cancel(); wg.Wait(); web.Close() })
	r.sides = append(r.sides, &side{Platform: p, sim: sim, control: control.InProcess(sim.Control())})
	keys, err := p.Keys(web.URL)
	if err != nil {
		r.t.Fatalf("%s: %v", p.Name, err)
	}
	block, files := simulators.Block(p.Name, p.domain(), keys)
	files[p.Name+".secret"] = componentSecret
	for name, text := range files {
		r.file(name, text)
	}
	return block + "    limits: {user: \"off\", chat: \"off\", first_contact: \"off\"}\n"
}

// postern runs the gateway until the test ends.
func (r *rig) postern(yaml string) {
	r.t.Helper()
	file := filepath.Join(r.dir, "postern.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cfg, err := app.Load(file)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(r.dir, "postern.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	for _, s := range r.sides {
		s.caps = capsOf(r.t, s.Name, cfg.Adapters[s.Name].Own)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.Build(ctx, cfg, app.Options{Log: log})
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.Run(ctx); err != nil {
			r.t.Errorf("run: %v", err)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		wg.Wait()
		_ = out.Close() // all is written
		if r.t.Failed() {
			r.t.Logf("%s", story(out.Name()))
		}
	})
}

// story is what a log says besides the fate of each send, its end where that is long.
func story(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for line := range strings.Lines(string(raw)) {
		if !strings.Contains(line, " msg=send ") && !strings.Contains(line, `msg="webhook not verified"`) {
			out.WriteString(line)
		}
	}
	return out.String()[max(0, out.Len()-8000):]
}

// capsOf is what an adapter with this configuration can do.
func capsOf(t *testing.T, name string, own adapters.Config) gateway.Caps {
	t.Helper()
	for _, typ := range adapters.All() {
		if typ.Name != name {
			continue
		}
		a, err := typ.New(own, adapters.Deps{Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient})
		if err != nil {
			t.Fatal(err)
		}
		return a.Descriptor().Caps
	}
	t.Fatalf("there is no adapter %s", name)
	return gateway.Caps{}
}

// introduce connects the clients, registers them everywhere and lets every person say hello, which tells the contacts' addresses.
func (r *rig) introduce(ctx context.Context) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for n := range r.users {
		c, err := user.Dial(ctx, user.Config{
			JID: UserName(n) + "@localhost", Password: "secret", Addr: r.prosody.ClientAddr(), Resource: "load", Accept: true,
			Sink: func(s *user.Stanza) { r.take(n, s) },
		})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = c.Close() })
		r.clients = append(r.clients, c)
		for _, s := range r.sides {
			if err := stand.Poll(ctx, func() error { return s.Register(ctx, c, s.domain(), n) }); err != nil {
				r.t.Fatalf("%s: %s: %v", UserName(n), s.Name, err)
			}
		}
	}
	for chat := range len(r.sides) * r.chats() {
		if err := r.hello(ctx, chat); err != nil {
			r.t.Fatal(err)
		}
	}
	err := stand.Poll(ctx, func() error { return r.book.strangers() })
	if err != nil {
		r.t.Fatal(err)
	}
}

// hello lets the person of a chat say its number, once the platform knows where to tell of it.
func (r *rig) hello(ctx context.Context, chat int) error {
	s, _, _ := r.place(chat)
	return stand.Poll(ctx, func() error {
		said, err := r.say(ctx, chat, fmt.Sprintf("hello %d", chat))
		if err == nil {
			r.book.talk(s, said.Conversation, chat)
		}
		return err
	})
}

// say lets the person of a chat write.
func (r *rig) say(ctx context.Context, chat int, text string) (control.Said, error) {
	s, u, p := r.place(chat)
	return r.sides[s].control.Say(ctx, PersonName(p), r.sides[s].Account(u), text)
}

func addr(t *testing.T) string {
	t.Helper()
	a, err := stand.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
