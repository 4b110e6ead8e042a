package schemas_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestCompose loads the file as docker compose does.
func TestCompose(t *testing.T) {
	dir, err := filepath.Abs("../../compose")
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}}, Environment: map[string]string{"POSTERN_VERSION": "1.2.3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.ServiceNames(); !slices.Equal(got, []string{"postern", "prosody", "redis"}) {
		t.Fatalf("got services %v", got)
	}
	for name, s := range p.Services {
		if !s.ReadOnly || s.HealthCheck == nil || s.HealthCheck.Disable || len(s.Volumes) == 0 || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Privileged {
			t.Errorf("%s: want a read-only root, a health check, volumes, no capabilities: got %v", name, s)
		}
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: got image %q, want a version", name, s.Image)
		}
		for _, secret := range s.Secrets {
			if file := p.Secrets[secret.Source].File; filepath.Dir(file) != filepath.Join(dir, "conf") || filepath.Base(file) != filepath.Base(secret.Target) {
				t.Errorf("%s: secret %s is %s there and %q here", name, secret.Source, secret.Target, file)
			}
		}
	}
	for name, condition := range p.Services["postern"].DependsOn {
		if condition.Condition != types.ServiceConditionHealthy {
			t.Errorf("postern waits for %s: got %s", name, condition.Condition)
		}
	}
	for _, c := range p.Configs {
		if filepath.Base(filepath.Dir(c.File)) == "conf" {
			continue // made by postern init
		}
		if _, err := os.Stat(c.File); err != nil {
			t.Error(err)
		}
	}
	if p.Services["postern"].Image != "localhost/postern:1.2.3" {
		t.Errorf("got image %s", p.Services["postern"].Image)
	}
}
