package gateway

import (
	"context"
	"strings"
)

// nameMost bounds how long a name may be that a user takes towards people on a line.
const nameMost = 64

// inviteFlow gives a link by which somebody on the platform becomes the visitor's contact. On an operator's line it holds an
// invite; to an account of the visitor's own anybody may write who knows its address.
func inviteFlow(d *Desk) flow {
	return flow{
		node: NodeInvite, title: textInvite, help: textInviteHelp, words: textInviteWords, arg: "name",
		open: func(v Visitor, member bool) bool {
			_, ok := d.instances[v.Adapter].Adapter.(Sharer)
			return ok && member
		},
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if !t.account.Shared {
				return d.plainInvite(ctx, t)
			}
			name := Field{Name: "name", Label: d.say(t.Visitor, textInviteName), Kind: FieldText, Value: t.account.called()}
			return outcome{ask: &step{Fields: []Field{name}, Last: true}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			return d.invite(ctx, t, answers["name"])
		},
	}
}

// plainInvite names the address of each account of the visitor's own.
func (d *Desk) plainInvite(ctx context.Context, t *turn) (outcome, error) {
	var all []string
	for _, a := range t.accounts {
		url, err := d.inviteURL(ctx, t, a, "")
		if err != nil {
			return outcome{}, err
		}
		all = append(all, url)
	}
	return outcome{text: d.say(t.Visitor, textInvitePlain, d.platform(t.Visitor), strings.Join(all, "\n"))}, nil
}

func (d *Desk) invite(ctx context.Context, t *turn, name string) (outcome, error) {
	if r := d.idle(ctx, t); r != nil {
		return outcome{}, r
	}
	if ok, err := d.budget(ctx, t.Visitor, "invite"); err != nil {
		return outcome{}, err
	} else if !ok {
		return outcome{}, &Refusal{ResourceConstraint, d.say(t.Visitor, textLookups)}
	}
	if name = strings.TrimSpace(strings.Join(strings.Fields(name), " ")); len(name) > nameMost {
		return outcome{}, d.sessionError(t.Visitor, BadPayload, NotAcceptable, textAnswerLong, d.say(t.Visitor, textInviteName))
	}
	a := t.account
	if name != "" && name != a.Called {
		var err error
		if a, err = d.cfg.Identity.Amend(ctx, a.ID, func(a *Account) { a.Called = name }); err != nil {
			return outcome{}, err
		}
		d.announce(ctx, a.ID)
	}
	token, err := d.cfg.Identity.invite(ctx, a)
	if err != nil {
		return outcome{}, err
	}
	url, err := d.inviteURL(ctx, t, a, token)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: d.say(t.Visitor, textInviteDone, d.platform(t.Visitor), a.called(), d.duration(t.Visitor, InviteTTL), url)}, nil
}

// inviteURL asks the adapter; its failures become refusals.
func (d *Desk) inviteURL(ctx context.Context, t *turn, a *Account, token string) (string, error) {
	s, _ := t.inst.Adapter.(Sharer)
	url, err := s.InviteURL(ctx, a.Credentials(), token)
	if err == nil {
		return url, nil
	}
	d.log.Warn("invite refused", "adapter", t.Adapter, "account", a.ID, "class", ClassOf(err), "error", err)
	return "", d.platformRefusal(t.Visitor, err)
}
