//go:build servers

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/deploy/lab"
)

const scrapes = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: postern
    static_configs: [{targets: [%q]}]
`

// queried is Prometheus's to a question of its HTTP API.
type queried struct {
	Status, Error string
	Warnings      []string
	Data          struct {
		Result []struct{ Value []any }
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
}

func ask(t *testing.T, base, path string, args url.Values) (a queried) {
	t.Helper()
	_, body := get(t, base+path+"?"+args.Encode())
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: %v: %.300s", path, err, body)
	}
	return a
}

// A real Prometheus scrapes a real gateway, evaluates every rule, answers every query of the dashboard, and finds nothing to alert about.
func TestPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("%v: Debian package prometheus", err)
	}
	rules, err := filepath.Abs(monitoring + "postern.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	r, _ := measured(t)
	l := lab.ForTest(t)
	addr, err := l.Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	base, dir := "http://"+addr, t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	write(t, config, fmt.Sprintf(scrapes, rules, r.AdminAddr()), 0o600)
	_, err = l.StartProgram(t.Context(), lab.Program{
		Name: "prometheus", Path: program,
		Args: []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr, "--log.level=warn"},
		Ready: func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/-/ready", nil)
			if err != nil {
				return err
			}
			resp, err := new(http.Client).Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d", resp.StatusCode)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "some scrapes", func() bool {
		a := ask(t, base, "/api/v1/query", url.Values{"query": {`count_over_time(up{job="postern"}[1m]) >= 4`}})
		return len(a.Data.Result) == 1
	})
	waitFor(t, "every rule was evaluated", func() bool {
		for _, g := range ask(t, base, "/api/v1/rules", nil).Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "unknown" {
					return false
				}
			}
		}
		return true
	})
	seen := 0
	for _, g := range ask(t, base, "/api/v1/rules", nil).Data.Groups {
		for _, r := range g.Rules {
			seen++
			if r.Health != "ok" || r.State == "firing" {
				t.Errorf("rule %s: got %s %s %s, want ok and nothing firing", r.Name, r.Health, r.State, r.LastError)
			}
		}
	}
	if want := len(readRules(t)); seen != want {
		t.Errorf("rules: got %d, want %d", seen, want)
	}
	now := time.Now()
	for _, q := range readDashboard(t) {
		for path, args := range map[string]url.Values{
			"/api/v1/query": {"query": {q.Expr}},
			"/api/v1/query_range": {
				"query": {q.Expr}, "start": {stamp(now.Add(-5 * time.Second))}, "end": {stamp(now)}, "step": {"1"},
			},
		} {
			a := ask(t, base, path, args)
			if a.Status != "success" || len(a.Warnings) > 0 {
				t.Errorf("%s: %s: got %s %s %v", q.Title, q.Expr, a.Status, a.Error, a.Warnings)
			}
			// What is only there in trouble, or once mail has gone, is not there.
			quiet := strings.Contains(q.Expr, "> 0") || strings.Contains(q.Expr, "postern_slow") || q.Title == "annotation"
			if len(a.Data.Result) == 0 && !quiet {
				t.Errorf("%s: %s: %s found nothing", q.Title, q.Expr, path)
			}
		}
	}
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
