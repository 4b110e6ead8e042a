package simulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/adapters/gatekeeper/simulator"
)

func TestEnlistment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		other := enlistment("paris@montague.example")
		if got := b.call("POST", "/v1/enlistments", romeo, other); got.str("code") != "assertion_invalid" {
			t.Errorf("other id: got %d %s, want assertion_invalid", got.status, got.raw)
		}
		old := enlistment(romeo)
		old["terms"] = obj{"version": "0", "sha256": old["consent"].(obj)["receipt_sha256"]}
		if got := b.call("POST", "/v1/enlistments", romeo, old); got.str("code") != "terms_outdated" {
			t.Errorf("old terms: got %d %s, want terms_outdated", got.status, got.raw)
		}
		made := b.must(201, "POST", "/v1/enlistments", romeo, enlistment(romeo))
		again := b.must(200, "POST", "/v1/enlistments", romeo, enlistment(romeo))
		if made.str("id") != again.str("id") || made.str("state") != "active" {
			t.Errorf("got %s then %s, want the same active one", made.raw, again.raw)
		}
		path := "/v1/enlistments/" + made.str("id")
		etag := made.header.Get("ETag")
		changed := b.must(200, "PATCH", path, romeo, obj{"display": "R.", "settings": obj{"read_receipts": false}}, "If-Match", etag)
		if changed.str("display") != "R." {
			t.Errorf("got %s, want display R.", changed.raw)
		}
		if got := b.call("PATCH", path, romeo, obj{"display": "x"}, "If-Match", etag); got.status != 412 || got.str("code") != "stale_version" {
			t.Errorf("old etag: got %d %s, want 412 stale_version", got.status, got.raw)
		}
		b.enlist("paris@montague.example")
		if got := b.call("GET", path, "paris@montague.example", nil); got.status != 404 {
			t.Errorf("foreign enlistment: got %d, want 404", got.status)
		}

		b.control("PUT", "/terms", obj{"version": "2", "sha256": made.body["terms"].(obj)["sha256"]})
		usr := made.str("internal_id")
		if got := b.call("POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "Hi")); got.str("code") != "terms_outdated" {
			t.Errorf("got %d %s, want terms_outdated", got.status, got.raw)
		}
		b.must(200, "POST", path+"/refresh", romeo, obj{"terms": obj{"version": "2", "sha256": made.body["terms"].(obj)["sha256"]}})
		b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "Hi"))

		b.control("PUT", "/users/"+romeo+"/state", obj{"state": "suspended"})
		if got := b.call("GET", path, romeo, nil); got.str("code") != "suspended" {
			t.Errorf("got %d %s, want suspended", got.status, got.raw)
		}
		b.control("PUT", "/users/"+romeo+"/state", obj{"state": "active"})
		b.idle()
		for typ, want := range map[string]int{"enlistment.terms_changed": 2, "enlistment.suspended": 1} {
			if got := len(b.received(typ)); got != want {
				t.Errorf("got %d %s, want %d", got, typ, want)
			}
		}

		job := b.must(202, "DELETE", path, romeo, nil)
		if job.str("kind") != "erase" || job.str("state") != "done" || job.str("receipt") == "" {
			t.Errorf("got %s, want a done erase job with a receipt", job.raw)
		}
		if got := b.call("GET", path, romeo, nil); got.str("code") != "not_enlisted" {
			t.Errorf("after: got %d %s, want not_enlisted", got.status, got.raw)
		}
		b.must(200, "GET", "/v1/jobs/"+job.str("id"), "", nil)
		b.control("PUT", "/terms", made.body["terms"])
		if got := b.enlist(romeo); got != usr {
			t.Errorf("enlisted again: got %s, want %s", got, usr)
		}
		pass(31 * 24 * time.Hour)
		b.token = ""
		if got := b.call("GET", "/v1/blocks", romeo, nil); got.str("code") != "not_enlisted" {
			t.Errorf("after a month away: got %d %s, want not_enlisted", got.status, got.raw)
		}
		b.idle()
		if got := len(b.received("enlistment.lapsed")); got != 1 {
			t.Errorf("got %d enlistment.lapsed, want 1", got)
		}
	})
}

func TestContactRequestsAndConsents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		usr := b.enlist(romeo)
		unknown := b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_nobody"})
		known := b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_juliet"})
		if unknown.str("state") != "pending" || known.str("state") != "pending" {
			t.Errorf("got %s and %s, want both pending: nothing is to be learned", unknown.raw, known.raw)
		}
		if open := b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_nurse"}); open.str("state") != "accepted" || open.str("conversation") == "" {
			t.Errorf("got %s, want accepted with a conversation", open.raw)
		}
		b.control("POST", "/people/juliet/answer", obj{"to": romeo, "accept": false})
		b.idle()
		if got := b.must(200, "GET", "/v1/contact-requests/"+known.str("id"), romeo, nil); got.str("state") != "pending" || len(b.received("contact.declined")) != 0 {
			t.Errorf("got %s, want a silent decline to look pending", got.raw)
		}
		b.control("PATCH", "/people/juliet", obj{"tells_decline": true})
		second := b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_juliet"})
		b.control("POST", "/people/juliet/answer", obj{"to": romeo, "accept": false})
		b.idle()
		if got := b.must(200, "GET", "/v1/contact-requests/"+second.str("id"), romeo, nil); got.str("state") != "declined" || len(b.received("contact.declined")) != 1 {
			t.Errorf("got %s, want declined and told", got.raw)
		}
		page := b.must(200, "GET", "/v1/contact-requests?limit=1", romeo, nil)
		if len(page.body["items"].([]any)) != 1 || page.str("next") == "" {
			t.Errorf("got %s, want one item and a next", page.raw)
		}
		rest := b.must(200, "GET", "/v1/contact-requests?limit=50&cursor="+page.str("next"), romeo, nil)
		if len(rest.body["items"].([]any)) != 1 || rest.str("next") != "" {
			t.Errorf("got %s, want the last item and no next", rest.raw)
		}
		third := b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_juliet"})
		b.must(204, "DELETE", "/v1/contact-requests/"+third.str("id"), romeo, nil)
		if status, _ := b.tryControl("POST", "/people/juliet/answer", obj{"to": romeo, "accept": true}); status != 404 {
			t.Errorf("answer after cancelling: got %d, want 404", status)
		}

		b.control("POST", "/people/juliet/ask", obj{"to": romeo, "message": "Romeo?"})
		b.idle()
		if got := b.received("contact.requested"); len(got) != 1 || got[0].Data["from"] != "gku_juliet" || got[0].Data["to"] != usr {
			t.Fatalf("got %v, want juliet asking", got)
		}
		if got := b.call("POST", "/v1/consents", romeo, obj{"op": "grant", "requester": "gku_juliet", "target": "usr_other"}); got.str("code") != "not_permitted" {
			t.Errorf("got %d %s, want not_permitted", got.status, got.raw)
		}
		granted := b.must(201, "POST", "/v1/consents", romeo, obj{"op": "grant", "requester": "gku_juliet", "target": usr})
		b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_juliet", "Ay, me"))
		b.must(204, "DELETE", "/v1/consents/"+granted.str("id"), romeo, nil)
		said := b.control("POST", "/people/juliet/messages", obj{"to": romeo, "text": "Anon"})
		if said["event_id"] != nil {
			t.Errorf("got %v, want nothing told after the consent was revoked", said)
		}
		list := b.must(200, "GET", "/v1/consents", romeo, nil)
		if got := list.body["items"].([]any); len(got) != 1 || got[0].(obj)["state"] != "revoked" {
			t.Errorf("got %s, want one revoked consent", list.raw)
		}
	})
}

func TestEditRetractReact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		usr := b.enlist(romeo)
		sent := b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "The mooon"))
		path := "/v1/messages/" + sent.str("message_id")
		for range 2 {
			got := b.must(200, "PATCH", path, romeo, obj{"content": obj{"text": "The moon"}})
			if got.body["revision"] != 1.0 {
				t.Errorf("got revision %v, want 1: a repeated edit changes nothing", got.body["revision"])
			}
		}
		b.must(204, "PUT", path+"/reactions/%F0%9F%91%8D", romeo, nil)
		b.must(204, "PUT", path+"/reactions", romeo, obj{"reactions": []string{"🌙"}})
		chat := b.control("GET", "/chats/"+sent.str("conversation"), nil)["messages"].([]any)[0].(obj)
		if diff := cmp.Diff([]any{obj{"text": "The moon"}, obj{usr: []any{"🌙"}}}, []any{chat["content"], chat["reactions"]}); diff != "" {
			t.Errorf("chat (-want +got):\n%s", diff)
		}
		b.must(204, "DELETE", path+"/reactions/%F0%9F%8C%99", romeo, nil)
		if got := b.call("PUT", path+"/reactions", romeo, obj{"reactions": []string{"a", "b"}}); got.str("code") != "too_large" {
			t.Errorf("got %d %s, want too_large", got.status, got.raw)
		}
		for range 2 {
			b.must(204, "DELETE", path, romeo, nil)
		}
		if got := b.call("PATCH", path, romeo, obj{"content": obj{"text": "x"}}); got.str("code") != "not_permitted" {
			t.Errorf("edit after retraction: got %d %s", got.status, got.raw)
		}
		late := b.must(202, "POST", "/v1/messages", romeo, message("c2", usr, "gku_nurse", "x"))
		pass(25 * time.Hour)
		b.token = ""
		if got := b.call("PATCH", "/v1/messages/"+late.str("message_id"), romeo, obj{"content": obj{"text": "y"}}); got.str("code") != "not_permitted" {
			t.Errorf("edit after a day: got %d %s, want not_permitted", got.status, got.raw)
		}

		said := b.control("POST", "/people/nurse/messages", obj{"to": romeo, "text": "Peter!", "reply_to": late.str("message_id")})
		id := said["message_id"].(string)
		if got := b.call("DELETE", "/v1/messages/"+id, romeo, nil); got.str("code") != "not_permitted" {
			t.Errorf("foreign message: got %d %s, want not_permitted", got.status, got.raw)
		}
		b.control("PATCH", "/messages/"+id, obj{"text": "Peter, my fan!"})
		b.control("PUT", "/messages/"+late.str("message_id")+"/reactions", obj{"emojis": []string{"❤️"}})
		b.control("DELETE", "/messages/"+id, nil)
		b.control("POST", "/people/nurse/typing", obj{"to": romeo, "state": "composing"})
		b.control("POST", "/messages/"+late.str("message_id")+"/fail", obj{"code": "blocked_by_policy"})
		b.idle()
		var got []string
		for _, e := range b.received("") {
			if e.Seq == 0 && e.Type != "typing" {
				t.Errorf("%s: no seq", e.Type)
			}
			got = append(got, e.Type)
		}
		want := []string{"message.status", "message.status", "message.received", "message.updated", "reaction.changed", "message.retracted", "typing", "message.status"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if reply := b.received("message.received")[0].Data["reply_to"]; reply != late.str("message_id") {
			t.Errorf("got reply_to %v, want %s", reply, late.str("message_id"))
		}
	})
}

func TestSafetyAndPrivacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		usr := b.enlist(romeo)
		empty := b.must(200, "GET", "/v1/blocks", romeo, nil)
		b.must(204, "PUT", "/v1/blocks/gku_nurse", romeo, nil)
		b.must(200, "GET", "/v1/blocks/gku_nurse", romeo, nil)
		if got := b.must(200, "GET", "/v1/blocks", romeo, nil); got.str("digest") == empty.str("digest") {
			t.Error("the digest did not change with the list")
		}
		b.talk(1)
		b.must(204, "DELETE", "/v1/blocks/gku_nurse", romeo, nil)
		b.must(404, "GET", "/v1/blocks/gku_nurse", romeo, nil)
		b.talk(1)
		b.idle()
		if got := len(b.received("message.received")); got != 1 {
			t.Errorf("got %d messages, want only the one after unblocking", got)
		}
		b.control("PUT", "/people/juliet/block", obj{"to": romeo, "blocked": true})
		if got := b.call("POST", "/v1/messages", romeo, message("c1", usr, "gku_juliet", "x")); got.str("code") != "unavailable" {
			t.Errorf("got %d %s, want unavailable", got.status, got.raw)
		}

		report := b.must(201, "POST", "/v1/reports", romeo, obj{"accused": "gku_tybalt", "category": "harassment", "good_faith": true, "block": true})
		b.must(200, "GET", "/v1/reports/"+report.str("id"), romeo, nil)
		if got := b.must(202, "POST", "/v1/reports/"+report.str("id")+"/appeal", romeo, obj{"statement": "again"}); got.str("state") != "under_review" {
			t.Errorf("got %s, want under_review", got.raw)
		}
		export := b.must(202, "POST", "/v1/privacy/export", romeo, nil)
		result := export.body["result"].(obj)
		if len(result["blocks"].([]any)) != 1 || len(result["reports"].([]any)) != 1 || result["enlistment"].(obj)["internal_id"] != usr {
			t.Errorf("got export %v", result)
		}
		erased := b.must(202, "POST", "/v1/privacy/erase", romeo, nil)
		b.must(200, "GET", "/v1/jobs/"+erased.str("id"), "", nil)
		b.must(404, "GET", "/v1/jobs/job_other", "", nil)
		b.idle()
		if got := len(b.received("privacy.job_done")); got != 2 {
			t.Errorf("got %d privacy.job_done, want 2", got)
		}
		if status, _ := b.tryControl("POST", "/people/nurse/messages", obj{"to": romeo, "text": "x"}); status != 404 {
			t.Errorf("message to an erased user: got %d, want 404", status)
		}
	})
}

func TestEventsBacklog(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.Limits.Events = 5 })
	b.enlist(romeo)
	b.must(200, "GET", "/v1/events", "", nil)
	b.talk(4)
	first := b.must(200, "GET", "/v1/events?limit=3", "", nil)
	if len(first.body["events"].([]any)) != 3 || first.str("next") == "" {
		t.Fatalf("got %s, want three events and a next", first.raw)
	}
	rest := b.must(200, "GET", "/v1/events?cursor="+first.str("next"), "", nil)
	if len(rest.body["events"].([]any)) != 1 || rest.str("next") != "" {
		t.Errorf("got %s, want one event and no next", rest.raw)
	}
	conv := rest.body["events"].([]any)[0].(obj)["subject"].(obj)["conversation"].(string)
	gap := b.must(200, "GET", "/v1/events?conversation="+conv+"&after_seq=2", "", nil)
	if got := gap.body["events"].([]any); len(got) != 2 || got[0].(obj)["seq"] != 3.0 {
		t.Errorf("gap: got %s, want seq 3 and 4", gap.raw)
	}
	b.must(400, "GET", "/v1/events?after_seq=2", "", nil)
	b.must(204, "POST", "/v1/events:ack", "", obj{"cursor": first.str("cursor")}, "Idempotency-Key", "")
	if got := b.must(200, "GET", "/v1/events", "", nil); len(got.body["events"].([]any)) != 1 {
		t.Errorf("after ack: got %s, want one event", got.raw)
	}
	b.talk(9)
	if got := b.call("GET", "/v1/events?cursor="+first.str("cursor"), "", nil); got.status != 410 || got.str("code") != "stale_version" {
		t.Errorf("got %d %s, want 410 stale_version: the backlog forgot", got.status, got.raw)
	}
	b.must(410, "GET", "/v1/events?cursor=czzz", "", nil)
}

func TestPersonas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, func(c *simulator.Config) { c.SlowDelay = 3 * time.Second })
		defer b.run()()
		usr := b.enlist(romeo)
		began := time.Now()
		b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_slow", "Hello"))
		b.must(202, "POST", "/v1/messages", romeo, message("c2", usr, "gku_echo", "Hello"))
		pass(time.Minute)
		type seen struct {
			Peer, Type, What string
			After            time.Duration
		}
		var got []seen
		for _, e := range b.received("") {
			what, _ := e.Data["status"].(string)
			if c, ok := e.Data["content"].(obj); ok {
				what = c["text"].(string)
			}
			if e.Type == "typing" {
				what = e.Data["state"].(string)
			}
			peer := "echo"
			if e.at.Sub(began) > time.Second {
				peer = "slow"
			}
			got = append(got, seen{peer, e.Type, what, e.at.Sub(began)})
		}
		want := []seen{
			{"echo", "message.status", "delivered", 0},
			{"echo", "message.status", "read", 0},
			{"echo", "message.received", "Hello", 0},
			{"slow", "message.status", "delivered", 3 * time.Second},
			{"slow", "message.status", "read", 6 * time.Second},
			{"slow", "typing", "composing", 6 * time.Second},
			{"slow", "message.received", "Hello", 9 * time.Second},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
