package simulator_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// The text path: enlist, lookup, contact request, a message each way with its statuses, receipts and typing.
func TestTextBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		usr := b.enlist(romeo)
		found := b.must(http.StatusOK, "POST", "/v1/directory:lookup", romeo, obj{"items": []obj{
			{"type": "email", "value": "Juliet@capulet.example"}, {"type": "email", "value": "tybalt@capulet.example"}, {"type": "username", "value": "nobody"},
		}})
		want := []any{
			obj{"result": "found", "internal_id": "gku_juliet", "display": "Juliet Capulet", "mode": "plaintext", "accepts": "request"},
			obj{"result": "unavailable"},
			obj{"result": "unavailable"},
		}
		if diff := cmp.Diff(want, found.body["items"]); diff != "" {
			t.Errorf("lookup (-want +got):\n%s", diff)
		}

		if got := b.must(http.StatusForbidden, "POST", "/v1/messages", romeo, message("c0", usr, "gku_juliet", "Hist!")); got.str("code") != "no_consent" {
			t.Errorf("got code %q, want no_consent", got.str("code"))
		}
		req := b.must(http.StatusCreated, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_juliet", "message": "It is the east"})
		if req.str("state") != "pending" {
			t.Errorf("got state %q, want pending", req.str("state"))
		}
		b.control("POST", "/people/juliet/answer", obj{"to": romeo, "accept": true})
		b.idle()
		accepted := b.received("contact.accepted")
		if len(accepted) != 1 || accepted[0].Data["request_id"] != req.body["id"] || accepted[0].Data["from"] != "gku_juliet" {
			t.Fatalf("got %v, want one contact.accepted of %v", accepted, req.body["id"])
		}

		sent := b.must(http.StatusAccepted, "POST", "/v1/messages", romeo, message("c1", usr, "gku_juliet", "Hello"))
		b.control("POST", "/people/juliet/read", obj{"to": romeo})
		said := b.control("POST", "/people/juliet/messages", obj{"to": romeo, "text": "Good morrow"})
		b.idle()
		var got []any
		for _, e := range b.received("") {
			if err := verify(t, e); err != nil {
				t.Errorf("%s: %v", e.Type, err)
			}
			if e.header.Get("webhook-id") != e.ID {
				t.Errorf("got webhook-id %q, want %q", e.header.Get("webhook-id"), e.ID)
			}
			if e.Seq > 0 {
				got = append(got, []any{e.Seq, e.Type, e.Data["message_id"], e.Data["status"], e.Subject.To, e.Subject.Conversation})
			}
		}
		conv := sent.str("conversation")
		wantEvents := []any{
			[]any{int64(1), "message.status", sent.body["message_id"], "delivered", usr, conv},
			[]any{int64(2), "message.status", sent.body["message_id"], "read", usr, conv},
			[]any{int64(3), "message.received", said["message_id"], nil, usr, conv},
		}
		if diff := cmp.Diff(wantEvents, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if status := b.received("message.status")[0]; status.Data["client_id"] != "c1" || status.Data["conversation"] != conv {
			t.Errorf("got %v, want client_id c1 and conversation %s", status.Data, conv)
		}
		received := b.received("message.received")[0].Data
		delete(received, "sent_at")
		wantData := obj{
			"message_id": said["message_id"], "conversation": conv, "from": "gku_juliet", "from_display": "Juliet Capulet", "to": usr,
			"mode": "plaintext", "content": obj{"text": "Good morrow"},
		}
		if diff := cmp.Diff(wantData, received); diff != "" {
			t.Errorf("message.received (-want +got):\n%s", diff)
		}

		for _, ref := range []string{conv, "gku_juliet"} {
			b.must(http.StatusNoContent, "POST", "/v1/conversations/"+ref+"/typing", romeo, obj{"state": "composing"}, "Idempotency-Key", "")
		}
		if got := b.control("POST", "/wait", obj{"kind": "typing", "person": "juliet", "user": romeo}); got["ok"] != true {
			t.Errorf("got %v, want romeo typing", got)
		}
		receipt := b.must(http.StatusAccepted, "POST", "/v1/receipts", romeo, obj{"receipts": []obj{{"conversation": conv, "state": "read", "up_to": said["message_id"]}}})
		if diff := cmp.Diff(obj{"accepted": 1.0, "ignored": 0.0}, receipt.body); diff != "" {
			t.Errorf("receipts (-want +got):\n%s", diff)
		}
		if got := b.control("POST", "/wait", obj{"kind": "message", "person": "juliet", "direction": "to_user", "status": "read"}); got["ok"] != true {
			t.Errorf("got %v, want the message read", got)
		}
	})
}
