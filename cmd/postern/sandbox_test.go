package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/adapters/simulators"
	"postern/cmd/internal/app"
)

const around = `
server: {domain: example.org}
store: {memory: true, key_file: store.key}
http: {public_url: "https://gateway.example.org"}
state_dir: state
adapters:
`

// TestSandboxConnects: what is said of each platform is a configuration that passes, with a line and without.
func TestSandboxConnects(t *testing.T) {
	for _, sim := range simulators.All() {
		for _, line := range []bool{false, true} {
			keys := sim.Keys("http://127.0.0.1:8490")
			if line {
				keys = append(keys, sim.Line(sim.Accounts()[0])...)
			}
			yaml, files := simulators.Block(sim.Type, sim.Type+".example.org", keys)
			files["store.key"], files[sim.Type+".secret"], files["postern.yaml"] = app.NewKey(), "the component's\n", around+yaml
			dir := t.TempDir()
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := app.Load(filepath.Join(dir, "postern.yaml"))
			if err != nil {
				t.Errorf("%s, line %t: %v\n%s", sim.Name, line, err, yaml)
				continue
			}
			if problems := app.CheckFiles(cfg); len(problems) > 0 {
				t.Errorf("%s, line %t: %v", sim.Name, line, problems)
			}
		}
	}
}

func TestSandboxSaysHowToConnect(t *testing.T) {
	sim, _ := simulators.Named("telegram")
	var got bytes.Buffer
	connects(&got, sim, sim.Accounts(), "http://127.0.0.1:8490")
	file := filepath.Join("testdata", "telegram.golden")
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
