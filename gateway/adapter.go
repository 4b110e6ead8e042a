package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Adapter speaks one platform's API. These three methods are mandatory; the optional interfaces below are found once at start.
// An adapter keeps no conversation state, starts no goroutine of its own and never logs content.
type Adapter interface {
	// Descriptor returns what the adapter declares about itself; the same value each time.
	Descriptor() Descriptor
	// Caps returns what a chat supports given its facts. No I/O.
	Caps(facts ChatFacts) Caps
	// Send carries one planned op to the platform. The error is always a *SendError.
	// OpID is the idempotency key: a second Send with the same op must have no second effect where Caps says Idempotent.
	Send(ctx context.Context, account Credentials, op Op) (Sent, error)
}

// Credentials is what an adapter needs to act for an account: the core unseals it for the length of one call.
type Credentials struct {
	Account  AccountID
	Endpoint Endpoint
	// User is the JID that the account acts for, for platforms that ask whom we vouch for.
	User UserID
	// Secret is what Linker returned when the account was linked; opaque to the core.
	Secret []byte
}

// Request is a webhook call as it came: the raw body, read once.
type Request struct {
	Method string
	Query  map[string][]string
	Header http.Header
	Body   []byte
	// Now is when it came, UTC: Verify and Parse have no clock of their own.
	Now int64 // Unix seconds
}

// Webhook receives what the platform posts to us.
type Webhook interface {
	// Challenge answers a GET by which a platform checks the address; ok is false when this is none.
	Challenge(r Request) (answer []byte, ok bool)
	// Verify checks the signature on the raw bytes in constant time, and the age. Any error is answered 401.
	Verify(r Request) error
	// Parse turns a verified body into events: pure, the same bytes give the same events. With an error the
	// body is a dead letter, besides the events that there are: of a batch that is broken in part the rest counts.
	Parse(r Request) ([]Event, error)
}

// Poller receives events by asking. One replica runs it for each account.
type Poller interface {
	// Polls reports whether the configuration wants this at all: platforms that can be asked mostly have webhooks too.
	Polls() bool
	// Run asks until ctx ends or asking makes no sense any more; the error is then a *SendError. Nothing may be acknowledged to the
	// platform before to has it.
	Run(ctx context.Context, account Credentials, to Intake) error
}

// Intake takes what a Poller was given. Its methods return nil only when that is durable.
type Intake interface {
	// Take takes events.
	Take(ctx context.Context, events []Event) error
	// Bury keeps what could not be parsed as a dead letter. A replay gives it to Webhook.Parse, with the account's Endpoint as
	// Query["token"].
	Bury(ctx context.Context, raw []byte) error
}

// Sharer is implemented by adapters whose configuration may hold a line: an operator's own bot, number or page that serves
// many users. People reach a user there by an invite.
type Sharer interface {
	// Line returns the operator's endpoint and how it is named; ok is false when each user links their own. Its Secret is what
	// Credentials carry for every account on it. No I/O.
	Line() (line Linked, ok bool)
	// InviteURL returns the address that opens a chat with the account on the platform and brings a token along, such as
	// https://t.me/verona_bot?start=TOKEN. The event that the person causes by it has the token as its Invite; an empty token
	// is the plain address. The error is a *SendError.
	InviteURL(ctx context.Context, account Credentials, token string) (string, error)
}

// MediaStore moves media as streams.
type MediaStore interface {
	Fetch(ctx context.Context, account Credentials, m Media) (io.ReadCloser, Media, error)
	Upload(ctx context.Context, account Credentials, m Media, body io.Reader) (Media, error)
}

// MediaSender is a MediaStore of a platform where a file has no place before the message that shows it. Instead of Upload, which
// is never called then, the core hands the bytes to the send.
type MediaSender interface {
	MediaStore
	// SendMedia is Send for an op with one file, whose bytes are body: Size, MIME and SHA256 of the file are as found, its Handle
	// is where the user put it. It takes as long as the file takes. A failure before the last byte was written is Retryable.
	SendMedia(ctx context.Context, account Credentials, op Op, body io.ReadSeeker) (Sent, error)
}

// Linker links and unlinks accounts by stateless steps: the core keeps State between them, so that any replica serves the next.
type Linker interface {
	// Link runs one step; the first call has a zero Answers and State. It may come without User, Account and ConsentHash, to
	// show the first questions beside the disclosure: it then only asks. A first step with a Redirect is asked for again,
	// with the user, after the consent.
	Link(ctx context.Context, in LinkInput) (LinkStep, error)
	// Unlink withdraws the account on the platform. A Retryable error is tried again later.
	Unlink(ctx context.Context, account Credentials) error
}

// LinkInput is what a user answered to the last step.
type LinkInput struct {
	User    UserID
	Account AccountID
	Lang    string
	State   []byte
	Answers map[string]string
	// ConsentHash is the SHA-256 of the disclosure that the user agreed to, as stored in the consent receipt.
	ConsentHash []byte
	// Hook is the public address of the instance's webhook; empty where http.public_url is not set.
	Hook string
	// Return is the public address that a browser step leads back to, Token its `state` parameter (RFC 6749 §4.1.1). What comes
	// back, such as `code` or `error`, are the Answers to the step with the Redirect. Both are empty where there is no such
	// address: then a Linker that needs one refuses as Unsupported.
	Return, Token string
}

// LinkStep is what to ask next, or the finished account.
type LinkStep struct {
	// Title and Text say what to do; both are message keys of the catalogue or plain text.
	Title, Text string
	Fields      []Field
	// Redirect is a page the user opens in a browser (OAuth, embedded sign-up). Answers without anything in them mean that the
	// user went on by hand: the Linker looks whether the page was done with, or asks for it again.
	Redirect string
	State    []byte
	// Done is set by the last step.
	Done *Linked
}

// Linked is a finished account.
type Linked struct {
	Endpoint Endpoint
	Secret   []byte
	// Shown is how the account is named to its user, such as a masked number.
	Shown string
}

// Field is one question of a step (XEP-0004 field, chat prompt or REST property).
type Field struct {
	Name     string
	Label    string
	Kind     FieldKind
	Required bool
	Value    string
	Options  []Choice
}

// FieldKind is the shape of an answer.
type FieldKind string

// Kinds of field.
const (
	FieldText    FieldKind = "text"
	FieldSecret  FieldKind = "secret"
	FieldBool    FieldKind = "bool"
	FieldChoice  FieldKind = "choice"
	FieldDisplay FieldKind = "display" // text without an answer
)

// Directory finds people.
type Directory interface {
	// Resolve finds the one person that a user named. ErrNoPerson means none, without saying why.
	Resolve(ctx context.Context, account Credentials, query string) (Person, error)
}

// ErrNoPerson is the uniform answer of Resolve: unknown, opted out, blocked and elsewhere look the same.
var ErrNoPerson = errors.New("no such person, or not reachable")

// Person is a platform person as Resolve found them.
type Person struct {
	ID   ContactID
	Name string
	// Accepts is true when we may write at once; otherwise contact was requested and the answer comes as an event.
	Accepts bool
}

// Profiles tells how a contact looks on the platform.
type Profiles interface {
	// Profile returns what the platform shows of a contact to this account. ErrNoPerson when it shows nothing.
	Profile(ctx context.Context, account Credentials, contact ContactID) (Profile, error)
}

// Profile is how a person looks on the platform. Avatar is a handle that MediaStore.Fetch opens; empty for none.
type Profile struct {
	Name   string
	Avatar Media
}

// Moderator passes on what a user decides about a contact.
type Moderator interface {
	// Block stops, or with on false allows again, all contact. It is idempotent.
	Block(ctx context.Context, account Credentials, contact ContactID, on bool) error
	// Report complains about a contact to the platform (XEP-0377).
	Report(ctx context.Context, account Credentials, r Report) error
}

// Report is a user's complaint.
type Report struct {
	// ID is its idempotency key.
	ID      OpID
	Contact ContactID
	Reason  ReportReason
	// Text is the user's own statement; it may be empty.
	Text string
	// Messages are the platform's ids of what the complaint is about.
	Messages []MessageID
}

// ReportReason is what a Report complains of (XEP-0377 §3).
type ReportReason string

// Reasons of a Report.
const (
	ReportSpam  ReportReason = "spam"
	ReportAbuse ReportReason = "abuse"
)

// Reconciler answers whether an op whose Send was Uncertain took effect.
type Reconciler interface {
	// Reconcile returns what the platform has that may be the op, likeliest first, nothing where the op took no effect. Where the platform
	// cannot tell an op from another that says the same, both are returned: the core takes the first that it does not know already.
	Reconcile(ctx context.Context, account Credentials, op Op) ([]Sent, error)
}

// Acknowledger tells a platform that something has arrived, where a person's app waits for that, as for a button that was pressed.
type Acknowledger interface {
	// Awaited reports whether somebody waits: a function of the event.
	Awaited(ev Event) bool
	// Acknowledge is called once the event is durable. Nothing depends on it: it is neither repeated nor waited for.
	Acknowledge(ctx context.Context, account Credentials, ev Event) error
}

// Registrar tells a platform where its webhooks go. It is called at start and is idempotent.
type Registrar interface {
	// Register announces url. The account is the line where the configuration holds one, else zero: the platform then has one
	// webhook for all accounts of an instance. A platform where each account has its own hears of it from Link (Hook), and
	// again from EachRegistrar.
	Register(ctx context.Context, account Credentials, url string) error
}

// EachRegistrar is a Registrar whose platform has a webhook for every account: Register is called for each of them.
type EachRegistrar interface {
	Registrar
	// RegistersEach reports whether the configuration has webhooks at all.
	RegistersEach() bool
}

// Keeper looks after accounts while nothing happens: tokens that end by themselves, subscriptions that a platform has dropped.
type Keeper interface {
	// Keep is called for each account every few hours, and may do nothing. secret is not nil when the account's is another from
	// now on; on a line, whose secret is the configuration's, the adapter keeps it itself. The error is a *SendError:
	// ReauthNeeded asks the user to link the account again, any other is tried again later.
	Keep(ctx context.Context, account Credentials) (secret []byte, err error)
}

// Prober asks a platform whether it takes what the configuration holds of the operator's own: a line's token, an app's secret, who we
// are as a partner. It changes nothing there.
type Prober interface {
	// Probe returns what the platform made of it, in words for the operator, such as "the bot @verona_bot"; empty where the configuration
	// holds nothing that could be asked about, because users bring all of it. The error is a *SendError.
	Probe(ctx context.Context) (found string, err error)
}

// Backlog fetches events whose webhook was lost, where the platform keeps them.
type Backlog interface {
	// Missing returns the events of a chat after a sequence number, oldest first, up to a page of the platform's. A full chat takes in a
	// page all the same.
	Missing(ctx context.Context, account Credentials, chat Chat, after int64) ([]Event, error)
}

// Publisher offers documents that the platform reads from us, such as a JWKS.
type Publisher interface {
	// WellKnown returns JSON documents by path below the public address, each starting with "/.well-known/".
	WellKnown() map[string][]byte
}

// Instance is one configured adapter: the same type may run twice under two names.
type Instance struct {
	ID AdapterID
	// Component is the domain of its component, such as telegram.example.org.
	Component string
	// Name is shown in service discovery.
	Name    string
	Adapter Adapter
	// Breaker keeps calls from the platform's host while it fails; nil never does.
	Breaker Breaker
	// Limits are the operator's, besides those that the adapter declares.
	Limits []Limit
	// Window is what happens to a message while the platform's reply window is closed.
	Window WindowPolicy
	// Strangers is whom a person reaches who writes to the line and is nobody's contact; empty: a text says how to reach somebody.
	Strangers UserID
	// Canary is what the operator sends to see whether the platform delivers.
	Canary Canary
	// Readable: new accounts see contacts under the platform's own ids where these can be an address.
	Readable bool
	// Contacts are addresses of who runs the gateway, as URIs by kind (XEP-0157).
	Contacts map[string][]string
}

// line returns the operator's own endpoint, where the configuration holds one.
func (i Instance) line() (Linked, bool) {
	if s, ok := i.Adapter.(Sharer); ok {
		return s.Line()
	}
	return Linked{}, false
}

// mayRead reports whether contacts can be shown under the platform's own ids: not where people change them, since an address
// that changes is a contact lost.
func (i Instance) mayRead() bool { return i.Readable && !i.Adapter.Descriptor().Renames }

// Kinds of Instance.Contacts (XEP-0157 §4).
const (
	ContactAbuse    = "abuse"
	ContactAdmin    = "admin"
	ContactFeedback = "feedback"
	ContactSales    = "sales"
	ContactSecurity = "security"
	ContactStatus   = "status"
	ContactSupport  = "support"
)
