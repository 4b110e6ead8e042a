package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"postern/adapters/control"
	"postern/cmd/internal/setup"
	"postern/deploy/lab"
)

// Names on the stage.
const (
	domain   = "localhost"
	clientID = "postern" // how the gatekeeper knows the gateway
	password = "demo"
)

// logins are the XMPP users; the first is who the play is about, the other is free for the audience.
func logins() []lab.Login {
	return []lab.Login{{User: "romeo", Password: password}, {User: "juliet", Password: password}}
}

// stage is everything that the play needs.
type stage struct {
	dir     string
	wall    *wall  // nil: the gatekeeper
	gw      string // domain of the component
	lab     *lab.Lab
	prosody *lab.XMPP
	redis   *lab.Redis
	sandbox *sandbox
	postern *lab.Server
	admin   string // host:port of Postern's health and metrics
	page    *page  // nil: nobody is going to look
}

// sweep makes an empty directory for the play. It deletes what an earlier play left, and nothing else: not what is in use, and
// not a directory that no play was in.
func sweep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	lock := filepath.Join(dir, "lab.lock") // the lab's own
	f, err := os.OpenFile(lock, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("demo: %s is not empty and not the folder of a demo", dir)
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("demo: another demo runs in %s: stop it first", dir)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(lock) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// open starts the servers, one after the other, and says so. The caller closes what was started, also after an error.
func (s *stage) open(ctx context.Context, cfg Config, n *narrator) error {
	n.note("a Redis, the sandbox, a Prosody and Postern, all on loopback; files in %s", s.dir)
	var err error
	if s.redis, err = s.lab.StartRedis(ctx, lab.RedisConfig{AppendOnly: true}); err != nil {
		return err
	}
	n.note("redis     runs at %s, append-only, pid %d", s.redis.Addr(), s.redis.PID())
	public, err := s.lab.Addr(ctx)
	if err != nil {
		return err
	}
	if s.admin, err = s.lab.Addr(ctx); err != nil {
		return err
	}
	if err := s.openSandbox(ctx, cfg, public, n); err != nil {
		return err
	}
	answers := setup.Answers{
		Domain: domain, Component: "127.0.0.1:5347", Adapter: s.wall.adapter(), JID: s.gw, Redis: s.redis.URL(), PublicURL: "http://" + public,
		Own: s.wall.own(s.sandbox.url), Dir: filepath.Join(s.dir, "postern-config"),
	}
	if err := answers.Fill(); err != nil {
		return err
	}
	if _, err := setup.Write(answers, false); err != nil { // the secret first: Prosody has to know it
		return err
	}
	secret, err := os.ReadFile(filepath.Join(answers.Dir, answers.Adapter+".secret"))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s.prosody, err = s.lab.StartProsody(ctx, lab.XMPPConfig{
		Domain: domain, Users: logins(),
		Components: []lab.Component{{Domain: s.gw, Secret: strings.TrimSpace(string(secret)), Privileged: true}},
	})
	if err != nil {
		return err
	}
	n.note("prosody   runs at %s, pid %d", s.prosody.ClientAddr(), s.prosody.PID())
	answers.Component = s.prosody.ComponentAddr()
	if _, err := setup.Write(answers, true); err != nil {
		return err
	}
	config := filepath.Join(answers.Dir, "postern.yaml")
	if err := s.adapt(config, public); err != nil {
		return err
	}
	if err := s.wall.furnish(config, s.gw, s.sandbox.url); err != nil {
		return err
	}
	roots, _, err := s.lab.CA() // Prosody shows a certificate of it where files are
	if err != nil {
		return err
	}
	s.postern, err = s.lab.StartProgram(ctx, lab.Program{
		Name: "postern", Path: cfg.Exe, Args: []string{"serve", "-c", config}, Env: []string{"SSL_CERT_FILE=" + roots}, Ready: s.ready,
	})
	if err != nil {
		return err
	}
	n.note("postern   runs as its own process, pid %d, with the configuration of %s", s.postern.PID(), s.wall.source())
	return s.hooked(ctx)
}

// openSandbox serves the platform.
func (s *stage) openSandbox(ctx context.Context, cfg Config, public string, n *narrator) (err error) {
	faults := control.Faults{}
	if cfg.DropWebhooks {
		faults.WebhookDropRate = 1
	}
	play := gatekeeper("http://"+public+"/.well-known/gia-partner/jwks.json", faults)
	if s.wall != nil {
		play = s.wall.play(public, faults)
	}
	frame := ""
	if !cfg.Once {
		if s.page, err = openPage(ctx); err != nil {
			return err
		}
		frame = s.page.url
	}
	if s.sandbox, err = serveSandbox(ctx, s.dir, frame, play); err != nil {
		return err
	}
	n.note("sandbox   plays %s at %s/", s.wall.place(), s.sandbox.url)
	return s.wall.populate(ctx, s.sandbox)
}

// hooked waits until the platform was told where its webhooks go.
func (s *stage) hooked(ctx context.Context) error {
	if s.wall != nil {
		return s.sandbox.wait(ctx, object{"kind": "account", "user": s.wall.account.ID, "state": "subscribed"}, nil)
	}
	select {
	case <-s.sandbox.hooked:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("demo: postern did not tell the sandbox where its webhooks go: %w", ctx.Err())
	}
}

// adapt sets what postern init does not ask for: the two addresses, since the usual ones may be in use, and the operator.
func (s *stage) adapt(file, public string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	for _, change := range [][2]string{
		{`public: ":8443"`, `public: "` + public + `"`},
		{`admin: "127.0.0.1:8480"`, `admin: "` + s.admin + `"`},
		{`name: ""`, `name: "The demo"`},
		{`adapters:`, "media: {internal_hosts: [\"" + s.prosody.UploadAddr() + "\"]}\n\nadapters:"},
	} {
		changed := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, text) {
			return fmt.Errorf("demo: %s has no %s", file, change[0])
		}
		text = changed
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// ready asks whether Postern serves.
func (s *stage) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func (s *stage) close() error {
	err := s.lab.Close()
	if s.page != nil {
		s.page.close()
	}
	if s.sandbox != nil {
		s.sandbox.close()
	}
	return err
}

// logs names the files in which the servers tell more.
func (s *stage) logs() []string {
	var out []string
	for _, server := range s.lab.Servers() {
		out = append(out, server.Log())
	}
	if s.sandbox != nil {
		out = append(out, s.sandbox.log)
	}
	return out
}
