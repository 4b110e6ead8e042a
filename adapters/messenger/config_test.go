package messenger_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		kind   simulator.Kind
		change func(*messenger.Config)
		want   string
	}{
		{"complete", simulator.Messenger, func(*messenger.Config) {}, ""},
		{"complete", simulator.InstagramLogin, func(*messenger.Config) {}, ""},
		{"complete", simulator.FacebookLogin, func(*messenger.Config) {}, ""},
		{"base_url with a password", simulator.Messenger, func(c *messenger.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"no address at all is the login's own", simulator.InstagramLogin, func(c *messenger.Config) { c.BaseURL, c.DialogURL, c.TokenURL = "", "", "" }, ""},
		{"login of Instagram", simulator.Messenger, func(c *messenger.Config) { c.Login = messenger.LoginInstagram }, "login"},
		{"no login", simulator.InstagramLogin, func(c *messenger.Config) { c.Login = "" }, "login"},
		{"tokens of another login", simulator.FacebookLogin, func(c *messenger.Config) { c.TokenURL = "https://h.example" }, "token_url"},
		{"a login's configuration", simulator.InstagramLogin, func(c *messenger.Config) { c.LoginID = "12345" }, "login_id"},
		{"version without a v", simulator.Messenger, func(c *messenger.Config) { c.Version = "24.0" }, "version"},
		{"app_id", simulator.Messenger, func(c *messenger.Config) { c.AppID = "app" }, "app_id"},
		{"no app_secret_file", simulator.Messenger, func(c *messenger.Config) { c.AppSecretFile = "" }, "app_secret_file"},
		{"no verify_token_file", simulator.Messenger, func(c *messenger.Config) { c.VerifyTokenFile = "" }, "verify_token_file"},
		{"a page without a token", simulator.Messenger, func(c *messenger.Config) { c.PageID = goldenPage }, "token_file"},
		{"a token without a page", simulator.Messenger, func(c *messenger.Config) { c.TokenFile = "f" }, "token_file"},
		{"a page for all", simulator.Messenger, func(c *messenger.Config) { c.PageID, c.TokenFile, c.Username = goldenPage, "f", "verona" }, ""},
		{"an account on Messenger", simulator.Messenger, func(c *messenger.Config) { c.InstagramID = goldenPage }, "instagram_id"},
		{"a page with Instagram Login", simulator.InstagramLogin, func(c *messenger.Config) { c.PageID = goldenPage }, "page_id"},
		{"an account without its page", simulator.FacebookLogin, func(c *messenger.Config) { c.InstagramID, c.TokenFile = goldenPage, "f" }, "page_id"},
		{"a name without a page", simulator.Messenger, func(c *messenger.Config) { c.Username = "verona" }, "username"},
		{"a name that is none", simulator.Messenger, func(c *messenger.Config) { c.PageID, c.TokenFile, c.Username = goldenPage, "f", "@verona" }, "username"},
		{"reactions of Messenger", simulator.Messenger, func(c *messenger.Config) { c.AnyReaction = true }, "any_reaction"},
		{"media", simulator.Messenger, func(c *messenger.Config) { c.Media = "pigeon" }, "media"},
		{"media_hosts", simulator.Messenger, func(c *messenger.Config) { c.MediaHosts = []string{"https://h"} }, "media_hosts"},
		{"no timeout", simulator.Messenger, func(c *messenger.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", simulator.Messenger, func(c *messenger.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, tc.kind, "https://graph.example")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if want := typeOf(tc.kind) + ": " + tc.want + ": "; tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
	if err := new(messenger.Config).Validate(); err == nil {
		t.Error("a configuration of neither platform: got nil, want an error")
	}
}

// TestSecretFiles: a file that holds no secret is refused without being quoted, and any of several app secrets may sign.
func TestSecretFiles(t *testing.T) {
	open := func(change func(*messenger.Config)) (*messenger.Adapter, error) {
		c := config(t, simulator.Messenger, "https://graph.example")
		change(c)
		return messenger.New(*c, http.DefaultClient)
	}
	for name, change := range map[string]func(*messenger.Config){
		"short secret":  func(c *messenger.Config) { c.AppSecretFile = sandboxtest.Secret(t, "swordfish\n") },
		"no secret":     func(c *messenger.Config) { c.AppSecretFile = sandboxtest.Secret(t, "\n") },
		"missing":       func(c *messenger.Config) { c.AppSecretFile = "/nonexistent/secret" },
		"short word":    func(c *messenger.Config) { c.VerifyTokenFile = sandboxtest.Secret(t, "swordfish") },
		"two words":     func(c *messenger.Config) { c.VerifyTokenFile = sandboxtest.Secret(t, verifyToken+" swordfish") },
		"no word":       func(c *messenger.Config) { c.VerifyTokenFile = "/nonexistent/verify" },
		"no token":      func(c *messenger.Config) { c.PageID, c.TokenFile = goldenPage, sandboxtest.Secret(t, "swordfish") },
		"missing token": func(c *messenger.Config) { c.PageID, c.TokenFile = goldenPage, "/nonexistent/token" },
	} {
		if _, err := open(change); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: got %v, want an error that does not quote the file", name, err)
		}
	}
	a, err := open(func(c *messenger.Config) {
		c.AppSecretFile = sandboxtest.Secret(t, simulator.AppSecret+"\n"+simulator.InstagramSecret+"\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{simulator.AppSecret, simulator.InstagramSecret} {
		if err := a.Verify(sign(secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("signed with either secret: got %v, want nil", err)
		}
	}
	q := map[string][]string{"hub.mode": {"subscribe"}, "hub.challenge": {"1158"}, "hub.verify_token": {verifyToken}}
	if answer, ok := a.Challenge(gateway.Request{Query: q}); !ok || string(answer) != "1158" {
		t.Errorf("Challenge: got %q, %v", answer, ok)
	}
}
