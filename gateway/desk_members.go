package gateway

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// maxListed is how many contacts a list names: more does not fit a stanza that every server passes.
const maxListed = 200

func membersOnly(_ Visitor, member bool) bool { return member }

func statusFlow(d *Desk) flow {
	return flow{node: NodeStatus, title: textStatus, help: textStatusHelp, words: textStatusWords, open: membersOnly, start: d.status}
}

func (d *Desk) status(ctx context.Context, t *turn) (outcome, error) {
	accounts, err := d.accounts(ctx, t.Visitor)
	if err != nil {
		return outcome{}, err
	}
	w := disclosureWriter{d: d, v: t.Visitor, desc: t.inst.Adapter.Descriptor()}
	var lines []string
	for _, a := range accounts {
		n := 0
		err := d.cfg.Identity.Contacts(ctx, a, func(*Contact) error { n++; return nil })
		if err != nil {
			return outcome{}, err
		}
		lines = append(lines,
			d.say(t.Visitor, textStatusAccount, w.desc.Platform, a.Shown),
			d.say(t.Visitor, textStatusStanding, d.say(t.Visitor, textStanding+TextKey(a.StandingUnder(w.desc)))),
			d.say(t.Visitor, textStatusContacts, n))
		if a.PausedAt(time.Now()) {
			lines = append(lines, d.say(t.Visitor, TextPaused, pausedUntil(a.Paused)))
		}
	}
	lines = append(lines, d.say(t.Visitor, textStatusMode, w.mode(w.desc.Out), w.mode(w.desc.In), w.mode(w.desc.Media)))
	return outcome{text: strings.Join(lines, "\n")}, nil
}

func unregisterFlow(d *Desk) flow {
	return flow{
		node: NodeUnregister, title: textUnregister, help: textUnregisterHelp, words: textUnregisterWords, open: membersOnly,
		start: func(_ context.Context, t *turn) (outcome, error) {
			names := make([]string, len(t.accounts))
			for i, a := range t.accounts {
				names[i] = a.Shown
			}
			sure := Field{Name: "confirm", Label: d.say(t.Visitor, textLeaveConfirm), Kind: FieldBool, Required: true}
			return outcome{ask: &step{
				Text:   d.say(t.Visitor, textLeaveAsk, t.inst.Adapter.Descriptor().Platform, strings.Join(names, ", ")),
				Fields: append(d.which(t, Choice{allConnections, d.say(t.Visitor, textWhichAll)}), sure), Last: true,
			}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			if answers["confirm"] != "true" {
				return outcome{text: d.say(t.Visitor, textLeaveNot)}, nil
			}
			chosen, err := d.chosen(t, answers)
			if err != nil {
				return outcome{}, err
			}
			return d.withdraw(ctx, t, chosen)
		},
	}
}

// Remove ends a visitor's registration at once (XEP-0077 §3.2). The *Refusal is registration-required when there is none.
func (d *Desk) Remove(ctx context.Context, v Visitor) (Reply, error) {
	f, t, err := d.enter(ctx, v, NodeUnregister)
	if err != nil {
		return Reply{}, err
	}
	out, err := d.withdraw(ctx, t, t.accounts)
	if err != nil {
		return Reply{}, err
	}
	return d.ended(f, t, out), nil
}

func contactsFlow(d *Desk) flow {
	return flow{node: NodeContacts, title: textContacts, help: textContactsHelp, words: textContactsWords, open: membersOnly, start: d.contacts}
}

var errEnough = errors.New("enough")

func (d *Desk) contacts(ctx context.Context, t *turn) (outcome, error) {
	accounts, err := d.accounts(ctx, t.Visitor)
	if err != nil {
		return outcome{}, err
	}
	all := map[Alias]hit{}
	for _, a := range accounts {
		err := d.cfg.Identity.Contacts(ctx, a, func(c *Contact) error {
			if all[c.Alias] = (hit{a, c}); len(all) > maxListed {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return outcome{}, err
		}
	}
	if len(all) == 0 {
		return outcome{text: d.say(t.Visitor, textContactsNone)}, nil
	}
	list := make([]hit, 0, len(all))
	for _, h := range all {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b hit) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.contact.Name), strings.ToLower(b.contact.Name)), strings.Compare(string(a.contact.Alias), string(b.contact.Alias)))
	})
	out := outcome{}
	if len(list) > maxListed {
		list = list[:maxListed]
		out.note = d.say(t.Visitor, textContactsMore, maxListed)
	}
	lines := make([]string, len(list))
	for i, h := range list {
		lines[i] = d.named(t, h) + d.marks(t, h)
	}
	out.text = strings.Join(lines, "\n")
	return out, nil
}

func (d *Desk) pendingMark(v Visitor, c *Contact) string {
	if !c.Pending {
		return ""
	}
	return " " + d.say(v, textContactPending)
}

func helpFlow(d *Desk) flow {
	return flow{
		node: NodeHelp, title: textHelp, help: textHelpHelp, words: textHelpWords,
		open: func(Visitor, bool) bool { return true },
		start: func(ctx context.Context, t *turn) (outcome, error) {
			text, err := d.helpText(ctx, t.Visitor, t.account != nil)
			return outcome{text: text}, err
		},
	}
}

func (d *Desk) helpText(ctx context.Context, v Visitor, member bool) (string, error) {
	lines := []string{d.say(v, textHelpIntro, d.platform(v))}
	for _, f := range d.flows {
		open, err := d.opens(ctx, f, v, member)
		if err != nil {
			return "", err
		}
		if open {
			word, _, _ := strings.Cut(d.say(v, f.words), "|")
			lines = append(lines, word+" - "+d.say(v, f.help))
		}
	}
	return strings.Join(append(lines, d.say(v, textHelpCancel)), "\n"), nil
}
