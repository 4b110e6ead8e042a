package telegram_test

import (
	"log/slog"
	"net/http"
	"testing"

	"postern/adapters/adaptertest"
	"postern/adapters/telegram"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	a, err := telegram.New(*config(f, "https://api.telegram.org"), http.DefaultClient, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	adaptertest.FuzzParse(f, []string{"testdata/parse/*.txtar"}, map[string][]string{"token": {goldenBot + "-0"}}, func(t *testing.T, events []gateway.Event) {
		keys := map[string]bool{}
		for _, e := range events {
			if e.Endpoint != goldenBot || keys[e.Dedupe] {
				t.Errorf("got dedupe %q, endpoint %q; want a key of its own and the bot", e.Dedupe, e.Endpoint)
			}
			keys[e.Dedupe] = true
			if e.Chat.Kind == gateway.ChatDirect && (e.Chat.Contact == "" || e.From != e.Chat.Contact) {
				t.Errorf("got from %q in the chat with %q", e.From, e.Chat.Contact)
			}
			checkSpans(t, e)
		}
	}, a)
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
