package gateway

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Every identifier has its own type, so that one can never stand in for another by accident.
type (
	// UserID is the bare JID of one of our users, normalised (RFC 7622).
	UserID string
	// AdapterID is an adapter instance's name in the configuration, such as "telegram" or "whatsapp-business".
	AdapterID string
	// AccountID is a ULID of ours; it may stand in key names and logs because it says nothing about anybody.
	AccountID string
	// Endpoint is the platform's own id of an account: an enlistment id, a bot id, a phone number id.
	Endpoint string
	// ChatID is the platform's id of a conversation. For a direct chat it equals the contact's id where the platform has none.
	ChatID string
	// ContactID is the platform's id of a person.
	ContactID string
	// MessageID is the platform's id of a message.
	MessageID string
	// StanzaID is the id attribute of an XMPP message, equal to its origin-id (XEP-0359).
	StanzaID string
	// Alias is the localpart under which a contact or room is addressed on our component.
	Alias string
	// OpID is a ULID of ours; the idempotency key and echo reference of an op, the same in every retry.
	OpID string
)

// NewOpID returns a fresh, time-ordered id.
func NewOpID() OpID { return OpID(newULID()) }

// NewAccountID returns a fresh, time-ordered id.
func NewAccountID() AccountID { return AccountID(newULID()) }

func newULID() string { return ulid.MustNew(ulid.Timestamp(time.Now()), rand.Reader).String() }

// timeOf returns when an op of ours was made; ok is false for what is no id of ours.
func timeOf(id OpID) (at time.Time, ok bool) {
	whole, _, _ := strings.Cut(string(id), ".")
	u, err := ulid.ParseStrict(whole)
	return ulid.Time(u.Time()), err == nil
}
