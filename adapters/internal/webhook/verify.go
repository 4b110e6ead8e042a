package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a signed call ("Webhook Headers" in the specification).
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far a timestamp may lie from our clock, either way. The specification leaves the value to the receiver; its libraries use this one.
const Tolerance = 5 * time.Minute

// maxSignatures bounds how many signatures of one header are tried: a rotation needs two, an attacker would like thousands.
const maxSignatures = 16

// Reasons of a refusal, for metrics. None says which part of a signature was wrong.
var (
	ErrMissing   = errors.New("webhook: verify: header missing")
	ErrMalformed = errors.New("webhook: verify: header malformed")
	ErrStale     = errors.New("webhook: verify: timestamp outside the tolerance")
	ErrSignature = errors.New("webhook: verify: no signature matches")
)

// Verifier knows the keys of one sender. The zero value refuses everything.
type Verifier struct {
	secrets [][]byte
	keys    []ed25519.PublicKey
}

// NewVerifier takes the keys as the specification writes them: "whsec_" and base64 for a shared secret of v1, "whpk_" and
// base64 for an Ed25519 public key of v1a. Several keys are valid at once while a sender rotates.
func NewVerifier(keys ...string) (*Verifier, error) {
	v := &Verifier{}
	for i, k := range keys {
		secret, isSecret := strings.CutPrefix(k, "whsec_")
		public, isPublic := strings.CutPrefix(k, "whpk_")
		switch {
		case isSecret:
			raw, err := base64.StdEncoding.DecodeString(secret)
			// Signature scheme, "between 24 bytes (192 bits) and 64 bytes (512 bits)".
			if err != nil || len(raw) < 24 || len(raw) > 64 {
				return nil, fmt.Errorf("webhook: key %d: want whsec_ and 24 to 64 bytes in base64", i+1)
			}
			v.secrets = append(v.secrets, raw)
		case isPublic:
			raw, err := base64.StdEncoding.DecodeString(public)
			if err != nil || len(raw) != ed25519.PublicKeySize {
				return nil, fmt.Errorf("webhook: key %d: want whpk_ and 32 bytes in base64", i+1)
			}
			v.keys = append(v.keys, raw)
		default:
			return nil, fmt.Errorf("webhook: key %d: want a key that starts with whsec_ or whpk_", i+1)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("webhook: no key")
	}
	return v, nil
}

// String hides the keys from every print verb.
func (v *Verifier) String() string {
	return fmt.Sprintf("webhook.Verifier(%d secrets, %d public keys)", len(v.secrets), len(v.keys))
}

// GoString hides the keys from %#v.
func (v *Verifier) GoString() string { return v.String() }

// Verify checks a call's signature over its raw body and its age against now. It returns the webhook id, which stays the
// same when the sender repeats the call. Comparison is in constant time.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) (id string, err error) {
	id, stamp, given := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	if id == "" || stamp == "" || given == "" {
		return "", ErrMissing
	}
	// The id may not hold a full stop, or "id.timestamp.body" could be cut in two ways.
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || unix < 0 || strings.ContainsRune(id, '.') {
		return "", ErrMalformed
	}
	if age := now.Sub(time.Unix(unix, 0)); age > Tolerance || age < -Tolerance {
		return "", ErrStale
	}
	signed := signedContent(id, stamp, body)
	for i, s := range strings.Fields(given) {
		if i == maxSignatures {
			break
		}
		if v.matches(s, signed) {
			return id, nil
		}
	}
	return "", ErrSignature
}

// signedContent is "msg_id.timestamp.payload", the timestamp as it was sent.
func signedContent(id, stamp string, body []byte) []byte {
	signed := make([]byte, 0, len(id)+len(stamp)+len(body)+2)
	signed = append(append(signed, id...), '.')
	signed = append(append(signed, stamp...), '.')
	return append(signed, body...)
}

func (v *Verifier) matches(signature string, signed []byte) bool {
	scheme, encoded, _ := strings.Cut(signature, ",")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	ok := false
	switch scheme {
	case "v1":
		for _, secret := range v.secrets {
			mac := hmac.New(sha256.New, secret)
			mac.Write(signed)
			ok = hmac.Equal(mac.Sum(nil), raw) || ok
		}
	case "v1a":
		for _, key := range v.keys {
			ok = ed25519.Verify(key, signed, raw) || ok
		}
	}
	return ok
}
