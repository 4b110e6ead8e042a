package webhook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"postern/adapters/internal/webhook"
)

// The vector that the Standard Webhooks reference libraries share: one id, time and body, signed under both schemes.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorSeed   = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorUnix   = 1614265330
	vectorBody   = `{"test": 2432232314}`
	vectorV1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	vectorV1a    = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)

func vectorPublic(t *testing.T) string {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString(vectorSeed)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return "whpk_" + base64.StdEncoding.EncodeToString(public)
}

func TestVerify(t *testing.T) {
	const otherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	now := time.Unix(vectorUnix, 0)
	tests := []struct {
		name      string
		keys      []string
		id        string
		stamp     string
		signature string
		body      string
		now       time.Time
		want      error
	}{
		{name: "v1 vector"},
		{name: "v1a vector", keys: []string{vectorPublic(t)}, signature: vectorV1a},
		{name: "second secret during rotation", keys: []string{otherSecret, vectorSecret}},
		{name: "first secret during rotation", keys: []string{vectorSecret, otherSecret}},
		{name: "several signatures, one ours", signature: "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= " + vectorV1},
		{name: "both schemes, one key", signature: vectorV1a + " " + vectorV1},
		{name: "garbage beside a good one", signature: "v1,!!! v9 , " + vectorV1},
		{name: "good one after too many", signature: strings.Repeat("v1,AAAA ", 16) + vectorV1, want: webhook.ErrSignature},
		{name: "other secret", keys: []string{otherSecret}, want: webhook.ErrSignature},
		{name: "changed byte", body: `{"test": 2432232315}`, want: webhook.ErrSignature},
		{name: "other id", id: "msg_other", want: webhook.ErrSignature},
		{name: "other time", stamp: "1614265331", want: webhook.ErrSignature},
		{name: "v1 signature called v1a", signature: strings.Replace(vectorV1, "v1,", "v1a,", 1), want: webhook.ErrSignature},
		{name: "unknown scheme", signature: strings.Replace(vectorV1, "v1,", "v2,", 1), want: webhook.ErrSignature},
		{name: "five minutes late", now: now.Add(5 * time.Minute)},
		{name: "later still", now: now.Add(5*time.Minute + time.Second), want: webhook.ErrStale},
		{name: "five minutes early", now: now.Add(-5 * time.Minute)},
		{name: "earlier still", now: now.Add(-5*time.Minute - time.Second), want: webhook.ErrStale},
		{name: "no time", stamp: "-", want: webhook.ErrMissing},
		{name: "no id", id: "-", want: webhook.ErrMissing},
		{name: "no signature", signature: "-", want: webhook.ErrMissing},
		{name: "time is no number", stamp: "yesterday", want: webhook.ErrMalformed},
		{name: "id with a full stop", id: "msg.1", want: webhook.ErrMalformed},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if tc.keys == nil {
				tc.keys = []string{vectorSecret}
			}
			v, err := webhook.NewVerifier(tc.keys...)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			for _, f := range []struct{ name, value, vector string }{
				{webhook.HeaderID, tc.id, vectorID},
				{webhook.HeaderTimestamp, tc.stamp, fmt.Sprint(vectorUnix)},
				{webhook.HeaderSignature, tc.signature, vectorV1},
			} {
				switch f.value {
				case "-":
				case "":
					h.Set(f.name, f.vector)
				default:
					h.Set(f.name, f.value)
				}
			}
			body := vectorBody
			if tc.body != "" {
				body = tc.body
			}
			if tc.now.IsZero() {
				tc.now = now
			}
			id, err := v.Verify(h, []byte(body), tc.now)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Verify: got error %v, want %v", err, tc.want)
			}
			if tc.want == nil && id != h.Get(webhook.HeaderID) {
				t.Errorf("id: got %q, want %q", id, h.Get(webhook.HeaderID))
			}
		})
	}
}

// TestSecondImplementation checks against the project's own library on bodies that no vector covers.
func TestSecondImplementation(t *testing.T) {
	v, err := webhook.NewVerifier(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	other, err := standardwebhooks.NewWebhook(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1793500000, 0)
	for _, body := range []string{"", "{}", "\x00\xff%s%d", strings.Repeat("ü", 70000)} {
		sig, err := other.Sign("evt_1", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set(webhook.HeaderID, "evt_1")
		h.Set(webhook.HeaderTimestamp, fmt.Sprint(now.Unix()))
		h.Set(webhook.HeaderSignature, sig)
		if _, err := v.Verify(h, []byte(body), now); err != nil {
			t.Errorf("body of %d bytes signed by the library: got %v, want nil", len(body), err)
		}
		if _, err := v.Verify(h, []byte(body+" "), now); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("body of %d bytes with one more: got %v, want %v", len(body), err, webhook.ErrSignature)
		}
	}
}

func TestNewVerifier(t *testing.T) {
	for _, keys := range [][]string{
		nil,
		{""},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		{"whsec_"},
		{"whsec_plJ3nmyCDGBKInavdOK15jsl"},
		{"whsec_%%%"},
		{"whpk_AAAA"},
		{vectorSecret, "whsk_AAAA"},
		{"whsec_" + strings.Repeat("A", 88)},
	} {
		if _, err := webhook.NewVerifier(keys...); err == nil {
			t.Errorf("NewVerifier(%q): got no error, want one", keys)
		} else if strings.Contains(err.Error(), "plJ3") {
			t.Errorf("NewVerifier(%q): error tells the key: %v", keys, err)
		}
	}
}

func TestVerifierHidesKeys(t *testing.T) {
	v, err := webhook.NewVerifier(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got, want := fmt.Sprintf(verb, v), "webhook.Verifier(1 secrets, 0 public keys)"; got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}
