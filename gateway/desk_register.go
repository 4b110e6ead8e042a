package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"time"
)

// Stages of a registration.
const (
	stageConsent = "consent"
	stageLink    = "link"
)

func registerFlow(d *Desk) flow {
	return flow{
		node: NodeRegister, title: textRegister, help: textRegisterHelp, words: textRegisterWords,
		open: func(v Visitor, _ bool) bool {
			_, ok := d.instances[v.Adapter].Adapter.(Linker)
			return ok
		},
		start:  d.startRegister,
		answer: d.answerRegister,
		drop: func(ctx context.Context, t *turn) error {
			if t.s.Consent == "" {
				return nil
			}
			return d.disagree(ctx, t.Visitor, t.s.Consent)
		},
	}
}

func (d *Desk) startRegister(ctx context.Context, t *turn) (outcome, error) {
	if r := d.refused(ctx, t.Visitor); r != nil {
		return outcome{}, r
	}
	t.s.Account = NewAccountID()
	if t.account != nil {
		t.s.Account = t.account.ID
	}
	st, err := d.consentStep(ctx, t)
	return outcome{ask: st}, err
}

// consentStep is the disclosure with what needs a yes. The Linker's first questions stand in the same step, so that a
// registration without a second one takes one submission, as clients of XEP-0077 make it. To learn them the Linker is
// called without the user: before the consent there is nobody that it could link.
func (d *Desk) consentStep(ctx context.Context, t *turn) (*step, error) {
	disc := d.Disclosure(t.Visitor)
	st := &step{Stage: stageConsent, Title: disc.Title, Text: disc.statements(), Fields: disc.Agree, Hash: disc.Hash()}
	if t.account != nil {
		st.Text = d.say(t.Visitor, textRenewIntro, t.account.Shown) + "\n\n" + st.Text
		st.Fields = append(st.Fields, d.renewOrAdd(t)...)
	}
	first, err := d.callLink(ctx, t, LinkInput{Lang: t.Lang})
	if err != nil {
		return nil, err
	}
	if len(first.Fields) > 0 && first.Redirect == "" {
		st.State, st.MayEnd, st.Merged = first.State, true, true
		st.Text = lines(st.Text, d.say(t.Visitor, TextKey(first.Text)))
		st.Fields = append(st.Fields, d.localised(t.Visitor, first.Fields)...)
	}
	return st, nil
}

func (d *Desk) answerRegister(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
	if r := d.refused(ctx, t.Visitor); r != nil { // since the dialogue began, perhaps
		return outcome{}, r
	}
	asked := t.s.Step
	if asked.Stage == stageConsent {
		disc := d.Disclosure(t.Visitor)
		if !bytes.Equal(asked.Hash, disc.Hash()) {
			return d.askAgain(ctx, t)
		}
		d.choose(t, answers[connectionField])
		if err := d.consentGiven(ctx, t, disc); err != nil {
			return outcome{}, err
		}
	}
	receipt, err := d.receiptOf(ctx, t)
	if err != nil {
		return outcome{}, err
	}
	if err := d.stillOurs(ctx, t); err != nil {
		return outcome{}, err
	}
	in := LinkInput{User: t.User, Account: t.s.Account, Lang: t.Lang, ConsentHash: receipt.Hash}
	if asked.Stage == stageLink || asked.Merged {
		in.State, in.Answers = asked.State, withoutConsent(asked.Fields, answers)
	}
	// A step may have the platform send a code to a number that nobody but the visitor calls theirs.
	if ok, err := d.budget(ctx, t.Visitor, "link"); err != nil {
		return outcome{}, err
	} else if !ok {
		return outcome{}, &Refusal{ResourceConstraint, d.say(t.Visitor, textRegisterOften)}
	}
	if err := d.linking(ctx, t); err != nil {
		return outcome{}, err
	}
	defer d.linkOver(ctx, t)
	next, err := d.callLink(ctx, t, in)
	if err != nil {
		return outcome{}, err
	}
	return d.linked(ctx, t, next, receipt)
}

// renewOrAdd asks whether a registered visitor renews a connection or adds one. Where people on the platform know users by
// their address there is only ever one.
func (d *Desk) renewOrAdd(t *turn) []Field {
	if _, shared := t.inst.line(); shared || !movable(t.inst.Adapter.Descriptor()) {
		return nil
	}
	f := Field{Name: connectionField, Label: d.say(t.Visitor, textRenewOrAdd), Kind: FieldChoice, Value: string(t.account.ID)}
	for _, a := range t.accounts {
		f.Options = append(f.Options, Choice{string(a.ID), d.say(t.Visitor, textRenewThis, a.Shown)})
	}
	f.Options = append(f.Options, Choice{newConnection, d.say(t.Visitor, textAddAnother)})
	return []Field{f}
}

// choose keeps what the visitor decided, once in a dialogue: the account that is renewed, or the id of a new one.
func (d *Desk) choose(t *turn, answer string) {
	switch {
	case t.s.Consent != "" || answer == "":
	case answer == newConnection:
		t.s.Account, t.s.Adding = NewAccountID(), true
	default:
		t.s.Account = AccountID(answer)
	}
}

// askAgain shows a disclosure that changed under the user: what they read is not what would be stored.
func (d *Desk) askAgain(ctx context.Context, t *turn) (outcome, error) {
	if t.s.Consent != "" { // to the older text
		if err := d.disagree(ctx, t.Visitor, t.s.Consent); err != nil {
			return outcome{}, err
		}
		t.s.Consent = ""
	}
	st, err := d.consentStep(ctx, t)
	if err != nil {
		return outcome{}, err
	}
	st.Text = lines(d.say(t.Visitor, textDiscChanged), st.Text)
	t.s.Past = nil
	return outcome{ask: st, replace: true}, nil
}

// consentGiven stores the consent, once in a dialogue however often its step is submitted.
func (d *Desk) consentGiven(ctx context.Context, t *turn, disc Disclosure) error {
	if t.s.Consent != "" {
		return nil
	}
	receipt, err := d.agree(ctx, t, disc)
	if err == nil {
		t.s.Consent = receipt.ID
	}
	return err
}

// withoutConsent are the answers that are the Linker's.
func withoutConsent(fields []Field, answers map[string]string) map[string]string {
	own := maps.Clone(answers)
	for _, f := range fields {
		if isConsent(f) || f.Name == connectionField {
			delete(own, f.Name)
		}
	}
	return own
}

func (d *Desk) receiptOf(ctx context.Context, t *turn) (*ConsentReceipt, error) {
	receipt, err := d.consent(ctx, t.Visitor, t.s.Consent)
	if err == nil && receipt == nil { // erased in between
		err = d.sessionError(t.Visitor, SessionExpired, NotAllowed, textSessionExpired)
	}
	return receipt, err
}

// callLink runs one step of the Linker; its failures become refusals.
func (d *Desk) callLink(ctx context.Context, t *turn, in LinkInput) (LinkStep, error) {
	in = d.withPages(t, in)
	st, err := t.linker().Link(ctx, in)
	if err == nil && st.Redirect != "" && in.User != "" {
		st.Redirect, err = d.throughBrowser(ctx, t, in.Token, st.Redirect)
	}
	if err == nil {
		return st, nil
	}
	if _, ok := errors.AsType[*SendError](err); !ok {
		return LinkStep{}, err
	}
	d.log.Warn("link refused", "adapter", t.Adapter, "account", in.Account, "class", ClassOf(err), "error", err)
	return LinkStep{}, d.platformRefusal(t.Visitor, err)
}

// linked asks the Linker's next question, or makes the account.
func (d *Desk) linked(ctx context.Context, t *turn, st LinkStep, receipt *ConsentReceipt) (outcome, error) {
	if st.Done == nil {
		return outcome{ask: &step{
			Stage: stageLink, Title: d.say(t.Visitor, TextKey(st.Title)), Text: d.say(t.Visitor, TextKey(st.Text)),
			Fields: d.localised(t.Visitor, st.Fields), Redirect: st.Redirect, State: st.State, MayEnd: true,
		}}, nil
	}
	a, renewed, err := d.enlist(ctx, t, st.Done, receipt.Version)
	if err != nil {
		return outcome{}, err
	}
	d.log.Info("registered", "adapter", t.Adapter, "account", a.ID, "renewed", renewed, "version", a.Agreed)
	out := outcome{text: d.say(t.Visitor, textRegistered, d.platform(t.Visitor), a.Shown)}
	if renewed {
		out.text = d.say(t.Visitor, textRenewed, d.platform(t.Visitor), a.Shown)
	} else {
		// XEP-0100 §4.1.1: the gateway asks for the user's presence right after the result.
		out.after = append(out.after, t.show("", ShowSubscription{Verb: Subscribe, Name: t.inst.Name}))
	}
	out.after = append(out.after, t.tell("consent-"+strings.ToLower(receipt.ID), d.receiptText(t.Visitor, receipt)))
	return out, nil
}

// receiptText is the copy of a consent receipt that its user gets.
func (d *Desk) receiptText(v Visitor, c *ConsentReceipt) string {
	return d.say(v, textReceipt, d.platform(v), c.At.Format(time.RFC3339), c.Version, c.ID, hex.EncodeToString(c.Hash)) + "\n\n" + c.Text
}

// localised puts fields whose labels are keys of the catalogue into the visitor's language.
func (d *Desk) localised(v Visitor, fields []Field) []Field {
	out := make([]Field, len(fields))
	for i, f := range fields {
		f.Label = d.say(v, TextKey(f.Label))
		if f.Kind == FieldSecret {
			f.Value = ""
		}
		if f.Kind == FieldDisplay {
			f.Value = d.say(v, TextKey(f.Value))
		}
		options := make([]Choice, len(f.Options))
		for j, o := range f.Options {
			options[j] = Choice{o.ID, d.say(v, TextKey(o.Title))}
		}
		if len(options) > 0 {
			f.Options = options
		}
		out[i] = f
	}
	return out
}

// platformRefusal says in the user's words why a platform did not do what the desk asked of it.
func (d *Desk) platformRefusal(v Visitor, err error) *Refusal {
	se, ok := errors.AsType[*SendError](err)
	if !ok {
		se = &SendError{Class: Uncertain, Err: err}
	}
	name := d.platform(v)
	switch se.Class {
	case Uncertain, Retryable:
		return &Refusal{RemoteServerTimeout, d.say(v, textPlatformDown, name)}
	case RateLimited:
		wait := max(se.RetryAfter, time.Minute)
		return &Refusal{ResourceConstraint, d.say(v, textPlatformLimit, name, d.duration(v, wait))}
	case ReauthNeeded:
		return &Refusal{NotAuthorized, d.say(v, textPlatformAuth, name)}
	case WindowClosed, Unsupported:
		return &Refusal{NotAllowed, d.say(v, textPlatformUnsupported, name)}
	case NotReachable:
		return &Refusal{NotAllowed, d.say(v, textPlatformUnreachable, name)}
	case Permanent:
	}
	return &Refusal{NotAcceptable, d.say(v, textPlatformRefused, name, se.Code)}
}
