package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AuditEntry is one line of the audit log: who did what, when. Each carries the hash of the one before it, so that no line can be
// changed, taken out or put in between without every later hash showing it; that the last ones were cut off shows only to who has kept
// a later hash. It names no user: one stands in it as a salted commitment, and with the salt goes the link.
type AuditEntry struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// Actor is the name of a token, "cli" for the command line beside the store, "gateway", ActorUser, or "chat-" and an HMAC for an operator
	// who wrote to the gateway.
	Actor string `json:"actor"`
	// Action is a noun and a verb, such as dead-letter.replay.
	Action string `json:"action"`
	// Object is what it was done to, where that is nobody: an id of a dead letter, the name of a token.
	Object string `json:"object,omitempty"`
	// Subject is the Commitment to the user concerned.
	Subject string `json:"subject,omitempty"`
	// Prev is the Hash of the line before, empty in the first; Hash is over this line with an empty Hash, as JSON.
	Prev string `json:"prev"`
	Hash string `json:"hash"`
}

// sum is the hash of a line.
func (e AuditEntry) sum() string {
	e.Hash = ""
	plain, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and a time
	}
	h := sha256.Sum256(plain)
	return hex.EncodeToString(h[:])
}

// ErrAudit: the audit log does not hold together.
var ErrAudit = errors.New("audit log broken")

// VerifyAudit checks that a line follows the one before it, the zero AuditEntry for the first.
func VerifyAudit(before, e AuditEntry) error {
	switch {
	case e.Seq != before.Seq+1:
		return fmt.Errorf("%w: line %d follows line %d", ErrAudit, e.Seq, before.Seq)
	case e.Prev != before.Hash:
		return fmt.Errorf("%w: line %d follows another line %d than the one before it", ErrAudit, e.Seq, before.Seq)
	case e.Hash != e.sum():
		return fmt.Errorf("%w: line %d was changed", ErrAudit, e.Seq)
	}
	return nil
}

// Audit is the operator's audit log, shared by all replicas.
type Audit struct {
	store Records
	keys  *Keyring
	turn  chan struct{} // who shares this log writes one line at a time; the others are in each other's way
}

// NewAudit returns the log that a store holds.
func NewAudit(store Records, keys *Keyring) *Audit {
	return &Audit{store, keys, make(chan struct{}, 1)}
}

const (
	ownerAudit Owner = "audit"
	// auditHead is the name of the record that says how long the log is.
	auditHead = "head"
	// auditTries is how often an entry looks for its place while others find theirs.
	auditTries = 64
	// maxAuditLine is more than there will ever be: names have twelve digits.
	maxAuditLine = 999_999_999_999
)

func auditName(seq int64) string { return fmt.Sprintf("%012d", seq) }

// Commitment binds a line to a user: the SHA-256 of a salt and their JID, in hex. Who has the salt can prove whom the line is about;
// without it nobody can tell.
func Commitment(salt string, user UserID) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + string(user)))
	return hex.EncodeToString(sum[:])
}

// AddAbout writes one line about a user, and returns the salt of its commitment, which is kept nowhere else unless the caller does.
func (a *Audit) AddAbout(ctx context.Context, actor, action, object string, user UserID) (e AuditEntry, salt string, err error) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	salt = lowerBase32.EncodeToString(raw)
	e, err = a.add(ctx, AuditEntry{Actor: actor, Action: action, Object: object, Subject: Commitment(salt, user)})
	return e, salt, err
}

// Add writes one line about nobody, and returns it.
func (a *Audit) Add(ctx context.Context, actor, action, object string) (AuditEntry, error) {
	return a.add(ctx, AuditEntry{Actor: actor, Action: action, Object: object})
}

func (a *Audit) add(ctx context.Context, e AuditEntry) (AuditEntry, error) {
	// What is no text would be read back as another one, with another hash: the log would be broken there for ever.
	for _, s := range []*string{&e.Actor, &e.Action, &e.Object} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return AuditEntry{}, fmt.Errorf("gateway: audit: %w", ctx.Err())
	}
	for range auditTries {
		last, err := a.Last(ctx)
		if err != nil {
			return AuditEntry{}, err
		}
		e.Seq, e.At, e.Prev = last.Seq+1, time.Now().UTC().Truncate(time.Millisecond), last.Hash
		e.Hash = e.sum()
		plain, err := json.Marshal(e)
		if err != nil {
			return AuditEntry{}, err
		}
		name := auditName(e.Seq)
		err = a.store.Save(ctx, ownerAudit,
			Change{Kind: RecordAudit, Name: name, Value: a.keys.operator.Seal("audit/"+name, plain), IfAbsent: true},
			Change{Kind: RecordAudit, Name: auditHead, Value: strconv.AppendInt(nil, e.Seq, 10)})
		switch {
		case err == nil:
			return e, nil
		case !errors.Is(err, ErrExists): // somebody else's line: the next place is ours
			return AuditEntry{}, fmt.Errorf("gateway: audit: %w", err)
		}
	}
	return AuditEntry{}, errors.New("gateway: audit: too many others write at once")
}

// Last returns the newest line, the zero AuditEntry of an empty log.
func (a *Audit) Last(ctx context.Context) (AuditEntry, error) {
	got, err := a.store.Load(ctx, RecordKey{ownerAudit, RecordAudit, auditHead})
	if err != nil || got[0] == nil {
		return AuditEntry{}, err
	}
	n, err := strconv.ParseInt(string(got[0]), 10, 64)
	if err != nil {
		return AuditEntry{}, fmt.Errorf("gateway: audit: %w", err)
	}
	page, err := a.Lines(ctx, n-1, 1)
	if err != nil || len(page) == 0 {
		return AuditEntry{}, err
	}
	return page[0], nil
}

// Lines returns up to n lines behind one, oldest first, and checks that they hold together; the first is held against the one before
// it too. ErrAudit when they do not.
func (a *Audit) Lines(ctx context.Context, after int64, n int) ([]AuditEntry, error) {
	var before AuditEntry
	after = min(max(after, 0), maxAuditLine) // so that no line behind it is beyond counting
	from := max(after, 1)
	keys := make([]RecordKey, 0, n+1)
	for seq := from; seq <= after+int64(n); seq++ {
		keys = append(keys, RecordKey{ownerAudit, RecordAudit, auditName(seq)})
	}
	got, err := a.store.Load(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("gateway: audit: %w", err)
	}
	var out []AuditEntry
	for i, sealed := range got {
		if sealed == nil {
			break
		}
		plain, err := a.keys.operator.Open("audit/"+keys[i].Name, sealed)
		if err != nil {
			return nil, fmt.Errorf("%w: line %s does not open", ErrAudit, keys[i].Name)
		}
		var e AuditEntry
		if err := json.Unmarshal(plain, &e); err != nil {
			return nil, fmt.Errorf("%w: line %s: %w", ErrAudit, keys[i].Name, err)
		}
		if i > 0 || after < 1 {
			if err := VerifyAudit(before, e); err != nil {
				return nil, err
			}
		}
		if before = e; e.Seq > after {
			out = append(out, e)
		}
	}
	return out, nil
}
