package gateway

import "time"

// Renderer turns what a user is to be shown into stanzas. It is pure: the same Rendering gives the same bytes, so that a
// replay gives the same stanza ids. Package xmpp implements it.
type Renderer interface {
	// Render returns complete stanzas in order, without delay stamps: the stream's writer adds those (XEP-0203).
	Render(r Rendering) ([][]byte, error)
}

// Rendering is one thing to show to one user.
type Rendering struct {
	// Component is the domain of the gateway, From the contact that speaks; empty when the gateway itself does.
	Component string
	From      Alias
	To        UserID
	// Local is the localpart that From is shown under, escaped; empty for From itself.
	Local Alias
	// Resource narrows To to one client; empty for all.
	Resource string
	Lang     string
	// Own is true for what the user did in the platform's own app: it is rendered as theirs, from To to the contact. Only
	// the user's server may let it be said (XEP-0356); where it does not, the component leaves it out.
	Own  bool
	What Shown
}

// Shown is the closed set of things that a user can be shown.
//
//sumtype:decl
type Shown interface{ shown() }

// ShowMessage shows a new message. IDs name its stanzas in order: one per part that becomes a stanza of its own.
type ShowMessage struct {
	IDs     []StanzaID
	Content Content
	// ReplyTo is set when the message answers one that the user's client knows.
	ReplyTo *ShownTarget
	// Name is told once, with the first message of an unknown sender (XEP-0172).
	Name string
	// Notice is true for the gateway's own words: no receipt or marker is asked for them.
	Notice bool
}

// ShownTarget points at an earlier stanza.
type ShownTarget struct {
	Stanza StanzaID
	Mine   bool // the user wrote it
	Quote  string
}

// ShowEdit replaces an earlier message (XEP-0308).
type ShowEdit struct {
	ID, Of  StanzaID
	Content Content
	// Notice is true for the gateway's own words.
	Notice bool
}

// ShowRetract takes an earlier message back (XEP-0424).
type ShowRetract struct{ ID, Of StanzaID }

// ShowReact sets the contact's reactions on an earlier message (XEP-0444).
type ShowReact struct {
	ID, Of StanzaID
	Emojis []string
}

// ShowReceipt says that Of was delivered (XEP-0184).
type ShowReceipt struct{ ID, Of StanzaID }

// ShowDisplayed says that everything up to Of was read (XEP-0333).
type ShowDisplayed struct{ ID, Of StanzaID }

// ShowTyping says that the contact started or stopped typing (XEP-0085).
type ShowTyping struct{ On bool }

// ShowError answers a stanza with an error: it goes to the client that sent (xmpp: Rendering.Resource).
type ShowError struct {
	Of      StanzaID
	Refusal Refusal
}

// ShowSubscription moves the presence subscription between a contact and the user (RFC 6121 §3).
type ShowSubscription struct {
	Verb SubscriptionVerb
	Name string
}

// SubscriptionVerb is the type of a subscription presence.
type SubscriptionVerb string

// Verbs of ShowSubscription.
const (
	Subscribe    SubscriptionVerb = "subscribe"
	Subscribed   SubscriptionVerb = "subscribed"
	Unsubscribe  SubscriptionVerb = "unsubscribe"
	Unsubscribed SubscriptionVerb = "unsubscribed"
)

// ShowPresence says whether the contact or the gateway can be reached.
type ShowPresence struct {
	Available bool
	Away      bool
	Status    string
	LastSeen  time.Time
	// Avatar is the SHA-1 of the contact's picture, in hex; empty for none (XEP-0153).
	Avatar string
	// Chat is what the contact's chat supports by now, which the presence announces (XEP-0115); nil for the most that it ever does.
	Chat *Caps
}

// ShowAvatar says which picture the contact has, so that clients fetch it (XEP-0084). The zero Avatar is none.
type ShowAvatar struct{ Avatar Avatar }

// ShowNick says what the contact calls themselves now (XEP-0172).
type ShowNick struct{ Name string }

// ShowContacts offers contacts to the user's client (XEP-0144), at most 50 at a time.
type ShowContacts struct {
	ID    StanzaID
	Items []ContactItem
	// Group is the roster group that is proposed.
	Group string
}

// ContactItem is one contact that is offered; Local is the localpart that it is shown under.
type ContactItem struct {
	Local Alias
	Name  string
}

// ShowRoster brings the contact's entry in the user's roster up to date: its name, where the user chose no other. Add says
// that a missing entry is to come back. It shows only where the user's server lets us write rosters (XEP-0356).
type ShowRoster struct{ Add bool }

// ShowProbe asks the user's server who is online, to heal presence after a restart (RFC 6121 §4.3).
type ShowProbe struct{}

// shownKind names a Shown in dedupe names. One event shows at most one of each kind, but for those with names
// of their own.
func shownKind(s Shown) string {
	switch s := s.(type) {
	case ShowMessage:
		if s.Notice && len(s.IDs) > 0 { // may come with another message
			return "notice " + string(s.IDs[0])
		}
		return "message"
	case ShowEdit:
		return "edit"
	case ShowRetract:
		return "retract " + string(s.Of) // a message may have become several stanzas
	case ShowReact:
		return "react"
	case ShowReceipt:
		return "receipt " + string(s.Of) // a watermark tells of several messages
	case ShowDisplayed:
		return "displayed " + string(s.Of)
	case ShowTyping:
		return "typing"
	case ShowError:
		return "error"
	case ShowSubscription:
		return "subscription"
	case ShowPresence:
		return "presence"
	case ShowContacts:
		return "contacts"
	case ShowProbe:
		return "probe"
	case ShowAvatar:
		return "avatar"
	case ShowNick:
		return "nick"
	case ShowRoster:
		return "roster"
	}
	return ""
}

func (ShowContacts) shown()     {}
func (ShowProbe) shown()        {}
func (ShowAvatar) shown()       {}
func (ShowNick) shown()         {}
func (ShowRoster) shown()       {}
func (ShowMessage) shown()      {}
func (ShowEdit) shown()         {}
func (ShowRetract) shown()      {}
func (ShowReact) shown()        {}
func (ShowReceipt) shown()      {}
func (ShowDisplayed) shown()    {}
func (ShowTyping) shown()       {}
func (ShowError) shown()        {}
func (ShowSubscription) shown() {}
func (ShowPresence) shown()     {}

// Refusal is why something a user asked was not done: a condition that clients act on, and a text that people read.
type Refusal struct {
	Condition Condition
	// Text is in the user's language, without secrets.
	Text string
}

func (r *Refusal) Error() string { return "refused: " + string(r.Condition) }

// Condition is a stanza error condition (RFC 6120 §8.3.3) as the gateway uses it; package xmpp gives each its error type.
type Condition string

// Conditions that the gateway decides.
const (
	ItemNotFound         Condition = "item-not-found"
	RegistrationRequired Condition = "registration-required"
	NotAuthorized        Condition = "not-authorized"
	Forbidden            Condition = "forbidden"
	NotAllowed           Condition = "not-allowed"
	NotAcceptable        Condition = "not-acceptable"
	BadRequest           Condition = "bad-request"
	Conflict             Condition = "conflict"
	ServiceUnavailable   Condition = "service-unavailable"
	RecipientUnavailable Condition = "recipient-unavailable"
	ResourceConstraint   Condition = "resource-constraint"
	RemoteServerTimeout  Condition = "remote-server-timeout"
	PolicyViolation      Condition = "policy-violation"
	InternalServerError  Condition = "internal-server-error"
	UndefinedCondition   Condition = "undefined-condition"
)
