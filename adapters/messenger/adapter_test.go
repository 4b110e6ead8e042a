package messenger_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

// rig is a linked page with Juliet in a chat.
func (b *sandbox) rig(change func(*messenger.Config)) (*messenger.Adapter, gateway.Credentials, gateway.Chat) {
	b.T.Helper()
	c := config(b.T, b.kind, b.URL)
	if change != nil {
		change(c)
	}
	a := b.open(c, http.DefaultClient)
	account := b.link(a, "romeo@montague.example", tokens[0])
	b.Say("juliet", pages[0], control.Text("hark"))
	return a, account, b.chat("juliet", pages[0])
}

func say(chat gateway.Chat, text string) gateway.Op {
	return gateway.Op{ID: gateway.NewOpID(), Chat: chat, At: time.Now().UTC(), Body: gateway.OpMessage{Content: gateway.PlainText(text)}}
}

// TestHumanAgent: for seven days where Meta has approved the feature and the configuration says so, whatever is known of the last message.
func TestHumanAgent(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			var seen []string // bodies of what was sent
			count := sandboxtest.RoundTrip(func(r *http.Request) (*http.Response, error) {
				raw, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				seen, r.Body = append(seen, string(raw)), io.NopCloser(strings.NewReader(string(raw)))
				return http.DefaultTransport.RoundTrip(r)
			})
			_, account, chat := b.rig(nil)
			agent := config(t, kind, b.URL)
			agent.HumanAgent = true
			a := b.open(agent, &http.Client{Transport: count})
			plain := b.open(config(t, kind, b.URL), http.DefaultClient)
			if got, want := a.Caps(gateway.ChatFacts{}).Window.For, 7*24*time.Hour; got != want {
				t.Errorf("window: got %s, want %s", got, want)
			}
			ids := map[string]string{"human_agent": "true"}
			maps.Copy(ids, simulator.Page(kind, pages[0], "", "", "").IDs)
			b.Do(http.MethodPatch, "/users/"+pages[0], map[string]any{"ids": ids}, nil)
			last := time.Now()
			send := func(who *messenger.Adapter, after time.Duration, known bool) error {
				b.Offset.Store(int64(after))
				op := say(chat, "are you there?")
				if known {
					op.LastInbound = last.Add(-after) // our clock stands still
				}
				_, err := who.Send(t.Context(), account, op)
				return err
			}
			if err := send(a, time.Hour, true); err != nil || len(seen) != 1 || strings.Contains(seen[0], "HUMAN_AGENT") {
				t.Errorf("after an hour: got %v and %q, want a plain answer", err, seen)
			}
			for _, known := range []bool{true, false} {
				seen = nil
				if err := send(a, 2*24*time.Hour, known); err != nil {
					t.Errorf("after two days, known %v: got %v, want it to go as a human agent's", known, err)
				}
				if n := len(seen); known != (n == 1) || !strings.Contains(seen[n-1], "HUMAN_AGENT") {
					t.Errorf("after two days, known %v: got %q, want the tag, at once where it is known", known, seen)
				}
				if err := send(a, 8*24*time.Hour, known); gateway.ClassOf(err) != gateway.WindowClosed {
					t.Errorf("after eight days, known %v: got %v, want class window_closed", known, err)
				}
				if err := send(plain, 2*24*time.Hour, known); gateway.ClassOf(err) != gateway.WindowClosed {
					t.Errorf("without the feature after two days: got %v, want class window_closed", err)
				}
			}
		})
	}
}

// TestInbox: while another app holds a conversation its items come as standby; an answer takes it over, where the configuration lets it.
func TestInbox(t *testing.T) {
	b := newSandbox(t, simulator.Messenger)
	a, account, chat := b.rig(nil)
	polite := config(t, simulator.Messenger, b.URL)
	polite.TakeThread = false
	b.Do(http.MethodPatch, "/users/"+pages[0], map[string]any{"ids": map[string]string{"inbox": "true"}}, nil)
	id := b.Say("juliet", pages[0], control.Text("is anybody there?"))
	b.WaitFor(a, func(e gateway.Event) bool { m, ok := e.Body.(gateway.Message); return ok && m.ID == id })
	if !slices.ContainsFunc(b.Webhooks(), func(r gateway.Request) bool { return strings.Contains(string(r.Body), `"standby"`) }) {
		t.Error("nothing came as standby")
	}
	_, err := b.open(polite, http.DefaultClient).Send(t.Context(), account, say(chat, "here"))
	if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.Permanent || se.Code != "10/2018300" {
		t.Errorf("without take_thread: got %v, want 10/2018300", err)
	}
	down := &http.Client{Transport: sandboxtest.RoundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/take_thread_control") {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	_, err = b.open(config(t, simulator.Messenger, b.URL), down).Send(t.Context(), account, say(chat, "here"))
	if class := gateway.ClassOf(err); class != gateway.Retryable {
		t.Errorf("while taking over fails for a moment: got %v, want class retryable", err)
	}
	if _, err := a.Send(t.Context(), account, say(chat, "here")); err != nil {
		t.Errorf("with take_thread: %v", err)
	}
	var said control.Said
	b.Do(http.MethodPost, "/users/"+pages[0]+"/messages", control.SayIn{To: "juliet", Text: "from the inbox"}, &said)
	e := b.WaitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		return ok && string(m.ID) == said.Native
	})
	if !e.FromMe || e.Chat != chat {
		t.Errorf("what the owner wrote in the inbox: got %+v, want it from our user", e)
	}
}

// TestUncertain: what was sent although the answer says 1/1357046 is told by its echo, or found in the conversation.
func TestUncertain(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, chat := b.rig(nil)
			b.Do(http.MethodPut, "/faults", control.Faults{TimeoutRate: 1, TimeoutHoldMS: 1}, nil)
			op := say(chat, "did you hear me?")
			_, err := a.Send(t.Context(), account, op)
			if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.Uncertain || se.Code != "1/1357046" {
				t.Fatalf("Send: got %v, want 1/1357046 as uncertain", err)
			}
			b.Do(http.MethodPut, "/faults", control.Faults{}, nil)
			all := b.Messages("juliet", pages[0])
			id := gateway.MessageID(all[len(all)-1].Native)
			e := b.WaitFor(a, func(e gateway.Event) bool {
				s, ok := e.Body.(gateway.Status)
				return ok && s.State == gateway.StatusAccepted && slices.Equal(s.IDs, []gateway.MessageID{id})
			})
			want := op.ID
			if kind != simulator.Messenger {
				want = ""
			}
			if s, _ := e.Body.(gateway.Status); s.Ref != want {
				t.Errorf("the echo names op %q, want %q", s.Ref, want)
			}
			if maybe, err := a.Reconcile(t.Context(), account, op); err != nil || len(maybe) != 1 || !slices.Equal(maybe[0].IDs, []gateway.MessageID{id}) {
				t.Errorf("Reconcile: got %v, %v, want the message", maybe, err)
			}
			never := say(chat, "what was never sent")
			later := say(chat, "did you hear me?")
			later.At = later.At.Add(time.Minute)
			for _, op := range []gateway.Op{never, later} {
				if maybe, err := a.Reconcile(t.Context(), account, op); err != nil || len(maybe) > 0 {
					t.Errorf("Reconcile of what was not sent: got %v, %v", maybe, err)
				}
			}
		})
	}
}

// TestPeople: what people do there comes as events.
func TestPeople(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, chat := b.rig(nil)
			sent, err := a.Send(t.Context(), account, say(chat, "good morrow"))
			if err != nil {
				t.Fatal(err)
			}
			all := b.Messages("juliet", pages[0])
			mine := all[len(all)-1]
			var said control.Said
			b.Do(http.MethodPost, "/people/juliet/messages", control.SayIn{To: pages[0], Text: "🌹 sweet", ReplyTo: mine.ID}, &said)
			b.Do(http.MethodPatch, "/messages/"+said.MessageID, map[string]string{"text": "🌹 sweeter"}, nil)
			b.Do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{"❤️"}, "person": "juliet"}, nil)
			b.Do(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{}, "person": "juliet"}, nil)
			b.Do(http.MethodPost, "/people/juliet/read", control.ReadIn{To: pages[0]}, nil)
			b.Do(http.MethodDelete, "/messages/"+said.MessageID, nil, nil)
			theirs := func(target gateway.Target) bool {
				return slices.Equal(target.IDs, []gateway.MessageID{gateway.MessageID(said.Native)})
			}
			is := map[string]func(gateway.Event) bool{
				"message": func(e gateway.Event) bool {
					m, ok := e.Body.(gateway.Message)
					return ok && string(m.ID) == said.Native && m.ReplyTo != nil && m.ReplyTo.IDs[0] == sent.IDs[0]
				},
				"edit": func(e gateway.Event) bool { m, ok := e.Body.(gateway.Edited); return ok && theirs(m.Target) },
				"reaction": func(e gateway.Event) bool {
					r, ok := e.Body.(gateway.Reacted)
					return ok && r.Target.IDs[0] == sent.IDs[0] && slices.Equal(r.Emojis, []string{"❤️"})
				},
				"reaction taken back": func(e gateway.Event) bool { r, ok := e.Body.(gateway.Reacted); return ok && len(r.Emojis) == 0 },
				"read": func(e gateway.Event) bool {
					s, ok := e.Body.(gateway.Status)
					return ok && s.State == gateway.StatusRead && (kind == simulator.Messenger && !s.Through.Before(sent.At) || slices.Equal(s.IDs, sent.IDs))
				},
				"retraction": func(e gateway.Event) bool { r, ok := e.Body.(gateway.Retracted); return ok && theirs(r.Target) },
			}
			for name, f := range is {
				if e := b.WaitFor(a, f); e.Chat != chat || e.FromMe || string(e.Endpoint) != pages[0] {
					t.Errorf("%s: got %+v, want it from the contact", name, e)
				}
			}
		})
	}
}
