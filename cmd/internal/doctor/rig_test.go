package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/adapters/gatekeeper"
	"postern/cmd/internal/app"
)

const rigYAML = `
server: {component: "127.0.0.1:1", domain: example.org}
store: {redis: %q, key_file: store.key, prefix: %q}
http: {public: "127.0.0.1:0", admin: "127.0.0.1:1", public_url: %q}
state_dir: state
adapters:
  gatekeeper:
    type: gatekeeper
    jid: gatekeeper.example.org
    secret: the secret of the rig
    base_url: http://127.0.0.1:1
    client_id: postern
    key_file: gatekeeper.pem
    webhook_secret_file: webhook.secret
`

// rig is a visit to a gatekeeper's gateway whose files are all there.
func rig(t *testing.T, redis, prefix, public string, o Options) *visit {
	t.Helper()
	dir := t.TempDir()
	key, err := gatekeeper.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"gatekeeper.pem": key, "store.key": app.NewKey(), "webhook.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
		"postern.yaml": fmt.Sprintf(rigYAML, redis, prefix, public),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := app.Load(filepath.Join(dir, "postern.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	client := app.Client()
	t.Cleanup(client.CloseIdleConnections)
	v := &visit{cfg: cfg, o: o, parts: app.OpenParts(cfg, client)}
	if len(v.parts.Instances) != 1 {
		t.Fatalf("got %d adapters, want one", len(v.parts.Instances))
	}
	return v
}

// want wants one finding of a level whose line has a text, that says what users lose and what to do unless all is well.
func (v *visit) want(t *testing.T, level Level, text string) Finding {
	t.Helper()
	i := slices.IndexFunc(v.findings, func(f Finding) bool { return f.Level == level && strings.Contains(f.Text, text) })
	if i < 0 {
		var b strings.Builder
		_ = Print(&b, v.findings)
		t.Fatalf("no %s says %q:\n%s", level, text, b.String())
	}
	f := v.findings[i]
	if level != OK && (f.Lost == "" || f.Do == "") {
		t.Errorf("%q: got lost %q and do %q, want both", f.Text, f.Lost, f.Do)
	}
	return f
}
