package whatsapp_test

import (
	"net/http"
	"testing"

	"postern/adapters/adaptertest"
	"postern/adapters/whatsapp"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	a, err := whatsapp.New(*lined(f, "https://graph.example", number{goldenNumber, goldenAccount, "", "", numbers[3].token}), http.DefaultClient)
	if err != nil {
		f.Fatal(err)
	}
	adaptertest.FuzzParse(f, []string{"testdata/parse/*.txtar", "testdata/standing/*.txtar"}, nil, func(t *testing.T, events []gateway.Event) {
		for _, e := range events {
			checkEvent(t, e)
		}
	}, a)
}

// checkEvent holds for whatever a body gives.
func checkEvent(t *testing.T, e gateway.Event) {
	t.Helper()
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
}
