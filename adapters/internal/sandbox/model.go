package sandbox

import (
	"slices"
	"time"

	"postern/adapters/control"
)

// The words of the control API, for the platforms.
type (
	Content      = control.Content     // Content is what a message says.
	Span         = control.Span        // Span styles a part of a text.
	MediaPart    = control.MediaPart   // MediaPart is a file of a message.
	Location     = control.Location    // Location is a place.
	Contact      = control.Contact     // Contact is a card.
	Choice       = control.Choice      // Choice is an option or a button.
	Poll         = control.Poll        // Poll asks.
	Interactive  = control.Interactive // Interactive has buttons.
	ChoiceAnswer = control.Answer      // ChoiceAnswer chooses.
	Faults       = control.Faults      // Faults go wrong on purpose.
	Batching     = control.Batching    // Batching makes several updates one request.
	Client       = control.Client      // Client speaks the control API.
	Condition    = control.Condition   // Condition is what Client.Wait waits for.
)

// Person is somebody who uses the platform.
type Person struct {
	control.Person
	// Own is the platform's to use.
	Own   any
	chats []*Chat // in the order of their beginning
}

// Account is the other end: a bot, a number, a page.
type Account struct {
	control.Account
	// Own is the platform's to use.
	Own any
	// Seq counts the messages of all its chats.
	Seq int64

	chats    []*Chat
	direct   map[string]*Chat    // by Native
	byNative map[string]*Message // of all chats; where ids repeat, the newest
	next     int64               // number of the next update
	lanes    Lanes[[]*Update]
	waiting  int       // updates in all lanes and in flight
	failing  time.Time // since when no attempt was taken
	gone     time.Time // since when 410 is answered
}

// Chats are its chats in the order of their beginning.
func (a *Account) Chats() []*Chat { return slices.Clone(a.chats) }

// Chat is a conversation of an account with a person, or a group that the account is in.
type Chat struct {
	ID      string // of the control API
	Native  string // of the platform, as the account sees it
	Account *Account
	Person  *Person // nil in a group
	Title   string  // of a group
	Members []*Person
	// Granted says that the account may write: the person began.
	Granted bool
	Blocked bool // by the person
	// LastInbound is when a person last did what opens a messaging window.
	LastInbound, LastOutbound time.Time
	// Seq counts its messages.
	Seq int64
	// Own is the platform's to use.
	Own any

	typingUntil time.Time // of the account
	opened      int
	messages    []*Message
	byNative    map[string]*Message
}

// Group says that it is one.
func (c *Chat) Group() bool { return c.Person == nil }

// Messages are those that are kept, oldest first.
func (c *Chat) Messages() []*Message { return slices.Clone(c.messages) }

// Message finds one by its platform id; nil when it is not there any more.
func (c *Chat) Message(native string) *Message { return c.byNative[native] }

// Message is one message of a chat.
type Message struct {
	ID     string // of the control API
	Native string // of the platform
	Chat   *Chat
	// FromUser: by the account; ByHand: by its owner in the platform's own app. Else by Author.
	FromUser bool
	ByHand   bool
	Author   *Person
	Content  Content
	ReplyTo  string // ID of a message
	// Album is the ID of the first message that was sent in one go with this one; empty when it was alone.
	Album     string
	Ref       string // what the caller of the API gave it
	SentAt    time.Time
	EditedAt  time.Time
	Order     int64 // over all chats
	Seq       int64 // in its chat
	Status    string
	Failure   string
	Revision  int
	Retracted bool
	// Reactions by handle of a person, or by account id.
	Reactions map[string][]string
	// Answers are ids of choices by handle.
	Answers map[string][]string
	// Own is the platform's to use.
	Own any
}

// The states of a message of an account. What a person said has them for whether the account read it.
const (
	StatusQueued    = "queued"
	StatusSent      = "sent"
	StatusDelivered = "delivered"
	StatusRead      = "read"
	StatusFailed    = "failed"
)

// statusRank orders the states; a message never goes back.
func statusRank(status string) int {
	return slices.Index([]string{StatusQueued, StatusSent, StatusDelivered, StatusRead, StatusFailed}, status)
}
