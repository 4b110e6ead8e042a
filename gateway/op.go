package gateway

import "time"

// ChatKind tells a conversation of two from a group.
type ChatKind string

// Kinds of chat.
const (
	ChatDirect ChatKind = "direct"
	ChatGroup  ChatKind = "group"
)

// Chat names a conversation as one account sees it.
type Chat struct {
	ID   ChatID   `json:"id,omitempty"`
	Kind ChatKind `json:"kind"`
	// Contact is the other person of a direct chat; its alias names the lane. Empty in a group.
	Contact ContactID `json:"contact,omitempty"`
}

// Target points at an earlier message. Each side names it in its own ids; the lane translates through the id map.
type Target struct {
	// IDs are the platform's. They are what adapters see.
	IDs []MessageID `json:"ids,omitempty"`
	// Stanza is the XMPP side's. Adapters neither set nor read it.
	Stanza StanzaID `json:"stanza,omitempty"`
	// Mine is true when our user wrote the message.
	Mine bool `json:"mine,omitempty"`
	// At is when it was sent, to the minute; zero when that is not known.
	At time.Time `json:"at,omitzero"`
	// Excerpt is the beginning of the message's text where known: it lets a platform without replies get a quote.
	Excerpt string `json:"excerpt,omitempty"`
}

// Op is what a user asks of the platform: plain data, storable, replayable.
type Op struct {
	ID   OpID      `json:"id"`
	Chat Chat      `json:"chat"`
	At   time.Time `json:"at"` // when the user asked, UTC
	Lang string    `json:"lang,omitempty"`
	// LastInbound is when the contact last wrote, where Caps have a Window; zero for never. The core sets it for Send.
	LastInbound time.Time `json:"last_inbound,omitzero"`
	Body        OpBody    `json:"-"`
}

// OpBody is the closed set of things an Op can ask.
//
//sumtype:decl
type OpBody interface{ opBody() }

// OpMessage sends Content, as an answer to ReplyTo when that is set.
type OpMessage struct {
	Content Content
	ReplyTo *Target
}

// OpEdit replaces what Target says (XEP-0308).
type OpEdit struct {
	Target  Target
	Content Content
}

// OpRetract takes Target back for everybody (XEP-0424).
type OpRetract struct{ Target Target }

// OpReact sets the user's full set of reactions on Target; empty removes all (XEP-0444).
type OpReact struct {
	Target Target
	Emojis []string
}

// OpMarkRead says that the user has read everything up to UpTo (XEP-0333).
type OpMarkRead struct{ UpTo Target }

// OpAnswer picks options of a Poll or an Interactive that the contact sent. Where the platform cannot take it, it goes as text.
type OpAnswer struct {
	Target  Target
	Choices []Choice
}

// OpReopen asks the contact to write, by what the platform allows while its reply window is closed, such as an approved template.
// The core makes it where Caps say that the adapter has that; no user asks for it.
type OpReopen struct {
	// From is how the user is named to the contact.
	From string
}

// OpTyping says that the user started or stopped typing (XEP-0085). It is never stored.
type OpTyping struct {
	On bool
	// After is the contact's last message, where Caps say TypingAfter; nil when there is none.
	After *Target `json:",omitempty"`
}

// OpGroup is a change of a group: its verb decides which fields count.
type OpGroup struct {
	Verb    GroupVerb
	Name    string
	Members []ContactID
}

// GroupVerb is what an OpGroup does.
type GroupVerb string

// Verbs of OpGroup.
const (
	GroupCreate GroupVerb = "create"
	GroupRename GroupVerb = "rename"
	GroupAdd    GroupVerb = "add"
	GroupRemove GroupVerb = "remove"
	GroupLeave  GroupVerb = "leave"
)

func (OpMessage) opBody()  {}
func (OpEdit) opBody()     {}
func (OpRetract) opBody()  {}
func (OpReact) opBody()    {}
func (OpMarkRead) opBody() {}
func (OpAnswer) opBody()   {}
func (OpReopen) opBody()   {}
func (OpTyping) opBody()   {}
func (OpGroup) opBody()    {}

// Sent is what the platform said when it took an op.
type Sent struct {
	// IDs are the platform's ids, one per part that became a message of its own.
	IDs []MessageID
	// Chat is the platform's conversation id where the answer names it.
	Chat ChatID
	At   time.Time
	// Final is true when the platform tells nothing more: the receipt goes out at once.
	Final bool
}
