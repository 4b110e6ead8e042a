package simulator

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const (
	secretPrefix = "whsec_"
	webhookKid   = "webhook-1"
)

// decodeSecret reads "whsec_" and base64 (Standard Webhooks, Signature scheme: 24 to 64 bytes; GIA allows 75).
func decodeSecret(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, errors.New("does not start with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	if len(key) < 24 || len(key) > 75 {
		return nil, fmt.Errorf("has %d bytes, want 24 to 75", len(key))
	}
	return key, nil
}

func newSecret() string {
	key := make([]byte, 32)
	rand.Read(key) // crypto/rand.Read never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// signedContent is what both schemes sign (Standard Webhooks, Signature scheme: id.timestamp.payload).
func signedContent(id string, at time.Time, body []byte) []byte {
	out := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	return out
}

// signV1 is the HMAC-SHA256 signature, as "v1,<base64>".
func signV1(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(signedContent(id, at, body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signV1a is the Ed25519 signature, as "v1a,<base64>".
func signV1a(key ed25519.PrivateKey, id string, at time.Time, body []byte) string {
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, signedContent(id, at, body)))
}

// publicKeySet is the gatekeeper's JWKS.
func publicKeySet(key ed25519.PrivateKey) ([]byte, error) {
	pub, err := jwk.Import(key.Public())
	if err != nil {
		return nil, fmt.Errorf("simulator: signing key: %w", err)
	}
	for name, value := range map[string]any{jwk.KeyIDKey: webhookKid, jwk.AlgorithmKey: jwa.EdDSA(), jwk.KeyUsageKey: jwk.ForSignature} {
		if err := pub.Set(name, value); err != nil {
			return nil, fmt.Errorf("simulator: signing key: %w", err)
		}
	}
	set := jwk.NewSet()
	if err := set.AddKey(pub); err != nil {
		return nil, fmt.Errorf("simulator: signing key: %w", err)
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("simulator: signing key: %w", err)
	}
	return raw, nil
}

// receiptJWT states what was erased and when, signed by the gatekeeper.
func receiptJWT(key ed25519.PrivateKey, iss, sub string, at time.Time) (string, error) {
	payload, err := json.Marshal(map[string]any{"iss": iss, "sub": sub, "iat": at.Unix(), "erased": true})
	if err != nil {
		return "", fmt.Errorf("simulator: receipt: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.KeyIDKey, webhookKid); err != nil {
		return "", fmt.Errorf("simulator: receipt: %w", err)
	}
	out, err := jws.Sign(payload, jws.WithKey(jwa.EdDSA(), key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("simulator: receipt: %w", err)
	}
	return string(out), nil
}
