package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestAdmin(t *testing.T) {
	var down error
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_test_total", Help: "A counter."})
	reg.MustRegister(c)
	c.Inc()
	h := Admin(AdminConfig{
		Checks: []Check{
			{"store", func(context.Context) error { return down }},
			{"listeners", func(context.Context) error { return nil }},
		},
		Metrics: reg, Log: slog.New(slog.DiscardHandler),
	})
	tests := []struct {
		name, path string
		down       error
		status     int
		want       string
	}{
		{"alive", "/healthz", nil, 200, "ok"},
		{"alive while the store is down", "/healthz", errors.New("no route"), 200, "ok"},
		{"ready", "/readyz", nil, 200, "store: ok\nlisteners: ok\n"},
		{"not ready", "/readyz", errors.New("no route"), 503, "store: no route\nlisteners: ok\n"},
		{"metrics", "/metrics", nil, 200, "postern_test_total 1"},
		{"hooks are not here", "/hooks/one", nil, 404, "about:blank"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			down = tt.down
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", tt.path, nil))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %q, want %d and %q", w.Code, w.Body.String(), tt.status, tt.want)
			}
		})
	}
}
