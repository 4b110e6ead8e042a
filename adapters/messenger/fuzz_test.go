package messenger_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/parse/*.txtar")
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
	var all []*messenger.Adapter
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		a, err := messenger.New(*config(f, kind, "https://graph.example"), http.DefaultClient)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, a)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, a := range all {
			checkParse(t, a, body)
		}
	})
}

func checkParse(t *testing.T, a *messenger.Adapter, body []byte) {
	t.Helper()
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
	for i, e := range events {
		if e.Dedupe == "" || e.Endpoint == "" || e.At.IsZero() {
			t.Errorf("got dedupe %q, endpoint %q, time %s; want all", e.Dedupe, e.Endpoint, e.At)
		}
		if i > 0 && e.At.Before(events[i-1].At) {
			t.Errorf("event %d is earlier than the one before", i)
		}
		if e.Chat.Kind == gateway.ChatDirect && (e.Chat.Contact == "" || (e.From == "") != e.FromMe || !e.FromMe && e.From != e.Chat.Contact) {
			t.Errorf("got from %q, from me %v in the chat with %q", e.From, e.FromMe, e.Chat.Contact)
		}
		if m, ok := e.Body.(gateway.Message); ok && (m.ID == "" || len(m.Content.Parts) == 0) {
			t.Errorf("got message %q with %d parts", m.ID, len(m.Content.Parts))
		}
	}
}
