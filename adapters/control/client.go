package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Client speaks the control API of one sandbox.
type Client struct {
	// URL is the origin of the sandbox.
	URL string
	// HTTP makes the requests. Nil: http.DefaultClient.
	HTTP *http.Client
}

// InProcess is a client that calls a handler without a network, as tests under virtual time want.
func InProcess(h http.Handler) *Client {
	return &Client{URL: "http://sandbox.example", HTTP: &http.Client{Transport: local{h}}}
}

// local answers requests with a handler.
type local struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	l.handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}

// Error is a refusal of the control API.
type Error struct {
	Status int
	Text   string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("control: %d: %s", e.Status, e.Text) }

// Do makes any request of the control API: path without /sandbox/v1, in and out as JSON; nil for nothing.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("control: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	return c.send(ctx, method, path, "application/json", body, out)
}

const maxAnswer = 64 << 20 // bytes; a state with all its chats is a large thing

func (c *Client) send(ctx context.Context, method, path, typ string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+"/sandbox/v1"+path, body)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	req.Header.Set("Content-Type", typ)
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var refused struct{ Error string }
		if json.Unmarshal(raw, &refused) != nil || refused.Error == "" {
			refused.Error = http.StatusText(resp.StatusCode)
		}
		return &Error{resp.StatusCode, refused.Error}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("control: %s %s: %w", method, path, err)
	}
	return nil
}

// get is Do with an answer of one type.
func get[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.Do(ctx, method, path, in, &out)
	return out, err
}

// ErrNot says that a condition did not come true in time.
var ErrNot = errors.New("control: the condition did not hold in time")

// Wait waits up to a time until a condition holds, else the error is ErrNot and the result says how far it came. Long waits are made of
// several polls.
func (c *Client) Wait(ctx context.Context, cond Condition, timeout time.Duration) (Waited, error) {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		cond.TimeoutMS = int(min(max(left, 0), time.Minute) / time.Millisecond)
		out, err := get[Waited](ctx, c, http.MethodPost, "/wait", cond)
		switch {
		case err != nil:
			return out, err
		case out.OK:
			return out, nil
		case left <= time.Minute:
			return out, ErrNot
		}
	}
}

// Messages waits for messages and returns them.
func (c *Client) Messages(ctx context.Context, cond Condition, timeout time.Duration) ([]Message, error) {
	cond.Kind = "message"
	got, err := c.Wait(ctx, cond, timeout)
	out := make([]Message, len(got.Items))
	for i, raw := range got.Items {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("control: %w", err)
		}
	}
	return out, err
}

// State is everything but the messages.
func (c *Client) State(ctx context.Context) (State, error) {
	return get[State](ctx, c, http.MethodGet, "/state", nil)
}

// Chat is a chat with its messages.
func (c *Client) Chat(ctx context.Context, id string) (Chat, error) {
	return get[Chat](ctx, c, http.MethodGet, "/chats/"+url.PathEscape(id), nil)
}

// Reset puts the sandbox back to its configuration.
func (c *Client) Reset(ctx context.Context) error {
	return c.Do(ctx, http.MethodPost, "/reset", nil, nil)
}

// SetFaults replaces all faults.
func (c *Client) SetFaults(ctx context.Context, f Faults) error {
	return c.Do(ctx, http.MethodPut, "/faults", f, nil)
}

// SetBatching says how many updates travel together.
func (c *Client) SetBatching(ctx context.Context, b Batching) error {
	return c.Do(ctx, http.MethodPut, "/batching", b, nil)
}

// EnforceLimits answers what is above a limit with 429, or only counts it; the counters begin anew.
func (c *Client) EnforceLimits(ctx context.Context, on bool) error {
	return c.Do(ctx, http.MethodPut, "/limits", map[string]bool{"enforce": on}, nil)
}

// Posts are the messages that the API accepted, after a number.
func (c *Client) Posts(ctx context.Context, after int64, limit int) (Ledger[Post], error) {
	return get[Ledger[Post]](ctx, c, http.MethodGet, fmt.Sprintf("/ledger/messages?after=%d&limit=%d", after, limit), nil)
}

// Deliveries are the attempts to tell accounts something, after a number.
func (c *Client) Deliveries(ctx context.Context, after int64, limit int) (Ledger[Delivery], error) {
	return get[Ledger[Delivery]](ctx, c, http.MethodGet, fmt.Sprintf("/ledger/webhooks?after=%d&limit=%d", after, limit), nil)
}
