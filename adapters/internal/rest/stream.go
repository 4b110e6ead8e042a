package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Upload is a call whose body is a stream of a known length. It ends with ctx, not with the client's timeout: how long a file
// takes is its caller's to say.
type Upload struct {
	Call
	From io.Reader
	Size int64
	MIME string
}

// Put sends a stream and decodes a 2xx answer into out, when out is not nil. The error is always an *Error.
func (c *Client) Put(ctx context.Context, up Upload, out any) error {
	req, err := c.request(ctx, up.Call)
	if err != nil {
		return &Error{Call: up.Name, Err: err}
	}
	// A length that is too small or too great breaks the request, so that no part of a file counts as the whole.
	req.Body, req.ContentLength = io.NopCloser(up.From), up.Size
	if up.Size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", up.MIME)
	resp, fault := c.exchange(req, up.Name)
	if fault != nil {
		return fault
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return &Error{Call: up.Name, Status: resp.StatusCode, Written: true, Err: errors.New("answer is not the JSON that was expected")}
	}
	return nil
}

// Download is the body of an answer as it comes, with what the answer says of it. Size is -1 when it does not say.
type Download struct {
	io.ReadCloser
	MIME string
	Size int64
}

// Open sends the call and returns the body of a 2xx answer; the caller closes it. It ends with ctx, not with the client's timeout. The
// error is always an *Error.
func (c *Client) Open(ctx context.Context, call Call) (*Download, error) {
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, &Error{Call: call.Name, Err: err}
	}
	req.Header.Set("Accept", "*/*")
	// Without this the transport unpacks by itself and the length is lost (net/http, Transport.DisableCompression).
	req.Header.Set("Accept-Encoding", "identity")
	resp, fault := c.exchange(req, call.Name) //nolint:bodyclose // the body is the download, which the caller closes
	if fault != nil {
		return nil, fault
	}
	return &Download{ReadCloser: resp.Body, MIME: resp.Header.Get("Content-Type"), Size: resp.ContentLength}, nil
}

// exchange makes a request and turns everything but a 2xx answer into an error.
func (c *Client) exchange(req *http.Request, name string) (*http.Response, error) {
	var wrote atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}))
	resp, err := c.streams.Do(req)
	if err != nil {
		return nil, &Error{Call: name, Written: wrote.Load(), Err: withoutURL(err)}
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	return nil, &Error{
		Call: name, Status: resp.StatusCode, Written: true, Header: resp.Header, body: body, RetryAfter: RetryAfter(resp.Header, time.Now()), Err: err,
	}
}
