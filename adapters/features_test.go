package adapters_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"postern/adapters"
	"postern/gateway"
)

var update = flag.Bool("update", false, "write the feature table into README.md")

// smallest is the least that each type can be configured with; DIR is where the files are that configurations name.
var smallest = map[string]string{
	"gatekeeper": "base_url: https://interop.example.com\nclient_id: postern\nkey_file: DIR/key.pem\nwebhook_secret_file: DIR/whsec",
	"instagram":  "app_secret_file: DIR/word\nverify_token_file: DIR/word",
	"messenger":  "app_secret_file: DIR/word\nverify_token_file: DIR/word",
	"telegram":   "webhook_secret_file: DIR/word",
	"whatsapp":   "app_id: \"100000000000001\"\napp_secret_file: DIR/word\nverify_token_file: DIR/word",
}

// open makes an adapter of a type with its smallest configuration.
func open(t *testing.T, typ adapters.Type) gateway.Adapter {
	t.Helper()
	text, ok := smallest[typ.Name]
	if !ok {
		t.Fatalf("%s: its smallest configuration is to be entered here", typ.Name)
	}
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"whsec":   "whsec_" + strings.Repeat("A", 44),
		"word":    strings.Repeat("0123456789abcdef", 4),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := typ.Config()
	if err := yaml.UnmarshalWithOptions([]byte(strings.ReplaceAll(text, "DIR", dir)), cfg, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", typ.Name, err)
	}
	a, err := typ.New(cfg, adapters.Deps{Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient})
	if err != nil {
		t.Fatalf("%s: %v", typ.Name, err)
	}
	return a
}

// TestFeatureTable holds the README's table against what the adapters declare of a direct chat at best; -update writes it.
func TestFeatureTable(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- features: go test ./adapters -run TestFeatureTable -update -->\n", "<!-- /features -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(raw), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("README.md: got no lines %q and %q, want the table between them", begin, end)
	}
	want := table(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil { //nolint:gosec // all may read it
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("README.md shows other features than the adapters declare (-declared +README); go test ./adapters -run TestFeatureTable -update writes them:\n%s", diff)
	}
}

// table is the table in Markdown, between empty lines.
func table(t *testing.T) string {
	t.Helper()
	var columns []gateway.Caps
	head, rule := "| |", "|---|"
	for _, typ := range adapters.All() {
		columns = append(columns, open(t, typ).Descriptor().Caps)
		head, rule = head+" "+typ.Name+" |", rule+"---|"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n%s\n", head, rule)
	for _, r := range gateway.Fidelity() {
		if r.Name == "" {
			t.Errorf("feature %s: the table has no words for it", r.Feature)
		}
		b.WriteString("| " + r.Name + " |")
		for _, c := range columns {
			b.WriteString(" " + r.Cell(c) + " |")
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.String()
}
