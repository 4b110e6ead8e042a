package gatekeeper

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"errors"

	"postern/adapters/internal/guide"
	"postern/adapters/internal/rest"
)

//go:embed example.yaml
var example string

// Setup is what an operator is asked: whom we talk to, and as whom. Our own secrets are made.
func Setup() guide.Guide {
	return guide.Guide{Example: example, Keys: []guide.Key{
		{
			Name: "base_url", Ask: "URL of the gatekeeper (the default is that of postern sandbox)", Required: true,
			Default: guide.Always("http://127.0.0.1:8490"), Check: wantURL,
		},
		{Name: "client_id", Ask: "Our client id at the gatekeeper", Required: true, Default: guide.Always("postern")},
		{Name: "key_file", File: "pem", Make: NewSigningKey},
		{Name: "webhook_secret_file", File: "webhook", Make: newWebhookSecret},
		{Name: "terms_url", Ask: "URL of the gatekeeper's terms, which users read before they consent (may be empty)"},
		{Name: "terms_version", Ask: "Version of these terms: another one there stops enlistments until you have read it (may be empty)"},
	}}
}

func wantURL(s string) error {
	if _, err := rest.ParseBase(s); err != nil {
		return errors.New("want an absolute https:// or http:// URL without user, query and fragment")
	}
	return nil
}

// NewSigningKey makes the P-256 key that our assertions are signed with (ES256), in PKCS #8 and PEM.
func NewSigningKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// newWebhookSecret makes a secret in the form of Standard Webhooks.
func newWebhookSecret() (string, error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return "whsec_" + base64.StdEncoding.EncodeToString(raw) + "\n", nil
}
