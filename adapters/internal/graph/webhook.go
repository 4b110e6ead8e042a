package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// AppSecretFrom says where an operator gets the secret that signs webhooks and proves calls.
const AppSecretFrom = "the app's secret: https://developers.facebook.com/apps, your app, App settings, Basic, App secret"

// HeaderSignature holds "sha256=" and the HMAC-SHA256 of the raw body in hexadecimal. An older X-Hub-Signature with SHA-1 may stand
// beside it; it is never looked at.
const HeaderSignature = "X-Hub-Signature-256"

// Reasons of a refusal, for metrics. None says which part of a signature was wrong.
var (
	ErrMissing   = errors.New("graph: verify: signature missing")
	ErrMalformed = errors.New("graph: verify: signature malformed")
	ErrSignature = errors.New("graph: verify: no signature matches")
)

// Secrets are the secrets of one app: the first proves our calls, any of them may have signed a webhook, so that a secret is replaced
// by putting the new one in front. The zero value refuses everything.
type Secrets struct{ keys [][]byte }

// NewSecrets takes app secrets, at least one.
func NewSecrets(secrets ...string) (*Secrets, error) {
	s := &Secrets{}
	for i, k := range secrets {
		// An app secret is 32 hexadecimal digits; shorter ones are typing errors that anybody could guess.
		if len(k) < 16 {
			return nil, fmt.Errorf("graph: app secret %d: is too short", i+1)
		}
		s.keys = append(s.keys, []byte(k))
	}
	if len(s.keys) == 0 {
		return nil, errors.New("graph: no app secret")
	}
	return s, nil
}

// String hides the secrets from every print verb.
func (s *Secrets) String() string { return fmt.Sprintf("graph.Secrets(%d)", len(s.keys)) }

// GoString hides the secrets from %#v.
func (s *Secrets) GoString() string { return s.String() }

// Verify checks a webhook's signature over its raw body, in constant time and against every secret. The signature holds no time: a
// body that comes again is known by the ids of its events ("Webhooks, Validating Payloads").
func (s *Secrets) Verify(h http.Header, body []byte) error {
	given := h.Get(HeaderSignature)
	if given == "" {
		return ErrMissing
	}
	encoded, ok := strings.CutPrefix(given, "sha256=")
	raw, err := hex.DecodeString(encoded)
	if !ok || err != nil || len(raw) != sha256.Size {
		return ErrMalformed
	}
	matches := false
	for _, key := range s.keys {
		matches = hmac.Equal(sum(key, body), raw) || matches
	}
	if !matches {
		return ErrSignature
	}
	return nil
}

// Proof is the appsecret_proof of a token: who has stolen the token alone cannot use it ("Secure Graph API Calls").
func (s *Secrets) Proof(token string) string {
	if len(s.keys) == 0 {
		return ""
	}
	return hex.EncodeToString(sum(s.keys[0], []byte(token)))
}

// first is the secret in use.
func (s *Secrets) first() string {
	if len(s.keys) == 0 {
		return ""
	}
	return string(s.keys[0])
}

func sum(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// Sign is the value of HeaderSignature for a body, as simulators send it.
func Sign(secret string, body []byte) string {
	return "sha256=" + hex.EncodeToString(sum([]byte(secret), body))
}

// Challenge answers the GET by which Meta checks an address: the hub.challenge of a request that holds our verify token. ok is false
// for every other request ("Webhooks, Verification Requests").
func Challenge(query map[string][]string, verifyToken string) (answer []byte, ok bool) {
	one := func(name string) string {
		if v := query[name]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
	challenge := one("hub.challenge")
	if one("hub.mode") != "subscribe" || challenge == "" || verifyToken == "" {
		return nil, false
	}
	if subtle.ConstantTimeCompare([]byte(one("hub.verify_token")), []byte(verifyToken)) != 1 {
		return nil, false
	}
	return []byte(challenge), true
}
