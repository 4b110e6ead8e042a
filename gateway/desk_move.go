package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// moving is an account on its way to another user. Its record expires, and stands under the name of a code that only the
// account's user was given.
type moving struct {
	Account AccountID `json:"account"`
	From    UserID    `json:"from"`
	// To is set once somebody has claimed the account: a crash in between leaves it to them.
	To UserID `json:"to,omitempty"`
}

// movable reports whether accounts of a platform can change their user: not where people there know them by their address.
func movable(d Descriptor) bool { return d.Reveals != IdentifierJID }

func moveFlow(d *Desk) flow {
	return d.perOne(flow{node: NodeMove, title: textMove, help: textMoveHelp, words: textMoveWords}, func(ctx context.Context, t *turn, a *Account) (outcome, error) {
		if !movable(t.inst.Adapter.Descriptor()) {
			return outcome{}, &Refusal{NotAllowed, d.say(t.Visitor, textMoveJID, d.platform(t.Visitor))}
		}
		if err := d.deedOften(ctx, t.Visitor, deedMove); err != nil {
			return outcome{}, err
		}
		code := strings.ToLower(newCode())
		if err := d.saveMoving(ctx, t.Adapter, code, &moving{Account: a.ID, From: t.User}); err != nil {
			return outcome{}, err
		}
		return outcome{text: d.say(t.Visitor, textMoveCode, a.Shown, d.duration(t.Visitor, SessionTTL), t.inst.Component, code)}, nil
	})
}

// newCode returns 16 characters of a-z2-7: 80 bits, in groups for people to copy.
func newCode() string {
	s := lowerBase32.EncodeToString(newKey())
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
}

// perOne makes a flow that does something with one account, asking which when there are several.
func (d *Desk) perOne(f flow, do func(context.Context, *turn, *Account) (outcome, error)) flow {
	f.open = membersOnly
	f.start = func(ctx context.Context, t *turn) (outcome, error) {
		if fields := d.which(t); fields != nil {
			return outcome{ask: &step{Fields: fields, Last: true}}, nil
		}
		return do(ctx, t, t.account)
	}
	f.answer = func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
		chosen, err := d.chosen(t, answers)
		if err != nil {
			return outcome{}, err
		}
		return do(ctx, t, chosen[0])
	}
	return f
}

// claimFlow is the other half of a move: the new user reads the disclosure, agrees, and names the code.
func claimFlow(d *Desk) flow {
	return flow{
		node: NodeClaim, title: textClaim, help: textClaimHelp, words: textClaimWords, arg: "code",
		open: func(v Visitor, _ bool) bool {
			inst, ok := d.instances[v.Adapter]
			_, personal := inst.Adapter.(Linker)
			return ok && personal && movable(inst.Adapter.Descriptor())
		},
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if r := d.refused(ctx, t.Visitor); r != nil {
				return outcome{}, r
			}
			disc := d.Disclosure(t.Visitor)
			code := Field{Name: "code", Label: d.say(t.Visitor, textClaimCode), Kind: FieldText, Required: true}
			return outcome{ask: &step{
				Stage: stageConsent, Title: disc.Title, Text: disc.statements(), Fields: append(disc.Agree, code), Hash: disc.Hash(), Last: true,
			}}, nil
		},
		answer: d.claim,
		drop: func(ctx context.Context, t *turn) error {
			if t.s.Consent == "" {
				return nil
			}
			return d.disagree(ctx, t.Visitor, t.s.Consent)
		},
	}
}

func (d *Desk) claim(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
	if r := d.refused(ctx, t.Visitor); r != nil {
		return outcome{}, r
	}
	disc := d.Disclosure(t.Visitor)
	if !bytes.Equal(t.s.Step.Hash, disc.Hash()) {
		return outcome{}, d.sessionError(t.Visitor, SessionExpired, NotAllowed, textDiscChanged)
	}
	if ok, err := d.budget(ctx, t.Visitor, "claim"); err != nil {
		return outcome{}, err
	} else if !ok {
		return outcome{}, &Refusal{ResourceConstraint, d.say(t.Visitor, textLookups)}
	}
	code := strings.ToLower(answers["code"])
	m, a, err := d.claimed(ctx, t, code)
	if err != nil {
		return outcome{}, err
	}
	t.s.Account = a.ID
	if err := d.consentGiven(ctx, t, disc); err != nil {
		return outcome{}, err
	}
	receipt, err := d.receiptOf(ctx, t)
	if err != nil {
		return outcome{}, err
	}
	left, err := d.farewellsTo(ctx, t, a, m.From)
	if err != nil {
		return outcome{}, err
	}
	if err := errors.Join(d.deed(ctx, t.Visitor, deedClaim), d.WriteDeed(ctx, ActorUser, deedGiven, string(t.Adapter), m.From)); err != nil {
		return outcome{}, err
	}
	m.To = t.User
	if err := d.saveMoving(ctx, t.Adapter, code, m); err != nil {
		return outcome{}, err
	}
	if a, err = d.cfg.Identity.Move(ctx, a.ID, m.From, t.User, receipt.Version, t.Lang); err != nil {
		return outcome{}, err
	}
	if err := d.saveMoving(ctx, t.Adapter, code, nil); err != nil {
		d.log.Warn("code of a move not forgotten", "adapter", t.Adapter, "error", err) // it names an account that is not its user's any more
	}
	d.announce(ctx, a.ID)
	if d.cfg.Unpark != nil {
		d.cfg.Unpark(ctx, a.ID) // the old user's pause is over
	}
	d.log.Info("account moved", "adapter", t.Adapter, "account", a.ID)
	out := outcome{text: d.say(t.Visitor, textClaimDone, d.platform(t.Visitor), a.Shown), after: left}
	out.after = append(out.after, t.show("", ShowSubscription{Verb: Subscribe, Name: t.inst.Name}),
		t.tell("consent-"+strings.ToLower(receipt.ID), d.receiptText(t.Visitor, receipt)))
	return out, nil
}

// claimed returns what a code stands for. Every reason why it stands for nothing is one answer.
func (d *Desk) claimed(ctx context.Context, t *turn, code string) (*moving, *Account, error) {
	m, err := d.loadMoving(ctx, t.Adapter, code)
	if err != nil {
		return nil, nil, err
	}
	no := &Refusal{ItemNotFound, d.say(t.Visitor, textClaimNo)}
	if m == nil || m.To != "" && m.To != t.User {
		return nil, nil, no
	}
	if m.From == t.User {
		return nil, nil, &Refusal{Conflict, d.say(t.Visitor, textClaimOwn)}
	}
	a, err := d.cfg.Identity.reload(ctx, m.Account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil, no
	}
	if err != nil {
		return nil, nil, err
	}
	gone := a.Standing == AccountWithdrawn || a.Standing == AccountWithdrawalQueued || a.Adapter != t.Adapter
	if gone || a.User != m.From && a.User != t.User {
		return nil, nil, no
	}
	return m, a, nil
}

// farewellsTo is how an account's contacts leave the user that it moves away from, and what that user is told. The gateway
// stays with a user who has another account.
func (d *Desk) farewellsTo(ctx context.Context, t *turn, a *Account, from UserID) ([]Rendering, error) {
	old := &turn{Visitor: Visitor{Adapter: t.Adapter, User: from, Lang: a.Lang}, inst: t.inst}
	out, err := d.farewells(ctx, old, a)
	if err != nil {
		return nil, err
	}
	out = append(out, old.tell("moved-"+strings.ToLower(string(a.ID)), d.say(old.Visitor, textMoved, d.platform(old.Visitor), a.Shown)))
	all, err := d.accounts(ctx, old.Visitor)
	if err == nil && len(all) < 2 {
		out = append(out, old.parting("")...)
	}
	return out, err
}

func (d *Desk) movingName(a AdapterID, code string) string {
	return d.cfg.Keyring.Name("move", string(a), code)
}

func (d *Desk) loadMoving(ctx context.Context, a AdapterID, code string) (*moving, error) {
	xo, name := d.cfg.Keyring.adapterOwner(a), d.movingName(a, code)
	got, err := d.cfg.Store.Load(ctx, RecordKey{xo, RecordMove, name})
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: load move: %w", err)
	}
	if got[0] == nil {
		return nil, nil
	}
	plain, err := d.cfg.Keyring.operator.Open(string(xo)+"/move/"+name, got[0])
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: move: %w", err)
	}
	m := &moving{}
	return m, json.Unmarshal(plain, m)
}

// saveMoving writes what a code stands for; nil forgets it.
func (d *Desk) saveMoving(ctx context.Context, a AdapterID, code string, m *moving) error {
	xo, name := d.cfg.Keyring.adapterOwner(a), d.movingName(a, code)
	set := Change{Kind: RecordMove, Name: name}
	if m != nil {
		plain, err := json.Marshal(m)
		if err != nil {
			return err
		}
		set.Value, set.TTL = d.cfg.Keyring.operator.Seal(string(xo)+"/move/"+name, plain), SessionTTL
	}
	if err := d.cfg.Store.Save(ctx, xo, set); err != nil {
		return fmt.Errorf("gateway: desk: save move: %w", err)
	}
	return nil
}
