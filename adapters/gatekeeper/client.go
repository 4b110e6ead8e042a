package gatekeeper

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/oklog/ulid/v2"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

const (
	// assertionLife is how long a signed assertion is valid. "exp at most 10 minutes after iat"; less than that forgives a slow clock.
	assertionLife = 8 * time.Minute
	// directoryLife is how long the directory is believed. capability.changed tells of a change at once, but to one replica alone.
	directoryLife = 5 * time.Minute
	// A known directory serves on while a new one cannot be read: no call waits longer than directoryPatience for it, and nobody asks
	// again before directoryRetry.
	directoryPatience = 2 * time.Second
	directoryRetry    = 30 * time.Second
	// assertionUse is how long an assertion is used again ("may be used again until it expires"), so that a call under way does not
	// outlive it; assertionsKept bounds for how many users that and who they are is kept, and keptFor for how long: who has withdrawn or
	// was erased is forgotten too.
	assertionUse   = assertionLife / 2
	assertionsKept = 4096
	keptFor        = time.Hour
	// maxKeys bounds how many keys are tried of an op that was refused under earlier ones.
	maxKeys = 8
)

// client holds one method per operation in use, and the two proofs that each needs: who we are and for whom we speak.
type client struct {
	rest   *rest.Client
	id     string
	region string
	keys   keyRing
	tokens *rest.TokenSource
	dir    atomic.Pointer[knownDirectory]
	// reading is held by the one caller who reads a known directory anew.
	reading sync.Mutex

	mu         sync.Mutex
	assertions map[string]signedAssertion    // by subject
	people     map[[sha256.Size]byte]*person // by the hash of the secret that they are in
	kept       time.Time                     // until when both are, at most
}

type signedAssertion struct {
	jwt   string
	until time.Time
}

// knownDirectory is a directory with what follows from it for a direct chat that has nothing refused: nearly every chat, several
// times for each message.
type knownDirectory struct {
	directory
	until time.Time
	caps  gateway.Caps
}

func know(d directory, until time.Time) *knownDirectory {
	return &knownDirectory{d, until, capsOf(gateway.ChatFacts{Kind: gateway.ChatDirect}, &d)}
}

// person is the user that an assertion names; it is what Linker seals as an account's secret.
type person struct {
	Enlistment string `json:"enlistment"`
	// Subject is the user-visible id that was enlisted.
	Subject string `json:"subject"`
}

func newClient(rc *rest.Client, cfg Config, keys keyRing) *client {
	c := &client{rest: rc, id: cfg.ClientID, region: cfg.Region, keys: keys, assertions: map[string]signedAssertion{}, people: map[[sha256.Size]byte]*person{}}
	c.tokens = rest.NewTokenSource(c.issueToken)
	return c
}

// readDirectory returns the gatekeeper's directory, fetched when the known one is older than directoryLife.
func (c *client) readDirectory(ctx context.Context) (*directory, error) {
	known := c.dir.Load()
	if known == nil {
		d, err := c.fetchDirectory(ctx)
		if err != nil {
			return nil, err
		}
		c.dir.CompareAndSwap(nil, d)
		return &d.directory, nil
	}
	if time.Now().Before(known.until) || !c.reading.TryLock() {
		return &known.directory, nil
	}
	defer c.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, directoryPatience)
	defer cancel()
	d, err := c.fetchDirectory(ctx)
	if err != nil {
		d = know(known.directory, time.Now().Add(directoryRetry))
	}
	c.dir.CompareAndSwap(known, d) // what was learned meanwhile is newer
	return &d.directory, nil
}

func (c *client) fetchDirectory(ctx context.Context) (*knownDirectory, error) {
	until := time.Now().Add(directoryLife)
	var d directory
	if _, err := c.rest.Do(ctx, rest.Call{Name: "readDirectory", Method: http.MethodGet, Path: "/.well-known/gia"}, &d); err != nil {
		return nil, err
	}
	if d.Issuer == "" {
		return nil, &rest.Error{Call: "readDirectory", Err: errors.New("directory names no issuer")}
	}
	return know(d, until), nil
}

// learn applies a capability.changed event to the directory that is known; other bodies change nothing. The limits that go with the
// feature are read by the next call.
func (c *client) learn(body []byte) {
	var e event
	var d eventData
	if json.Unmarshal(body, &e) != nil || e.Type != "capability.changed" || json.Unmarshal(e.Data, &d) != nil || d.Feature == "" {
		return
	}
	known := c.dir.Load()
	if known == nil {
		return
	}
	next := known.directory
	next.Features = maps.Clone(known.Features)
	if next.Features == nil {
		next.Features = map[string]string{}
	}
	next.Features[d.Feature] = d.Level
	c.dir.Store(know(next, time.Time{}))
}

// issueToken exchanges a client assertion for a bearer token (RFC 6749 §4.4, RFC 7523 §2.2).
func (c *client) issueToken(ctx context.Context) (string, time.Duration, error) {
	dir, err := c.readDirectory(ctx)
	if err != nil {
		return "", 0, err
	}
	assertion, err := c.sign(jwt.NewBuilder().Issuer(c.id).Subject(c.id), dir.Issuer)
	if err != nil {
		return "", 0, err
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	var t tokenAnswer
	if _, err := c.rest.Do(ctx, rest.Call{Name: "issueToken", Method: http.MethodPost, Path: "/oauth/token", Form: form}, &t); err != nil {
		return "", 0, err
	}
	return t.AccessToken, time.Duration(t.ExpiresIn) * time.Second, nil
}

// sign finishes and signs an assertion for the gatekeeper.
func (c *client) sign(b *jwt.Builder, audience string) (string, error) {
	now := time.Now()
	t, err := b.Audience([]string{audience}).IssuedAt(now).Expiration(now.Add(assertionLife)).JwtID(ulid.Make().String()).Build()
	if err != nil {
		return "", errors.New("assertion cannot be built")
	}
	raw, err := jwt.Sign(t, jwt.WithKey(c.keys.alg, c.keys.signing))
	if err != nil {
		return "", errors.New("assertion cannot be signed")
	}
	return string(raw), nil
}

// userAssertion vouches for one user.
func (c *client) userAssertion(ctx context.Context, who person) (string, error) {
	now := time.Now()
	c.mu.Lock()
	c.forget(now)
	known := c.assertions[who.Subject]
	c.mu.Unlock()
	if now.Before(known.until) {
		return known.jwt, nil
	}
	dir, err := c.readDirectory(ctx)
	if err != nil {
		return "", err
	}
	b := jwt.NewBuilder().Issuer(c.id).Subject(who.Subject)
	if c.region != "" {
		// The provider knows where its users live; that is the method that it vouches by.
		b = b.Claim("region_attested", true).Claim("region_method", "provider")
	}
	raw, err := c.sign(b, dir.Issuer)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.assertions) >= assertionsKept {
		clear(c.assertions)
	}
	c.assertions[who.Subject] = signedAssertion{raw, now.Add(assertionUse)}
	return raw, nil
}

// do sends an authenticated call; who is nil for what the partner does as a whole. A refused bearer token is replaced once. An answer
// under an Idempotency-Key is remembered, a refusal too ("a request that ended with 429 or 5xx is not"): an op that waited for a new
// enlistment, or that the operator replays, would be refused for a day. Nothing was done under a key whose answer was a refusal, so
// the next key of the op is tried: the same keys in the same order each time, hence still one effect.
func (c *client) do(ctx context.Context, who *person, call rest.Call, out any) error {
	key := call.Header.Get(headerKey)
	for n := 1; ; n++ {
		err := c.authorized(ctx, who, call, func(signed rest.Call) error {
			_, err := c.rest.Do(ctx, signed, out)
			return err
		})
		if key == "" || n == maxKeys || !refusedBefore(err) {
			return err
		}
		call.Header = call.Header.Clone()
		call.Header.Set(headerKey, key+"."+strconv.Itoa(n))
	}
}

// refusedBefore recognises a refusal that the gatekeeper remembered.
func refusedBefore(err error) bool {
	re, ok := errors.AsType[*rest.Error](err)
	return ok && re.Status >= 400 && re.Status < 500 && re.Header.Get("Idempotent-Replayed") == "true"
}

// authorized hands a call with its proofs to send, once more when the bearer token was refused.
func (c *client) authorized(ctx context.Context, who *person, call rest.Call, send func(rest.Call) error) error {
	for retried := false; ; retried = true {
		token, header, err := c.authorize(ctx, who, call.Header)
		if err != nil {
			return unsent(err)
		}
		signed := call
		signed.Header = header
		err = send(signed)
		re, ok := errors.AsType[*rest.Error](err)
		if !ok || retried || re.Status != http.StatusUnauthorized || !bearerRefused(re) {
			return err
		}
		c.tokens.Forget(ctx, token)
	}
}

func (c *client) authorize(ctx context.Context, who *person, base http.Header) (token string, h http.Header, err error) {
	if _, err := c.readDirectory(ctx); err != nil {
		return "", nil, err
	}
	if token, err = c.tokens.Token(ctx); err != nil {
		return "", nil, err
	}
	h = make(http.Header, len(base)+3)
	maps.Copy(h, base)
	h.Set("Authorization", "Bearer "+token)
	h.Set(headerVersion, apiVersion)
	if who != nil {
		assertion, err := c.userAssertion(ctx, *who)
		if err != nil {
			return "", nil, err
		}
		h.Set(headerAssertion, assertion)
	}
	return token, h, nil
}

// unsent marks a failure on the way to the call itself: the call never left, whatever became of the token request.
func unsent(err error) error {
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return &rest.Error{Call: "authorize", Err: err}
	}
	e := *re
	e.Written = false
	return &e
}

// bearerRefused tells a stale bearer token from a refused assertion of the user, which a new token does not cure.
func bearerRefused(re *rest.Error) bool {
	var p problem
	return re.Decode(&p) != nil || p.Code == "unauthenticated" || p.Code == ""
}

// person is parsePerson, once for all messages of an account that come together.
func (c *client) person(account gateway.Credentials) (*person, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(time.Now())
	key := sha256.Sum256(account.Secret)
	if who := c.people[key]; who != nil {
		return who, nil
	}
	who, err := parsePerson(account)
	if err != nil {
		return nil, err
	}
	if len(c.people) >= assertionsKept {
		clear(c.people)
	}
	c.people[key] = who
	return who, nil
}

// forget ends what is kept of users when its time is over; c.mu is held.
func (c *client) forget(now time.Time) {
	if now.Before(c.kept) {
		return
	}
	clear(c.assertions)
	clear(c.people)
	c.kept = now.Add(keptFor)
}

// parsePerson reads what Linker sealed.
func parsePerson(account gateway.Credentials) (*person, error) {
	var p person
	if err := json.Unmarshal(account.Secret, &p); err != nil || p.Subject == "" {
		return nil, refuse(gateway.ReauthNeeded, "no_credentials", "the account holds no enlistment")
	}
	return &p, nil
}

// keyRing holds the partner's private keys: the first signs, the public halves of all are published, so that a key is
// rotated by putting the new one in front.
type keyRing struct {
	signing jwk.Key
	alg     jwa.SignatureAlgorithm
	public  []byte // JWKS (RFC 7517)
}

// parseKeys reads private keys in PEM. ES256 (P-256) and EdDSA (Ed25519) are taken, nothing else of the document's list.
func parseKeys(pem []byte) (keyRing, error) {
	set, err := jwk.Parse(pem, jwk.WithPEM(true))
	if err != nil || set.Len() == 0 {
		// The parser's error may quote the key.
		return keyRing{}, errors.New("gatekeeper: key_file is not a private key in PEM")
	}
	ring := keyRing{}
	published := jwk.NewSet()
	for i := range set.Len() {
		key, _ := set.Key(i)
		alg, err := algorithm(key)
		if err != nil {
			return keyRing{}, fmt.Errorf("gatekeeper: key_file: key %d: %w", i+1, err)
		}
		public, err := publicKey(key, alg)
		if err != nil {
			return keyRing{}, fmt.Errorf("gatekeeper: key_file: key %d: cannot be published", i+1)
		}
		kid, _ := public.KeyID()
		if _, twice := published.LookupKeyID(kid); twice {
			return keyRing{}, fmt.Errorf("gatekeeper: key_file: key %d: stands there twice", i+1)
		}
		if err := published.AddKey(public); err != nil {
			return keyRing{}, fmt.Errorf("gatekeeper: key_file: key %d: cannot be published", i+1)
		}
		if i == 0 {
			ring.signing, ring.alg = key, alg
		}
	}
	if ring.public, err = json.Marshal(published); err != nil {
		return keyRing{}, errors.New("gatekeeper: key_file cannot be published")
	}
	return ring, nil
}

func algorithm(key jwk.Key) (jwa.SignatureAlgorithm, error) {
	if private, err := jwk.IsPrivateKey(key); err != nil || !private {
		return jwa.SignatureAlgorithm{}, errors.New("want a private key")
	}
	switch k := key.(type) {
	case jwk.ECDSAPrivateKey:
		if crv, ok := k.Crv(); ok && crv == jwa.P256() {
			return jwa.ES256(), nil
		}
	case jwk.OKPPrivateKey:
		if crv, ok := k.Crv(); ok && crv == jwa.Ed25519() {
			return jwa.EdDSA(), nil
		}
	}
	return jwa.SignatureAlgorithm{}, errors.New("want a P-256 or Ed25519 key")
}

// publicKey names a key by its thumbprint (RFC 7638), in both halves, and says what it is for.
func publicKey(key jwk.Key, alg jwa.SignatureAlgorithm) (jwk.Key, error) {
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if err := key.Set(jwk.KeyIDKey, base64.RawURLEncoding.EncodeToString(thumbprint)); err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	if err := public.Set(jwk.AlgorithmKey, alg); err != nil {
		return nil, err
	}
	return public, public.Set(jwk.KeyUsageKey, "sig")
}
