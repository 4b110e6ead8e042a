package telegram_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/adapters/telegram"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/parse/*.txtar")
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
	a, err := telegram.New(*config(f, "https://api.telegram.org"), http.DefaultClient, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	q := map[string][]string{"token": {goldenBot + "-0"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := a.Parse(gateway.Request{Query: q, Body: bytes.Clone(body)})
		again, err2 := a.Parse(gateway.Request{Query: q, Body: body})
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
		keys := map[string]bool{}
		for _, e := range events {
			if e.Dedupe == "" || e.Endpoint != goldenBot || keys[e.Dedupe] {
				t.Errorf("got dedupe %q, endpoint %q; want a key of its own and the bot", e.Dedupe, e.Endpoint)
			}
			keys[e.Dedupe] = true
			if e.Chat.Kind == gateway.ChatDirect && (e.Chat.Contact == "" || e.From != e.Chat.Contact) {
				t.Errorf("got from %q in the chat with %q", e.From, e.Chat.Contact)
			}
			checkSpans(t, e)
		}
	})
}

// checkSpans wants every style to lie within its text.
func checkSpans(t *testing.T, e gateway.Event) {
	t.Helper()
	m, ok := e.Body.(gateway.Message)
	if !ok {
		return
	}
	for _, p := range m.Content.Parts {
		text, ok := p.(gateway.Text)
		if !ok {
			continue
		}
		length := len([]rune(text.Text))
		for _, s := range text.Spans {
			if s.Start < 0 || s.Length < 1 || s.Start+s.Length > length {
				t.Errorf("got a style over %d+%d of %d characters", s.Start, s.Length, length)
			}
		}
	}
}
