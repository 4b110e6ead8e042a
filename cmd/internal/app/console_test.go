package app

import (
	"strings"
	"testing"

	"postern/api/console"
)

// The console reads metrics that the gateway tells, and stands beside them.
func TestConsole(t *testing.T) {
	r, metrics := measured(t)
	known := vocabularyOf(metrics)
	for _, name := range console.Metrics() {
		if known[name] == nil && known[name+"_bucket"] == nil {
			t.Errorf("the console shows %s, which no gateway tells", name)
		}
	}
	for path, want := range map[string]string{"/console": "<h1>Sign in</h1>", "/": "<h1>Sign in</h1>", "/v1/docs": "/v1/whoami"} {
		if status, body := get(t, "http://"+r.AdminAddr()+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d, want %q on it:\n%s", path, status, want, body)
		}
	}
}
