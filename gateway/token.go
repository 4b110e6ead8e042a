package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Role says what a token of the operator's side may do; each role may do what those before it may.
type Role string

// Roles.
const (
	RoleViewer   Role = "viewer"   // looks
	RoleOperator Role = "operator" // steers traffic: dead letters, pauses, accounts that are stuck
	RoleAdmin    Role = "admin"    // decides over people: erasure, export, blocks
)

// Roles lists all roles, from the least to the most.
func Roles() []Role { return []Role{RoleViewer, RoleOperator, RoleAdmin} }

// May reports whether a role may do what needs another.
func (r Role) May(need Role) bool {
	have, want := slices.Index(Roles(), r), slices.Index(Roles(), need)
	return have >= 0 && want >= 0 && have >= want
}

// Token is what a bearer token stands for. The token itself is shown once, when it is made; the store has its hash.
type Token struct {
	Name string
	Role Role
	Made time.Time
	// Until is when it ends; zero is never.
	Until time.Time
}

// Errors of tokens.
var (
	// ErrToken: no such token, or it is over.
	ErrToken = errors.New("gateway: the token is unknown or over")
	// ErrTokenName: a name that no token can have.
	ErrTokenName = errors.New("gateway: a token's name has 1 to 32 characters of a-z, 0-9 and -, and is not user, cli, gateway or one that begins with chat-")
	// ErrTokenRole: there is no such role.
	ErrTokenRole = errors.New("gateway: a role is viewer, operator or admin")
)

// tokenPrefix lets a token be recognised where it should not lie.
const tokenPrefix = "postern"

var tokenName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Tokens are the bearer tokens of the operator's side, shared by all replicas.
type Tokens struct {
	store Records
	keys  *Keyring
}

// NewTokens returns the tokens that a store holds.
func NewTokens(store Records, keys *Keyring) *Tokens { return &Tokens{store, keys} }

// tokenRecord is a token as it is stored, sealed by the operator's key. The secret has 256 random bits, so that a plain hash keeps it.
type tokenRecord struct {
	Name  string    `json:"name"`
	Role  Role      `json:"role"`
	Hash  []byte    `json:"hash"`
	Made  time.Time `json:"made"`
	Until time.Time `json:"until,omitzero"`
}

func (k *Keyring) tokenKey(name string) RecordKey {
	return RecordKey{ownerGlobal, RecordToken, k.Name("token", name)}
}

// Create makes a token that lasts for a time, 0 for ever, and returns what its owner sends. ErrExists when the name is taken.
func (t *Tokens) Create(ctx context.Context, name string, role Role, lasts time.Duration) (secret string, err error) {
	switch {
	case !tokenName.MatchString(name), name == ActorUser, name == "cli", name == "gateway", strings.HasPrefix(name, actorChat): // the audit log calls others so
		return "", ErrTokenName
	case !slices.Contains(Roles(), role):
		return "", ErrTokenRole
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	body := lowerBase32.EncodeToString(raw)
	hash := sha256.Sum256([]byte(body))
	rec := tokenRecord{Name: name, Role: role, Hash: hash[:], Made: time.Now().UTC()}
	if lasts > 0 {
		rec.Until = rec.Made.Add(lasts)
	}
	plain, err := json.Marshal(rec)
	if err != nil {
		return "", err
	}
	key := t.keys.tokenKey(name)
	err = t.store.Save(ctx, key.Owner, Change{Kind: key.Kind, Name: key.Name, Value: t.keys.operator.Seal("token/"+key.Name, plain), IfAbsent: true})
	if err != nil {
		return "", fmt.Errorf("gateway: token %s: %w", name, err)
	}
	return strings.Join([]string{tokenPrefix, name, body}, "_"), nil
}

// Check returns what a token stands for, ErrToken when that is nothing.
func (t *Tokens) Check(ctx context.Context, secret string) (Token, error) {
	prefix, rest, _ := strings.Cut(secret, "_")
	name, body, ok := strings.Cut(rest, "_")
	if !ok || prefix != tokenPrefix || !tokenName.MatchString(name) {
		return Token{}, ErrToken
	}
	key := t.keys.tokenKey(name)
	got, err := t.store.Load(ctx, key)
	if err != nil {
		return Token{}, fmt.Errorf("gateway: token: %w", err)
	}
	rec, err := t.open(key.Name, got[0])
	if err != nil {
		return Token{}, err
	}
	hash := sha256.Sum256([]byte(body))
	if subtle.ConstantTimeCompare(hash[:], rec.Hash) != 1 || !rec.Until.IsZero() && !time.Now().Before(rec.Until) {
		return Token{}, ErrToken
	}
	return rec.token(), nil
}

// Still returns nil while a token that Check returned is good, ErrToken when it was revoked or is over. Who has asked for a secret once
// need not keep it.
func (t *Tokens) Still(ctx context.Context, was Token) error {
	key := t.keys.tokenKey(was.Name)
	got, err := t.store.Load(ctx, key)
	if err != nil {
		return fmt.Errorf("gateway: token: %w", err)
	}
	rec, err := t.open(key.Name, got[0])
	if err != nil {
		return err
	}
	// Another of the same name was made at another time.
	if now := rec.token(); now.Name == "" || !now.Made.Equal(was.Made) || !now.Until.IsZero() && !time.Now().Before(now.Until) {
		return ErrToken
	}
	return nil
}

func (t *Tokens) open(name string, sealed []byte) (tokenRecord, error) {
	if sealed == nil { // as long as for a token that is there
		return tokenRecord{Hash: make([]byte, sha256.Size)}, nil
	}
	plain, err := t.keys.operator.Open("token/"+name, sealed)
	if err != nil {
		return tokenRecord{}, err
	}
	var rec tokenRecord
	if err := json.Unmarshal(plain, &rec); err != nil {
		return tokenRecord{}, fmt.Errorf("gateway: token record: %w", err)
	}
	return rec, nil
}

func (r tokenRecord) token() Token { return Token{r.Name, r.Role, r.Made, r.Until} }

// List returns all tokens by name, those that are over too.
func (t *Tokens) List(ctx context.Context) ([]Token, error) {
	found := map[string]Token{}
	for cursor := ""; ; {
		page, next, err := t.store.List(ctx, ownerGlobal, RecordToken, cursor, 100)
		if err != nil {
			return nil, fmt.Errorf("gateway: tokens: %w", err)
		}
		for name, sealed := range page {
			rec, err := t.open(name, sealed)
			if err != nil {
				return nil, err
			}
			found[rec.Name] = rec.token()
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	out := make([]Token, 0, len(found))
	for _, tok := range found {
		out = append(out, tok)
	}
	slices.SortFunc(out, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Revoke ends a token at once, on every replica. ErrNotFound when there is none.
func (t *Tokens) Revoke(ctx context.Context, name string) error {
	key := t.keys.tokenKey(name)
	got, err := t.store.Load(ctx, key)
	if err != nil {
		return fmt.Errorf("gateway: token %s: %w", name, err)
	}
	if got[0] == nil {
		return ErrNotFound
	}
	if err := t.store.Save(ctx, key.Owner, Change{Kind: key.Kind, Name: key.Name}); err != nil {
		return fmt.Errorf("gateway: token %s: %w", name, err)
	}
	return nil
}
