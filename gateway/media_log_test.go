package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

// TestFileCause: the log says why a file went nowhere, and not which host a user wrote.
func TestFileCause(t *testing.T) {
	away := func(err error) error { return &FileError{Reason: FileAway, Err: err} }
	dns := &net.DNSError{Name: "secret.example", Err: "no such host", IsNotFound: true}
	for _, tt := range []struct {
		direction string
		err       error
		want      string
	}{
		{"out", nil, ""},
		{"out", away(errors.New("status 503")), "file: away: status 503"},
		{"out", &SendError{Class: Retryable, Code: "429"}, (&SendError{Class: Retryable, Code: "429"}).Error()},
		{"out", away(&net.OpError{Op: "dial", Net: "tcp", Err: dns}), "file: away: name not resolved"},
		{"out", away(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("secret")}), "file: away: network"},
		{"out", away(&tls.CertificateVerificationError{Err: errors.New("secret")}), "file: away: certificate"},
		{"in", away(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}), "file: away: dial tcp: refused"},
	} {
		if got := fileCause(tt.direction, tt.err); got != tt.want {
			t.Errorf("%s, %v: got %q, want %q", tt.direction, tt.err, got, tt.want)
		}
	}
}
