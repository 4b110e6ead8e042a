package graph

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"

	"postern/adapters/internal/rest"
)

// DefaultBase is where the API is.
const DefaultBase = "https://graph.facebook.com"

var versionForm = regexp.MustCompile(`^v[1-9][0-9]{0,2}\.[0-9]{1,2}$`)

// CheckVersion wants an API version as the paths have it: a call without one is served by the oldest that still lives.
func CheckVersion(v string) error {
	if !versionForm.MatchString(v) {
		return errors.New("want a version such as v24.0")
	}
	return nil
}

// Client calls one version of the API as one app. It is safe for concurrent use.
type Client struct {
	rest    *rest.Client
	version string
	secrets *Secrets
}

// NewClient returns a client. With secrets every call carries the appsecret_proof of its token, which is right whether the app demands it
// or not; nil sends none, for tokens of an app whose secret is not ours.
func NewClient(rc *rest.Client, version string, secrets *Secrets) *Client {
	return &Client{rest: rc, version: version, secrets: secrets}
}

// String names the host alone.
func (c *Client) String() string { return "graph.Client(" + c.rest.String() + ")" }

// GoString hides what the client holds from %#v.
func (c *Client) GoString() string { return c.String() }

// Do sends a call, its path below the version, by a token, and decodes the answer into out. The error is always a *rest.Error.
func (c *Client) Do(ctx context.Context, token string, call rest.Call, out any) (http.Header, error) {
	return c.rest.Do(ctx, c.authorize(token, call), out)
}

// PostFile sends a file as Do sends a call.
func (c *Client) PostFile(ctx context.Context, token string, up rest.FilePart, out any) error {
	up.Call = c.authorize(token, up.Call)
	return c.rest.PostFile(ctx, up, out)
}

// Open opens the body of an answer as Do sends a call.
func (c *Client) Open(ctx context.Context, token string, call rest.Call) (*rest.Download, error) {
	return c.rest.Open(ctx, c.authorize(token, call))
}

func (c *Client) authorize(token string, call rest.Call) rest.Call {
	call.Path = "/" + c.version + call.Path
	if token == "" {
		return call
	}
	header := call.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	// The header rather than ?access_token=, which stands in the logs of every proxy.
	header.Set("Authorization", "Bearer "+token)
	call.Header = header
	if c.secrets != nil {
		query := url.Values{}
		maps.Copy(query, call.Query)
		query.Set("appsecret_proof", c.secrets.Proof(token))
		call.Query = query
	}
	return call
}
