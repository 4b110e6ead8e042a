package gateway

import "time"

// Inbound is an event on its way to a user: the payload of an entry in an `in` queue.
type Inbound struct {
	Event   Event     `json:"event"`
	Adapter AdapterID `json:"adapter"`
	Account AccountID `json:"account"`
	Alias   Alias     `json:"alias"`
	// Trace is where its way is told of; empty where it is not.
	Trace TraceContext `json:"trace,omitempty"`
}

// Outbound is an op on its way to the platform: the payload of an entry in an `out` queue.
type Outbound struct {
	Op      Op        `json:"op"`
	Adapter AdapterID `json:"adapter"`
	Account AccountID `json:"account,omitempty"` // set by the gateway
	// Alias is the contact's localpart that the stanza was addressed to.
	Alias Alias `json:"alias"`
	// User and Resource are the client that sent: errors go there.
	User     UserID `json:"user"`
	Resource string `json:"resource,omitempty"`
	// Stanza is the id that the client gave the message; receipts, markers and errors refer to it. It may be empty.
	Stanza StanzaID `json:"stanza,omitempty"`
	// Origin is the message's origin-id (XEP-0359 §3.2) where that is another: later messages may refer to it as well.
	Origin StanzaID `json:"origin,omitempty"`
	// Receipt is true when the client asked for a delivery receipt (XEP-0184), Markable for displayed markers (XEP-0333).
	Receipt  bool `json:"receipt,omitempty"`
	Markable bool `json:"markable,omitempty"`
	// Sent is when an op that came back (EntryAgain) was sent for the first time.
	Sent time.Time `json:"sent,omitzero"`
	// Trace is where its way is told of; empty where it is not.
	Trace TraceContext `json:"trace,omitempty"`
}

// Visitor is who talks to the gateway itself, or about whom it decides.
type Visitor struct {
	Adapter AdapterID
	User    UserID
	// Resource is the client; answers to commands go there.
	Resource string
	Lang     string
}

// PresenceKind is what a user's presence stanza asks of a contact or of the gateway (RFC 6121 §3, §4).
type PresenceKind string

// Kinds of presence.
const (
	PresenceAvailable    PresenceKind = "available"
	PresenceUnavailable  PresenceKind = "unavailable"
	PresenceProbe        PresenceKind = "probe"
	PresenceSubscribe    PresenceKind = "subscribe"
	PresenceSubscribed   PresenceKind = "subscribed"
	PresenceUnsubscribe  PresenceKind = "unsubscribe"
	PresenceUnsubscribed PresenceKind = "unsubscribed"
)
