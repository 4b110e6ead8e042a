package messenger_test

import (
	"net/http"
	"testing"

	"postern/adapters/adaptertest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	var all []gateway.Webhook
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		a, err := messenger.New(*config(f, kind, "https://graph.example"), http.DefaultClient)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, a)
	}
	adaptertest.FuzzParse(f, []string{"testdata/*/parse/*.txtar"}, nil, checkEvents, all...)
}

// checkEvents holds for whatever a body gives.
func checkEvents(t *testing.T, events []gateway.Event) {
	t.Helper()
	for i, e := range events {
		if e.At.IsZero() {
			t.Error("got an event without a time")
		}
		if i > 0 && e.At.Before(events[i-1].At) {
			t.Errorf("event %d is earlier than the one before", i)
		}
		if e.Chat.Kind == gateway.ChatDirect && (e.Chat.Contact == "" || (e.From == "") != e.FromMe || !e.FromMe && e.From != e.Chat.Contact) {
			t.Errorf("got from %q, from me %v in the chat with %q", e.From, e.FromMe, e.Chat.Contact)
		}
	}
}
