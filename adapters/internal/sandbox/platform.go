package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
)

// Platform is what a simulator adds to the frame.
type Platform interface {
	// Spec says what kind of platform it is. It is asked once.
	Spec() Spec
	// Routes mounts the platform's API. Each request meets the injected faults first. Handlers take the lock with s.Do.
	Routes(s *Server, r chi.Router)
	// Tell makes of a happening what the account of its chat is told, if anything. The frame drops what the account does not want.
	Tell(st *State, h Happening) []Update
	// Request addresses, words and signs an attempt.
	Request(st *State, d Delivery) Request
}

// Spec is what is constant about a platform. Unset functions do what their comment says.
type Spec struct {
	// Name is the platform's type, as "telegram"; Title is shown, as "Telegram".
	Name, Title string
	// AccountWord is what the platform calls an account: bot, number, page.
	AccountWord string
	// Hint is a sentence for the page: what invite links look like.
	Hint string
	// Ladder says when failed attempts are repeated.
	Ladder Ladder
	// Parallel bounds the attempts of one account at once. Zero: 8.
	Parallel int
	// Batch is how many updates one request may carry. Zero: 1.
	Batch int
	// FirstUpdate is the number of an account's first update. Zero: 1.
	FirstUpdate int64
	// Rules are the documented limits, for State.Spend.
	Rules []Rule
	// Native fills the ids of a person or account that came without. Nil: digits made from the handle; a phone of the digits.
	Native func(p *Person)
	// Contact is the id by which an account knows a person. Nil: Person.Native.
	Contact func(a *Account, p *Person) string
	// MessageID makes the platform's id of a message; Chat, Author, FromUser, Order and the chat's and account's Seq are set. Nil: Message.ID.
	MessageID func(st *State, m *Message) string
	// Split divides what a person says at once into the messages that the platform makes of it. Nil: one.
	Split func(c Content) []Content
	// ReadLink takes an invite link apart. Nil: links are not understood, tokens are.
	ReadLink func(st *State, u *url.URL) (Link, error)
	// Refuse words an injected fault or a limit as the platform does. Nil: plain text.
	Refuse func(w http.ResponseWriter, r *http.Request, f Refusal)
	// Exempt requests meet no faults, as downloads do. Nil: none.
	Exempt func(r *http.Request) bool
	// Answered sees what an attempt brought, before the frame decides by the ladder. Nil: nothing to see.
	Answered func(st *State, d Delivery, a Answer)
	// Reset is told that the State is new. Nil: nothing to do.
	Reset func(st *State)
}

// Link is an invite link that a person opened.
type Link struct {
	Account *Account
	Token   string // for Opened
	Text    string // put into the composer instead, as wa.me does
}

// Refusal is why a request is not answered as it should be.
type Refusal struct {
	Kind       RefusalKind
	RetryAfter time.Duration // zero: not told
}

// RefusalKind is the kind of a Refusal.
type RefusalKind int

// The kinds of refusal, with the HTTP status that they have on most platforms.
const (
	Unavailable RefusalKind = iota + 1 // 503: nothing was done
	Limited                            // 429: nothing was done
	TimedOut                           // 504: it was done
)

// Status is the plain HTTP status of a kind.
func (k RefusalKind) Status() int {
	switch k {
	case Limited:
		return http.StatusTooManyRequests
	case TimedOut:
		return http.StatusGatewayTimeout
	case Unavailable:
	}
	return http.StatusServiceUnavailable
}

// Update is something that an account is told.
type Update struct {
	// Type is the platform's name of it, by which accounts choose (Hook.Events) and tests wait.
	Type string
	// Key orders: one at a time and in order with the same key. Empty: no order.
	Key string
	// Body is what Request puts into the request, in the platform's form.
	Body any
	// Life is how long it is worth sending, shortened by Config.Speed. Zero: as long as Ladder.Keep.
	Life time.Duration
	// Fleeting updates are tried once.
	Fleeting bool

	// The frame sets the rest.
	N       int64 // counts the updates of the account, from Spec.FirstUpdate
	At      time.Time
	Account *Account
	Chat    *Chat // nil when it is about no chat
}

// Delivery is one attempt to tell an account something.
type Delivery struct {
	Account *Account
	Updates []*Update // one, or more with batching
	At      time.Time // by which the attempt is dated: now, or ten minutes ago with the fault stale
	Forged  bool      // the signature or secret has to be wrong
	Attempt int       // from 1
}

// Request is an HTTP request to make. An empty URL goes nowhere: the update is given up.
type Request struct {
	Method string // empty: POST
	URL    string
	Header http.Header
	Body   []byte
}

// Answer is what an attempt brought. Err is set when there was no answer at all.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its first 64 KiB
	Err    error
}

// Raw is the Body of an update that the control API told as it is.
type Raw struct {
	Type string
	Body json.RawMessage
}
