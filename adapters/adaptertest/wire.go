package adaptertest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Wire stands between an adapter and its fake platform. It is an http.RoundTripper.
type Wire struct {
	base *http.Transport
	aim  func(*http.Request) bool

	mu    sync.Mutex
	check func(*http.Request) error
	// rule decides about the n-th aimed request since it was set; nil lets all pass.
	rule  func(n int) Fault
	all   func(n int) Fault // the same for every request, aimed or not
	n     int
	total int
	seen  []Seen
	bad   []error
	// free ends every hang.
	free  chan struct{}
	freed bool
	// begun counts requests whose body is a stream, pulled the bytes of answers that were read.
	begun  int
	pulled int64
}

// Seen is one aimed request.
type Seen struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Fault is what happens to one request; the zero value lets it pass.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration
	// Status, Header and Body are the answer of FaultAnswer.
	Status int
	Header http.Header
	Body   string
}

// FaultKind says where a request fails.
type FaultKind int

// Faults.
const (
	FaultNone   FaultKind = iota
	FaultDial             // the connection is refused: nothing was sent
	FaultHang             // nothing happens until the caller gives up
	FaultLose             // the platform acts on the request, and the answer is lost to a time-out
	FaultAnswer           // Status, Header and Body are answered; the platform never sees the request
	FaultTLS              // the server shows a certificate that nobody signed: nothing was sent
)

func newWire(aim func(*http.Request) bool) *Wire {
	if aim == nil {
		aim = func(*http.Request) bool { return true }
	}
	return &Wire{base: &http.Transport{}, aim: aim, free: make(chan struct{})}
}

// Set makes rule decide about aimed requests from now on.
func (w *Wire) Set(rule func(n int) Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rule, w.n = rule, 0
}

// SetAll makes rule decide about every request from now on, before the rule of Set is asked.
func (w *Wire) SetAll(rule func(n int) Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = rule
}

// always is a rule that gives every aimed request the same fault.
func always(f Fault) func(int) Fault { return func(int) Fault { return f } }

// Total is how many requests there were, aimed or not.
func (w *Wire) Total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// Take returns the aimed requests since the last call.
func (w *Wire) Take() []Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// problems returns what Check found.
func (w *Wire) problems() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad
}

// note records a request and returns its fault.
func (w *Wire) note(r *http.Request, body []byte) Fault {
	aimed := w.aim(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	if w.check != nil {
		probe := r.Clone(r.Context())
		probe.Body = io.NopCloser(bytes.NewReader(body))
		if err := w.check(probe); err != nil {
			w.bad = append(w.bad, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err))
		}
	}
	if w.all != nil {
		return w.all(w.total)
	}
	if !aimed {
		return Fault{}
	}
	w.seen = append(w.seen, Seen{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body})
	w.n++
	if w.rule == nil {
		return Fault{}
	}
	return w.rule(w.n)
}

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		// As http.Transport does: a request whose caller gave up is none.
		return nil, err
	}
	if streams(r) {
		return w.stream(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	f := w.note(r, body)
	r = r.Clone(r.Context())
	if body != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	switch f.Kind {
	case FaultNone:
	case FaultDial:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case FaultTLS:
		return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	case FaultHang:
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-w.free:
			return nil, errFreed
		}
	case FaultAnswer:
		return answered(r, f), nil
	case FaultLose:
		resp, err := w.base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: errors.Join(os.ErrDeadlineExceeded, err, resp.Body.Close())}
	}
	resp, err := w.base.RoundTrip(r)
	if err == nil {
		resp.Body = &counted{ReadCloser: resp.Body, wire: w}
	}
	return resp, err
}

// answered is the answer of a FaultAnswer.
func answered(r *http.Request, f Fault) *http.Response {
	header := http.Header{}
	for name, values := range f.Header {
		for _, v := range values {
			header.Add(name, strings.ReplaceAll(v, echoed, r.URL.RequestURI()))
		}
	}
	f.Body = strings.ReplaceAll(f.Body, echoed, r.URL.RequestURI())
	return &http.Response{
		StatusCode: f.Status, Status: http.StatusText(f.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader([]byte(f.Body))), ContentLength: int64(len(f.Body)), Request: r,
	}
}

// release frees requests that hang although their caller gave up, so that a broken adapter cannot hang the kit.
func (w *Wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.freed {
		w.freed = true
		close(w.free)
	}
}

// echoed stands for the path of the request in the header or body of an answer.
const echoed = "{path}"

var errFreed = errors.New("adaptertest: the kit gave up waiting")
