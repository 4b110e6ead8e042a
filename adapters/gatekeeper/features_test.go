package gatekeeper_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"postern/adapters"
	"postern/adapters/gatekeeper"
	"postern/adapters/internal/sandboxtest"
	"postern/gateway"
)

// open boots a sandbox and an adapter with one enlisted user, whose webhooks are kept.
func openOne(t *testing.T) (*sandbox, *gatekeeper.Adapter, gateway.Credentials) {
	t.Helper()
	b := newSandbox(t)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	if err := a.Register(t.Context(), gateway.Credentials{}, b.Hook); err != nil {
		t.Fatal(err)
	}
	return b, a, enlist(t, a, "romeo@montague.example")
}

func direct() gateway.ChatFacts { return gateway.ChatFacts{Kind: gateway.ChatDirect} }

func opTo(contact gateway.ContactID, body gateway.OpBody) gateway.Op {
	return gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: contact}, Body: body}
}

func message(parts ...gateway.Part) gateway.OpMessage {
	return gateway.OpMessage{Content: gateway.Content{Parts: parts}}
}

// TestCapabilities: each feature that Caps offers can be switched off and on while the adapter runs, and Caps follows the webhook
// without a request.
func TestCapabilities(t *testing.T) {
	b, a, _ := openOne(t)
	theirs := map[gateway.Feature]string{
		gateway.FeatureMedia: "media", gateway.FeatureLocation: "location", gateway.FeatureContact: "contact", gateway.FeaturePoll: "poll",
		gateway.FeatureSticker: "sticker", gateway.FeatureAnswer: "answer", gateway.FeatureStyling: "spans", gateway.FeatureReply: "reply_out",
		gateway.FeatureEdit: "edit_out", gateway.FeatureRetract: "retract_out", gateway.FeatureReact: "react_out", gateway.FeatureDelivered: "delivered",
		gateway.FeatureReadOut: "read_out", gateway.FeatureReadIn: "read_in", gateway.FeatureTypingOut: "typing_out", gateway.FeatureTypingIn: "typing_in",
		gateway.FeaturePresence: "presence", gateway.FeatureProfile: "profile", gateway.FeatureBlock: "blocks", gateway.FeatureReport: "reports",
	}
	best := a.Descriptor().Caps
	for f, name := range theirs {
		if best.Levels[f] != gateway.Native || a.Caps(direct()).Levels[f] != gateway.Native {
			t.Errorf("%s: got %s, in the descriptor %s; want native", f, a.Caps(direct()).Levels[f], best.Levels[f])
		}
		for _, level := range []string{"unavailable", "native"} {
			b.Do(http.MethodPatch, "/capabilities", map[string]string{name: level}, nil)
			b.Eventually(string(f), func() bool { b.deliver(a); return a.Caps(direct()).Has(f) == (level == "native") })
		}
	}
	if a.Caps(direct()).Has(gateway.FeatureGroups) {
		t.Error("groups: got offered, want not")
	}
}

// TestLacks: what only decorates is left out, a message is done with where nothing is told of its delivery, and a refusal that comes
// before the webhook says what is lacking.
func TestLacks(t *testing.T) {
	b, a, romeo := openOne(t)
	off := func(name string) {
		b.Do(http.MethodPatch, "/capabilities", map[string]string{name: "unavailable"}, nil)
	}
	if _, err := a.Send(t.Context(), romeo, opTo("gku_juliet", message(gateway.Text{Text: "first"}))); err != nil { // reads the directory
		t.Fatal(err)
	}
	off("spans")
	bold := message(gateway.Text{Text: "bold", Spans: []gateway.Span{{Length: 4, Style: gateway.SpanStrong}}})
	_, err := a.Send(t.Context(), romeo, opTo("gku_juliet", bold))
	if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.Unsupported || se.Code != string(gateway.FeatureStyling) {
		t.Errorf("before the webhook: got %v, want unsupported for want of styling", err)
	}
	off("previews")
	off("delivered")
	b.Eventually(string(gateway.FeatureDelivered), func() bool { b.deliver(a); return !a.Caps(direct()).Has(gateway.FeatureDelivered) })
	page := gateway.Text{Text: "read https://verona.example/", Previews: []gateway.Preview{{URL: "https://verona.example/", Title: "News"}}}
	sent, err := a.Send(t.Context(), romeo, opTo("gku_juliet", message(page)))
	if err != nil || !sent.Final {
		t.Errorf("a link where previews and delivery are lacking: got final %v, %v, want it taken and done with", sent.Final, err)
	}
	edit := gateway.OpEdit{Target: gateway.Target{IDs: sent.IDs}, Content: gateway.Content{Parts: []gateway.Part{page}}}
	if _, err := a.Send(t.Context(), romeo, opTo("gku_juliet", edit)); err != nil {
		t.Errorf("edited: %v", err)
	}
	b.Do(http.MethodPatch, "/capabilities", map[string]string{"delivered": "native"}, nil)
	b.Eventually(string(gateway.FeatureDelivered), func() bool { b.deliver(a); return a.Caps(direct()).Has(gateway.FeatureDelivered) })
	if sent, err := a.Send(t.Context(), romeo, opTo("gku_juliet", message(gateway.Text{Text: "again"}))); err != nil || sent.Final {
		t.Errorf("with delivery told: got final %v, %v, want a word to come", sent.Final, err)
	}
}

// deliver shows the adapter every webhook once, as the intake does.
func (b *sandbox) deliver(a *gatekeeper.Adapter) {
	b.T.Helper()
	fresh := b.Webhooks()[b.delivered:]
	b.delivered += len(fresh)
	for _, r := range fresh {
		if _, err := a.Parse(r); err != nil {
			b.T.Errorf("Parse: %v\n%s", err, r.Body)
		}
	}
}

// TestLimits: what the directory limits, Caps says after the next call.
func TestLimits(t *testing.T) {
	b, a, romeo := openOne(t)
	b.Do(http.MethodPatch, "/limits", map[string]any{
		"media_bytes": 1000, "media_types": []string{"image/*", "application/pdf"}, "reactions": []string{"👍", "🌹"}, "reactions_per_user": 2, "text_bytes": 100,
	}, nil)
	b.Eventually("limits", func() bool {
		b.deliver(a)
		if _, err := a.Profile(t.Context(), romeo, "gku_juliet"); err != nil {
			t.Fatalf("Profile: %v", err)
		}
		return a.Caps(direct()).MediaMax == 1000
	})
	caps := a.Caps(direct())
	if strings.Join(caps.MediaTypes, " ") != "image/* application/pdf" || strings.Join(caps.Reactions, "") != "👍🌹" || caps.ReactionsMax != 2 || caps.TextMax != 100 {
		t.Errorf("got types %v, reactions %v (%d), text %d", caps.MediaTypes, caps.Reactions, caps.ReactionsMax, caps.TextMax)
	}
	sum := make([]byte, 32)
	for name, m := range map[string]gateway.Media{
		"too large":   {MIME: "image/png", Size: 1001, SHA256: sum},
		"other type":  {MIME: "video/mp4", Size: 10, SHA256: sum},
		"no type":     {Size: 10, SHA256: sum},
		"image vs ap": {MIME: "application/zip", Size: 10, SHA256: sum},
	} {
		if _, err := a.Upload(t.Context(), romeo, m, strings.NewReader("")); gateway.ClassOf(err) != gateway.Unsupported {
			t.Errorf("%s: got %v, want class unsupported", name, err)
		}
	}
}

// TestUploadRefused: what the gatekeeper says of a slot or of the bytes has its class.
func TestUploadRefused(t *testing.T) {
	_, a, romeo := openOne(t)
	if _, err := a.Upload(t.Context(), romeo, gateway.Media{MIME: "image/png"}, strings.NewReader("x")); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("without size and hash: got %v, want class permanent", err)
	}
	wrong := gateway.Media{MIME: "image/png", Size: 3, SHA256: make([]byte, 32)}
	if _, err := a.Upload(t.Context(), romeo, wrong, strings.NewReader("abc")); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("bytes of another hash: got %v, want class permanent", err)
	}
	if _, _, err := a.Fetch(t.Context(), romeo, gateway.Media{Handle: "med_nowhere"}); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("Fetch of nothing: got %v, want class permanent", err)
	}
}

// TestFetchBroken: a download that breaks off, or is not as long as it says, is an error of the stream, never a shorter file; one
// that has no end, or comes byte by byte, is its reader's to end; one that leads elsewhere is none.
func TestFetchBroken(t *testing.T) {
	b, a, romeo := openOne(t)
	fetch := func(spoil string, value any) (io.ReadCloser, error) {
		t.Helper()
		part := b.make(map[string]any{"type": "video/mp4", "size": 1 << 20, spoil: value})
		b.Do(http.MethodPost, "/people/juliet/messages", map[string]any{"to": string(romeo.Endpoint), "content": map[string]any{"media": []any{part}}}, nil)
		body, _, err := a.Fetch(t.Context(), romeo, gateway.Media{Handle: part["media_id"].(string)})
		return body, err
	}
	for _, tt := range []struct {
		spoil string
		value any
		most  int64 // bytes to read; what ends sooner has to say so
		least int64
		want  error
	}{
		{"cut", 1000, 2 << 20, 0, io.ErrUnexpectedEOF},
		{"length", 2 << 20, 2 << 20, 1 << 20, io.ErrUnexpectedEOF},
		{"endless", true, 5 << 20, 5 << 20, nil},
		{"slow_ms", 1, 3, 3, nil},
	} {
		body, err := fetch(tt.spoil, tt.value)
		if err != nil {
			t.Fatalf("%s: %v", tt.spoil, err)
		}
		n, err := io.CopyN(io.Discard, body, tt.most)
		if !errors.Is(err, tt.want) || n < tt.least {
			t.Errorf("%s: got %d bytes and %v, want at least %d and %v", tt.spoil, n, err, tt.least, tt.want)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := fetch("redirect", "http://127.0.0.1:1/elsewhere"); gateway.ClassOf(err) != gateway.Retryable {
		t.Errorf("redirect: got %v, want class retryable", err)
	}
}

// TestAnswers: a poll of a person is answered, once however often it is sent; a person's answer comes in the option's words.
func TestAnswers(t *testing.T) {
	b, a, romeo := openOne(t)
	to := string(romeo.Endpoint)
	var asked, said struct {
		MessageID string `json:"message_id"`
	}
	poll := map[string]any{"question": "Balcony?", "options": []map[string]string{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}
	b.Do(http.MethodPost, "/people/juliet/messages", map[string]any{"to": to, "content": map[string]any{"poll": poll}}, &asked)
	op := opTo("gku_juliet", gateway.OpAnswer{Target: gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(asked.MessageID)}}, Choices: []gateway.Choice{{ID: "a", Title: "yes"}}})
	for range 2 {
		if _, err := a.Send(t.Context(), romeo, op); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	var got struct{ Items []json.RawMessage }
	b.Do(http.MethodPost, "/wait", map[string]any{"kind": "message", "person": "juliet", "has": "answer"}, &got)
	if len(got.Items) != 1 {
		t.Errorf("got %d answers, want one", len(got.Items))
	}
	wrong := opTo("gku_juliet", gateway.OpAnswer{Target: gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(asked.MessageID)}}, Choices: []gateway.Choice{{ID: "z", Title: "maybe"}}})
	if _, err := a.Send(t.Context(), romeo, wrong); gateway.ClassOf(err) != gateway.Permanent {
		t.Errorf("an option that is none: got %v, want class permanent", err)
	}
	sent, err := a.Send(t.Context(), romeo, opTo("gku_juliet", message(gateway.Poll{Question: "When?", Options: []gateway.Choice{{ID: "1", Title: "now"}, {ID: "2", Title: "later"}}})))
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{"to": to, "reply_to": string(sent.IDs[0]), "content": map[string]any{"answer": map[string]any{"choices": []map[string]string{{"id": "1", "title": "now"}}}}}
	b.Do(http.MethodPost, "/people/juliet/messages", answer, &said)
	b.WaitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		return ok && string(m.ID) == said.MessageID && m.ReplyTo != nil && m.ReplyTo.IDs[0] == sent.IDs[0] && m.Content.Parts[0].(gateway.Text).Text == "now"
	})
}

// TestMediaRejected: a file that the gatekeeper throws away fails its message.
func TestMediaRejected(t *testing.T) {
	b, a, romeo := openOne(t)
	sent, err := a.Send(t.Context(), romeo, opTo("gku_juliet", message(gateway.Text{Text: "look"})))
	if err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPost, "/messages/"+string(sent.IDs[0])+"/reject", map[string]string{"code": "unsupported_type"}, nil)
	b.WaitFor(a, func(e gateway.Event) bool {
		s, ok := e.Body.(gateway.Status)
		return ok && s.State == gateway.StatusFailed && s.IDs[0] == sent.IDs[0] && s.Failure.Class == gateway.Unsupported
	})
}

// TestLinkTexts: every text of the form is one of the catalogue.
func TestLinkTexts(t *testing.T) {
	_, a, _ := openOne(t)
	texts := gateway.NewTexts()
	first, err := a.Link(t.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	in := linkInput("paris@verona.example")
	in.State, in.Answers = first.State, map[string]string{"display": strings.Repeat("P", 201)}
	again, err := a.Link(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{first.Fields[0].Label, again.Text} {
		if text := texts.Say("en", gateway.TextKey(key)); text == key || !bytes.ContainsRune([]byte(text), ' ') {
			t.Errorf("%q: got %q, want a text of the catalogue", key, text)
		}
	}
}

// TestLapsedAndBack: what was refused while the enlistment had lapsed goes out after the next one, once, as the same op.
func TestLapsedAndBack(t *testing.T) {
	b, a, romeo := openOne(t)
	b.Do(http.MethodPut, "/users/"+string(romeo.Endpoint)+"/state", map[string]string{"state": "lapsed"}, nil)
	op := opTo("gku_juliet", message(gateway.Text{Text: "hello"}))
	for range 2 {
		if _, err := a.Send(t.Context(), romeo, op); gateway.ClassOf(err) != gateway.ReauthNeeded {
			t.Fatalf("lapsed: got %v, want class reauth_needed", err)
		}
	}
	romeo = enlist(t, a, "romeo@montague.example")
	first, err := a.Send(t.Context(), romeo, op)
	if err != nil {
		t.Fatalf("enlisted again: %v", err)
	}
	if again, err := a.Send(t.Context(), romeo, op); err != nil || again.IDs[0] != first.IDs[0] {
		t.Errorf("sent again: got %v, %v, want %v", again.IDs, err, first.IDs)
	}
}
