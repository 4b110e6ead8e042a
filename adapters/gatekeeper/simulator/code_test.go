package simulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/gatekeeper/simulator"
)

const number = "+390451239009"

// byNumber is an enlistment that a code has to prove.
func byNumber(typ, value string, proof obj) obj {
	e := enlistment(value)
	e["identifier"] = obj{"type": typ, "value": value}
	if proof != nil {
		e["proof"] = proof
	}
	return e
}

// begin has a code sent, and gives its verification and what the owner of the number reads.
func (b *sandbox) begin(typ, value string) (verification, code string) {
	b.t.Helper()
	begun := b.must(202, "POST", "/v1/enlistments", value, byNumber(typ, value, nil))
	verification, _ = begun.body["verification"].(obj)["id"].(string)
	got := b.control("POST", "/wait", obj{"kind": "code", "user": value})
	items, _ := got["items"].([]any)
	if len(items) != 1 {
		b.t.Fatalf("codes for %s: got %v, want one", value, got)
	}
	view, _ := items[0].(obj)
	if view["verification_id"] != verification || view["client_id"] != "postern" {
		b.t.Fatalf("code: got %v, want one of %s", view, verification)
	}
	code, _ = view["code"].(string)
	return verification, code
}

func TestCode(t *testing.T) {
	b := newSandbox(t, nil)
	for _, id := range [][2]string{{"phone", number}, {"email", "Romeo@montague.example"}} {
		verification, code := b.begin(id[0], id[1])
		if len(code) != 6 {
			t.Fatalf("code: got %q, want six digits", code)
		}
		if got := b.call("GET", "/v1/blocks", id[1], nil); got.str("code") != "not_enlisted" {
			t.Errorf("before the proof: got %d %s, want not_enlisted", got.status, got.raw)
		}
		with := byNumber(id[0], id[1], obj{"verification_id": verification, "code": code})
		made := b.must(201, "POST", "/v1/enlistments", id[1], with)
		if got := b.call("POST", "/v1/enlistments", id[1], with); got.status != 410 || got.str("code") != "verification_expired" {
			t.Errorf("a code used twice: got %d %s, want 410 verification_expired", got.status, got.raw)
		}
		// That it is enlisted already is told to nobody who does not prove it.
		verification, code = b.begin(id[0], id[1])
		again := b.must(200, "POST", "/v1/enlistments", id[1], byNumber(id[0], id[1], obj{"verification_id": verification, "code": code}))
		if made.str("internal_id") == "" || again.str("internal_id") != made.str("internal_id") {
			t.Errorf("proved again: got %s, then %s; want the same", made.raw, again.raw)
		}
	}
	if got := b.call("POST", "/v1/enlistments", romeo, byNumber("jid", romeo, obj{"verification_id": "ver_1", "code": "123456"})); got.status != 400 || got.str("param") != "/proof" {
		t.Errorf("proof of a jid: got %d %s, want 400", got.status, got.raw)
	}
}

// TestCodeIsBound: a code proves what it was sent to, to the partner that asked.
func TestCodeIsBound(t *testing.T) {
	b := newSandbox(t, nil)
	verification, code := b.begin("phone", number)
	const other = "+390451239008"
	b.begin("phone", other)
	for _, id := range [][2]string{{"phone", other}, {"email", number}} {
		if got := b.call("POST", "/v1/enlistments", id[1], byNumber(id[0], id[1], obj{"verification_id": verification, "code": code})); got.str("code") != "verification_expired" {
			t.Errorf("%s by the code of another: got %d %s, want verification_expired", id, got.status, got.raw)
		}
	}
	stranger := newSandbox(t, nil)
	b.control("PUT", "/partners/stranger", simulator.Partner{JWKS: publicSet(t, stranger.key)})
	token, key := b.token, b.key
	b.token, b.key = "", stranger.key
	claims := b.claims("stranger")
	claims["iss"] = "stranger"
	b.token = b.askToken(b.jwt(claims)).str("access_token")
	claims = b.claims(number)
	claims["iss"] = "stranger"
	with := byNumber("phone", number, obj{"verification_id": verification, "code": code})
	if got := b.call("POST", "/v1/enlistments", number, with, "GIA-User-Assertion", b.jwt(claims)); got.str("code") != "verification_expired" {
		t.Errorf("by another partner: got %d %s, want verification_expired", got.status, got.raw)
	}
	b.token, b.key = token, key
	b.must(201, "POST", "/v1/enlistments", number, with)
}

// TestCodeEnds: by time, by five wrong guesses, by the next code; five codes an hour.
func TestCodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		try := func(verification, code string) *response {
			t.Helper()
			b.token = "" // it may be old
			return b.call("POST", "/v1/enlistments", number, byNumber("phone", number, obj{"verification_id": verification, "code": code}))
		}
		wants := func(what string, got *response, code string) {
			t.Helper()
			if got.str("code") != code {
				t.Errorf("%s: got %d %s, want %s", what, got.status, got.raw, code)
			}
		}
		late, lateCode := b.begin("phone", number)
		pass(10 * time.Minute)
		wants("after ten minutes", try(late, lateCode), "verification_expired")

		guessed, code := b.begin("phone", number)
		wrong := string('0'+(code[0]-'0'+1)%10) + code[1:]
		for range 5 {
			wants("wrong guess", try(guessed, wrong), "verification_failed")
		}
		wants("after five wrong guesses", try(guessed, code), "verification_expired")

		older, olderCode := b.begin("phone", number)
		newer, newerCode := b.begin("phone", number)
		wants("the older code", try(older, olderCode), "verification_expired")
		b.begin("phone", "+390451239008") // another number has codes of its own
		b.begin("phone", number)
		got := b.call("POST", "/v1/enlistments", number, byNumber("phone", number, nil))
		if got.status != 429 || got.header.Get("Retry-After") != "3000" {
			t.Errorf("sixth code: got %d %s, Retry-After %q; want 429 for the rest of the hour", got.status, got.raw, got.header.Get("Retry-After"))
		}
		wants("replaced", try(newer, newerCode), "verification_expired")
		pass(50 * time.Minute)
		b.token = ""
		newest, code := b.begin("phone", number)
		if got := try(newest, code); got.status != 201 {
			t.Errorf("right code: got %d %s, want 201", got.status, got.raw)
		}
	})
}
