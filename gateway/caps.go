package gateway

import "time"

// Level says how well a chat supports a feature.
type Level uint8

// Levels. The zero value is None: what an adapter does not declare does not exist.
const (
	// None: impossible; the core renders a fallback or refuses.
	None Level = iota
	// Emulated: done in another way that the other side can tell, labelled once per chat.
	Emulated
	// Native: the platform has it.
	Native
)

var levelNames = [...]string{"none", "emulated", "native"}

func (l Level) String() string { return levelNames[min(int(l), len(levelNames)-1)] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Feature names one thing that a chat can or cannot do. It is also the label in metrics and disclosures.
type Feature string

// Features of a chat. Out is user to platform, in is platform to user; a feature without a direction counts for both.
const (
	FeatureText      Feature = "text"
	FeatureMedia     Feature = "media"
	FeatureLocation  Feature = "location"
	FeatureContact   Feature = "contact"
	FeaturePoll      Feature = "poll"
	FeatureSticker   Feature = "sticker"
	FeatureAnswer    Feature = "answer"  // our user can pick an option of a poll or of buttons
	FeatureStyling   Feature = "styling" // spans over text; without it they become XEP-0393 marks
	FeatureReply     Feature = "reply"
	FeatureEdit      Feature = "edit"
	FeatureRetract   Feature = "retract"
	FeatureReact     Feature = "react"
	FeatureDelivered Feature = "delivered" // the platform tells us of delivery: XEP-0184 means delivered, not accepted
	FeatureReadOut   Feature = "read_out"  // our user's reading reaches the platform
	FeatureReadIn    Feature = "read_in"   // the contact's reading reaches our user
	FeatureTypingOut Feature = "typing_out"
	FeatureTypingIn  Feature = "typing_in"
	FeaturePresence  Feature = "presence"
	FeatureProfile   Feature = "profile" // names and pictures of contacts
	FeatureBlock     Feature = "block"
	FeatureReport    Feature = "report"
	FeatureGroups    Feature = "groups"
)

// Features lists every feature in the order that tables and disclosures show.
func Features() []Feature {
	return []Feature{
		FeatureText, FeatureMedia, FeatureLocation, FeatureContact, FeaturePoll, FeatureSticker, FeatureAnswer, FeatureStyling, FeatureReply,
		FeatureEdit, FeatureRetract, FeatureReact, FeatureDelivered, FeatureReadOut, FeatureReadIn, FeatureTypingOut, FeatureTypingIn,
		FeaturePresence, FeatureProfile, FeatureBlock, FeatureReport, FeatureGroups,
	}
}

// Caps is what one chat supports now: data, compared and printed, never a method with I/O behind it.
type Caps struct {
	// Levels may be shared with whoever else asked: nobody changes it.
	Levels map[Feature]Level
	// TextMax is the longest text in TextUnit; 0 means no limit.
	TextMax  int
	TextUnit TextUnit
	// MediaMax is the largest upload in bytes; 0 means no limit. MediaTypes lists accepted MIME types, empty for any.
	MediaMax   int64
	MediaTypes []string
	// EditFor and RetractFor are how long after sending a message may be changed; 0 means for ever.
	EditFor, RetractFor time.Duration
	// Reactions lists the allowed emoji, empty for any; ReactionsMax is how many one person may set, 0 for no limit.
	Reactions    []string
	ReactionsMax int
	// Window is set where the platform lets us write only for a time after the contact wrote.
	Window *WindowRule
	// TypingAfter is true when typing is shown below the contact's last message: the core then keeps which one that is.
	TypingAfter bool
	// Watermarks is true when delivery and reading are told as times (Status.Through).
	Watermarks bool
	// Idempotent is true when a resend with the same OpID has no second effect; Echo when events carry our OpID back.
	Idempotent, Echo bool
}

// WindowRule is a platform's reply window: open for For after the contact's last message.
type WindowRule struct {
	For time.Duration
	// Reopen is true when OpReopen may be sent while the window is closed.
	Reopen bool
	// Late is true when the platform may take a message for a closed window, and say only in a status that it was refused.
	Late bool
}

// WindowPolicy is what an operator wants of a message for a contact whose reply window is closed.
type WindowPolicy string

// Policies for a closed window. The zero value is WindowHold.
const (
	// WindowHold keeps the message until the contact writes, and tells the user so.
	WindowHold WindowPolicy = "hold"
	// WindowReopen is WindowHold, and asks the contact to write (OpReopen) where the platform has a way.
	WindowReopen WindowPolicy = "reopen"
	// WindowRefuse answers the user with an error.
	WindowRefuse WindowPolicy = "refuse"
)

// TextUnit is what a platform counts when it limits a text.
type TextUnit uint8

// Units of TextMax.
const (
	CodePoints TextUnit = iota
	UTF16Units
	Bytes
)

// Has reports whether a feature is supported at all.
func (c Caps) Has(f Feature) bool { return c.Levels[f] > None }

// ChatFacts is what Caps may depend on.
type ChatFacts struct {
	Kind ChatKind
	// LastInbound is when the contact last wrote; zero for never.
	LastInbound time.Time
	// Without lists features that the platform refused lately (learned downgrades).
	Without []Feature
}
