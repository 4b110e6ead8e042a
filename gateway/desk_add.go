package gateway

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Lookups that one user may make at once, and in each further window: enough for a person, too few to find out who is on a
// platform. Claims, and lines that make no
// sense, have budgets of the same size.
const (
	lookupMax    = 30
	lookupWindow = time.Hour
)

func addFlow(d *Desk) flow {
	return flow{
		node: NodeAdd, title: textAdd, help: textAddHelp, words: textAddWords, arg: "query",
		open: func(v Visitor, member bool) bool {
			_, ok := d.instances[v.Adapter].Adapter.(Directory)
			return ok && member
		},
		start: func(_ context.Context, t *turn) (outcome, error) {
			desc, prompt := d.Prompt(t.Visitor)
			fields := append([]Field{{Name: "query", Label: prompt, Kind: FieldText, Required: true}}, d.which(t)...)
			return outcome{ask: &step{Text: desc, Fields: fields, Last: true}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			chosen, err := d.chosen(t, answers)
			if err != nil {
				return outcome{}, err
			}
			t.account = chosen[0]
			c, err := d.add(ctx, t, answers["query"])
			if err != nil {
				return outcome{}, err
			}
			h := hit{t.account, c}
			name := d.short(t, h)
			text := d.say(t.Visitor, textAdded, name, d.address(t, h))
			if c.Pending {
				text += "\n" + d.say(t.Visitor, textAddedPending, name)
			}
			return outcome{text: text, after: []Rendering{t.show(c.Alias, ShowSubscription{Verb: Subscribe, Name: c.Name})}}, nil
		},
	}
}

// Prompt says how people are named on the platform (jabber:iq:gateway, XEP-0100 §6.3): desc explains, prompt is short.
func (d *Desk) Prompt(v Visitor) (desc, prompt string) {
	inst, ok := d.instances[v.Adapter]
	if !ok {
		return "", ""
	}
	about := inst.Adapter.Descriptor()
	ways := about.Addressing
	if len(ways) == 0 {
		ways = []Identifier{IdentifierOpaque}
	}
	names := make([]string, len(ways))
	for i, id := range ways {
		names[i] = d.say(v, textAddressing+TextKey(id))
	}
	prompt = strings.Join(names, d.say(v, textOr))
	return d.say(v, textAddAsk, about.Platform, prompt), prompt
}

// Resolve finds a person, makes them a contact and returns the localpart of their address (jabber:iq:gateway). The *Refusal is registration-required for a visitor
// without an account, item-not-found when there is nobody, resource-constraint when the visitor asked too often.
func (d *Desk) Resolve(ctx context.Context, v Visitor, query string) (Alias, error) {
	_, t, err := d.enter(ctx, v, NodeAdd)
	if err != nil {
		return "", err
	}
	query = strings.TrimSpace(query)
	if query == "" || len(query) > maxAnswer {
		_, prompt := d.Prompt(v)
		return "", &Refusal{NotAcceptable, d.say(v, textAnswerMissing, prompt)}
	}
	c, err := d.add(ctx, t, query)
	if err != nil {
		return "", err
	}
	return t.account.Shows(c), nil
}

func (d *Desk) add(ctx context.Context, t *turn, query string) (*Contact, error) {
	if r := d.idle(ctx, t); r != nil {
		return nil, r
	}
	if ok, err := d.budget(ctx, t.Visitor, "lookup"); err != nil {
		return nil, err
	} else if !ok {
		return nil, &Refusal{ResourceConstraint, d.say(t.Visitor, textLookups)}
	}
	dir, _ := t.inst.Adapter.(Directory)
	p, err := dir.Resolve(ctx, t.account.Credentials(), query)
	switch {
	case errors.Is(err, ErrNoPerson):
		return nil, d.nobody(t.Visitor)
	case err != nil:
		if _, ok := errors.AsType[*SendError](err); !ok {
			return nil, err
		}
		if ClassOf(err) == NotReachable { // who opted out or blocked us looks like nobody
			return nil, d.nobody(t.Visitor)
		}
		d.log.Warn("lookup refused", "adapter", t.Adapter, "account", t.account.ID, "class", ClassOf(err), "error", err)
		return nil, d.platformRefusal(t.Visitor, err)
	}
	alias, err := d.cfg.Identity.aliasOf(ctx, t.inst, t.account, p.ID)
	if err != nil {
		return nil, err
	}
	if err := d.cfg.Identity.connect(ctx, t.account, p.ID, false, time.Now()); err != nil {
		return nil, err
	}
	known, err := d.cfg.Identity.Revise(ctx, t.account, alias, func(c *Contact) {
		c.Pending = !p.Accepts
		if p.Name != "" {
			c.Name = p.Name
		}
	})
	if !errors.Is(err, ErrNoContact) {
		return known, err
	}
	return d.cfg.Identity.PutContact(ctx, t.account, Contact{ID: p.ID, Name: p.Name, Pending: !p.Accepts})
}

// idle refuses what an account that cannot act would be needed for, or whose user may not.
func (d *Desk) idle(ctx context.Context, t *turn) *Refusal {
	if r := d.refused(ctx, t.Visitor); r != nil {
		return r
	}
	about := t.inst.Adapter.Descriptor()
	switch t.account.StandingUnder(about) {
	case AccountReauthNeeded:
		return &Refusal{NotAuthorized, d.say(t.Visitor, TextReauth, about.Platform, t.inst.Component)}
	case AccountReconsentNeeded:
		return &Refusal{NotAuthorized, d.say(t.Visitor, TextReconsent, about.Platform, t.inst.Component)}
	case AccountSuspended:
		return &Refusal{NotAuthorized, d.say(t.Visitor, TextSuspended, about.Platform)}
	case AccountActive, AccountExpiring, AccountWithdrawn, AccountWithdrawalQueued:
	}
	return nil
}

// isNobody reports whether a refusal says that there is no such person.
func isNobody(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Condition == ItemNotFound
}

func (d *Desk) nobody(v Visitor) *Refusal {
	return &Refusal{ItemNotFound, d.say(v, textNobody, d.platform(v))}
}

// budget spends one of so many things that a visitor may do in a while, on whichever replica, and reports whether there was one left.
func (d *Desk) budget(ctx context.Context, v Visitor, what string) (bool, error) {
	b := Bucket{Name: d.cfg.Keyring.Name("budget", what, string(v.Adapter), string(v.User)), Every: lookupWindow / lookupMax, Burst: lookupMax}
	got, err := d.cfg.Store.Take(ctx, v.Adapter, 0, b)
	return got.OK, err
}
