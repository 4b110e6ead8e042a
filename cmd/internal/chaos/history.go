package chaos

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Direction is the way a message goes.
type Direction string

// The two directions, as seen from the gateway.
const (
	In  Direction = "in"  // from a person on the platform to a user
	Out Direction = "out" // from a user to a person on the platform
)

// Key names one message of a run. Its text is the body that both sides see, or its file has its name.
type Key struct {
	Dir  Direction
	Chat int // from 0
	N    int // from 1, in the order of sending within chat and direction
}

// String is the text of the message.
func (k Key) String() string { return fmt.Sprintf("%s %d %d", k.Dir, k.Chat, k.N) }

// ParseKey reads the text of a message; ok is false for any other text.
func ParseKey(text string) (k Key, ok bool) {
	f := strings.Split(text, " ")
	if len(f) != 3 || f[0] != string(In) && f[0] != string(Out) {
		return k, false
	}
	chat, err1 := strconv.Atoi(f[1])
	n, err2 := strconv.Atoi(f[2])
	k = Key{Direction(f[0]), chat, n}
	return k, err1 == nil && err2 == nil && k.String() == text
}

// Place is where a message was seen.
type Place string

// Places of arrival. Live and Archive are the user's, Platform is the gatekeeper's ledger.
const (
	Live     Place = "live"
	Archive  Place = "archive"
	Platform Place = "platform"
)

// Sent is a message that was given to the path.
type Sent struct {
	Key Key
	At  time.Time
	// Twice: it was sent twice at once with one id, as a client does that resumes its stream.
	Twice bool
	// ResentAt is when it was first sent again with the same id, since it had neither receipt nor error for a while; zero: it was
	// not. What arrives only after that has no order.
	ResentAt time.Time
	// Taken: the gateway answered 200 to its webhook. Only for In.
	Taken bool
	// Once: it was sent when everything had settled; it must reach the platform by one request.
	Once bool
	// File is the SHA-256 of the file that the message is, in hex; empty for a text.
	File string
}

// Arrival is one sighting of a message. Those of one place stand in the order in which they came.
type Arrival struct {
	Key   Key
	Place Place
	// Chat is where it was seen, which should be Key.Chat.
	Chat int
	// At is when it was seen.
	At time.Time
	// Kept is when the server put it into its store for users who are away (RFC 6121 §8.5.2.2), from which it came; zero: it came at once.
	// Only at Live. Without a fraction it is some time of that second.
	Kept time.Time
	// ID is the stanza id, or the idempotency key of the request.
	ID string
	// File is the SHA-256 of the file that came, read where its receiver reads it; empty for a text.
	File string
	// Replays is how many more requests with the same ID the platform answered from memory.
	Replays int
}

// Refusal is an error that answered a message.
type Refusal struct {
	Key       Key
	Condition string
	At        time.Time
}

// Fault is something that went wrong on purpose, from its start until the path was whole again.
type Fault struct {
	Kind     string
	From, To time.Time
	// Pending is what the queues held at its start, by queue.
	Pending map[string]int
	// Met is how much ran into it, or Uncounted.
	Met int
}

// Uncounted is Fault.Met where nobody counts.
const Uncounted = -1

// Total is the number of pending entries.
func (f Fault) Total() int {
	n := 0
	for _, v := range f.Pending {
		n += v
	}
	return n
}

// Burst is a stretch of time in which messages of one direction were sent.
type Burst struct {
	Dir  Direction
	N    int
	Time time.Duration
}

// History is all that is known of a run.
type History struct {
	Sent     []Sent
	Arrivals []Arrival
	Receipts []Key // from the client's stream and archive; repetitions are allowed
	Refusals []Refusal
	Faults   []Fault
	Bursts   []Burst
	// Grace is how long after a fault's end a refusal may still be its doing; zero: a moment.
	Grace time.Duration
	// Strays are texts of arrivals that nobody sent.
	Strays []string
	// Over is when nothing was under way any more; zero: it never came to rest.
	Over time.Time
	// Before are the runs of the same servers and people before this one.
	Before []History
}
