package simulator

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// The published vector of Standard Webhooks (its libraries' test of Sign).
func TestSignV1Vector(t *testing.T) {
	key, err := decodeSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signV1(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSignV1a(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	raw, ok := strings.CutPrefix(signV1a(key, "evt_1", time.Unix(1, 0), []byte("{}")), "v1a,")
	if !ok {
		t.Fatalf("got %q, want a v1a signature", raw)
	}
	sig, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("evt_1.1.{}"), sig) {
		t.Error("the signature does not match id.timestamp.body")
	}
}

func TestDecodeSecret(t *testing.T) {
	for _, bad := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 76))} {
		if _, err := decodeSecret(bad); err == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
	if _, err := decodeSecret(newSecret()); err != nil {
		t.Errorf("own secret: %v", err)
	}
}
