package telegram_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/telegram"
	"postern/gateway"
)

func TestLink(t *testing.T) {
	b := newSandbox(t)
	deps := adapters.Deps{HTTP: &http.Client{Transport: http.DefaultTransport}, Log: slog.New(slog.DiscardHandler)}
	a := b.open(config(t, b.URL), deps)
	in := gateway.LinkInput{User: "romeo@montague.example", Lang: "en", Hook: b.Hook, State: []byte("asked")}
	for token, want := range map[string]string{
		"": "telegram.token.form", "swordfish": "telegram.token.form", "7000000001:AAH-nobody-token-secret-00000000000": "telegram.token.unknown",
	} {
		in.Answers = map[string]string{"token": token}
		step, err := a.Link(t.Context(), in)
		if err != nil || step.Done != nil || step.Text != want || len(step.Fields) != 1 || step.Fields[0].Kind != gateway.FieldSecret {
			t.Errorf("Link with %q: got %+v, %v, want the form again with %s", token, step, err, want)
		}
	}
	in.Answers, in.Hook = map[string]string{"token": tokens[0]}, ""
	if _, err := a.Link(t.Context(), in); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("Link without a public address: got %v, want class permanent", err)
	}
	account := b.link(a, "romeo@montague.example", tokens[0])
	info := b.webhookInfo(tokens[0])
	if !strings.HasPrefix(info.URL, b.Hook+"/7000000001-") || !slices.Contains(info.Allowed, "message_reaction") {
		t.Errorf("webhook: got %+v, want one of the bot's own that hears of reactions", info)
	}
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink: %v", err)
	}
	if info := b.webhookInfo(tokens[0]); info.URL != "" {
		t.Errorf("after Unlink: got webhook %q, want none", info.URL)
	}
	b.Do(http.MethodPut, "/users/romeo_bot/state", map[string]string{"state": "revoked"}, nil)
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink of a bot whose token was taken back: got %v, want nil", err)
	}
	polling := config(t, b.URL)
	polling.Receive, polling.WebhookSecretFile = telegram.ReceivePoll, ""
	b.link(a, "mercutio@montague.example", tokens[1])
	b.link(b.open(polling, deps), "mercutio@montague.example", tokens[1])
	if info := b.webhookInfo(tokens[1]); info.URL != "" {
		t.Errorf("after a link of who polls: got webhook %q, want none", info.URL)
	}
}

type webhookInfo struct {
	URL     string   `json:"url"`
	Allowed []string `json:"allowed_updates"`
}

// webhookInfo asks the sandbox as any bot would.
func (b *sandbox) webhookInfo(token string) webhookInfo {
	b.T.Helper()
	var out struct{ Result webhookInfo }
	resp, err := http.Get(b.address(token, "GETWEBHOOKINFO", nil)) //nolint:noctx // a test's own question
	if err != nil {
		b.T.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		b.T.Fatal(err)
	}
	return out.Result
}

// TestLine: a bot for all stays when a user goes, finds nobody for them, and its name is asked for once where it is not configured.
func TestLine(t *testing.T) {
	b := newSandbox(t)
	c := config(t, b.URL)
	c.TokenFile = sandboxtest.Secret(t, tokens[3])
	asked := 0
	a := b.open(c, adapters.Deps{Log: slog.New(slog.DiscardHandler), HTTP: sandboxtest.Counting(&asked)})
	line, ok := a.Line()
	if !ok || line.Endpoint != "7000000004" || line.Shown != "bot 7000000004" {
		t.Fatalf("Line: got %v, %q, %q", ok, line.Endpoint, line.Shown)
	}
	account := gateway.Credentials{Endpoint: line.Endpoint, Secret: line.Secret}
	for range 2 {
		link, err := a.InviteURL(t.Context(), account, "abcdefghij234567klmnopqrst")
		if err != nil || link != "https://t.me/verona_bot?start=abcdefghij234567klmnopqrst" {
			t.Errorf("InviteURL: got %q, %v", link, err)
		}
	}
	if asked != 1 {
		t.Errorf("got %d requests for the name, want one", asked)
	}
	if _, err := a.InviteURL(t.Context(), account, "a&b"); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("InviteURL of what is no token: got %v, want class permanent", err)
	}
	if err := a.Unlink(t.Context(), account); err != nil || asked != 1 {
		t.Errorf("Unlink of a user of the line: got %v and %d requests, want nothing to happen", err, asked-1)
	}
	b.Open("juliet", control.OpenIn{To: names[3]})
	if p, err := a.Resolve(t.Context(), account, b.Person("juliet").Native); err == nil {
		t.Errorf("Resolve on a line: got %v, want nobody: who writes to the bot is not everybody's to know", p)
	}
}
