package whatsapp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/adapters/whatsapp"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"parse", "standing"} {
		paths, err := filepath.Glob("testdata/" + folder + "/*.txtar")
		if err != nil || len(paths) == 0 {
			f.Fatalf("fixtures: got %v and %d files", err, len(paths))
		}
		for _, p := range paths {
			a, err := txtar.ParseFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(bytes.TrimSpace(a.Files[0].Data))
		}
	}
	a, err := whatsapp.New(*lined(f, "https://graph.example", number{goldenNumber, goldenAccount, "", "", numbers[3].token}), http.DefaultClient)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := a.Parse(gateway.Request{Body: bytes.Clone(body)})
		again, err2 := a.Parse(gateway.Request{Body: body})
		if (err == nil) != (err2 == nil) || !cmp.Equal(events, again) {
			t.Fatalf("got %v and %v, then %v and %v", events, err, again, err2)
		}
		raw, err := json.Marshal(events)
		if err != nil {
			t.Fatalf("events do not encode: %v", err)
		}
		var back []gateway.Event
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatalf("events do not decode: %v", err)
		}
		for _, e := range events {
			checkEvent(t, e)
		}
	})
}

// checkEvent holds for whatever a body gives.
func checkEvent(t *testing.T, e gateway.Event) {
	t.Helper()
	if e.Dedupe == "" || e.Endpoint == "" {
		t.Errorf("got dedupe %q, endpoint %q; want both", e.Dedupe, e.Endpoint)
	}
	if _, account := e.Body.(gateway.AccountState); account {
		return
	}
	if e.Chat.Kind == gateway.ChatDirect && (e.Chat.Contact == "" || !e.FromMe && e.From != e.Chat.Contact) {
		t.Errorf("got from %q in the chat with %q", e.From, e.Chat.Contact)
	}
	for _, also := range e.Also {
		if also == "" || also == e.Chat.Contact {
			t.Errorf("got the further id %q of %q", also, e.Chat.Contact)
		}
	}
	if m, ok := e.Body.(gateway.Message); ok && (m.ID == "" || len(m.Content.Parts) == 0) {
		t.Errorf("got message %q with %d parts", m.ID, len(m.Content.Parts))
	}
}
