package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
)

func searchFlow(d *Desk) flow {
	return flow{
		node: NodeSearch, title: TextSearch, help: textSearchHelp, words: textSearchWords, arg: "name", open: membersOnly,
		start: func(_ context.Context, t *turn) (outcome, error) {
			return outcome{ask: &step{Fields: []Field{{Name: "name", Label: d.say(t.Visitor, TextSearchName), Kind: FieldText, Required: true}}, Last: true}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			hits, err := d.find(ctx, t, answers["name"])
			if err != nil {
				return outcome{}, err
			}
			if len(hits) == 0 {
				return outcome{text: d.say(t.Visitor, textSearchNone, d.platform(t.Visitor))}, nil
			}
			list := make([]string, len(hits))
			for i, h := range hits {
				list[i] = d.named(t, h) + d.marks(t, h)
			}
			return outcome{text: strings.Join(list, "\n")}, nil
		},
	}
}

// Found is a contact as a search shows it: Local is the localpart of its address.
type Found struct {
	Local Alias
	Name  string
}

// Search finds among a visitor's own contacts by name (XEP-0055), and by the exact identifier on the platform, which makes
// that person a contact. An empty question finds nobody. The *Refusal is registration-required for a visitor without an
// account.
func (d *Desk) Search(ctx context.Context, v Visitor, name, identifier string) ([]Found, error) {
	_, t, err := d.enter(ctx, v, NodeSearch)
	if err != nil {
		return nil, err
	}
	name, identifier = strings.TrimSpace(name), strings.TrimSpace(identifier)
	if len(name) > maxAnswer || len(identifier) > maxAnswer {
		return nil, &Refusal{NotAcceptable, d.say(v, textAnswerLong, d.say(v, TextSearchName))}
	}
	var hits []hit
	if name != "" {
		if hits, err = d.find(ctx, t, name); err != nil {
			return nil, err
		}
	}
	if _, ok := t.inst.Adapter.(Directory); ok && identifier != "" {
		switch c, err := d.add(ctx, t, identifier); {
		case err == nil:
			found := hit{t.account, c}
			if !slices.ContainsFunc(hits, func(h hit) bool { return h.key() == found.key() }) {
				hits = append(hits, found)
			}
		case !isNobody(err):
			return nil, err
		}
	}
	var out []Found
	for _, h := range hits {
		out = append(out, Found{h.account.Shows(h.contact), h.contact.Name})
	}
	return out, nil
}

// marks says in a list what is special about a contact.
func (d *Desk) marks(t *turn, h hit) string {
	out := d.pendingMark(t.Visitor, h.contact)
	if h.contact.Blocked {
		out += " " + d.say(t.Visitor, textContactBlocked)
	}
	return out
}

// worksFlow says what works: on the platform, or with one contact. A chat without a name gets the platform's at once.
func worksFlow(d *Desk) flow {
	about := func(ctx context.Context, t *turn, who string) (outcome, error) {
		desc, intro := t.inst.Adapter.Descriptor(), d.say(t.Visitor, textWorksPlatform, d.platform(t.Visitor))
		if who != "" {
			hits, err := d.find(ctx, t, who)
			if err != nil {
				return outcome{}, err
			}
			if len(hits) == 0 {
				return outcome{}, &Refusal{ItemNotFound, d.say(t.Visitor, textNoSuchContact)}
			}
			desc.Caps, intro = t.inst.Adapter.Caps(hits[0].contact.facts()), d.say(t.Visitor, textWorksContact, d.short(t, hits[0]))
		}
		w := disclosureWriter{d: d, v: t.Visitor, desc: desc}
		out := []string{intro}
		for _, row := range []struct {
			label TextKey
			text  string
		}{
			{textWorksNative, w.features(Native)},
			{textDiscEmulated + textLabel, w.features(Emulated)},
			{textDiscMissing + textLabel, w.features(None)},
			{textDiscLimits + textLabel, w.limits()},
		} {
			if row.text != "" {
				out = append(out, d.say(t.Visitor, row.label)+": "+row.text)
			}
		}
		return outcome{text: strings.Join(out, "\n")}, nil
	}
	return flow{
		node: NodeWorks, title: textWorks, help: textWorksHelp, words: textWorksWords, arg: "contact", open: membersOnly,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if t.chat {
				return about(ctx, t, t.rest)
			}
			return outcome{ask: &step{Fields: []Field{{Name: "contact", Label: d.say(t.Visitor, textWorksWho), Kind: FieldText}}, Last: true}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			return about(ctx, t, answers["contact"])
		},
	}
}

// importMost and importChunk bound what import sends: XEP-0144 §6 finds long lists suspicious.
const (
	importMost  = 2000
	importChunk = 50
)

// importFlow offers a visitor's contacts to their client (XEP-0144), only ever because they asked for it.
func importFlow(d *Desk) flow {
	return flow{
		node: NodeImport, title: textImport, help: textImportHelp, words: textImportWords, open: membersOnly,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if d.cfg.Rostered != nil && d.cfg.Rostered(ctx, t.Visitor) {
				return outcome{text: d.say(t.Visitor, textImportThere)}, nil
			}
			var items []ContactItem
			for _, a := range t.accounts {
				err := d.cfg.Identity.Contacts(ctx, a, func(c *Contact) error {
					if c.Blocked {
						return nil
					}
					items = append(items, ContactItem{Local: a.Shows(c), Name: c.Name})
					if len(items) >= importMost {
						return errEnough
					}
					return nil
				})
				if err != nil && !errors.Is(err, errEnough) {
					return outcome{}, err
				}
			}
			if len(items) == 0 {
				return outcome{text: d.say(t.Visitor, textContactsNone)}, nil
			}
			out := outcome{text: d.say(t.Visitor, textImportDone, len(items))}
			for n := 0; n < len(items); n += importChunk {
				out.after = append(out.after, t.show("", ShowContacts{
					ID: StanzaID(strings.ToLower(newULID())), Items: items[n:min(n+importChunk, len(items))], Group: d.platform(t.Visitor),
				}))
			}
			return out, nil
		},
	}
}
