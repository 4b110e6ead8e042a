package gateway

import "time"

// Event is what happened on the platform: plain data, storable, replayable, golden-testable.
type Event struct {
	// Dedupe is unique per account and platform event: a redelivery has the same, two updates never have.
	Dedupe string `json:"dedupe"`
	// Endpoint names the account on the platform's side. Empty when the webhook's path names the account.
	Endpoint Endpoint `json:"endpoint,omitempty"`
	Chat     Chat     `json:"chat"`
	// From is who did it; in a direct chat the contact, or empty when FromMe.
	From ContactID `json:"from,omitempty"`
	// Also are further ids under which the platform knows the contact, such as an old number, or a number beside an id of
	// another kind: whichever is known already, the person stays one contact, and Chat.Contact is the id to use from now on.
	Also []ContactID `json:"also,omitempty"`
	// Invite is the token that the person came with (Sharer), empty for none.
	Invite string `json:"invite,omitempty"`
	// FromMe is true for what the user did in the platform's own app, or for the echo of what we sent.
	FromMe bool      `json:"from_me,omitempty"`
	At     time.Time `json:"at"` // the platform's time, UTC
	// Seq orders the events of a chat where the platform numbers them; 0 where it does not.
	Seq int64 `json:"seq,omitempty"`
	// Lang is the person's language where the platform tells it (RFC 5646).
	Lang string    `json:"lang,omitempty"`
	Body EventBody `json:"-"`
}

// EventBody is the closed set of things that happen.
//
//sumtype:decl
type EventBody interface{ eventBody() }

// Message is a new message.
type Message struct {
	ID      MessageID
	Content Content
	ReplyTo *Target
	// Name is the writer's display name where the event carries it.
	Name string
}

// Edited says that the writer replaced a message's content.
type Edited struct {
	Target  Target
	Content Content
}

// Retracted says that a message was taken back; ByModerator tells a group admin's deletion.
type Retracted struct {
	Target      Target
	ByModerator bool
}

// Reacted carries the full set of one person's reactions on Target.
type Reacted struct {
	Target Target
	Emojis []string
}

// Status is the fate of messages that we sent.
type Status struct {
	IDs []MessageID
	// Ref is our OpID where the platform echoes it; it resolves sends whose answer was lost.
	Ref   OpID
	State StatusState
	// Through names, instead of ids, everything that was sent up to a time, where the platform counts by watermarks.
	Through time.Time `json:",omitzero"`
	// Failure is set when State is StatusFailed.
	Failure *Failure
}

// Seen says that our user read everything up to UpTo in the platform's own app.
type Seen struct{ UpTo Target }

// StatusState is one step of a message's fate.
type StatusState string

// States of a Status, in their natural order.
const (
	StatusAccepted  StatusState = "accepted"
	StatusDelivered StatusState = "delivered"
	StatusRead      StatusState = "read"
	StatusFailed    StatusState = "failed"
)

// Typing says that somebody started or stopped typing. It is never stored.
type Typing struct{ On bool }

// Presence says that a contact is there or was last seen at a time. It is never stored.
type Presence struct {
	Available bool
	LastSeen  time.Time
}

// ContactUpdate carries changed facts of a contact; nil is unchanged, a pointer to empty is cleared.
type ContactUpdate struct {
	Name *string
	// Avatar is the platform's media handle of the person's picture.
	Avatar *string
	// Consent is set when the person accepted, declined or withdrew contact with our user.
	Consent Consent
}

// Consent is a contact's answer to being written to.
type Consent string

// Answers of a contact; the zero value says nothing.
const (
	ConsentRequested Consent = "requested" // the person asks to be in contact with our user
	ConsentAccepted  Consent = "accepted"
	ConsentDeclined  Consent = "declined"
)

// MemberUpdate carries a change of a group's members.
type MemberUpdate struct {
	Joined, Left []ContactID
	Name         *string
}

// Call tells of a call that Postern does not carry.
type Call struct {
	// ID is the platform's, the same through all states of one call.
	ID       string
	State    CallState
	Video    bool
	Duration time.Duration
}

// CallState is how far a Call got.
type CallState string

// States of a Call.
const (
	CallRinging CallState = "ringing"
	CallMissed  CallState = "missed"
	CallEnded   CallState = "ended"
)

// Window says until when the platform lets us write into a chat.
type Window struct{ OpenUntil time.Time }

// AccountState says that an account's standing on the platform changed.
type AccountState struct {
	State AccountStanding
	// Reason is the platform's code, never free text with personal data.
	Reason string
}

// AccountStanding is whether an account can act.
type AccountStanding string

// Standings of an account.
const (
	AccountActive           AccountStanding = "active"
	AccountExpiring         AccountStanding = "expiring"
	AccountReauthNeeded     AccountStanding = "reauth_needed"
	AccountReconsentNeeded  AccountStanding = "reconsent_needed"
	AccountSuspended        AccountStanding = "suspended"
	AccountWithdrawn        AccountStanding = "withdrawn"
	AccountWithdrawalQueued AccountStanding = "withdrawal_queued"
)

// Undeliverable is the XMPP server's bounce of a stanza we wrote: the one event that does not come from a platform.
type Undeliverable struct {
	Stanza    StanzaID
	Condition string // RFC 6120 §8.3.3
}

func (Message) eventBody()       {}
func (Edited) eventBody()        {}
func (Retracted) eventBody()     {}
func (Reacted) eventBody()       {}
func (Status) eventBody()        {}
func (Seen) eventBody()          {}
func (Typing) eventBody()        {}
func (Presence) eventBody()      {}
func (ContactUpdate) eventBody() {}
func (MemberUpdate) eventBody()  {}
func (Call) eventBody()          {}
func (Window) eventBody()        {}
func (AccountState) eventBody()  {}
func (Undeliverable) eventBody() {}

// Ephemeral reports whether a body is worth nothing a moment later: such events are published, never stored.
func Ephemeral(b EventBody) bool {
	switch b.(type) {
	case Typing, Presence:
		return true
	case Message, Edited, Retracted, Reacted, Status, Seen, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
		return false
	}
	return false
}
