package rest

import (
	"context"
	"fmt"
	"time"
)

// tokenMargin is how long before its end a token is no longer used: a call under way must not outlive it.
const tokenMargin = 30 * time.Second

// TokenSource keeps one bearer token (RFC 6750) for all callers: fetched when first needed, again shortly before it ends.
// Callers that come together wait for one fetch; each waits no longer than its own context.
type TokenSource struct {
	fetch func(context.Context) (token string, lifetime time.Duration, err error)
	// lock is a mutex that a context can leave; it guards the fields below.
	lock  chan struct{}
	token string
	until time.Time
}

// NewTokenSource returns a source that calls fetch for each new token. A lifetime of 0 or less is used once.
func NewTokenSource(fetch func(context.Context) (string, time.Duration, error)) *TokenSource {
	return &TokenSource{fetch: fetch, lock: make(chan struct{}, 1)}
}

// Token returns a token that is valid now.
func (s *TokenSource) Token(ctx context.Context) (string, error) {
	select {
	case s.lock <- struct{}{}: // nearly always, and a context makes a channel only for who waits
	default:
		select {
		case s.lock <- struct{}{}:
		case <-ctx.Done():
			return "", &Error{Call: "token", Err: ctx.Err()}
		}
	}
	defer func() { <-s.lock }()
	if now := time.Now(); s.token != "" && now.Before(s.until) {
		return s.token, nil
	}
	token, lifetime, err := s.fetch(ctx)
	if err != nil {
		return "", err
	}
	if token == "" {
		return "", &Error{Call: "token", Written: true, Err: fmt.Errorf("answer holds no token")}
	}
	// A token shorter than twice the margin is used for half its life.
	s.token, s.until = token, time.Now().Add(max(lifetime-tokenMargin, lifetime/2))
	return token, nil
}

// Forget drops token when it is still the current one, because the platform refused it. Behind a fetch that outlasts ctx there
// is nothing to drop.
func (s *TokenSource) Forget(ctx context.Context, token string) {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-s.lock }()
	if s.token == token {
		s.token = ""
	}
}

// String hides the token from every print verb.
func (s *TokenSource) String() string { return "rest.TokenSource" }

// GoString hides the token from %#v.
func (s *TokenSource) GoString() string { return s.String() }
