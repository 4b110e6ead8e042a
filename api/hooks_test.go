package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/time/rate"

	"postern/gateway"
)

// TestHeldBytesAreBounded: bodies that wait are counted together, and what was answered is given back.
func TestHeldBytesAreBounded(t *testing.T) {
	busy := 0
	h := &hooks{
		cfg: PublicConfig{Receiver: &receiver{}, Log: slog.New(slog.DiscardHandler), Busy: func(gateway.AdapterID) { busy++ }}, known: map[gateway.AdapterID]bool{"one": true},
		reading: make(chan struct{}, 2), working: make(chan struct{}, 2), loud: &rate.Sometimes{Interval: time.Hour},
	}
	router := chi.NewRouter()
	router.Post("/hooks/{instance}", h.receive)
	for _, tt := range []struct {
		held   int64
		status int
	}{{maxHeld - 5, http.StatusOK}, {maxHeld - 4, http.StatusServiceUnavailable}, {0, http.StatusOK}} {
		h.held.Store(tt.held)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/one", strings.NewReader("12345")))
		if w.Code != tt.status {
			t.Errorf("%d bytes held: got status %d, want %d", tt.held, w.Code, tt.status)
		}
		if got := h.held.Load(); got != tt.held {
			t.Errorf("afterwards: got %d bytes held, want %d", got, tt.held)
		}
	}
	if busy != 1 {
		t.Errorf("told of %d webhooks that were refused for now, want 1", busy)
	}
}
