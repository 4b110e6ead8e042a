package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certLife is longer than any lab stays up; clocks of the machine may differ by as much backwards.
const certLife = 30 * 24 * time.Hour

// authority signs the certificates of a lab's servers and lives as long as the lab.
type authority struct {
	file string // its certificate, PEM
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// CA returns the authority behind the https addresses of the lab's servers: a file in PEM, for programs, and a pool, for Go.
// It is made when it is first asked for.
func (l *Lab) CA() (file string, pool *x509.CertPool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ca == nil {
		if l.ca, err = newAuthority(l.dir); err != nil {
			return "", nil, err
		}
	}
	return l.ca.file, l.ca.pool, nil
}

func newAuthority(dir string) (*authority, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("lab: authority: %w", err)
	}
	a := &authority{file: filepath.Join(dir, "ca.pem"), pool: x509.NewCertPool(), key: key}
	now := time.Now()
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Postern lab"},
		NotBefore: now.Add(-certLife), NotAfter: now.Add(certLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	text, err := a.sign(a.cert, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	a.pool.AppendCertsFromPEM(text)
	if err := os.WriteFile(a.file, text, 0o644); err != nil { //nolint:gosec // everybody may know whom to trust
		return nil, fmt.Errorf("lab: %w", err)
	}
	return a, nil
}

func (a *authority) sign(cert *x509.Certificate, key *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("lab: sign: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Certificate writes a certificate for loopback, signed by CA, and its key into a directory, for a program of the lab's user.
func (l *Lab) Certificate(dir string) (cert, key string, err error) {
	err = l.certify(dir, account{})
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), err
}

// certify writes a certificate for loopback, cert.pem, and its key, key.pem, into a server's directory.
func (l *Lab) certify(dir string, acct account) error {
	if _, _, err := l.CA(); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("lab: certificate: %w", err)
	}
	now := time.Now()
	cert, err := l.ca.sign(&x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-certLife), NotAfter: now.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, &key.PublicKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("lab: certificate: %w", err)
	}
	if err := writeFile(filepath.Join(dir, "cert.pem"), string(cert), acct); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), acct)
}
