//go:build servers

package apifuzz

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/adapters/gatekeeper"
	"postern/cmd/internal/app"
	"postern/deploy/lab"
	"postern/gateway"
	"postern/gateway/redisstore"
)

// config names a server and a platform that nobody answers for: the operator's side serves all the same.
const config = `
server: {component: "127.0.0.1:1", domain: example.org}
store: {redis: %q, key_file: store.key}
http: {public: %q, admin: %q}
log: {level: warn, format: json}
delivery: {drain: 1s}
state_dir: state
adapters:
  telegram: # as the examples of openapi.yaml have it
    type: gatekeeper
    jid: gatekeeper.example.org
    secret_file: component.secret
    base_url: http://127.0.0.1:1
    client_id: postern
    key_file: gatekeeper.pem
    webhook_secret_file: webhook.secret
`

// site is the program, running on a Redis of its own that holds something of everything, with a token of each role.
type site struct {
	addr   string // of http.admin
	tokens map[gateway.Role]string
}

// open starts it; it ends with the test.
func open(t *testing.T) *site {
	t.Helper()
	ctx, dir, l := t.Context(), t.TempDir(), lab.ForTest(t)
	redis, err := l.StartRedis(ctx, lab.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	public, err := l.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{tokens: map[gateway.Role]string{}}
	if s.addr, err = l.Addr(ctx); err != nil {
		t.Fatal(err)
	}
	signing, err := gatekeeper.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	key := app.NewKey()
	for name, text := range map[string]string{
		"postern.yaml": fmt.Sprintf(config, redis.URL(), public, s.addr), "store.key": key, "component.secret": "hush\n", "gatekeeper.pem": signing,
		"webhook.secret": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.fill(t, redis.URL(), key)
	program := filepath.Join(dir, "postern")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "postern/cmd/postern").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	_, err = l.StartProgram(ctx, lab.Program{
		Name: "postern", Path: program, Args: []string{"serve", "-c", filepath.Join(dir, "postern.yaml")},
		Ready: func(ctx context.Context) error { return healthy(ctx, "http://"+s.addr+"/healthz") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func healthy(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// fill makes tokens, the users of openapi.yaml's examples, contacts, and dead letters.
func (s *site) fill(t *testing.T, url, key string) {
	t.Helper()
	ctx := t.Context()
	store, err := redisstore.Open(ctx, url, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }() // all that was written has been answered
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := gateway.OpenKeyring(ctx, store, raw)
	if err != nil {
		t.Fatal(err)
	}
	tokens, identity := gateway.NewTokens(store, keys), gateway.NewIdentity(store, keys)
	for _, role := range gateway.Roles() {
		if s.tokens[role], err = tokens.Create(ctx, string(role), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"romeo", "juliet"} {
		a, err := identity.Create(ctx, gateway.Account{
			Adapter: "telegram", Endpoint: gateway.Endpoint(name), User: gateway.UserID(name + "@example.org"), Standing: gateway.AccountActive,
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 250 {
			if _, err := identity.PutContact(ctx, a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("person-", n)), Name: "Person"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range 300 {
		e := gateway.Entry{Lane: fmt.Sprint("lane-", n%7), Kind: gateway.EntryRaw, Payload: []byte("x"), At: time.Now()}
		if err := store.Bury(ctx, gateway.ShardPartition(n%gateway.Shards), gateway.QueueIn, e, gateway.DeadReason{Class: gateway.Permanent, Code: "malformed"}); err != nil {
			t.Fatal(err)
		}
	}
}
