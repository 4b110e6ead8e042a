package sandbox

import "time"

// Happening is something that an account may be told.
//
//sumtype:decl
type Happening interface {
	// Where is the chat it happens in; nil when in none.
	Where() *Chat
	happening()
}

type (
	// Said is a new message of a person (Message.Author), or of the account's owner by hand (Message.ByHand).
	Said struct{ Message *Message }
	// Edited changes a message of a person, or of the owner by hand. Before is what it said.
	Edited struct {
		Message *Message
		Before  Content
	}
	// Retracted takes a message of a person, or of the owner by hand, back.
	Retracted struct{ Message *Message }
	// Reacted sets all reactions that a person has on a message; by the owner's hand when Person is nil.
	Reacted struct {
		Message       *Message
		Person        *Person
		Before, After []string
	}
	// Answered is a choice in a poll or a button of Message. Reply is the message by which the person answered.
	Answered struct {
		Message *Message
		Reply   *Message
		Choices []Choice
		Before  []string // ids of the choices that it replaces
	}
	// Accepted is a message of the account that the API took, when the platform echoes or confirms it.
	Accepted struct{ Message *Message }
	// Delivered says that messages of the account are on the person's phone, Read that it looked at them, Failed that one never will be.
	Delivered struct {
		Chat     *Chat
		Messages []*Message
		At       time.Time
	}
	Read struct {
		Chat     *Chat
		Messages []*Message
		At       time.Time
	}
	Failed struct {
		Message *Message
		Code    string // from the control API or a platform's own rule
	}
	// Typing begins or ends.
	Typing struct {
		Chat   *Chat
		Person *Person
		On     bool
	}
	// Blocked is what a person did to an account, or took back.
	Blocked struct {
		Chat *Chat
		On   bool
	}
	// Opened is a chat that a person began or opened again: with an invite token, or bare.
	Opened struct {
		Chat  *Chat
		Token string
		First bool // nothing was in it
	}
	// Called is a call of a person: ringing, missed or ended.
	Called struct {
		Chat   *Chat
		ID     string
		State  string
		Video  bool
		Length time.Duration
	}
	// Joined is a person coming into a group or leaving it; the account itself when Person is nil.
	Joined struct {
		Chat   *Chat
		Person *Person
		In     bool
	}
	// Changed is a person that is another now: number, id, name or picture. It happens once for every chat.
	Changed struct {
		Chat   *Chat
		Person *Person
		Before Person
	}
	// SeenByHand is the owner reading a person's messages in the platform's own app.
	SeenByHand struct {
		Chat     *Chat
		Messages []*Message
	}
)

// Where implements Happening.
func (h Said) Where() *Chat       { return h.Message.Chat }
func (h Edited) Where() *Chat     { return h.Message.Chat } // Where implements Happening.
func (h Retracted) Where() *Chat  { return h.Message.Chat } // Where implements Happening.
func (h Reacted) Where() *Chat    { return h.Message.Chat } // Where implements Happening.
func (h Answered) Where() *Chat   { return h.Message.Chat } // Where implements Happening.
func (h Accepted) Where() *Chat   { return h.Message.Chat } // Where implements Happening.
func (h Delivered) Where() *Chat  { return h.Chat }         // Where implements Happening.
func (h Read) Where() *Chat       { return h.Chat }         // Where implements Happening.
func (h Failed) Where() *Chat     { return h.Message.Chat } // Where implements Happening.
func (h Typing) Where() *Chat     { return h.Chat }         // Where implements Happening.
func (h Blocked) Where() *Chat    { return h.Chat }         // Where implements Happening.
func (h Opened) Where() *Chat     { return h.Chat }         // Where implements Happening.
func (h Called) Where() *Chat     { return h.Chat }         // Where implements Happening.
func (h Joined) Where() *Chat     { return h.Chat }         // Where implements Happening.
func (h Changed) Where() *Chat    { return h.Chat }         // Where implements Happening.
func (h SeenByHand) Where() *Chat { return h.Chat }         // Where implements Happening.

func (Said) happening()       {}
func (Edited) happening()     {}
func (Retracted) happening()  {}
func (Reacted) happening()    {}
func (Answered) happening()   {}
func (Accepted) happening()   {}
func (Delivered) happening()  {}
func (Read) happening()       {}
func (Failed) happening()     {}
func (Typing) happening()     {}
func (Blocked) happening()    {}
func (Opened) happening()     {}
func (Called) happening()     {}
func (Joined) happening()     {}
func (Changed) happening()    {}
func (SeenByHand) happening() {}
