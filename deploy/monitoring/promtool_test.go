//go:build servers

package monitoring

import (
	"os/exec"
	"testing"
)

// The rules are what Prometheus takes, each alert fires on what it is for, and is silent otherwise (postern.rules.test.yml).
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "postern.rules.yml"}, {"test", "rules", "postern.rules.test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v (Debian package prometheus)\n%s", args, err, out)
		}
	}
}
