package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// takeOnLine finds out for whom something is that happened on a line, and takes it for them. A person who is nobody's contact
// is told how to reach somebody; what they wrote goes nowhere.
func (g *Gateway) takeOnLine(ctx context.Context, inst Instance, line *Account, ev Event) error {
	who := ev.Chat.Contact
	if who == "" || ev.Chat.Kind == ChatGroup {
		return g.lineNews(ctx, inst, line, ev)
	}
	known, err := g.identity.guestUnder(ctx, inst.ID, line.Endpoint, who, ev.Also)
	if err != nil {
		return err
	}
	if invited, err := g.invited(ctx, inst, line, ev); invited != nil || err != nil {
		return err
	}
	users, err := g.identity.connected(ctx, known)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return g.stranger(ctx, inst, line, ev)
	}
	if said, ok := command(ev); ok && len(users) > 0 {
		return g.steer(ctx, inst, line, ev, users, said)
	}
	to, err := g.meant(ctx, inst, known, users, ev)
	if err != nil {
		return err
	}
	for _, a := range to {
		if err := g.takeFor(ctx, inst, a, ev); err != nil {
			return err
		}
	}
	return g.opensToAll(ctx, inst, users, to, ev)
}

// opensToAll tells the other users whom a person is connected with that the platform lets them write again: a window is the
// line's, whomever the person wrote to.
func (g *Gateway) opensToAll(ctx context.Context, inst Instance, users, told []*Account, ev Event) error {
	rule := inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Window
	at := ev.opens(rule)
	if at.IsZero() {
		return nil
	}
	news := Event{Dedupe: "window:" + ev.Dedupe, Endpoint: ev.Endpoint, Chat: ev.Chat, Also: ev.Also, At: ev.At, Body: Window{OpenUntil: at.Add(rule.For)}}
	for _, a := range users {
		if slices.Contains(told, a) {
			continue
		}
		if err := g.passOn(ctx, inst, a, news); err != nil {
			return err
		}
	}
	return nil
}

// lineNews takes what concerns the line as a whole: its operator is who has to know.
func (g *Gateway) lineNews(ctx context.Context, inst Instance, line *Account, ev Event) error {
	if b, ok := ev.Body.(AccountState); ok {
		g.log.Warn("the line's standing changed", "adapter", string(inst.ID), "standing", string(b.State), "reason", b.Reason)
		return g.standing(ctx, line, b.State, cause{CausePlatform, b.Reason})
	}
	g.metrics.guests.WithLabelValues(string(inst.ID), "line").Inc()
	return nil
}

// invited connects a person who comes with an invite, and takes what they came with. The account is nil when there is none.
func (g *Gateway) invited(ctx context.Context, inst Instance, line *Account, ev Event) (*Account, error) {
	if ev.Invite == "" {
		return nil, nil
	}
	a, err := g.identity.redeem(ctx, inst.ID, line.Endpoint, ev.Invite, ev.Chat.Contact)
	if errors.Is(err, errInvite) {
		g.metrics.guests.WithLabelValues(string(inst.ID), "invite_unknown").Inc()
		return nil, nil // an old link in the hand of a stranger, or of somebody who is connected already
	}
	if err != nil {
		return nil, err
	}
	if err := g.identity.connect(ctx, a, ev.Chat.Contact, true, ev.happened()); err != nil {
		return nil, err
	}
	g.metrics.guests.WithLabelValues(string(inst.ID), "invited").Inc()
	return a, g.takeFor(ctx, inst, a, ev)
}

// stranger answers a person who is nobody's contact: once a day, and only one who wrote, not one whom our side wrote to. Where the operator has named somebody
// to take such messages, the person becomes theirs.
func (g *Gateway) stranger(ctx context.Context, inst Instance, line *Account, ev Event) error {
	if _, wrote := ev.Body.(Message); ev.FromMe || !wrote && ev.Invite == "" {
		g.metrics.guests.WithLabelValues(string(inst.ID), "stranger").Inc()
		return nil
	}
	if inst.Strangers != "" {
		all, err := g.identity.Of(ctx, inst.ID, inst.Strangers)
		switch {
		case err == nil && all[0].Shared:
			if err := g.identity.connect(ctx, all[0], ev.Chat.Contact, true, ev.happened()); err != nil {
				return err
			}
			return g.takeFor(ctx, inst, all[0], ev)
		case err != nil && !errors.Is(err, ErrNoAccount):
			return err
		}
		g.log.Warn("whom strangers reach is not registered", "adapter", string(inst.ID))
	}
	g.metrics.guests.WithLabelValues(string(inst.ID), "stranger").Inc()
	key := TextStranger
	if ev.Invite != "" {
		key = TextInviteOver
	}
	day := ev.when().UTC().Format(time.DateOnly)
	return g.answer(ctx, line, ev, string(key)+day, g.texts.Say(ev.Lang, key, line.Shown))
}

// answer sends the gateway's own words to a person on a line. What has the same name is said once a day.
func (g *Gateway) answer(ctx context.Context, line *Account, ev Event, name, text string) error {
	alias := line.Keys.Alias(ev.Chat.Contact)
	op := Op{ID: NewOpID(), Chat: ev.Chat, At: time.Now().UTC(), Lang: ev.Lang, Body: OpMessage{Content: PlainText(text)}}
	return g.ingestAs(ctx, line, Outbound{Adapter: line.Adapter, Account: line.ID, Alias: alias, Op: op}, IngestOptions{
		LaneMax: g.cfg.LaneMax, QueueMax: g.cfg.ShardMax, ParkMax: g.cfg.ParkedMax,
		Dedupe: g.keys.Name("answer", string(line.ID), string(ev.Chat.Contact), name), DedupeFor: StanzaDedupe,
	})
}

// command reads a line by which a person steers to whom they write: "/who", "/switch" or "/switch 2".
func command(ev Event) (words []string, ok bool) {
	m, ok := ev.Body.(Message)
	if !ok || len(m.Content.Parts) != 1 || ev.FromMe {
		return nil, false
	}
	t, ok := m.Content.Parts[0].(Text)
	if !ok {
		return nil, false
	}
	words = strings.Fields(strings.ToLower(t.Text))
	switch {
	case len(words) == 1 && (words[0] == "/who" || words[0] == "/switch"):
		return words, true
	case len(words) == 2 && words[0] == "/switch":
		return words, true
	}
	return nil, false
}

// steer answers a person who asks to whom they write, or wants to write to another.
func (g *Gateway) steer(ctx context.Context, inst Instance, line *Account, ev Event, users []*Account, words []string) error {
	known, err := g.identity.guest(ctx, inst.ID, line.Endpoint, ev.Chat.Contact)
	if err != nil {
		return err
	}
	if len(words) == 2 {
		n, err := strconv.Atoi(words[1])
		if err == nil && n >= 1 && n <= len(users) {
			to := users[n-1].ID
			known, err = g.identity.reviseGuest(ctx, inst.ID, line.Endpoint, ev.Chat.Contact, func(known *guest) { known.turn(to, ev.happened().UTC()) })
			if err != nil {
				return err
			}
			g.metrics.guests.WithLabelValues(string(inst.ID), "switched").Inc()
		}
	}
	var list strings.Builder
	for n, a := range users {
		mark := ""
		if a.ID == known.Active {
			mark = " ✓"
		}
		fmt.Fprintf(&list, "\n%d. %s%s", n+1, a.called(), mark)
	}
	return g.answer(ctx, line, ev, ev.Dedupe, g.texts.Say(ev.Lang, TextWhoList, list.String()))
}

// called is how a user is named to people on a line.
func (a *Account) called() string {
	if a.Called != "" {
		return a.Called
	}
	local, _, _ := strings.Cut(string(a.User), "@")
	return local
}

// meant returns the accounts that something is for. Mostly that is the one that the person writes to; what is about an earlier
// message is for the account that has it; a watermark is for all, and so is another id of the person.
func (g *Gateway) meant(ctx context.Context, inst Instance, known guest, users []*Account, ev Event) ([]*Account, error) {
	if len(users) == 1 {
		return users, nil
	}
	if s, ok := ev.Body.(Status); ok && !s.Through.IsZero() {
		return users, nil
	}
	if _, ok := ev.Body.(ContactUpdate); ok && len(ev.Also) > 0 {
		return users, nil // the platform may tell of the old id this once
	}
	about := aboutIDs(ev.Body)
	for _, a := range users {
		has, err := g.hasAny(ctx, inst, a, ev, about)
		if err != nil {
			return nil, err
		}
		if has {
			return []*Account{a}, nil
		}
	}
	to := known.at(ev.when())
	for _, a := range users {
		if a.ID == to {
			return []*Account{a}, nil
		}
	}
	return users[len(users)-1:], nil // whom they wrote to has left
}

// aboutIDs returns the platform's ids of messages that an event is about, or our own id of the op.
func aboutIDs(b EventBody) map[string][]string {
	native := func(ids []MessageID) map[string][]string {
		if len(ids) == 0 {
			return nil
		}
		return map[string][]string{byNative: nativeIDs(ids)}
	}
	switch b := b.(type) {
	case Message:
		if b.ReplyTo != nil {
			return native(b.ReplyTo.IDs)
		}
	case Edited:
		return native(b.Target.IDs)
	case Retracted:
		return native(b.Target.IDs)
	case Reacted:
		return native(b.Target.IDs)
	case Status:
		ids := native(b.IDs)
		if ref := refIDs(b.Ref); len(ref) > 0 {
			if ids == nil {
				ids = map[string][]string{}
			}
			ids[byRef] = ref
		}
		return ids
	case Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return nil
}

// hasAny reports whether an account's chat with the person of an event knows one of some messages, by the fields of its id map.
func (g *Gateway) hasAny(ctx context.Context, inst Instance, a *Account, ev Event, about map[string][]string) (bool, error) {
	if len(about) == 0 {
		return false, nil
	}
	alias, err := g.identity.aliasOf(ctx, inst, a, ev.Chat.Contact, ev.Also...)
	if err != nil {
		return false, err
	}
	key := a.Lane(alias)
	lane := g.keys.Lane(key)
	for kind, ids := range about {
		got, err := g.lookup(ctx, key.Shard(), a, lane, kind, ids...)
		if err != nil || len(got) > 0 {
			return len(got) > 0, err
		}
		if kind != byNative {
			continue
		}
		theirs := make([]string, len(ids)) // the person's own messages are known by the stanza that showed them
		for n, id := range ids {
			theirs[n] = string(a.Keys.StanzaID(MessageID(id), 0))
		}
		if got, err = g.lookup(ctx, key.Shard(), a, lane, byStanza, theirs...); err != nil || len(got) > 0 {
			return len(got) > 0, err
		}
	}
	return false, nil
}
