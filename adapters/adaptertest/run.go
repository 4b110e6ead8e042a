package adaptertest

import (
	"net/http"
	"testing"
	"time"

	"postern/adapters"
	"postern/gateway"
)

// Harness is what the kit needs to know about an adapter.
type Harness struct {
	// Type is the adapter's entry of adapters.All.
	Type adapters.Type
	// Open boots a fake of the platform and an adapter that talks to it by deps.HTTP alone, ready to send. All of it ends with
	// the test.
	Open func(t *testing.T, deps adapters.Deps) *Rig
	// Dir holds parse/*.txtar and render/*.txtar.
	Dir string
	// Aim tells requests that carry an op from those that prepare one, such as a token's; nil takes all.
	Aim func(*http.Request) bool

	// Sign returns body as the platform would post it at a time; Forge signs with the key of another instance.
	Sign, Forge func(body []byte, at time.Time) gateway.Request
	// SignatureHeaders are those without which a call must be refused.
	SignatureHeaders []string
	// MaxAge is how old a call may be; 0 where the platform's signature holds no time.
	MaxAge time.Duration
	// Unsigned: what the platform sends along proves who calls, and nothing about the body.
	Unsigned bool
	// Undated: some of the platform's events bear no time, and count from when they come.
	Undated bool
	// Nameless: what opening an invite causes does not tell who the person is; they are asked about.
	Nameless bool
	// Silent are features of which the platform tells nothing: only our user has them.
	Silent []gateway.Feature

	// RenderEndpoint stands for the sender in goldens, where the rig's own differs from run to run; RenderHeaders are the request headers that goldens show.
	RenderEndpoint gateway.Endpoint
	RenderHeaders  []string
	// RenderPath hides what differs or is secret in a request's path; nil shows it as it is. RenderAnswer is the answer to requests of
	// goldens; empty is {}.
	RenderPath   func(string) string
	RenderAnswer string
	// Errors are recorded answers and what they mean.
	Errors []ErrorCase
}

// ErrorCase is an answer that the platform gives to an op, and the error that must come of it.
type ErrorCase struct {
	Name   string
	Status int
	Header http.Header
	Body   string
	// Op is sent to get the answer; nil sends a text.
	Op gateway.OpBody

	Class gateway.Class
	// Code and Scope are not compared when empty.
	Code       string
	Scope      gateway.LimitScope
	RetryAfter time.Duration
}

// Rig is an adapter in front of a fake platform.
type Rig struct {
	Adapter gateway.Adapter
	// Reopen returns a second adapter for the same platform, as after a restart of the process.
	Reopen func() gateway.Adapter
	// Accounts are at least two linked accounts; Chats[i] is a direct chat in which Accounts[i] may write.
	Accounts []gateway.Credentials
	Chats    []gateway.Chat
	// Received lists the messages that took effect on the platform, in the order in which it took them.
	Received func() []Received
	// Say lets the contact of Chats[i] write to Accounts[i].
	Say func(i int, text string) gateway.MessageID
	// Ask lets the contact of Chats[i] send a poll to Accounts[i]; nil where answers are not carried.
	Ask func(i int, p gateway.Poll) gateway.MessageID
	// File lets the contact of Chats[i] send a file of that size to Accounts[i], and returns it as its event names it; Stored tells
	// what the platform holds under a handle. Both are nil where media are not carried.
	File   func(i int, size int64) gateway.Media
	Stored func(handle string) (sha256 []byte, size int64)
	// Look lets the contact of Chats[i] take a name and a new picture; nil where profiles are not told.
	Look func(i int, name string)
	// Blocked says whether Accounts[i] blocks its contact, and Reports counts what Accounts[i] complained of it.
	Blocked func(i int) bool
	Reports func(i int) int
	// Native acts as Accounts[i] in the platform's own app; nil where nothing is told of it.
	Native *Native
	// Webhooks lists what the platform posted to us so far; nil where it posts nothing.
	Webhooks func() []gateway.Request
	// Earlier makes the platform believe, while do runs, that it is earlier by that much, so that what is sent then is older
	// afterwards. It may be nil where Caps sets no age.
	Earlier func(by time.Duration, do func())
	// Check looks at every request, for example against the platform's own description; nil checks nothing.
	Check func(*http.Request) error
	// Secrets are strings that must never be seen outside of requests.
	Secrets []string
	// Login is a dialogue that links a further account; nil where the adapter is no Linker.
	Login *Login
	// Shared is the adapter with a line in its configuration; nil where it is no Sharer.
	Shared *Shared
	// Polled is the adapter configured to ask for its events; nil where it is no Poller.
	Polled *Polled
	// Windowed shuts reply windows; nil where Caps has none.
	Windowed *Windowed
}

// Shared is an adapter with a line.
type Shared struct {
	Adapter gateway.Adapter
	// Open lets a person who never wrote before open an invite's address on the platform.
	Open func(url string)
	// Webhooks lists what the platform posted about the line.
	Webhooks func() []gateway.Request
}

// Windowed is a platform that lets an account write only for a time after the contact wrote.
type Windowed struct {
	// Reopening is the adapter with a way to ask contacts to write again in its configuration; nil where the platform has none.
	Reopening gateway.Adapter
	// Close lets so much time go by that the window of Chats[i] is shut. Rig.Say opens it again.
	Close func(i int)
}

// Polled is an adapter that asks for events.
type Polled struct {
	Adapter gateway.Adapter
	// Reopen returns a second adapter, as after a restart of the process.
	Reopen  func() gateway.Adapter
	Account gateway.Credentials
	// Say lets a person write to the account.
	Say func(text string) gateway.MessageID
	// Conflict is what the platform answers when somebody else takes the events.
	Conflict ErrorCase
}

// Received is one message as the platform took it.
type Received struct {
	Endpoint gateway.Endpoint
	ID       gateway.MessageID
	Text     string
}

// Native is the platform's own app in the hand of our user. Each acts in the chat of Accounts[i]; nil where nothing is told of it.
type Native struct {
	Say     func(i int, text string) gateway.MessageID
	Edit    func(i int, id gateway.MessageID, text string)
	Retract func(i int, id gateway.MessageID)
	React   func(i int, id gateway.MessageID, emoji string)
	// Read reads everything up to a message of the contact; nil where the platform does not tell of it.
	Read func(i int, id gateway.MessageID)
}

// Login is a dialogue of a Linker and what follows it.
type Login struct {
	// First is the input of the first step.
	First gateway.LinkInput
	// Answers are the right answers, one map for each step after the first; Wrong is refused at the last of them.
	Answers []map[string]string
	Wrong   map[string]string
	// Chat is one in which the new account may write, where people have another id for each account; zero is the first of Rig.Chats.
	Chat gateway.Chat
	// Query names a person whom the new account may write to at once; Nobody names none.
	Query, Nobody string
	// Lasting: what the account was linked with still works after Unlink, because the platform lets nobody take it back by API.
	Lasting bool
}

// Run checks an adapter, one subtest for each group.
func Run(t *testing.T, h Harness) {
	t.Run("registration", h.registration)
	t.Run("verify", h.verify)
	t.Run("parse", h.parse)
	t.Run("render", h.render)
	t.Run("echo", h.echo)
	t.Run("send", h.send)
	t.Run("media", h.media)
	t.Run("profiles", h.profiles)
	t.Run("moderation", h.moderation)
	t.Run("native", h.native)
	t.Run("errors", h.errors)
	t.Run("order", h.order)
	t.Run("limits", h.limits)
	t.Run("login", h.login)
	t.Run("restart", h.restart)
	t.Run("equals", h.equals)
	t.Run("window", h.window)
	t.Run("share", h.share)
	t.Run("poll", h.poll)
	t.Run("probe", h.probe)
	t.Run("secrets", h.secrets)
	t.Run("leaks", h.leaks)
}
