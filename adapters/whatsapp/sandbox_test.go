package whatsapp_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp"
	"postern/gateway"
)

// linkedRig is a number that a user linked, with people who have written to it.
func linkedRig(t *testing.T, n number) (*sandbox, *whatsapp.Adapter, gateway.Credentials) {
	t.Helper()
	b := newSandbox(t)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	return b, a, b.link(a, "romeo@montague.example", n)
}

func direct(contact string, body gateway.OpBody) gateway.Op {
	return gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(contact)}, Body: body}
}

// TestInboundFromSandbox: what people do reaches the number, each kind once.
func TestInboundFromSandbox(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	to := numbers[0].id
	id := b.Say("juliet", to, control.Text("good *morrow*"))
	b.Do(http.MethodPatch, "/messages/"+b.own("juliet", id), map[string]string{"text": "good night"}, nil)
	b.Say("juliet", to, control.Content{Location: &control.Location{Latitude: 45.44, Longitude: 10.99, Name: "Arena"}})
	b.Say("juliet", to, control.Content{Contact: &control.Contact{Name: "The Nurse", Phones: []string{"+390451230002"}}})
	b.Say("juliet", to, control.Content{Unsupported: "poll"})
	b.Say("juliet", to, control.Content{Text: "?", Raw: json.RawMessage(`{"type":"hologram","hologram":{"beams":3}}`)})
	b.Do(http.MethodPost, "/people/juliet/calls", control.CallIn{To: to, State: "missed", CallID: "1"}, nil)
	b.Do(http.MethodPost, "/users/"+to+"/updates", map[string]any{"type": "account_update", "body": map[string]any{"event": "PARTNER_REMOVED"}}, nil)
	b.Do(http.MethodPost, "/users/"+to+"/updates", map[string]any{"type": "hologram_update", "body": map[string]any{"x": 1}}, nil)
	juliet := b.Person("juliet")
	op := direct(juliet.IDs["user_id"], gateway.OpMessage{Content: gateway.PlainText("hi")})
	sent, err := a.Send(t.Context(), romeo, op)
	if err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPut, "/messages/"+b.own("juliet", sent.IDs[0])+"/reactions", map[string]any{"emojis": []string{"🌹"}, "person": "juliet"}, nil)
	b.Do(http.MethodPost, "/people/juliet/read", control.ReadIn{To: to}, nil)
	b.Do(http.MethodDelete, "/messages/"+b.own("juliet", id), nil, nil)
	part := func(m gateway.EventBody) gateway.Part {
		if m, ok := m.(gateway.Message); ok {
			return m.Content.Parts[0]
		}
		return nil
	}
	is := map[string]func(gateway.EventBody) bool{
		"message": func(e gateway.EventBody) bool {
			p, ok := part(e).(gateway.Text)
			return ok && p.Text == "good morrow" && len(p.Spans) == 1 && e.(gateway.Message).Name == "Juliet Capulet"
		},
		"edited":    func(e gateway.EventBody) bool { m, ok := e.(gateway.Edited); return ok && m.Target.IDs[0] == id },
		"retracted": func(e gateway.EventBody) bool { m, ok := e.(gateway.Retracted); return ok && m.Target.IDs[0] == id },
		"location":  func(e gateway.EventBody) bool { p, ok := part(e).(gateway.Location); return ok && p.Name == "Arena" },
		"contact": func(e gateway.EventBody) bool {
			p, ok := part(e).(gateway.ContactCard)
			return ok && p.Name == "The Nurse"
		},
		"unsupported": func(e gateway.EventBody) bool {
			p, ok := part(e).(gateway.UnsupportedPart)
			return ok && p.Type == "poll"
		},
		"unknown": func(e gateway.EventBody) bool {
			p, ok := part(e).(gateway.UnsupportedPart)
			return ok && p.Type == "hologram"
		},
		"call": func(e gateway.EventBody) bool { c, ok := e.(gateway.Call); return ok && c.State == gateway.CallMissed },
		"reacted": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.Reacted)
			return ok && m.Target.IDs[0] == sent.IDs[0] && slices.Equal(m.Emojis, []string{"🌹"})
		},
		"read": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.Status)
			return ok && m.State == gateway.StatusRead && m.Ref == op.ID && slices.Equal(m.IDs, sent.IDs)
		},
		"account": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.AccountState)
			return ok && m.State == gateway.AccountReauthNeeded
		},
	}
	for name, match := range is {
		t.Run(name, func(t *testing.T) {
			e := b.WaitFor(a, func(e gateway.Event) bool { return match(e.Body) && e.Endpoint == romeo.Endpoint })
			if name != "account" && (e.Chat.Contact != gateway.ContactID(juliet.IDs["user_id"]) || !slices.Contains(e.Also, gateway.ContactID(juliet.Native))) {
				t.Errorf("got contact %q and further ids %v", e.Chat.Contact, e.Also)
			}
		})
	}
	for _, r := range b.Webhooks() {
		if err := a.Verify(r); err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
}

// TestPlainNumber: a number that is on no phone hears of no deletion, and of an edit that it is not supported.
func TestPlainNumber(t *testing.T) {
	b, a, _ := linkedRig(t, numbers[0])
	b.Do(http.MethodPatch, "/users/"+numbers[0].id, map[string]any{"ids": map[string]string{"waba_id": numbers[0].account, "coexistence": "false"}}, nil)
	id := b.Say("juliet", numbers[0].id, control.Text("good morrow"))
	b.Do(http.MethodPatch, "/messages/"+b.own("juliet", id), map[string]string{"text": "good night"}, nil)
	b.Do(http.MethodDelete, "/messages/"+b.own("juliet", id), nil, nil)
	b.Say("juliet", numbers[0].id, control.Text("the end"))
	b.WaitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		if !ok {
			return false
		}
		u, ok := m.Content.Parts[0].(gateway.UnsupportedPart)
		return ok && u.Type == "edit"
	})
	b.WaitFor(a, func(e gateway.Event) bool {
		if kind := gateway.EventKind(e.Body); kind == "retracted" || kind == "edited" {
			t.Errorf("got %s on a number that is on no phone", kind)
		}
		m, ok := e.Body.(gateway.Message)
		return ok && isText(m, "the end")
	})
}

func isText(m gateway.Message, text string) bool {
	p, ok := m.Content.Parts[0].(gateway.Text)
	return ok && p.Text == text
}

// TestPeopleUnderSeveralIDs: a person who hides the number, and one who changes it.
func TestPeopleUnderSeveralIDs(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	b.Do(http.MethodPut, "/people/paris", control.Person{ID: "paris", Display: "Paris", IDs: map[string]string{"hidden": "true"}}, nil)
	b.Say("paris", numbers[0].id, control.Text("who am I"))
	paris := b.Person("paris").IDs["user_id"]
	e := b.WaitFor(a, func(e gateway.Event) bool { return string(e.Chat.Contact) == paris })
	if len(e.Also) != 0 {
		t.Errorf("a hidden number: got further ids %v", e.Also)
	}
	if _, err := a.Send(t.Context(), romeo, direct(paris, gateway.OpMessage{Content: gateway.PlainText("Paris")})); err != nil {
		t.Errorf("Send by the user id: %v", err)
	}
	b.Say("nurse", numbers[0].id, control.Text("it is me"))
	before := b.Person("nurse")
	b.Do(http.MethodPatch, "/people/nurse", map[string]any{"phone": "+390459990002"}, nil)
	e = b.WaitFor(a, func(e gateway.Event) bool { _, ok := e.Body.(gateway.ContactUpdate); return ok })
	after := b.Person("nurse")
	if string(e.Chat.Contact) != after.IDs["user_id"] || after.IDs["user_id"] == before.IDs["user_id"] {
		t.Errorf("another number: got %q, want the new user id %q", e.Chat.Contact, after.IDs["user_id"])
	}
	for _, want := range []string{before.IDs["user_id"], before.Native, after.Native} {
		if !slices.Contains(e.Also, gateway.ContactID(want)) {
			t.Errorf("another number: got further ids %v, want %s among them", e.Also, want)
		}
	}
	op := direct(after.IDs["user_id"], gateway.OpMessage{Content: gateway.PlainText("and now?")})
	if _, err := a.Send(t.Context(), romeo, op); err != nil {
		t.Fatal(err)
	}
	b.failsWith(a, op.ID, gateway.WindowClosed)
}

// failsWith waits for the status by which an op that was taken failed.
func (b *sandbox) failsWith(a *whatsapp.Adapter, ref gateway.OpID, want gateway.Class) {
	b.T.Helper()
	b.WaitFor(a, func(e gateway.Event) bool {
		s, ok := e.Body.(gateway.Status)
		if !ok || s.Ref != ref || s.State != gateway.StatusFailed {
			return false
		}
		if s.Failure == nil || s.Failure.Class != want {
			b.T.Errorf("got %+v, want class %s", s.Failure, want)
		}
		return true
	})
}

// TestTakenAndFailed: what is answered 200 and fails later.
func TestTakenAndFailed(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	b.Say("juliet", numbers[0].id, control.Text("good morrow"))
	juliet := b.Person("juliet").Native
	text := gateway.OpMessage{Content: gateway.PlainText("hi")}
	for name, tc := range map[string]struct {
		op   gateway.Op
		want gateway.Class
	}{
		"never wrote":         {direct("390451230002", text), gateway.WindowClosed},
		"is not there":        {direct("390451230003", text), gateway.NotReachable},
		"never was there":     {direct("390459999999", text), gateway.NotReachable},
		"reaction to nothing": {direct(juliet, gateway.OpReact{Target: gateway.Target{IDs: []gateway.MessageID{"wamid.NONE"}}, Emojis: []string{"🌹"}}), gateway.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			if sent, err := a.Send(t.Context(), romeo, tc.op); err != nil || len(sent.IDs) != 1 {
				t.Fatalf("Send: got %v, %v; want it to be taken", sent.IDs, err)
			}
			b.failsWith(a, tc.op.ID, tc.want)
		})
	}
}

// TestLimits: a burst to one person is refused in that chat alone, and counted.
func TestLimits(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	b.Do(http.MethodPut, "/limits", map[string]bool{"enforce": true}, nil)
	for _, p := range []string{"juliet", "nurse"} {
		b.Say(p, numbers[0].id, control.Text("good morrow"))
	}
	juliet, nurse := b.Person("juliet").Native, b.Person("nurse").Native
	var refused *gateway.SendError
	for range 46 {
		if _, err := a.Send(t.Context(), romeo, direct(juliet, gateway.OpMessage{Content: gateway.PlainText("hi")})); err != nil {
			refused, _ = err.(*gateway.SendError) //nolint:errorlint // Send promises the type itself
		}
	}
	if refused == nil || refused.Class != gateway.RateLimited || refused.Scope != gateway.LimitChat || refused.Code != "131056" {
		t.Errorf("46 messages at once: got %v, want 131056 for that chat", refused)
	}
	if _, err := a.Send(t.Context(), romeo, direct(nurse, gateway.OpMessage{Content: gateway.PlainText("hi")})); err != nil {
		t.Errorf("another person: got %v, want success", err)
	}
	var state control.State
	b.Do(http.MethodGet, "/state", nil, &state)
	if state.Counts.Violations != 1 {
		t.Errorf("violations: got %d, want 1", state.Counts.Violations)
	}
	for _, l := range a.Descriptor().Limits {
		i := slices.IndexFunc(state.Limits.Rules, func(r control.Limit) bool {
			return r.Scope == map[gateway.LimitScope]string{gateway.LimitChat: "pair", gateway.LimitAccount: "number"}[l.Scope]
		})
		if i < 0 || float64(time.Second)/float64(l.Every) > state.Limits.Rules[i].Rate || float64(l.Burst) > state.Limits.Rules[i].Burst {
			t.Errorf("limit %+v is looser than the platform's", l)
		}
	}
}

// TestReadAndTyping: reading one message reads all before it; typing stands below a message and reads it.
func TestReadAndTyping(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	first := b.Say("juliet", numbers[0].id, control.Text("one"))
	second := b.Say("juliet", numbers[0].id, control.Text("two"))
	third := b.Say("juliet", numbers[0].id, control.Text("three"))
	juliet := b.Person("juliet").Native
	chat := func() control.Chat {
		c, err := b.Control.Chat(t.Context(), b.Person("juliet").Chats[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	read := func() (ids []string) {
		for _, m := range chat().Messages {
			if m.Status == "read" {
				ids = append(ids, m.Native)
			}
		}
		return ids
	}
	target := func(id gateway.MessageID) gateway.Target { return gateway.Target{IDs: []gateway.MessageID{id}} }
	if _, err := a.Send(t.Context(), romeo, direct(juliet, gateway.OpMarkRead{UpTo: target(second)})); err != nil {
		t.Fatal(err)
	}
	if got := read(); !slices.Equal(got, []string{string(first), string(second)}) {
		t.Errorf("read: got %v, want the first two", got)
	}
	after := target(third)
	for _, op := range []gateway.OpTyping{{On: true, After: &after}, {On: false, After: &after}, {On: true}} {
		if _, err := a.Send(t.Context(), romeo, direct(juliet, op)); err != nil {
			t.Errorf("typing %+v: %v", op, err)
		}
	}
	if c := chat(); !c.Typing || len(read()) != 3 {
		t.Errorf("typing: got %v, %d read; want it shown and all three read", c.Typing, len(read()))
	}
	if _, err := a.Send(t.Context(), romeo, direct(juliet, gateway.OpMarkRead{UpTo: target("wamid.NONE")})); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("reading of nothing: got %v, want class permanent", err)
	}
}

// TestFilesBothWays: each kind of file is on the platform what it was here.
func TestFilesBothWays(t *testing.T) {
	b, a, romeo := linkedRig(t, numbers[0])
	b.Say("juliet", numbers[0].id, control.Text("good morrow"))
	juliet := b.Person("juliet").Native
	for _, tc := range []struct {
		kind       gateway.MediaKind
		mime, want string
	}{
		{gateway.MediaImage, "image/png", "image"},
		{gateway.MediaVideo, "video/mp4", "video"},
		{gateway.MediaAudio, "audio/mpeg", "audio"},
		{gateway.MediaVoice, "audio/ogg; codecs=opus", "voice"},
		{gateway.MediaFile, "application/pdf", "file"},
		{gateway.MediaImage, "image/gif", "file"},
		{gateway.MediaFile, "", "file"},
	} {
		m := gateway.Media{Kind: tc.kind, MIME: tc.mime, Name: "rose", Size: 4}
		up, err := a.Upload(t.Context(), romeo, m, strings.NewReader("rose"))
		if err != nil {
			t.Fatalf("%s: %v", tc.mime, err)
		}
		sent, err := a.Send(t.Context(), romeo, direct(juliet, gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{up, gateway.Text{Text: "look"}}}}))
		if err != nil {
			t.Fatalf("%s: %v", tc.mime, err)
		}
		chat, err := b.Control.Chat(t.Context(), b.Person("juliet").Chats[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(chat.Messages, func(m control.Message) bool { return m.Native == string(sent.IDs[0]) })
		if got := chat.Messages[i].Content.Media[0]; got.Kind != tc.want || got.Size != 4 {
			t.Errorf("%s %s: got %+v, want kind %s", tc.kind, tc.mime, got, tc.want)
		}
	}
	for name, m := range map[string]gateway.Media{
		"no size": {MIME: "image/png"}, "too large": {MIME: "image/png", Size: 101 << 20}, "refused": {MIME: "image/svg+xml", Size: 4},
		"a picture that is too large": {Kind: gateway.MediaImage, MIME: "image/png", Size: 5<<20 + 1},
	} {
		body := strings.NewReader(strings.Repeat("x", int(min(m.Size, 6<<20))))
		_, err := a.Upload(t.Context(), romeo, m, body)
		if class := gateway.ClassOf(err); err == nil || class != gateway.Unsupported && class != gateway.Permanent {
			t.Errorf("%s: got %v, want class unsupported or permanent", name, err)
		}
	}
}

// TestBatch: several updates in one request, under one signature.
func TestBatch(t *testing.T) {
	b, a, _ := linkedRig(t, numbers[0])
	b.Do(http.MethodPut, "/batching", control.Batching{Max: 50, LingerMS: 50}, nil)
	var want []gateway.MessageID
	for _, text := range []string{"ü/1", "ü/2", "ü/3"} {
		want = append(want, b.Say("juliet", numbers[0].id, control.Text(text)), b.Say("nurse", numbers[0].id, control.Text(text)))
	}
	for _, id := range want {
		b.WaitFor(a, func(e gateway.Event) bool { m, ok := e.Body.(gateway.Message); return ok && m.ID == id })
	}
	escaped, several := false, false
	for _, r := range b.Webhooks() {
		if err := a.Verify(r); err != nil {
			t.Errorf("Verify: %v", err)
		}
		escaped = escaped || strings.Contains(string(r.Body), `\u00fc\/1`)
		several = several || strings.Count(string(r.Body), `"changes"`) > 1
	}
	if !escaped || !several {
		t.Errorf("got escapes %v, several entries %v, want both", escaped, several)
	}
}
