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

func TestExpiring(t *testing.T) {
	e := newExpiring[int](2)
	t0 := time.Unix(0, 0)
	if !e.add("a", 1, t0.Add(time.Minute), t0) || e.add("a", 2, t0.Add(time.Minute), t0) {
		t.Error("a living entry is added once")
	}
	if !e.add("a", 3, t0.Add(3*time.Minute), t0.Add(2*time.Minute)) {
		t.Error("an ended entry is replaced")
	}
	e.add("b", 4, t0.Add(9*time.Minute), t0)
	e.add("c", 5, t0.Add(9*time.Minute), t0)
	if _, ok := e.get("a", t0); ok || len(e.entries) != 2 {
		t.Errorf("got %d entries, a %v; want 2 and the oldest gone", len(e.entries), ok)
	}
}

func TestRing(t *testing.T) {
	r := ring[int]{max: 3}
	for i := range 5 {
		r.add(i + 1)
	}
	got, next := r.after(0, 2)
	if len(got) != 2 || got[0] != 3 || got[1] != 4 || next != 4 {
		t.Errorf("got %v next %d, want [3 4] next 4", got, next)
	}
	if got, next = r.after(next, 2); len(got) != 1 || got[0] != 5 || next != 5 {
		t.Errorf("got %v next %d, want [5] next 5", got, next)
	}
}
