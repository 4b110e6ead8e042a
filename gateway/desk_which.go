package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// connectionField asks which of several accounts is meant. No Linker names a field like this.
const connectionField = "connection"

// allConnections and newConnection are answers that name no account.
const (
	allConnections = "all"
	newConnection  = "new"
)

// which asks for the account where a visitor has several, with more choices behind them.
func (d *Desk) which(t *turn, more ...Choice) []Field {
	if len(t.accounts) < 2 {
		return nil
	}
	f := Field{Name: connectionField, Label: d.say(t.Visitor, textWhich), Kind: FieldChoice, Required: true}
	for _, a := range t.accounts {
		f.Options = append(f.Options, Choice{string(a.ID), a.Shown})
	}
	f.Options = append(f.Options, more...)
	return []Field{f}
}

// chosen returns the accounts that an answer to which means, never none: the only one when nothing was asked. The *Refusal is
// for an account that has gone since.
func (d *Desk) chosen(t *turn, answers map[string]string) ([]*Account, error) {
	switch id := answers[connectionField]; id {
	case "":
		return t.accounts[:1], nil
	case allConnections:
		return t.accounts, nil
	default:
		for _, a := range t.accounts {
			if string(a.ID) == id {
				return []*Account{a}, nil
			}
		}
	}
	return nil, d.sessionError(t.Visitor, SessionExpired, NotAllowed, textSessionExpired)
}

// maxHits is how many contacts a search names.
const maxHits = 20

// hit is a contact that a visitor may mean.
type hit struct {
	account *Account
	contact *Contact
}

// key names a hit in a list of choices.
func (h hit) key() string { return string(h.account.ID) + "/" + string(h.contact.Alias) }

// find returns the visitor's own contacts that a text means: by address, else by their whole name, else by a part of it.
func (d *Desk) find(ctx context.Context, t *turn, text string) ([]hit, error) {
	text = strings.TrimSpace(text)
	local, domain, _ := strings.Cut(text, "@")
	if domain == "" || strings.EqualFold(domain, t.inst.Component) {
		a, c, err := d.cfg.Identity.Find(ctx, t.Adapter, t.User, Alias(strings.ToLower(local)))
		if err == nil && slices.ContainsFunc(t.accounts, func(own *Account) bool { return own.ID == a.ID }) {
			return []hit{{a, c}}, nil
		}
		if err != nil && !errors.Is(err, ErrNoContact) && !errors.Is(err, ErrNoAccount) {
			return nil, err
		}
	}
	var whole, part []hit
	want := strings.ToLower(text)
	for _, a := range t.accounts {
		err := d.cfg.Identity.Contacts(ctx, a, func(c *Contact) error {
			switch name := strings.ToLower(c.Name); {
			case want == "":
			case name == want && len(whole) < 10*maxHits:
				whole = append(whole, hit{a, c})
			case strings.Contains(name, want) && len(part) < 10*maxHits:
				part = append(part, hit{a, c})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(whole) == 0 {
		whole = part
	}
	slices.SortFunc(whole, func(a, b hit) int { return strings.Compare(a.contact.Name+"\n"+a.key(), b.contact.Name+"\n"+b.key()) })
	whole = slices.CompactFunc(whole, func(a, b hit) bool { return a.key() == b.key() })
	return whole[:min(len(whole), maxHits)], nil
}

// stageWhich asks which contact of several is meant.
const stageWhich = "which"

// aboutContact makes a flow that is about one of the visitor's contacts: it asks for the contact and, besides, for what more
// asks; do gets both.
func (d *Desk) aboutContact(f flow, more func(*turn) []Field, do func(context.Context, *turn, hit, map[string]string) (outcome, error)) flow {
	f.arg, f.open = "contact", membersOnly
	f.start = func(_ context.Context, t *turn) (outcome, error) {
		fields := []Field{{Name: "contact", Label: d.say(t.Visitor, textWho), Kind: FieldText, Required: true}}
		if more != nil {
			fields = append(fields, more(t)...)
		}
		return outcome{ask: &step{Fields: fields, MayEnd: true}}, nil
	}
	f.answer = func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
		if t.s.Step.Stage == stageWhich {
			return d.amongHits(ctx, t, answers, do)
		}
		hits, err := d.find(ctx, t, answers["contact"])
		switch {
		case err != nil:
			return outcome{}, err
		case len(hits) == 0:
			return outcome{}, &Refusal{ItemNotFound, d.say(t.Visitor, textNoSuchContact)}
		case len(hits) == 1:
			return do(ctx, t, hits[0], answers)
		}
		state, err := json.Marshal(answers)
		if err != nil {
			return outcome{}, err
		}
		which := Field{Name: "contact", Label: d.say(t.Visitor, textWhichContact), Kind: FieldChoice, Required: true}
		for _, h := range hits {
			which.Options = append(which.Options, Choice{h.key(), d.named(t, h)})
		}
		return outcome{ask: &step{Stage: stageWhich, Fields: []Field{which}, State: state, Last: true}}, nil
	}
	return f
}

// amongHits goes on with the contact that was chosen.
func (d *Desk) amongHits(ctx context.Context, t *turn, answers map[string]string, do func(context.Context, *turn, hit, map[string]string) (outcome, error)) (outcome, error) {
	before := map[string]string{}
	if err := json.Unmarshal(t.s.Step.State, &before); err != nil {
		return outcome{}, err
	}
	id, alias, _ := strings.Cut(answers["contact"], "/")
	for _, a := range t.accounts {
		if string(a.ID) != id {
			continue
		}
		c, err := d.cfg.Identity.Contact(ctx, a, Alias(alias))
		if err == nil {
			return do(ctx, t, hit{a, c}, before)
		}
		if !errors.Is(err, ErrNoContact) {
			return outcome{}, err
		}
	}
	return outcome{}, &Refusal{ItemNotFound, d.say(t.Visitor, textNoSuchContact)}
}

// named is how a contact stands in a list: the name, the address, and of which account where there are several.
func (d *Desk) named(t *turn, h hit) string {
	out := strings.TrimSpace(h.contact.Name + " " + d.address(t, h))
	if len(t.accounts) > 1 {
		out += " (" + h.account.Shown + ")"
	}
	return out
}

// short is what a contact is called in a sentence.
func (d *Desk) short(t *turn, h hit) string {
	if h.contact.Name != "" {
		return h.contact.Name
	}
	return d.address(t, h)
}

// address is where a contact is reached.
func (d *Desk) address(t *turn, h hit) string {
	return string(h.account.Shows(h.contact)) + "@" + t.inst.Component
}
