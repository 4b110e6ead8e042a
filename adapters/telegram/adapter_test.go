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

	"github.com/google/go-cmp/cmp"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/telegram"
	"postern/gateway"
)

// rig is a linked bot with Juliet in a chat.
func (b *sandbox) rig() (*telegram.Adapter, gateway.Credentials, gateway.Chat) {
	b.T.Helper()
	a := b.open(config(b.T, b.URL), adapters.Deps{HTTP: &http.Client{Transport: http.DefaultTransport}, Log: slog.New(slog.DiscardHandler)})
	account := b.link(a, "romeo@montague.example", tokens[0])
	b.Open("juliet", control.OpenIn{To: names[0]})
	return a, account, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.Person("juliet").Native)}
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
		all := b.Messages("juliet", goldenBot)
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
	if all := b.Messages("juliet", goldenBot); !all[len(all)-1].Retracted {
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
	all := b.Messages("juliet", goldenBot)
	mine := all[len(all)-1]
	var said control.Said
	styled := control.Content{Text: "🌹 sweet", Spans: []control.Span{{Start: 2, Length: 5, Style: "bold"}}}
	b.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: names[0], Content: &styled, ReplyTo: mine.ID}, &said)
	b.Do(http.MethodPatch, "/messages/"+said.MessageID, map[string]string{"text": "🌹 sweeter"}, nil)
	b.Do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{"❤️"}, "person": "juliet"}, nil)
	b.Do(http.MethodPut, "/people/juliet/block", map[string]any{"to": names[0], "blocked": true}, nil)
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
			b.WaitFor(a, func(e gateway.Event) bool {
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
	all := b.Messages("juliet", goldenBot)
	asked := all[len(all)-1]
	if asked.Content.Poll == nil || len(asked.Content.Poll.Options) != 2 {
		t.Fatalf("got %+v, want a poll", asked.Content)
	}
	answer := control.Content{Answer: &control.Answer{Choices: asked.Content.Poll.Options[1:]}}
	b.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: names[0], Content: &answer, ReplyTo: asked.ID}, nil)
	b.WaitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		return ok && cmp.Equal(m.Content, gateway.PlainText("☑ 2")) && e.Chat.Contact == chat.Contact
	})
}

// TestFileTooLarge: what getFile would refuse is said before, and what it refuses is said the same way.
func TestFileTooLarge(t *testing.T) {
	b := newSandbox(t)
	a, account, _ := b.rig()
	part := b.Make(control.MediaIn{Type: "video/mp4", Size: 21 << 20})
	m := b.Arrived(a, b.Say("juliet", names[0], control.Content{Media: []control.MediaPart{part}}))
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
