package whatsapp_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp"
	"postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*whatsapp.Config)
		want   string
	}{
		{"complete", func(*whatsapp.Config) {}, ""},
		{"a line", func(c *whatsapp.Config) { c.PhoneNumberID, c.TokenFile, c.AppID = "123456", "f", "" }, ""},
		{"a line with all", func(c *whatsapp.Config) {
			c.PhoneNumberID, c.TokenFile, c.AccountID, c.PhoneNumber = "123456", "f", "1234567", "15550001111"
		}, ""},
		{"base_url with a password", func(c *whatsapp.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"dialog_url that is none", func(c *whatsapp.Config) { c.DialogURL = "swordfish" }, "dialog_url"},
		{"no version", func(c *whatsapp.Config) { c.Version = "" }, "version"},
		{"version without v", func(c *whatsapp.Config) { c.Version = "24.0" }, "version"},
		{"no app secret", func(c *whatsapp.Config) { c.AppSecretFile = "" }, "app_secret_file"},
		{"no verify token", func(c *whatsapp.Config) { c.VerifyTokenFile = "" }, "verify_token_file"},
		{"no app and no line", func(c *whatsapp.Config) { c.AppID = "" }, "app_id"},
		{"app that is no number", func(c *whatsapp.Config) { c.AppID = "swordfish" }, "app_id"},
		{"sign-up that is no number", func(c *whatsapp.Config) { c.SignupID = "x" }, "signup_id"},
		{"a line without a token", func(c *whatsapp.Config) { c.PhoneNumberID = "123456" }, "token_file"},
		{"a token without a line", func(c *whatsapp.Config) { c.TokenFile = "f" }, "token_file"},
		{"an account without a line", func(c *whatsapp.Config) { c.AccountID = "123456" }, "phone_number_id"},
		{"a number with a plus", func(c *whatsapp.Config) { c.PhoneNumberID, c.TokenFile, c.PhoneNumber = "123456", "f", "+15550001111" }, "phone_number"},
		{"invite without a code", func(c *whatsapp.Config) { c.InviteText = "hello" }, "invite_text"},
		{"invite with two codes", func(c *whatsapp.Config) { c.InviteText = "{code} {code}" }, "invite_text"},
		{"variables without a template", func(c *whatsapp.Config) { c.ReopenTemplate = "" }, "reopen_variables"},
		{"template of another form", func(c *whatsapp.Config) { c.ReopenTemplate = "Write Again" }, "reopen_template"},
		{"template without a language", func(c *whatsapp.Config) { c.ReopenLanguage = "" }, "reopen_language"},
		{"a host with a path", func(c *whatsapp.Config) { c.MediaHosts = []string{"h.example/x"} }, "media_hosts"},
		{"a host that is everything", func(c *whatsapp.Config) { c.MediaHosts = []string{"."} }, "media_hosts"},
		{"no timeout", func(c *whatsapp.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", func(c *whatsapp.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, "https://graph.example")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "whatsapp: "+tc.want+": ")) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	for name, change := range map[string]func(*whatsapp.Config){
		"app_secret_file":   func(c *whatsapp.Config) { c.AppSecretFile = sandboxtest.Secret(t, "hunter2\n") },
		"verify_token_file": func(c *whatsapp.Config) { c.VerifyTokenFile = sandboxtest.Secret(t, "hunter2\n") },
		"token_file": func(c *whatsapp.Config) {
			c.PhoneNumberID, c.TokenFile = "123456", sandboxtest.Secret(t, "hunter2 hunter2\n")
		},
	} {
		c := config(t, "https://graph.example")
		change(c)
		if _, err := whatsapp.New(*c, http.DefaultClient); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that names the key and does not quote the file", name, err)
		}
		for _, missing := range []*string{&c.AppSecretFile, &c.VerifyTokenFile, &c.TokenFile} {
			c := config(t, "https://graph.example")
			change(c)
			*missing = filepath.Join(t.TempDir(), "none")
			if c.TokenFile != "" {
				c.PhoneNumberID = "123456"
			}
			if _, err := whatsapp.New(*c, http.DefaultClient); err == nil {
				t.Error("a file that is not there: got an adapter")
			}
		}
	}
	c := config(t, "https://graph.example")
	c.AppSecretFile = sandboxtest.Secret(t, otherSecret+"\n"+simulator.AppSecret+"\n")
	a, err := whatsapp.New(*c, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{otherSecret, simulator.AppSecret} {
		if err := a.Verify(sign(secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("during a rotation: got %v, want nil", err)
		}
	}
}

func TestChallenge(t *testing.T) {
	a := newAdapter(t, config(t, "https://graph.example"))
	q := map[string][]string{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {verifyToken}}
	if got, ok := a.Challenge(gateway.Request{Method: http.MethodGet, Query: q}); !ok || string(got) != "1158201444" {
		t.Errorf("got %q, %v, want the challenge", got, ok)
	}
	q["hub.verify_token"] = []string{"another"}
	if got, ok := a.Challenge(gateway.Request{Method: http.MethodGet, Query: q}); ok {
		t.Errorf("another token: got %q, want no answer", got)
	}
}
