package adaptertest

import (
	"io"
	"net/http"
	"strings"
)

// streams tells a request whose body is a file: it is passed on as it comes, because what is measured is that it comes in pieces.
func streams(r *http.Request) bool {
	typ := r.Header.Get("Content-Type")
	if strings.HasPrefix(typ, "multipart/form-data") { // small ones are looked at like any request
		return r.ContentLength < 0 || r.ContentLength > buffered
	}
	return r.Body != nil && r.Body != http.NoBody && typ != "" && !strings.Contains(typ, "json") && !strings.Contains(typ, "form") && !strings.HasPrefix(typ, "multipart/")
}

// stream passes a file on. The rules of Set and SetAll count it, but of their faults only delivery is played.
func (w *Wire) stream(r *http.Request) (*http.Response, error) {
	probe := r.Clone(r.Context())
	probe.Body = nil
	if f := w.note(probe, []byte("(a stream)")); f.Kind == FaultAnswer {
		return answered(r, f), nil
	}
	w.mu.Lock()
	w.begun++
	w.mu.Unlock()
	return w.base.RoundTrip(r)
}

// begunStreams is how many requests with a file as body reached the wire.
func (w *Wire) begunStreams() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

// pulledBytes is how much of all answers was read.
func (w *Wire) pulledBytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pulled
}

// counted counts what is read of an answer.
type counted struct {
	io.ReadCloser
	wire *Wire
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.wire.mu.Lock()
	c.wire.pulled += int64(n)
	c.wire.mu.Unlock()
	return n, err
}
