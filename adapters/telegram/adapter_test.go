package telegram_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/telegram"
	"postern/gateway"
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
		"short secret":  func(c *telegram.Config) { c.WebhookSecretFile = write(t, hookSecret+"\nswordfish\n") },
		"no secret":     func(c *telegram.Config) { c.WebhookSecretFile = write(t, "\n") },
		"missing":       func(c *telegram.Config) { c.WebhookSecretFile = "/nonexistent/telegram" },
		"no token":      func(c *telegram.Config) { c.TokenFile = write(t, "swordfish") },
		"missing token": func(c *telegram.Config) { c.TokenFile = "/nonexistent/telegram" },
	} {
		if _, err := open(change); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: got %v, want an error that does not quote the file", name, err)
		}
	}
	a, err := open(func(c *telegram.Config) { c.WebhookSecretFile = write(t, otherSecret+"\n"+hookSecret+"\n") })
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

func TestLink(t *testing.T) {
	b := newSandbox(t)
	deps := adapters.Deps{HTTP: &http.Client{Transport: http.DefaultTransport}, Log: slog.New(slog.DiscardHandler)}
	a := b.open(config(t, b.url), deps)
	in := gateway.LinkInput{User: "romeo@montague.example", Lang: "en", Hook: b.sink, State: []byte("asked")}
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
	if !strings.HasPrefix(info.URL, b.sink+"/7000000001-") || !slices.Contains(info.Allowed, "message_reaction") {
		t.Errorf("webhook: got %+v, want one of the bot's own that hears of reactions", info)
	}
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink: %v", err)
	}
	if info := b.webhookInfo(tokens[0]); info.URL != "" {
		t.Errorf("after Unlink: got webhook %q, want none", info.URL)
	}
	b.do(http.MethodPut, "/users/romeo_bot/state", map[string]string{"state": "revoked"}, nil)
	if err := a.Unlink(t.Context(), account); err != nil {
		t.Errorf("Unlink of a bot whose token was taken back: got %v, want nil", err)
	}
	polling := config(t, b.url)
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
	b.t.Helper()
	var out struct{ Result webhookInfo }
	resp, err := http.Get(b.address(token, "GETWEBHOOKINFO", nil)) //nolint:noctx // a test's own question
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		b.t.Fatal(err)
	}
	return out.Result
}

// TestLine: a bot for all stays when a user goes, finds nobody for them, and its name is asked for once where it is not configured.
func TestLine(t *testing.T) {
	b := newSandbox(t)
	c := config(t, b.url)
	c.TokenFile = write(t, tokens[3])
	asked := 0
	deps := adapters.Deps{Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		return http.DefaultTransport.RoundTrip(r)
	})}}
	a := b.open(c, deps)
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
	b.do(http.MethodPost, "/people/juliet/open", control.OpenIn{To: names[3]}, nil)
	if p, err := a.Resolve(t.Context(), account, b.person("juliet").Native); err == nil {
		t.Errorf("Resolve on a line: got %v, want nobody: who writes to the bot is not everybody's to know", p)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// rig is a linked bot with Juliet in a chat.
func (b *sandbox) rig() (*telegram.Adapter, gateway.Credentials, gateway.Chat) {
	b.t.Helper()
	a := b.open(config(b.t, b.url), adapters.Deps{HTTP: &http.Client{Transport: http.DefaultTransport}, Log: slog.New(slog.DiscardHandler)})
	account := b.link(a, "romeo@montague.example", tokens[0])
	b.do(http.MethodPost, "/people/juliet/open", control.OpenIn{To: names[0]}, nil)
	return a, account, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.person("juliet").Native)}
}

// theirs are the messages of Juliet's chat with the first bot.
func (b *sandbox) theirs() []control.Message {
	b.t.Helper()
	for _, c := range b.person("juliet").Chats {
		if c.User == goldenBot {
			chat, err := b.control.Chat(b.t.Context(), c.ID)
			if err != nil {
				b.t.Fatal(err)
			}
			return chat.Messages
		}
	}
	return nil
}

// TestPictures: a picture is shown as one, what only says that it is one goes as a file, and words below either can be edited.
func TestPictures(t *testing.T) {
	b := newSandbox(t)
	a, account, chat := b.rig()
	var real bytes.Buffer
	if err := png.Encode(&real, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, want, bytes string }{{"real.png", "image", real.String()}, {"fake.png", "file", "no picture at all"}} {
		op := gateway.Op{Chat: chat, Body: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{
			gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/" + tt.name, MIME: "image/png", Name: tt.name, Size: int64(len(tt.bytes))},
			gateway.Text{Text: "look", Spans: []gateway.Span{{Length: 4, Style: gateway.SpanStrong}}},
		}}}}
		sent, err := a.SendMedia(t.Context(), account, op, strings.NewReader(tt.bytes))
		if err != nil || len(sent.IDs) != 1 || !sent.Final || sent.At.IsZero() {
			t.Fatalf("%s: got %+v, %v, want one message that nothing more is told of", tt.name, sent, err)
		}
		edit := gateway.Op{Chat: chat, Body: gateway.OpEdit{Target: gateway.Target{IDs: sent.IDs, Mine: true}, Content: gateway.PlainText("look again")}}
		for range 2 { // the same words once more are no error
			if _, err := a.Send(t.Context(), account, edit); err != nil {
				t.Fatalf("%s: edit: %v", tt.name, err)
			}
		}
		all := b.theirs()
		got := all[len(all)-1]
		if len(got.Content.Media) != 1 || got.Content.Media[0].Kind != tt.want || got.Content.Text != "look again" {
			t.Errorf("%s: got %+v, want a %s with other words", tt.name, got.Content, tt.want)
		}
	}
}

// TestTakenBackTwice: what is gone already is as it was asked to be.
func TestTakenBackTwice(t *testing.T) {
	b := newSandbox(t)
	a, account, chat := b.rig()
	sent, err := a.Send(t.Context(), account, gateway.Op{Chat: chat, Body: gateway.OpMessage{Content: gateway.PlainText("wait")}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		op := gateway.Op{Chat: chat, Body: gateway.OpRetract{Target: gateway.Target{IDs: sent.IDs, Mine: true}}}
		if _, err := a.Send(t.Context(), account, op); err != nil {
			t.Errorf("Retract: %v", err)
		}
	}
	if all := b.theirs(); !all[len(all)-1].Retracted {
		t.Error("the message is still there")
	}
}

// TestMigratedGroup: a group that became a supergroup is written to under its new id, once.
func TestMigratedGroup(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Chat json.Number `json:"chat_id"`
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(raw, &in) != nil {
			t.Errorf("got %v and %s", err, raw)
		}
		seen = append(seen, string(in.Chat))
		if in.Chat == "5550001" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234567890}}`)
			return
		}
		_, _ = io.WriteString(w, `{"ok":true,"result":{"message_id":7,"date":1790000000,"chat":{"id":-1001234567890}}}`)
	}))
	defer server.Close()
	a, err := telegram.New(*config(t, server.URL), server.Client(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := a.Send(t.Context(), gateway.Credentials{Endpoint: goldenBot, Secret: []byte(`{"token":"` + tokens[0] + `"}`)}, gateway.Op{
		Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "5550001"}, Body: gateway.OpMessage{Content: gateway.PlainText("hark")},
	})
	if err != nil || sent.Chat != "-1001234567890" || !slices.Equal(sent.IDs, []gateway.MessageID{"7"}) {
		t.Errorf("got %+v, %v, want the message under the new id", sent, err)
	}
	if diff := cmp.Diff([]string{"5550001", "-1001234567890"}, seen); diff != "" {
		t.Errorf("chats asked for (-want +got):\n%s", diff)
	}
}

// TestPeople: what people do at Telegram comes as events.
func TestPeople(t *testing.T) {
	b := newSandbox(t)
	a, account, chat := b.rig()
	sent, err := a.Send(t.Context(), account, gateway.Op{Chat: chat, Body: gateway.OpMessage{Content: gateway.PlainText("good morrow")}})
	if err != nil {
		t.Fatal(err)
	}
	all := b.theirs()
	mine := all[len(all)-1]
	var said control.Said
	styled := control.Content{Text: "🌹 sweet", Spans: []control.Span{{Start: 2, Length: 5, Style: "bold"}}}
	b.do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: names[0], Content: &styled, ReplyTo: mine.ID}, &said)
	b.do(http.MethodPatch, "/messages/"+said.MessageID, map[string]string{"text": "🌹 sweeter"}, nil)
	b.do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{"❤️"}, "person": "juliet"}, nil)
	b.do(http.MethodPut, "/people/juliet/block", map[string]any{"to": names[0], "blocked": true}, nil)
	is := map[string]func(gateway.Event) bool{
		"start": func(e gateway.Event) bool {
			u, ok := e.Body.(gateway.ContactUpdate)
			return ok && u.Consent == gateway.ConsentAccepted && u.Name != nil && *u.Name == "Juliet Capulet"
		},
		"message": func(e gateway.Event) bool {
			m, ok := e.Body.(gateway.Message)
			text, _ := m.Content.Parts[0].(gateway.Text)
			return ok && m.ID == gateway.MessageID(said.Native) && m.ReplyTo != nil && m.ReplyTo.Mine && m.ReplyTo.IDs[0] == sent.IDs[0] &&
				slices.Equal(text.Spans, []gateway.Span{{Start: 2, Length: 5, Style: gateway.SpanStrong}})
		},
		"edited": func(e gateway.Event) bool {
			m, ok := e.Body.(gateway.Edited)
			return ok && m.Target.IDs[0] == gateway.MessageID(said.Native)
		},
		"reacted": func(e gateway.Event) bool {
			m, ok := e.Body.(gateway.Reacted)
			return ok && m.Target.IDs[0] == sent.IDs[0] && slices.Equal(m.Emojis, []string{"❤"})
		},
		"blocked": func(e gateway.Event) bool {
			u, ok := e.Body.(gateway.ContactUpdate)
			return ok && u.Consent == gateway.ConsentDeclined
		},
	}
	for name, match := range is {
		t.Run(name, func(t *testing.T) {
			b.waitFor(a, func(e gateway.Event) bool {
				if m, ok := e.Body.(gateway.Message); ok && len(m.Content.Parts) == 0 {
					return false
				}
				_, message := e.Body.(gateway.Message)
				return (message == (name == "message")) && match(e) && e.Endpoint == goldenBot && e.Chat.Contact == chat.Contact
			})
		})
	}
	_, err = a.Send(t.Context(), account, gateway.Op{Chat: chat, Body: gateway.OpMessage{Content: gateway.PlainText("wait")}})
	if gateway.ClassOf(err) != gateway.NotReachable {
		t.Errorf("Send to who blocked the bot: got %v, want class not_reachable", err)
	}
}

// TestVote: a native poll, and the vote in it.
func TestVote(t *testing.T) {
	b := newSandbox(t)
	a, account, chat := b.rig()
	poll := gateway.Poll{Question: "Balcony?", Options: []gateway.Choice{{ID: "a", Title: "yes"}, {ID: "b", Title: "no"}}}
	op := gateway.Op{Chat: chat, Body: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{poll}}}}
	if _, err := a.Send(t.Context(), account, op); err != nil {
		t.Fatal(err)
	}
	all := b.theirs()
	asked := all[len(all)-1]
	if asked.Content.Poll == nil || len(asked.Content.Poll.Options) != 2 {
		t.Fatalf("got %+v, want a poll", asked.Content)
	}
	answer := control.Content{Answer: &control.Answer{Choices: asked.Content.Poll.Options[1:]}}
	b.do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: names[0], Content: &answer, ReplyTo: asked.ID}, nil)
	b.waitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		return ok && cmp.Equal(m.Content, gateway.PlainText("☑ 2")) && e.Chat.Contact == chat.Contact
	})
}

// TestFileTooLarge: what getFile would refuse is said before, and what it refuses is said the same way.
func TestFileTooLarge(t *testing.T) {
	b := newSandbox(t)
	a, account, _ := b.rig()
	var part control.MediaPart
	b.do(http.MethodPost, "/media", map[string]any{"type": "video/mp4", "size": 21 << 20}, &part)
	m := b.arrived(a, b.say("juliet", names[0], control.Content{Media: []control.MediaPart{part}}))
	for _, size := range []int64{m.Size, 0} {
		m.Size = size
		_, _, err := a.Fetch(t.Context(), account, m)
		if fe, ok := err.(*gateway.FileError); !ok || fe.Reason != gateway.FileTooLarge || fe.Max != 20<<20 { //nolint:errorlint // nothing wraps it
			t.Errorf("Fetch of %d bytes said: got %v, want too large", size, err)
		}
	}
	m.Handle = strings.Repeat("A", 20)
	m.Size = 1
	if _, _, err := a.Fetch(t.Context(), account, m); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("Fetch of what is gone: got %v, want class permanent", err)
	}
}
