package doctor

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fakeRedis says that it is of a version, and what time it is, ahead of ours; it knows nothing else.
func fakeRedis(t *testing.T, info string, ahead time.Duration) (url string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, info, ahead)
		}
	}()
	return "redis://" + l.Addr().String() + "/0"
}

// serve reads commands as clients write them: *N, then for each word its length and itself.
func serve(conn net.Conn, info string, ahead time.Duration) {
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		var n, size int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
			return
		}
		var words []string
		for range n {
			if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
				return
			}
			word := make([]byte, size+2)
			if _, err := io.ReadFull(r, word); err != nil {
				return
			}
			words = append(words, strings.ToLower(string(word[:size])))
		}
		answer := "-ERR unknown command\r\n"
		switch words[0] {
		case "info":
			answer = fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
		case "time":
			s := strconv.FormatInt(time.Now().Add(ahead).Unix(), 10)
			answer = fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$1\r\n0\r\n", len(s), s)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func TestOldRedis(t *testing.T) {
	url := fakeRedis(t, "redis_version:6.0.16\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\nconnected_slaves:0\r\naof_last_write_status:err\r\n", time.Minute)
	v := rig(t, url, "p:", "", Options{Now: time.Now})
	v.redis(t.Context())
	v.want(t, Fault, "is of version 6.0.16")
	v.want(t, Fault, "failed at its last try of appending to the append-only file")
	v.want(t, Loss, "of this machine are ")
	v.want(t, Fault, "Redis takes no writes")
}

func TestNoRedis(t *testing.T) {
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
	v.redis(t.Context())
	v.want(t, Fault, "Redis does not answer")
	if j := v.join(context.Background(), v.parts.Instances[0], "x"); j.level != Loss || !strings.Contains(j.how, "without the store") {
		t.Errorf("got %s %q, want that nobody joins", j.level, j.how)
	}
	v.cfg.Store.Memory = true
	v.redis(t.Context())
	v.want(t, Loss, "store.memory is true")
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{"6.2.0": true, "7.0.15": true, "10.0": true, "6.1.9": false, "5.9": false, "": false, "x.y": false, "6": false} {
		if got := atLeast(version, oldest); got != want {
			t.Errorf("%q: got %v, want %v", version, got, want)
		}
	}
}

// overAt makes a certificate for 127.0.0.1 that ends at a time.
func overAt(t *testing.T, end time.Time) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}
