package gateway_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// A contact's record stays short with a picture: sealing adds 29 bytes, and with 250 it keeps its budget in Redis (redisstore.TestMemory).
func TestContactWithPictureIsShort(t *testing.T) {
	c := gateway.Contact{
		ID: "usr_01J0ABCDEFGHJKMNPQRSTVWXYZ", Chat: "cnv_01J0ABCDEFGHJKMNPQRSTVWXYZ", Name: "Juliet Capulet", Subscribed: true, Follows: true,
		Avatar: gateway.Avatar{SHA1: strings.Repeat("a1", 20), MIME: "image/jpeg", Size: 61_440, Width: 192, Height: 192, Of: "abcdefgh"}, LookAfter: 1_763_800_000, Intro: "abcdefgh",
	}
	raw, err := json.Marshal(c)
	if err != nil || len(raw) > 221 {
		t.Errorf("got %d bytes, %v: %s", len(raw), err, raw)
	}
	var back gateway.Contact
	if err := json.Unmarshal(raw, &back); err != nil || back != c {
		t.Errorf("got %+v, %v, want %+v", back, err, c)
	}
	if raw, err = json.Marshal(gateway.Contact{ID: "x"}); err != nil || string(raw) != `{"i":"x"}` {
		t.Errorf("got %s, %v", raw, err)
	}
}

// The bytes of a picture are kept for a while; then the platform is asked for them again.
func TestPictureIsFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"] = "the face"
		p.paint("juliet", "Juliet", "face1")
		juliet := r.contact("juliet")
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		sha := r.card(juliet).Avatar.SHA1
		r.dropPicture(sha)
		if _, err := r.gw.Picture(t.Context(), phone, juliet, sha); !errors.Is(err, gateway.ErrPictureGone) {
			t.Fatalf("got %v, want that it has gone", err)
		}
		pic, err := r.gw.RecallPicture(t.Context(), phone, juliet, sha)
		if err != nil || pic.SHA1 != sha || len(pic.Bytes) == 0 {
			t.Errorf("got %+v, %v", pic, err)
		}
		// Where it has gone for good, that is the answer.
		r.dropPicture(sha)
		p.mu.Lock()
		p.away = &gateway.SendError{Class: gateway.Retryable}
		p.mu.Unlock()
		if _, err := r.gw.RecallPicture(t.Context(), phone, juliet, sha); !errors.Is(err, gateway.ErrNoPicture) {
			t.Errorf("got %v, want none", err)
		}
	})
}
