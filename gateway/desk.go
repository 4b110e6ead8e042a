package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// DeskConfig is what a Desk works with. Identity, Store, Keyring and Texts are required.
type DeskConfig struct {
	Identity  *Identity
	Store     Store
	Keyring   *Keyring
	Instances []Instance
	Texts     *Texts
	Log       *slog.Logger
	// Operator is who runs the gateway, as the disclosure names them; empty names the component.
	Operator string
	// PublicURL is the origin of the public listener, for pages that a registration leads to; empty where there is none.
	PublicURL string
	// Policy says who may register; nil lets everybody.
	Policy Policy
	// Orders says which adapters are stopped; nil stops none.
	Orders *Orders
	// Files puts a user's export where they fetch it; nil, or no place for files: it comes as text.
	Files Files
	// Show tells clients what an erasure took out of rosters of other adapters than the one at which the user asked. It may be nil.
	Show func(ctx context.Context, a AdapterID, rs ...Rendering) error
	// Unpark wakes the lanes of an account whose registration was renewed. It may be nil.
	Unpark func(ctx context.Context, account AccountID)
	// Rostered reports whether the visitor's server lets us keep their roster (XEP-0356). It may be nil.
	Rostered func(ctx context.Context, v Visitor) bool
}

// Desk is where users talk to the gateway itself: register, leave, add contacts, ask. Each of these is defined once, as a
// flow of steps; package xmpp renders a Reply as a form (XEP-0077, XEP-0004), a command (XEP-0050) or chat text.
// A Desk keeps nothing between two steps: dialogues and budgets are in the store, so any replica serves the next.
type Desk struct {
	cfg       DeskConfig
	log       *slog.Logger
	instances map[AdapterID]Instance
	flows     []flow
	audit     *Audit
	operator  atomic.Pointer[operator]
	steering  Steering // nil: nobody steers by chat
	admins    atomic.Pointer[map[UserID]bool]
}

// operator is who runs the gateway, and where they are reached.
type operator struct {
	name     string
	contacts map[string][]string // those of the instance when nil
}

// SetOperator changes who runs the gateway, as users are told from now on, and where a complaint can go.
func (d *Desk) SetOperator(name string, contacts map[string][]string) {
	d.operator.Store(&operator{name, contacts})
}

// NewDesk returns a desk for the configured instances.
func NewDesk(cfg DeskConfig) *Desk {
	d := &Desk{cfg: cfg, log: cfg.Log, instances: map[AdapterID]Instance{}, audit: NewAudit(cfg.Store, cfg.Keyring)}
	d.SetOperator(cfg.Operator, nil)
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	cfg.Identity.learnLines(cfg.Instances)
	for _, inst := range cfg.Instances {
		d.instances[inst.ID] = inst
	}
	d.flows = []flow{
		registerFlow(d), statusFlow(d), addFlow(d), inviteFlow(d), searchFlow(d), contactsFlow(d), importFlow(d), worksFlow(d),
		blockFlow(d), unblockFlow(d), reportFlow(d), appealFlow(d), muteFlow(d), unmuteFlow(d), pauseFlow(d), resumeFlow(d), lateFlow(d),
		moveFlow(d), claimFlow(d), exportFlow(d), unregisterFlow(d), eraseFlow(d), helpFlow(d),
	}
	d.flows = append(d.flows, d.operatorFlows()...)
	return d
}

// Nodes of the commands. Those of XEP-0100 gateways that clients give icons to keep their usual names.
const (
	NodeRegister   = "jabber:iq:register"
	NodeStatus     = "status"
	NodeUnregister = "unregister"
	NodeAdd        = "add"
	NodeContacts   = "contacts"
	NodeHelp       = "help"
	NodeSearch     = "search"
	NodeImport     = "import"
	NodeWorks      = "features"
	NodeBlock      = "block"
	NodeUnblock    = "unblock"
	NodeReport     = "report"
	NodeAppeal     = "appeal"
	NodeMute       = "mute"
	NodeUnmute     = "unmute"
	NodePause      = "pause"
	NodeResume     = "resume"
	NodeExport     = "export"
	NodeErase      = "erase"
	NodeMove       = "move"
	NodeClaim      = "claim"
	NodeInvite     = "invite"
	NodeLate       = "late"
)

// Command is one thing that a visitor may ask for, as XEP-0050 lists it.
type Command struct {
	Node, Title string
}

// Action is what a visitor does with the step before them (XEP-0050 §3.4). The empty action goes on.
type Action string

// Actions. Next and complete both submit the answers.
const (
	ActionNext     Action = "next"
	ActionPrev     Action = "prev"
	ActionComplete Action = "complete"
	ActionCancel   Action = "cancel"
)

// ReplyStatus is how far a dialogue got (XEP-0050 §3.4).
type ReplyStatus string

// States of a dialogue.
const (
	ReplyExecuting ReplyStatus = "executing"
	ReplyCompleted ReplyStatus = "completed"
	ReplyCanceled  ReplyStatus = "canceled"
)

// Reply is the answer to one step. The answer of Say is all in Text, ready to send; Fields is empty there.
type Reply struct {
	// Session names the dialogue while Status is executing, and in the answer that ends it.
	Session string
	Node    string
	Status  ReplyStatus
	// Title and Text are in the visitor's language. Text may have several lines.
	Title, Text string
	// Fields are the questions of this step. A secret has no value.
	Fields []Field
	// Prev, Next and Complete say which actions the step takes; cancel always works.
	Prev, Next, Complete bool
	// Note is a remark beside the text; NoteError marks it as the reason of a failure.
	Note      string
	NoteError bool
	// Redirect is a page to open in a browser (XEP-0066).
	Redirect string
	// After is shown, in order, once the answer itself has been written (XEP-0100 §4.1: result first, then presence).
	After []Rendering
}

// SessionError is a refusal that XEP-0050 §4.4 has a condition of its own for.
type SessionError struct {
	// Kind is the element name in the namespace of XEP-0050.
	Kind SessionErrorKind
	Refusal
}

// Unwrap lets errors.As find the Refusal.
func (e *SessionError) Unwrap() error { return &e.Refusal }

// SessionErrorKind is an application-specific condition of XEP-0050 §4.4.
type SessionErrorKind = string

// Kinds of SessionError.
const (
	BadSessionID    SessionErrorKind = "bad-sessionid"
	SessionExpired  SessionErrorKind = "session-expired"
	BadAction       SessionErrorKind = "bad-action"
	MalformedAction SessionErrorKind = "malformed-action"
	// BadPayload: an answer is missing or not of its kind. The session waits for better ones. Its condition is
	// not-acceptable as XEP-0077 §3.1 wants it; XEP-0050 says bad-request.
	BadPayload SessionErrorKind = "bad-payload"
)

// Commands lists what a visitor may ask for: register and help before they are registered, the rest as well afterwards; whoever left
// may still have erased what is kept of them.
func (d *Desk) Commands(ctx context.Context, v Visitor) ([]Command, error) {
	_, member, err := d.Registered(ctx, v)
	if err != nil {
		return nil, err
	}
	var out []Command
	for _, f := range d.flows {
		open, err := d.opens(ctx, f, v, member)
		if err != nil {
			return nil, err
		}
		if open {
			out = append(out, Command{f.node, d.say(v, f.title)})
		}
	}
	return out, nil
}

// Registered reports whether a visitor has an account here, and how it is named to them.
func (d *Desk) Registered(ctx context.Context, v Visitor) (shown string, ok bool, err error) {
	a, err := d.account(ctx, v)
	if err != nil || a == nil {
		return "", false, err
	}
	return a.Shown, true, nil
}

func (d *Desk) say(v Visitor, key TextKey, args ...any) string {
	return d.cfg.Texts.Say(v.Lang, key, args...)
}

func (d *Desk) instance(v Visitor) (Instance, error) {
	inst, ok := d.instances[v.Adapter]
	if !ok {
		return Instance{}, fmt.Errorf("gateway: desk: no adapter instance %q", v.Adapter)
	}
	return inst, nil
}

func (d *Desk) platform(v Visitor) string {
	return d.instances[v.Adapter].Adapter.Descriptor().Platform
}
