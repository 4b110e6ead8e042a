package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxSecret is the most bytes of a file with one secret.
const maxSecret = 4096

// readSecret returns a file's one line.
func readSecret(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(raw))
	if s == "" || len(raw) > maxSecret || strings.ContainsAny(s, "\n\r\x00") {
		return "", fmt.Errorf("%s: want one line with a secret", file)
	}
	return s, nil
}

// secret returns the component secret of an adapter.
func (a Adapter) secret() (string, error) {
	if a.SecretFile == "" {
		return string(a.Secret), nil
	}
	return readSecret(a.SecretFile)
}

// clientTLS is how the components talk with the XMPP server; nil for plain text.
func (t ServerTLS) clientTLS(host string) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		out.ServerName = t.ServerName
	}
	if t.CAFile == "" {
		return out, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, err
	}
	out.RootCAs = x509.NewCertPool()
	if !out.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", t.CAFile)
	}
	return out, nil
}

// certificate serves the public listener's certificate and reads it again when its files change: renewals need no restart.
type certificate struct {
	files HTTPTLS

	mu      sync.Mutex
	checked time.Time
	pem     []byte
	cert    *tls.Certificate
}

// certificateCheck is how often the files are looked at.
const certificateCheck = time.Minute

// newCertificate reads the files once, so that a mistake shows at start.
func newCertificate(files HTTPTLS) (*certificate, error) {
	c := &certificate{files: files}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.current}
}

func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) > certificateCheck {
		if err := c.load(); err != nil && c.cert == nil {
			return nil, err // an unreadable renewal keeps the old one
		}
	}
	return c.cert, nil
}

func (c *certificate) load() error {
	c.checked = time.Now()
	certPEM, err := os.ReadFile(c.files.CertFile)
	if err != nil {
		return err
	}
	keyPEM, err := os.ReadFile(c.files.KeyFile)
	if err != nil {
		return err
	}
	both := slices.Concat(certPEM, keyPEM)
	if bytes.Equal(both, c.pem) {
		return nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	c.cert, c.pem = &pair, both
	return nil
}
