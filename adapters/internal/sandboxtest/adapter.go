package sandboxtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"postern/adapters"
	"postern/gateway"
)

// Type is an adapter's place in adapters.All.
func Type(t testing.TB, name string) adapters.Type {
	t.Helper()
	all := adapters.All()
	n := slices.IndexFunc(all, func(e adapters.Type) bool { return e.Name == name })
	if n < 0 {
		t.Fatalf("adapters.All has no %s", name)
	}
	return all[n]
}

// Open makes an adapter as the program does.
func Open[A gateway.Adapter](t testing.TB, name string, cfg adapters.Config, deps adapters.Deps) A {
	t.Helper()
	opened, err := Type(t, name).New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	a, ok := opened.(A)
	if !ok {
		t.Fatalf("New: got %T", opened)
	}
	return a
}

// Secret writes a file that a configuration names.
func Secret(t testing.TB, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Key makes a P-256 key in PEM.
func Key(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Client makes requests on connections that end with the test.
func Client(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Counting is a client that counts its requests.
func Counting(n *int) *http.Client {
	return &http.Client{Transport: RoundTrip(func(r *http.Request) (*http.Response, error) {
		*n++
		return http.DefaultTransport.RoundTrip(r)
	})}
}

// RoundTrip is an http.RoundTripper of one function.
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f RoundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
