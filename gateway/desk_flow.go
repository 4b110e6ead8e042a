package gateway

import (
	"context"
	"strings"
)

// flow is one command, defined once and rendered three ways.
type flow struct {
	node string
	// title names the command, help says in one line what it does, words are what starts it in a chat.
	title, help, words TextKey
	// arg is the field that the rest of a chat line fills in, such as the name in "add anna".
	arg string
	// operator is true for a command of operators: others do not hear of it, and are told so when they try it all the same.
	operator bool
	// open says whether a visitor may use the command.
	open func(v Visitor, member bool) bool
	// known is true for a command that is open as well to whoever has left, as long as something is held of them.
	known bool
	// start asks the first question, or answers at once.
	start func(ctx context.Context, t *turn) (outcome, error)
	// answer takes the answers to t.s.Step. It is nil where start always answers.
	answer func(ctx context.Context, t *turn, answers map[string]string) (outcome, error)
	// drop cleans up behind a dialogue that its user cancelled. It may be nil.
	drop func(ctx context.Context, t *turn) error
}

// turn is one request at work on a dialogue. Its Visitor speaks the language in which the dialogue began.
type turn struct {
	Visitor
	inst Instance
	// accounts are the visitor's, oldest first; account is the first of them, nil when they are not registered.
	accounts []*Account
	account  *Account
	// chat is true for a line of chat that begins a dialogue, rest what follows its first word.
	chat bool
	rest string
	s    *session
}

// step is what a dialogue asks at one time. It is stored with the dialogue, so that answers are held against what was
// asked, and going back shows it again without asking the platform.
type step struct {
	// Stage is the flow's own name for the step.
	Stage    string  `json:"stage,omitempty"`
	Title    string  `json:"title,omitempty"`
	Text     string  `json:"text,omitempty"`
	Fields   []Field `json:"fields,omitempty"`
	Redirect string  `json:"redirect,omitempty"`
	// Unseen is true for a step that came about in a browser: the client is shown it before it is answered.
	Unseen bool `json:"unseen,omitempty"`
	// Last is true when the answers to this step end the dialogue.
	Last bool `json:"last,omitempty"`
	// MayEnd is true when they may or may not.
	MayEnd bool `json:"may_end,omitempty"`
	// State is the Linker's.
	State []byte `json:"state,omitempty"`
	// Hash is of the disclosure that a consent step shows; Merged tells that the Linker's first fields stand beside it.
	Hash   []byte `json:"hash,omitempty"`
	Merged bool   `json:"merged,omitempty"`
}

// outcome is what a flow decided: the next step, or else the end.
type outcome struct {
	ask *step
	// replace is true when ask stands for the current step instead of following it.
	replace   bool
	text      string
	note      string
	noteError bool
	after     []Rendering
	// gone is true when all that was held of the user is erased, this dialogue with it: nothing of it is written any more.
	gone bool
}

// Start begins a dialogue. The error is a *Refusal when the visitor may not, or what they asked for does not exist.
func (d *Desk) Start(ctx context.Context, v Visitor, node string) (Reply, error) {
	f, t, err := d.enter(ctx, v, node)
	if err != nil {
		return Reply{}, err
	}
	return d.begin(ctx, f, t)
}

func (d *Desk) begin(ctx context.Context, f *flow, t *turn) (Reply, error) {
	v := t.Visitor
	out, err := f.start(ctx, t)
	if err != nil {
		return Reply{}, err
	}
	if out.ask == nil {
		t.s.ID = d.sessionID(v, strings.ToLower(newULID())) // XEP-0050 §3.2: every answer names one
		return d.ended(f, t, out), nil
	}
	t.s.Step = *out.ask
	if err := d.openSession(ctx, v, t.s); err != nil {
		return Reply{}, err
	}
	return d.asking(f, t), nil
}

// Continue takes a dialogue one step on. A *Refusal (often a *SessionError) leaves it where it was.
func (d *Desk) Continue(ctx context.Context, v Visitor, id string, act Action, answers map[string]string) (Reply, error) {
	s, err := d.loadSession(ctx, v, id)
	if err != nil {
		return Reply{}, err
	}
	v.Lang = s.Lang
	f, t, err := d.enter(ctx, v, s.Node)
	if err != nil {
		return Reply{}, err
	}
	t.s = s
	switch act {
	case ActionCancel:
		return d.cancel(ctx, f, t)
	case ActionPrev:
		return d.back(ctx, f, t)
	case ActionNext, ActionComplete, "":
		return d.submit(ctx, f, t, answers)
	}
	return Reply{}, d.sessionError(v, MalformedAction, BadRequest, textBadAction)
}

// enter finds a command that the visitor may use.
func (d *Desk) enter(ctx context.Context, v Visitor, node string) (*flow, *turn, error) {
	inst, err := d.instance(v)
	if err != nil {
		return nil, nil, err
	}
	all, err := d.accounts(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	var a *Account
	if len(all) > 0 {
		a = all[0]
	}
	for i := range d.flows {
		f := &d.flows[i]
		if f.node != node {
			continue
		}
		open, err := d.opens(ctx, *f, v, a != nil)
		if err != nil {
			return nil, nil, err
		}
		t := &turn{Visitor: v, inst: inst, accounts: all, account: a, s: &session{Node: node, Adapter: v.Adapter, Lang: v.Lang}}
		switch {
		case open:
			return f, t, nil
		case f.operator:
			return nil, nil, &Refusal{Forbidden, d.say(v, textOperatorsOnly)}
		case a == nil && f.open(v, true):
			return nil, nil, d.notRegistered(ctx, v, inst, node)
		}
		break
	}
	return nil, nil, &Refusal{ItemNotFound, d.say(v, textNoCommand)}
}

// opens reports whether a visitor may use a command.
func (d *Desk) opens(ctx context.Context, f flow, v Visitor, member bool) (bool, error) {
	if f.open(v, member) || !f.known {
		return f.open(v, member), nil
	}
	accounts, err := d.holdings(ctx, v.User)
	if err != nil {
		return false, err
	}
	return d.knows(ctx, v.User, accounts)
}

// notRegistered refuses a command of registered users; who asks for their status hears of a withdrawal under way.
func (d *Desk) notRegistered(ctx context.Context, v Visitor, inst Instance, node string) error {
	text := d.say(v, TextNotRegistered, inst.Component)
	if node == NodeStatus {
		pending, err := d.leaving(ctx, v)
		if err != nil {
			return err
		}
		if pending {
			text = d.say(v, textLeavePending, d.platform(v))
		}
	}
	return &Refusal{RegistrationRequired, text}
}

func (d *Desk) submit(ctx context.Context, f *flow, t *turn, answers map[string]string) (Reply, error) {
	if t.s.Step.Unseen {
		t.s.Step.Unseen = false
		if err := d.saveSession(ctx, t.Visitor, t.s); err != nil {
			return Reply{}, err
		}
		return d.asking(f, t), nil
	}
	clean, err := d.checkAnswers(t.Visitor, t.s.Step.Fields, answers)
	if err != nil {
		return Reply{}, err
	}
	asked := t.s.Step
	out, err := f.answer(ctx, t, clean)
	if err != nil {
		// The flow may have noted something, such as a consent given, that another try must find again.
		if isRefusal(err) {
			if failed := d.saveSession(ctx, t.Visitor, t.s); failed != nil {
				return Reply{}, failed
			}
		}
		return Reply{}, err
	}
	if out.gone {
		return d.ended(f, t, out), nil
	}
	if out.ask == nil {
		if err := d.closeSession(ctx, t.Visitor, t.s); err != nil {
			// The work is done; an open dialogue is the lesser evil and runs out by itself.
			d.log.Warn("dialogue not closed", "adapter", t.Adapter, "error", err)
		}
		return d.ended(f, t, out), nil
	}
	t.s.goOn(asked, out)
	if err := d.saveSession(ctx, t.Visitor, t.s); err != nil {
		return Reply{}, err
	}
	return d.asking(f, t), nil
}

// goOn puts the next question in the place of one that was answered.
func (s *session) goOn(asked step, out outcome) {
	if !out.replace {
		if s.Past = append(s.Past, asked); len(s.Past) > maxPast {
			s.Past = s.Past[1:]
		}
	}
	s.Step, s.Chat = *out.ask, chatProgress{}
}

func (d *Desk) back(ctx context.Context, f *flow, t *turn) (Reply, error) {
	n := len(t.s.Past)
	if n == 0 {
		return Reply{}, d.sessionError(t.Visitor, BadAction, BadRequest, textNoBack)
	}
	t.s.Step, t.s.Past, t.s.Chat = t.s.Past[n-1], t.s.Past[:n-1], chatProgress{}
	if err := d.saveSession(ctx, t.Visitor, t.s); err != nil {
		return Reply{}, err
	}
	return d.asking(f, t), nil
}

func (d *Desk) cancel(ctx context.Context, f *flow, t *turn) (Reply, error) {
	if f.drop != nil {
		if err := f.drop(ctx, t); err != nil {
			return Reply{}, err
		}
	}
	if err := d.closeSession(ctx, t.Visitor, t.s); err != nil {
		return Reply{}, err
	}
	return Reply{Session: t.s.ID, Node: f.node, Status: ReplyCanceled, Title: d.say(t.Visitor, f.title), Text: d.say(t.Visitor, textCanceled)}, nil
}

// asking is the reply that puts the current step to the visitor.
func (d *Desk) asking(f *flow, t *turn) Reply {
	st := t.s.Step
	r := Reply{
		Session: t.s.ID, Node: f.node, Status: ReplyExecuting, Title: st.Title, Text: st.Text, Fields: st.Fields,
		Redirect: st.Redirect, Prev: len(t.s.Past) > 0, Next: !st.Last, Complete: st.Last || st.MayEnd,
	}
	if r.Title == "" {
		r.Title = d.say(t.Visitor, f.title)
	}
	return r
}

func (d *Desk) ended(f *flow, t *turn, out outcome) Reply {
	return Reply{
		Session: t.s.ID, Node: f.node, Status: ReplyCompleted, Title: d.say(t.Visitor, f.title), Text: out.text,
		Note: out.note, NoteError: out.noteError, After: out.after,
	}
}

func (d *Desk) sessionError(v Visitor, kind SessionErrorKind, c Condition, key TextKey, args ...any) error {
	return &SessionError{kind, Refusal{c, d.say(v, key, args...)}}
}
