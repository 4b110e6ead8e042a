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
	"time"

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

// words are how the table names features.
var words = map[gateway.Feature]string{
	gateway.FeatureText: "text", gateway.FeatureMedia: "files", gateway.FeatureLocation: "places", gateway.FeatureContact: "contact cards",
	gateway.FeaturePoll: "polls", gateway.FeatureSticker: "stickers", gateway.FeatureAnswer: "answers to polls and buttons",
	gateway.FeatureStyling: "styled text", gateway.FeatureReply: "replies", gateway.FeatureEdit: "edits", gateway.FeatureRetract: "retractions",
	gateway.FeatureReact: "reactions", gateway.FeatureDelivered: "delivery is told", gateway.FeatureReadOut: "the user's reading is told",
	gateway.FeatureReadIn: "the contact's reading is told", gateway.FeatureTypingOut: "the user's typing is shown",
	gateway.FeatureTypingIn: "the contact's typing is shown", gateway.FeaturePresence: "presence", gateway.FeatureProfile: "names and pictures",
	gateway.FeatureBlock: "blocking", gateway.FeatureReport: "reporting", gateway.FeatureGroups: "groups",
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
	row := func(name string, cell func(gateway.Caps) string) {
		b.WriteString("| " + name + " |")
		for _, c := range columns {
			b.WriteString(" " + cell(c) + " |")
		}
		b.WriteByte('\n')
	}
	for _, f := range gateway.Features() {
		if words[f] == "" {
			t.Errorf("feature %s: the table has no words for it", f)
		}
		row(words[f], func(c gateway.Caps) string { return level(c.Levels[f]) })
	}
	row("longest text", textLimit)
	row("largest file", mediaLimit)
	row("edits within", func(c gateway.Caps) string { return age(c, gateway.FeatureEdit, c.EditFor) })
	row("retractions within", func(c gateway.Caps) string { return age(c, gateway.FeatureRetract, c.RetractFor) })
	row("the user may write", window)
	row("a send whose answer was lost", again)
	b.WriteByte('\n')
	return b.String()
}

func level(l gateway.Level) string {
	if l == gateway.None {
		return "-"
	}
	return l.String()
}

func textLimit(c gateway.Caps) string {
	unit := map[gateway.TextUnit]string{gateway.CodePoints: "characters", gateway.UTF16Units: "UTF-16 units", gateway.Bytes: "bytes"}[c.TextUnit]
	if c.TextMax == 0 {
		return "any"
	}
	return fmt.Sprintf("%d %s", c.TextMax, unit)
}

func mediaLimit(c gateway.Caps) string {
	switch {
	case !c.Has(gateway.FeatureMedia):
		return "-"
	case c.MediaMax == 0:
		return "any"
	case c.MediaMax%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", c.MediaMax>>20)
	}
	return fmt.Sprintf("%.0f MB", float64(c.MediaMax)/1e6)
}

func age(c gateway.Caps, f gateway.Feature, limit time.Duration) string {
	switch {
	case !c.Has(f):
		return "-"
	case limit == 0:
		return "any time"
	}
	return hours(limit)
}

// window is when a user may write at all.
func window(c gateway.Caps) string {
	switch {
	case c.Window == nil:
		return "any time"
	case c.Window.Reopen:
		return hours(c.Window.For) + " after the contact, or by a template"
	}
	return hours(c.Window.For) + " after the contact"
}

// again is what becomes of an op whose answer was lost.
func again(c gateway.Caps) string {
	switch {
	case c.Idempotent:
		return "repeated under its key, once there"
	case c.Echo:
		return "awaited as an echo, then repeated"
	}
	return "repeated: may come twice"
}

func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}
