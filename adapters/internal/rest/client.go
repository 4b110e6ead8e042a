package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds of every call.
const (
	// MaxBody is the longest answer that is read, in bytes. JSON APIs answer in kilobytes; media take another way.
	MaxBody = 1 << 20
	// maxRedirects is how many redirects inside the base host are followed.
	maxRedirects = 3
)

// Client calls one API. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	streams *http.Client // the same without a timeout of its own
	base    *url.URL
	origin  string // base, as text
	timeout time.Duration
	agent   string
}

// New returns a client for the API at base, an absolute http or https URL. Each call ends after timeout at the latest.
// The given http.Client's transport is shared, its redirect policy is not: a redirect off the base host is never followed.
func New(hc *http.Client, base string, timeout time.Duration, agent string) (*Client, error) {
	u, err := ParseBase(base)
	if err != nil {
		return nil, err
	}
	c := *hc
	c.Jar = nil
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		// A redirect that turns a POST into a GET would look like success with nothing done (RFC 9110 §15.4.3).
		if r.Method != via[0].Method || r.URL.Scheme != u.Scheme || r.URL.Host != u.Host || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	long := c
	long.Timeout = 0
	return &Client{http: &c, streams: &long, base: u, origin: u.String(), timeout: timeout, agent: agent}, nil
}

// ParseBase checks that base can be the address of an API: absolute, http or https, no user, query or fragment.
func ParseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		// The parser's error repeats the URL, which may hold a password.
		return nil, errors.New("rest: base URL does not parse")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("rest: base URL must start with https:// or http:// and name a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("rest: base URL must not hold a user, query or fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// String names the host alone.
func (c *Client) String() string { return "rest.Client(" + c.base.Host + ")" }

// GoString keeps %#v from printing what the client holds.
func (c *Client) GoString() string { return c.String() }

// Call is one request.
type Call struct {
	// Name says in errors what was called, such as "sendMessage". The path is never told.
	Name string
	// Method is GET when empty; Path stands below the base, its segments escaped (see Path).
	Method, Path string
	Query        url.Values
	Header       http.Header
	// Body is sent as JSON; Form as application/x-www-form-urlencoded. At most one is set.
	Body any
	Form url.Values
}

// Path joins segments, each escaped so that an id of a platform cannot reach another resource.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch s {
		// RFC 3986 §5.2.4: dot segments would be removed, even when escaped by some servers.
		case ".", "..":
			s = strings.ReplaceAll(s, ".", "%2E")
		default:
			s = url.PathEscape(s)
		}
		b.WriteString(s)
	}
	return b.String()
}

// Do sends the call and decodes a 2xx answer into out, when out is not nil. The error is always an *Error.
func (c *Client) Do(ctx context.Context, call Call, out any) (http.Header, error) {
	if ends, ok := ctx.Deadline(); !ok || time.Until(ends) > c.timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	// Headers count as written: part of a request may be enough for a server to act on it.
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { wrote.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Store(true) },
	})
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, &Error{Call: call.Name, Err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &Error{Call: call.Name, Written: wrote.Load(), Err: withoutURL(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		err = fmt.Errorf("answer longer than %d bytes", MaxBody)
	}
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		err = nil // the status says more
	case err != nil:
		err = withoutURL(err)
	case out == nil || json.Unmarshal(body, out) == nil:
		return resp.Header, nil
	default:
		// The decoder's error may quote the answer.
		err = errors.New("answer is not the JSON that was expected")
	}
	return resp.Header, &Error{
		Call: call.Name, Status: resp.StatusCode, Written: true, Header: resp.Header, body: body, Err: err, RetryAfter: RetryAfter(resp.Header, time.Now()),
	}
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch {
	case call.Form != nil:
		body, kind = strings.NewReader(call.Form.Encode()), "application/x-www-form-urlencoded"
	case call.Body != nil:
		raw, err := json.Marshal(call.Body)
		if err != nil {
			return nil, errors.New("request does not encode as JSON")
		}
		body, kind = bytes.NewReader(raw), "application/json"
	}
	target := c.origin + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, body)
	if err != nil {
		return nil, errors.New("request has no valid address")
	}
	req.Header = make(http.Header, len(call.Header)+3)
	maps.Copy(req.Header, call.Header)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	return req, nil
}

// withoutURL removes the layer by which net/http adds the address to an error: paths hold tokens. A redirect's address may repeat it.
func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if strings.Contains(err.Error(), "Location header") { // net/http quotes it where it does not parse
		return errors.New("redirect to an address that does not parse")
	}
	return err
}
