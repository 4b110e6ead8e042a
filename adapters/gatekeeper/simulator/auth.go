package simulator

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// Bounds of assertions (GIA, Assertions; RFC 7523 section 3).
const (
	assertionLife = 10 * time.Minute
	clockSkew     = time.Minute
	keysRefetch   = 10 * time.Second // at most that often for an unknown kid
	maxTokens     = 10_000
	maxJTIs       = 100_000
	maxAssertions = 20_000
)

// claims of a client or user assertion; what is not listed is not looked at.
type claims struct {
	Iss string   `json:"iss"`
	Sub string   `json:"sub"`
	Aud audience `json:"aud"`
	Iat *float64 `json:"iat"`
	Exp *float64 `json:"exp"`
	Nbf *float64 `json:"nbf"`
	Jti string   `json:"jti"`
}

// audience is one string or several (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var one string
		err := json.Unmarshal(b, &one)
		*a = audience{one}
		return err
	}
	return json.Unmarshal(b, (*[]string)(a))
}

type token struct {
	partner *partner
	expires time.Time
}

func parseKeys(raw []byte) (jwk.Set, error) {
	set, err := jwk.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	for i := range set.Len() {
		key, _ := set.Key(i)
		if private, err := jwk.IsPrivateKey(key); err != nil || private {
			return nil, errors.New("holds something else than public keys")
		}
	}
	return set, nil
}

// keyFor gives the partner's key with that id, fetching the set when it is unknown.
func (s *Server) keyFor(ctx context.Context, p *partner, kid string) (jwk.Key, error) {
	s.mu.Lock()
	set, fetched, from := p.keys, p.keysAt, p.JWKSURL
	s.mu.Unlock()
	if set != nil {
		if key, ok := set.LookupKeyID(kid); ok {
			return key, nil
		}
	}
	if from == "" || (set != nil && s.cfg.Now().Sub(fetched) < keysRefetch) {
		return nil, fmt.Errorf("no key %q", kid)
	}
	set, err := s.fetchKeys(ctx, from)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p.keys, p.keysAt = set, s.cfg.Now()
	s.mu.Unlock()
	key, ok := set.LookupKeyID(kid)
	if !ok {
		return nil, fmt.Errorf("no key %q", kid)
	}
	return key, nil
}

func (s *Server) fetchKeys(ctx context.Context, from string) (jwk.Set, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch keys: status %d: %w", resp.StatusCode, errors.Join(err))
	}
	return parseKeys(raw)
}

// verifyAssertion checks signature, algorithm, issuer, audience and times of a JWT that the partner signed.
func (s *Server) verifyAssertion(ctx context.Context, p *partner, raw string, audiences []string) (claims, error) {
	var c claims
	if strings.Count(raw, ".") != 2 {
		return c, errors.New("not a compact jwt")
	}
	msg, err := jws.Parse([]byte(raw))
	if err != nil || len(msg.Signatures()) != 1 {
		return c, errors.New("not a jwt")
	}
	header := msg.Signatures()[0].ProtectedHeaders()
	alg, _ := header.Algorithm()
	kid, _ := header.KeyID()
	// The allowlist comes before any key is touched: neither "none" nor an HMAC over a public key gets further.
	if !slices.Contains([]jwa.SignatureAlgorithm{jwa.ES256(), jwa.ES384(), jwa.EdDSA(), jwa.RS256(), jwa.PS256()}, alg) {
		return c, fmt.Errorf("algorithm %q is not allowed", alg)
	}
	key, err := s.keyFor(ctx, p, kid)
	if err != nil {
		return c, err
	}
	payload, err := jws.Verify([]byte(raw), jws.WithKey(alg, key))
	if err != nil {
		return c, errors.New("signature does not match")
	}
	if err := json.NewDecoder(bytes.NewReader(payload)).Decode(&c); err != nil {
		return c, errors.New("claims are not json")
	}
	return c, c.check(p.ClientID, audiences, s.cfg.Now())
}

func (c claims) check(iss string, audiences []string, now time.Time) error {
	at := func(f float64) time.Time { return time.UnixMilli(int64(f * 1000)) }
	switch {
	case c.Iss != iss:
		return errors.New("iss is not the client id")
	case c.Sub == "":
		return errors.New("sub is missing")
	case c.Jti == "":
		return errors.New("jti is missing")
	case c.Iat == nil || c.Exp == nil:
		return errors.New("iat or exp is missing")
	case !slices.ContainsFunc(c.Aud, func(a string) bool { return slices.Contains(audiences, strings.TrimSuffix(a, "/")) }):
		return errors.New("aud is not this gatekeeper")
	case at(*c.Exp).Sub(at(*c.Iat)) > assertionLife:
		return errors.New("exp is more than 10 minutes after iat")
	case now.After(at(*c.Exp)):
		return errors.New("expired")
	case at(*c.Iat).Sub(now) > clockSkew || (c.Nbf != nil && at(*c.Nbf).Sub(now) > clockSkew):
		return errors.New("not yet valid")
	}
	return nil
}

// issueToken is the token endpoint. It answers as RFC 6749 section 5 says, not with problems.
func (s *Server) issueToken(r *http.Request, form map[string]string) (int, any) {
	refuse := func(status int, code, why string) (int, any) {
		return status, map[string]string{"error": code, "error_description": why}
	}
	raw := form["client_assertion"]
	iss, err := unverifiedIssuer(raw)
	if err != nil {
		return refuse(http.StatusUnauthorized, "invalid_client", "client_assertion: "+err.Error())
	}
	s.mu.Lock()
	p := s.partners[iss]
	s.mu.Unlock()
	if p == nil {
		return refuse(http.StatusUnauthorized, "invalid_client", "unknown client")
	}
	issuer := s.issuer(r)
	c, err := s.verifyAssertion(r.Context(), p, raw, []string{issuer, issuer + "/oauth/token"})
	if err == nil && c.Sub != c.Iss {
		err = errors.New("sub is not iss")
	}
	if err == nil && form["client_id"] != "" && form["client_id"] != c.Iss {
		err = errors.New("client_id is not iss")
	}
	if err != nil {
		return refuse(http.StatusUnauthorized, "invalid_client", "client_assertion: "+err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	// RFC 7523 section 3, item 7: the jti of a client assertion is used once.
	if !s.jtis.Add(p.ClientID+"\x00"+c.Jti, struct{}{}, now.Add(assertionLife+clockSkew), now) {
		return refuse(http.StatusUnauthorized, "invalid_client", "client_assertion: jti was used before")
	}
	buf := make([]byte, 32)
	rand.Read(buf) // crypto/rand.Read never fails
	value := base64.RawURLEncoding.EncodeToString(buf)
	s.tokens.Add(value, token{p, now.Add(s.cfg.TokenTTL)}, now.Add(s.cfg.TokenTTL), now)
	return http.StatusOK, map[string]any{"access_token": value, "token_type": "Bearer", "expires_in": int(s.cfg.TokenTTL / time.Second)}
}

func unverifiedIssuer(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", errors.New("not a compact jwt")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("not a jwt")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", errors.New("claims are not json")
	}
	return c.Iss, nil
}

// bearer finds the partner of the request's token.
func (s *Server) bearer(r *http.Request) (*partner, *problem) {
	value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if ok {
		s.mu.Lock()
		t, found := s.tokens.Get(value, s.cfg.Now())
		s.mu.Unlock()
		if found {
			return t.partner, nil
		}
	}
	p := fail("unauthenticated", "the bearer token is missing, unknown or expired")
	p.header = append(p.header, [2]string{"WWW-Authenticate", `Bearer error="invalid_token"`})
	return nil, p
}

// userOf verifies the user assertion and gives its subject. A verified assertion is remembered until it expires.
func (s *Server) userOf(r *http.Request, p *partner) (string, *problem) {
	raw := r.Header.Get("GIA-User-Assertion")
	sum := sha256.Sum256([]byte(p.ClientID + "\x00" + raw))
	key := string(sum[:])
	s.mu.Lock()
	sub, ok := s.assertions.Get(key, s.cfg.Now())
	s.mu.Unlock()
	if ok {
		return sub, nil
	}
	c, err := s.verifyAssertion(r.Context(), p, raw, []string{s.issuer(r)})
	if err != nil {
		bad := fail("assertion_invalid", err.Error())
		bad.Param = "GIA-User-Assertion"
		return "", bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assertions.Add(key, c.Sub, time.UnixMilli(int64(*c.Exp*1000)), s.cfg.Now())
	return c.Sub, nil
}
