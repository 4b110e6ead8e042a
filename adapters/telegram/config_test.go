package telegram_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/sandboxtest"
	"postern/adapters/telegram"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*telegram.Config)
		want   string
	}{
		{"complete", func(*telegram.Config) {}, ""},
		{"no base_url", func(c *telegram.Config) { c.BaseURL = "" }, "base_url"},
		{"base_url with a password", func(c *telegram.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"no way to receive", func(c *telegram.Config) { c.Receive = "" }, "receive"},
		{"unknown way to receive", func(c *telegram.Config) { c.Receive = "pigeon" }, "receive"},
		{"no webhook_secret_file", func(c *telegram.Config) { c.WebhookSecretFile = "" }, "webhook_secret_file"},
		{"polling without a secret", func(c *telegram.Config) { c.WebhookSecretFile, c.Receive = "", telegram.ReceivePoll }, ""},
		{"a name without a bot", func(c *telegram.Config) { c.BotName = "verona_bot" }, "bot_name"},
		{"a name that is none", func(c *telegram.Config) { c.TokenFile, c.BotName = "f", "@verona bot" }, "bot_name"},
		{"a bot for all", func(c *telegram.Config) { c.TokenFile, c.BotName = "f", "verona_bot" }, ""},
		{"polls too long", func(c *telegram.Config) { c.PollTimeout = time.Minute }, "poll_timeout"},
		{"polls too short", func(c *telegram.Config) { c.PollTimeout = time.Millisecond }, "poll_timeout"},
		{"no timeout", func(c *telegram.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", func(c *telegram.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, "https://api.telegram.org")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "telegram: "+tc.want+": ")) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
}

// TestSecretFiles: a file that holds no secret is refused without being quoted, and a rotation lets the old one count.
func TestSecretFiles(t *testing.T) {
	open := func(change func(*telegram.Config)) (*telegram.Adapter, error) {
		c := config(t, "https://api.telegram.org")
		change(c)
		return telegram.New(*c, http.DefaultClient, slog.New(slog.DiscardHandler))
	}
	for name, change := range map[string]func(*telegram.Config){
		"short secret":  func(c *telegram.Config) { c.WebhookSecretFile = sandboxtest.Secret(t, hookSecret+"\nswordfish\n") },
		"no secret":     func(c *telegram.Config) { c.WebhookSecretFile = sandboxtest.Secret(t, "\n") },
		"missing":       func(c *telegram.Config) { c.WebhookSecretFile = "/nonexistent/telegram" },
		"no token":      func(c *telegram.Config) { c.TokenFile = sandboxtest.Secret(t, "swordfish") },
		"missing token": func(c *telegram.Config) { c.TokenFile = "/nonexistent/telegram" },
	} {
		if _, err := open(change); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: got %v, want an error that does not quote the file", name, err)
		}
	}
	a, err := open(func(c *telegram.Config) {
		c.WebhookSecretFile = sandboxtest.Secret(t, otherSecret+"\n"+hookSecret+"\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{otherSecret, hookSecret} {
		if err := a.Verify(sign(t, secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("during a rotation: got %v, want nil", err)
		}
	}
	mixed := sign(t, hookSecret)([]byte("{}"), time.Unix(1793500000, 0))
	mixed.Header = sign(t, otherSecret)([]byte("{}"), time.Unix(1793500000, 0)).Header
	if a.Verify(mixed) == nil {
		t.Error("the address of one secret and the header of the other: got accepted, want refused")
	}
	other := sign(t, hookSecret)([]byte("{}"), time.Unix(1793500000, 0))
	other.Query["token"] = []string{strings.Replace(other.Query["token"][0], "7000000001", "7000000002", 1)}
	if a.Verify(other) == nil {
		t.Error("another bot under this one's proof: got accepted, want refused")
	}
}
