package gateway

import (
	"encoding/json"
	"fmt"
)

// EncodingVersion is the version of the JSON that queues hold. A reader refuses a newer one, so that a rollback parks
// such entries as dead letters instead of misreading them.
const EncodingVersion = 1

// sum is the JSON shape of one member of a closed set: its name beside its fields.
type sum struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// The names of the members on disk. They outlive renames in the code.
var (
	partKinds = kinds[Part]{
		"text": decode[Text, Part], "media": decode[Media, Part], "location": decode[Location, Part], "contact": decode[ContactCard, Part],
		"poll": decode[Poll, Part], "interactive": decode[Interactive, Part], "sticker": decode[Sticker, Part], "unsupported": decode[UnsupportedPart, Part],
	}
	opKinds = kinds[OpBody]{
		"message": decode[OpMessage, OpBody], "edit": decode[OpEdit, OpBody], "retract": decode[OpRetract, OpBody], "react": decode[OpReact, OpBody],
		"mark_read": decode[OpMarkRead, OpBody], "answer": decode[OpAnswer, OpBody], "typing": decode[OpTyping, OpBody], "reopen": decode[OpReopen, OpBody], "group": decode[OpGroup, OpBody],
	}
	eventKinds = kinds[EventBody]{
		"message": decode[Message, EventBody], "edited": decode[Edited, EventBody], "retracted": decode[Retracted, EventBody],
		"reacted": decode[Reacted, EventBody], "status": decode[Status, EventBody], "seen": decode[Seen, EventBody], "typing": decode[Typing, EventBody],
		"presence": decode[Presence, EventBody], "contact": decode[ContactUpdate, EventBody], "member": decode[MemberUpdate, EventBody],
		"call": decode[Call, EventBody], "window": decode[Window, EventBody], "account": decode[AccountState, EventBody],
		"undeliverable": decode[Undeliverable, EventBody],
	}
)

type kinds[S any] map[string]func(json.RawMessage) (S, error)

func decode[T, S any](raw json.RawMessage) (S, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	s, _ := any(v).(S)
	return s, err
}

func (k kinds[S]) decode(in sum) (S, error) {
	f, ok := k[in.Kind]
	if !ok {
		var none S
		return none, fmt.Errorf("gateway: decode: unknown kind %q", in.Kind)
	}
	return f(in.Body)
}

// PartKind names a part for encoding, metrics and notices.
func PartKind(p Part) string {
	switch p.(type) {
	case Text:
		return "text"
	case Media:
		return "media"
	case Location:
		return "location"
	case ContactCard:
		return "contact"
	case Poll:
		return "poll"
	case Interactive:
		return "interactive"
	case Sticker:
		return "sticker"
	case UnsupportedPart:
		return "unsupported"
	}
	return ""
}

// OpKind names an op's body for encoding, logs and metrics.
func OpKind(b OpBody) string {
	switch b.(type) {
	case OpMessage:
		return "message"
	case OpEdit:
		return "edit"
	case OpRetract:
		return "retract"
	case OpReact:
		return "react"
	case OpMarkRead:
		return "mark_read"
	case OpAnswer:
		return "answer"
	case OpTyping:
		return "typing"
	case OpReopen:
		return "reopen"
	case OpGroup:
		return "group"
	}
	return ""
}

// EventKind names an event's body for encoding, logs and metrics.
func EventKind(b EventBody) string {
	switch b.(type) {
	case Message:
		return "message"
	case Edited:
		return "edited"
	case Retracted:
		return "retracted"
	case Reacted:
		return "reacted"
	case Status:
		return "status"
	case Seen:
		return "seen"
	case Typing:
		return "typing"
	case Presence:
		return "presence"
	case ContactUpdate:
		return "contact"
	case MemberUpdate:
		return "member"
	case Call:
		return "call"
	case Window:
		return "window"
	case AccountState:
		return "account"
	case Undeliverable:
		return "undeliverable"
	}
	return ""
}

func encodeSum(kind string, v any) (sum, error) {
	if kind == "" {
		return sum{}, fmt.Errorf("gateway: encode: %T is not of the closed set", v)
	}
	raw, err := json.Marshal(v)
	return sum{Kind: kind, Body: raw}, err
}

// MarshalJSON writes the parts with their kinds.
func (c Content) MarshalJSON() ([]byte, error) {
	out := make([]sum, len(c.Parts))
	for i, p := range c.Parts {
		s, err := encodeSum(PartKind(p), p)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Content) UnmarshalJSON(b []byte) error {
	var in []sum
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	c.Parts = make([]Part, len(in))
	for i, s := range in {
		p, err := partKinds.decode(s)
		if err != nil {
			return err
		}
		c.Parts[i] = p
	}
	return nil
}

type opFields Op

type opJSON struct {
	V int `json:"v"`
	opFields
	sum
}

// MarshalJSON writes the op with its version and kind.
func (o Op) MarshalJSON() ([]byte, error) {
	s, err := encodeSum(OpKind(o.Body), o.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(opJSON{EncodingVersion, opFields(o), s})
}

// UnmarshalJSON reads what MarshalJSON wrote; a newer version is an error.
func (o *Op) UnmarshalJSON(b []byte) error {
	var in opJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.V > EncodingVersion {
		return fmt.Errorf("gateway: decode: op of version %d, this build reads up to %d", in.V, EncodingVersion)
	}
	body, err := opKinds.decode(in.sum)
	*o = Op(in.opFields)
	o.Body = body
	return err
}

type eventFields Event

type eventJSON struct {
	V int `json:"v"`
	eventFields
	sum
}

// MarshalJSON writes the event with its version and kind.
func (e Event) MarshalJSON() ([]byte, error) {
	s, err := encodeSum(EventKind(e.Body), e.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(eventJSON{EncodingVersion, eventFields(e), s})
}

// UnmarshalJSON reads what MarshalJSON wrote; a newer version is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	var in eventJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.V > EncodingVersion {
		return fmt.Errorf("gateway: decode: event of version %d, this build reads up to %d", in.V, EncodingVersion)
	}
	body, err := eventKinds.decode(in.sum)
	*e = Event(in.eventFields)
	e.Body = body
	return err
}
