package gateway

import "time"

// Mode says where a message can be read on its way (XEP-0504, and the disclosure a user consents to).
type Mode string

// Modes, strongest first.
const (
	// ModeRelay: ciphertext end to end; neither gateway nor platform operator can read.
	ModeRelay Mode = "relay"
	// ModeSelfHosted: decrypted on a gateway of the user's own.
	ModeSelfHosted Mode = "self-hosted"
	// ModeTerminate: the gateway's operator can read; the platform cannot.
	ModeTerminate Mode = "terminate"
	// ModeCleartext: the platform has no end-to-end encryption here; both operators can read.
	ModeCleartext Mode = "cleartext"
)

// Descriptor is what an adapter declares about itself. Disclosure, disco forms, first-message notice and console are
// all generated from it, so that they cannot disagree.
type Descriptor struct {
	// Type is the adapter's type name, such as "telegram". Platform is the name people know, such as "Telegram".
	Type, Platform string
	// Version counts changes that a user must agree to again.
	Version int
	// DiscoType is the gateway identity type that clients have an icon for (XEP-0100 registrar).
	DiscoType string
	// Out, In and Media are the modes of texts to the platform, from it, and of media.
	Out, In, Media Mode
	// Reveals names the identifier of the user that people on the platform see.
	Reveals Identifier
	// MetadataSeenBy lists who learns who writes to whom and when.
	MetadataSeenBy []string
	// Retention is how long Postern keeps an undelivered message at most; content is kept no longer than until delivery.
	Retention time.Duration
	// PlatformRetention is how long the platform keeps undelivered messages; 0 is unknown.
	PlatformRetention time.Duration
	// Inactivity is after how long without use the platform ends an account; 0 is never.
	Inactivity time.Duration
	// Region is the condition on where users live, such as "EEA"; empty for none.
	Region string
	// TermsURL and TermsVersion name the platform's terms.
	TermsURL, TermsVersion string
	// API is the document and version that the adapter is written against.
	API string
	// Addressing says how people are named on the platform, for the add-contact prompt.
	Addressing []Identifier
	// Caps is what a direct chat supports at best, for the disclosure and the feature table.
	Caps Caps
	// Sequenced is true when Event.Seq counts the events of a chat without gaps: one that overtook another then waits for
	// it, seconds or until the platform that is asked for it (Backlog) has answered, a minute at most.
	Sequenced bool
	// Renames is true when a person may come under another id than before (Event.Also).
	Renames bool
	// MaxPerMinute bounds what one account sends; 0 leaves it to the platform's answers.
	MaxPerMinute int
	// Limits bound what is sent besides, each for its scope. Everything that is sent counts, typing included.
	Limits []Limit
}

// Limit is a token bucket: Burst at once, and Every so often one more.
type Limit struct {
	Scope LimitScope
	Every time.Duration
	Burst int
}

// LimitScopes lists every scope, for metrics.
func LimitScopes() []LimitScope {
	return []LimitScope{LimitChat, LimitAccount, LimitApp, LimitUser, LimitUserChat, LimitFirst, LimitPlan, LimitPlanNew, LimitPlanMedia}
}

// LimitScope is what shares a Limit.
type LimitScope string

// Scopes of a Limit.
const (
	LimitChat    LimitScope = "chat"
	LimitAccount LimitScope = "account" // the endpoint: on a line, all its users
	LimitApp     LimitScope = "app"     // everything of the adapter instance
	// Those of users are the operator's (Instance.Limits), and hold before anything is taken.
	LimitUser     LimitScope = "user"          // what one user asks for
	LimitUserChat LimitScope = "user_chat"     // what one user asks of one contact
	LimitFirst    LimitScope = "first_contact" // people whom one user writes to first
	// Those of plans come with a user's Terms.
	LimitPlan      LimitScope = "plan_messages"     // what one user asks for
	LimitPlanNew   LimitScope = "plan_new_contacts" // people whom one user writes to first
	LimitPlanMedia LimitScope = "plan_media"        // KiB of one user's files, both ways
)

// Identifier is a kind of name that people have on a platform.
type Identifier string

// Kinds of identifier.
const (
	IdentifierPhone    Identifier = "phone"
	IdentifierEmail    Identifier = "email"
	IdentifierUsername Identifier = "username"
	IdentifierJID      Identifier = "jid"
	IdentifierOpaque   Identifier = "opaque" // a number the platform made up
)
