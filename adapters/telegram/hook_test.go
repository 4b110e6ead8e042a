package telegram_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/sandboxtest"
	"postern/adapters/telegram"
	"postern/gateway"
)

// sign makes a call to the fixtures' bot under an instance's secret. The sandbox's own, which goes through setWebhook, is the second
// witness that the derivation is one.
func sign(t *testing.T, secret string) func([]byte, time.Time) gateway.Request {
	hook := hookOf(t, secret, tokens[0])
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{}
		h.Set("X-Telegram-Bot-Api-Secret-Token", hook.header)
		return gateway.Request{Method: http.MethodPost, Query: map[string][]string{"token": {hook.path}}, Header: h, Body: body, Now: at.Unix()}
	}
}

type hook struct{ path, header string }

// hookOf asks an adapter with a secret to register a bot, and listens.
func hookOf(t *testing.T, secret, token string) hook {
	t.Helper()
	var got hook
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got.path = string(regexp.MustCompile(`/hooks/x/([^"]+)`).FindSubmatch(raw)[1])
		got.header = string(regexp.MustCompile(`"secret_token":"([^"]+)"`).FindSubmatch(raw)[1])
		_, _ = io.WriteString(w, `{"ok":true,"result":true}`)
	}))
	defer server.Close()
	cfg := config(t, server.URL)
	cfg.WebhookSecretFile = sandboxtest.Secret(t, secret)
	a, err := telegram.New(*cfg, server.Client(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	bot, _, _ := strings.Cut(token, ":")
	account := gateway.Credentials{Endpoint: gateway.Endpoint(bot), Secret: []byte(`{"token":"` + token + `"}`)}
	if err := a.Register(t.Context(), account, "https://gateway.example/hooks/x"); err != nil {
		t.Fatal(err)
	}
	return got
}
