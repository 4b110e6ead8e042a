package graph

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"postern/adapters/internal/rest"
)

// DefaultDialog is where a browser goes to log in.
const DefaultDialog = "https://www.facebook.com"

// DialogURL is the page on which a person grants an app access ("Manually Build a Login Flow"). Values say the rest: client_id,
// redirect_uri, state, and scope or config_id.
func DialogURL(base, version string, values url.Values) string {
	return base + "/" + version + "/dialog/oauth?" + values.Encode()
}

// Token is what a login brought.
type Token struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds; 0 is never, or not told
}

// Life is how long the token lives; 0 is for ever, or not told.
func (t Token) Life() time.Duration {
	return time.Duration(min(max(t.ExpiresIn, 0), 1<<31)) * time.Second
}

// Exchange makes a token of the code that came back in the browser. redirectURI must be the very one of the dialog, and is empty where
// the code came without one.
func (c *Client) Exchange(ctx context.Context, appID, redirectURI, code string) (Token, error) {
	q := url.Values{"client_id": {appID}, "client_secret": {c.secret()}, "code": {code}}
	if redirectURI != "" {
		q.Set("redirect_uri", redirectURI)
	}
	return c.token(ctx, "exchangeCode", q)
}

// Prolong makes a token of sixty days of one that lives for hours ("Long-Lived Access Tokens").
func (c *Client) Prolong(ctx context.Context, appID, token string) (Token, error) {
	return c.token(ctx, "prolongToken", url.Values{
		"grant_type": {"fb_exchange_token"}, "client_id": {appID}, "client_secret": {c.secret()}, "fb_exchange_token": {token},
	})
}

func (c *Client) token(ctx context.Context, name string, q url.Values) (Token, error) {
	var t Token
	call := rest.Call{Name: name, Method: http.MethodGet, Path: "/oauth/access_token", Query: q}
	if _, err := c.Do(ctx, "", call, &t); err != nil {
		return t, err
	}
	if t.AccessToken == "" {
		return t, &rest.Error{Call: name, Status: http.StatusOK, Written: true, Err: errors.New("answer holds no token")}
	}
	return t, nil
}

func (c *Client) secret() string {
	if c.secrets == nil {
		return ""
	}
	return c.secrets.first()
}

// Grant is what a token is good for ("Debug Token").
type Grant struct {
	AppID     string      `json:"app_id"`
	UserID    string      `json:"user_id"`
	Type      string      `json:"type"`
	Valid     bool        `json:"is_valid"`
	ExpiresAt int64       `json:"expires_at"` // Unix seconds; 0 is never
	Scopes    []string    `json:"scopes"`
	Granular  []scopeGate `json:"granular_scopes"`
}

type scopeGate struct {
	Scope   string   `json:"scope"`
	Targets []string `json:"target_ids"`
}

// Targets are the ids that a permission was granted for, each once.
func (g Grant) Targets(scopes ...string) []string {
	var out []string
	for _, s := range g.Granular {
		if slices.Contains(scopes, s.Scope) {
			for _, id := range s.Targets {
				if !slices.Contains(out, id) {
					out = append(out, id)
				}
			}
		}
	}
	return out
}

// Inspect asks what a token is good for, in the app's own name: "app id|app secret".
func (c *Client) Inspect(ctx context.Context, appID, token string) (Grant, error) {
	var out struct {
		Data Grant `json:"data"`
	}
	call := rest.Call{Name: "debugToken", Method: http.MethodGet, Path: "/debug_token", Query: url.Values{"input_token": {token}}}
	_, err := c.Do(ctx, appID+"|"+c.secret(), call, &out)
	return out.Data, err
}

// CheckApp asks whether the app's id and secret belong together: only then may it ask about a token, be it its own.
func (c *Client) CheckApp(ctx context.Context, appID string) error {
	_, err := c.Inspect(ctx, appID, appID+"|"+c.secret())
	return err
}
