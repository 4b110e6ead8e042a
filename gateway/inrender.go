package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// render decides what the user is shown of an event. It changes nothing but the walk.
func (w *inWalk) render(ctx context.Context) *verdict {
	if w.fresh {
		w.add(ShowSubscription{Verb: Subscribe, Name: w.contact.Name})
	}
	w.roster()
	switch b := w.in.Event.Body.(type) {
	case Message:
		return w.message(ctx, b)
	case Edited:
		return w.edited(ctx, b)
	case Retracted:
		return w.retracted(ctx, b)
	case Reacted:
		return w.about(ctx, b.Target, func(of, id StanzaID) { w.act(ShowReact{ID: id, Of: of, Emojis: b.Emojis}) }, func() {
			if len(b.Emojis) > 0 { // whoever saw none misses none
				w.notice(w.say(TextReacted, strings.Join(b.Emojis, " ")), EventKind(b))
			}
		})
	case Status:
		return w.status(ctx, b)
	case ContactUpdate:
		return w.consent(b)
	case AccountState:
		if err := w.o.g.standing(ctx, w.account, b.State, cause{CausePlatform, b.Reason}); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	case Call:
		return w.call(ctx, b)
	case Undeliverable:
		return w.bounced(ctx, b)
	case Seen:
		return w.seen(ctx, b)
	case Typing, Presence, MemberUpdate, Window:
		// Typing and presence never come this way; groups and windows are told when their service exists.
	}
	return nil
}

// bounced keeps that a message could not be delivered. What the map does not know as a contact's was never written, or is no
// message: a client can make up as many errors as it likes.
func (w *inWalk) bounced(ctx context.Context, b Undeliverable) *verdict {
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStanza, string(b.Stanza))
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	if m, ok := got[string(b.Stanza)]; !ok || m.Mine {
		return nil
	}
	return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: NotReachable, Code: b.Condition}))
}

func (w *inWalk) platform() string { return w.inst.Adapter.Descriptor().Platform }

func (w *inWalk) say(key TextKey, args ...any) string {
	return w.o.g.texts.Say(w.account.Lang, key, args...)
}

// derived names a stanza that no platform message stands for.
func (w *inWalk) derived(purpose string) StanzaID {
	return w.account.Keys.DerivedID(purpose, w.in.Event.Dedupe)
}

// notice shows a line from the contact that is the gateway's own words.
func (w *inWalk) notice(text, purpose string) {
	w.add(ShowMessage{IDs: []StanzaID{w.derived(purpose)}, Content: PlainText(text), Notice: true})
}

// message shows a new message. What the user wrote in the platform's own app needs the server's privilege to be shown as
// theirs (XEP-0356); without it nothing is shown, since words put into the contact's mouth would be a lie.
func (w *inWalk) message(ctx context.Context, b Message) *verdict {
	if known, v := w.echoed(ctx, b.ID); known || v != nil {
		return v
	}
	if w.canaryEcho(b.Content) {
		return nil
	}
	if v := w.readers(ctx); v != nil {
		return v
	}
	var ids []StanzaID
	for n := range max(len(b.Content.Parts), 1) {
		ids = append(ids, w.stanzaID(b.ID, n))
	}
	shown := ShowMessage{IDs: ids, Content: b.Content}
	if w.fresh && !w.in.Event.FromMe {
		shown.Name = w.contact.Name
	}
	if b.ReplyTo != nil {
		of, mine, v := w.find(ctx, *b.ReplyTo)
		if v != nil {
			return v
		}
		quote := w.o.g.excerpt(w.entry.Lane, *b.ReplyTo)
		if quote == "" {
			quote = w.say(TextEarlier)
		}
		if of != "" {
			shown.ReplyTo = &ShownTarget{Stanza: of, Mine: mine, Quote: quote}
		} else {
			shown.Content = quoted(quote, b.Content)
		}
	}
	if v := w.poses(ctx, b); v != nil {
		return v
	}
	w.act(shown)
	w.o.g.quotable(w.entry.Lane, b.Content, b.ID)
	w.remember(b.ID, ids)
	if !w.in.Event.FromMe {
		w.o.g.readingOf(w.entry.Lane).saw(ids...)
	}
	return nil
}

// edited shows an edit in place, or as a new message when that which it changes is too old to be found.
func (w *inWalk) edited(ctx context.Context, b Edited) *verdict {
	w.o.g.quotable(w.entry.Lane, b.Content, b.Target.IDs...)
	caption, content, v := w.caption(ctx, b)
	if v != nil {
		return v
	}
	return w.about(ctx, b.Target, func(of StanzaID, id StanzaID) {
		if caption != "" {
			of = caption
		}
		w.act(ShowEdit{ID: id, Of: of, Content: content})
		w.leadsTo(b.Target, id)
	}, func() {
		shown := ShowMessage{Content: prefixed(w.say(TextEdited, ""), b.Content)}
		for n := range shown.Content.Parts {
			shown.IDs = append(shown.IDs, w.derived(strings.TrimSuffix(fmt.Sprint(EventKind(b), " ", n), " 0")))
		}
		w.add(shown)
		w.leadsTo(b.Target, shown.IDs...)
	})
}

// leadsTo keeps which message further stanzas are about, so that answers to them find it.
func (w *inWalk) leadsTo(t Target, ids ...StanzaID) {
	for _, id := range ids {
		line := mapped{IDs: t.IDs, Mine: w.in.Event.FromMe}
		w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byStanza, string(id), line))
	}
}

// maxStanzas is how many stanzas of one message are taken back.
const maxStanzas = 16

// retracted takes back every stanza that the message became: a picture, and the words that came with it.
func (w *inWalk) retracted(ctx context.Context, b Retracted) *verdict {
	var further []string
	var known map[string]mapped
	if len(b.Target.IDs) > 0 {
		for n := 1; n < maxStanzas; n++ {
			further = append(further, string(w.stanzaID(b.Target.IDs[0], n)))
		}
		var err error
		if known, err = w.o.lookup(ctx, w.account, w.entry.Lane, byStanza, further...); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	return w.about(ctx, b.Target, func(of, id StanzaID) {
		w.act(ShowRetract{ID: id, Of: of})
		for n, more := range further {
			if _, ok := known[more]; ok {
				w.act(ShowRetract{ID: w.changeID(fmt.Sprint(EventKind(b), " ", n+1)), Of: StanzaID(more)})
			}
		}
	}, func() { w.notice(w.say(TextRetracted, b.Target.Excerpt), EventKind(b)) })
}

// about shows something that refers to an earlier message, or says so otherwise when that is not known any more. Of what the
// user did elsewhere it says nothing.
func (w *inWalk) about(ctx context.Context, t Target, show func(of, id StanzaID), otherwise func()) *verdict {
	of, _, v := w.find(ctx, t)
	if v != nil {
		return v
	}
	switch {
	case of != "":
		show(of, w.changeID(EventKind(w.in.Event.Body)))
	case !w.in.Event.FromMe:
		otherwise()
	}
	return nil
}

// find returns the XMPP id of an earlier message: computed when the contact wrote it and the map knows it, looked up when
// our user did. Empty when the map has forgotten it.
func (w *inWalk) find(ctx context.Context, t Target) (StanzaID, bool, *verdict) {
	if len(t.IDs) == 0 {
		return "", false, nil
	}
	native := string(t.IDs[0])
	theirs := w.account.Keys.StanzaID(t.IDs[0], 0)
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byNative, native)
	if err != nil {
		return "", false, new(w.o.storeFailed(ctx, err))
	}
	if m, ok := got[native]; ok {
		return m.Stanza, true, nil
	}
	got, err = w.o.lookup(ctx, w.account, w.entry.Lane, byStanza, string(theirs))
	if err != nil {
		return "", false, new(w.o.storeFailed(ctx, err))
	}
	if _, ok := got[string(theirs)]; ok {
		return theirs, false, nil
	}
	return "", false, nil
}

// status tells the fate of what our user sent. It may come before the answer to the send is recorded: then it waits a
// little, since the op's lane is about to write the ids.
func (w *inWalk) status(ctx context.Context, b Status) *verdict {
	if !b.Through.IsZero() {
		return w.through(ctx, b)
	}
	w.noteEcho(b)
	m, ok, v := w.sentAs(ctx, b)
	if v != nil {
		return v
	}
	if !ok {
		if time.Since(w.entry.At).Abs() < statusPatience { // a clock that was set back holds nobody up
			return &verdict{end: again, after: statusRetry, why: ParkRetry}
		}
		return w.early(ctx, b) // about a message sent elsewhere, older than the map, or one whose send has no answer yet
	}
	if b.State == StatusDelivered || b.State == StatusRead {
		if v := w.arrived(ctx, b); v != nil {
			return v
		}
	}
	switch b.State {
	case StatusDelivered:
		if m.Receipt {
			w.add(ShowReceipt{ID: w.account.Keys.DerivedID("receipt", string(m.Stanza)), Of: m.Stanza})
		}
	case StatusRead:
		if w.o.g.canaryArrived(w.inst.ID, w.account.User, m.Stanza) { // some platforms tell of nothing but that
			return nil
		}
		if m.Markable {
			w.add(ShowDisplayed{ID: w.account.Keys.DerivedID("displayed", string(m.Stanza)), Of: m.Stanza})
		}
	case StatusFailed:
		return w.failed(ctx, b, m)
	case StatusAccepted:
	}
	return nil
}

// failed shows that the platform gave up after it had accepted a message. One that a closed window has stopped goes back instead.
func (w *inWalk) failed(ctx context.Context, b Status, m mapped) *verdict {
	if w.o.g.canaryFailed(w.inst.ID, w.account.User, m.Stanza) {
		return nil
	}
	if b.Failure != nil && b.Failure.Class == WindowClosed {
		if back, v := w.returned(ctx, b); back || v != nil {
			return v
		}
	}
	r := w.o.g.refuse(w.inst.ID, w.account.Lang, UndefinedCondition, TextPermanent, w.platform(), "failed")
	if f := b.Failure; f != nil {
		switch f.Class {
		case WindowClosed:
			r = w.o.g.refuse(w.inst.ID, w.account.Lang, PolicyViolation, TextWindow, w.platform())
		case NotReachable:
			r = w.o.g.refuse(w.inst.ID, w.account.Lang, RecipientUnavailable, TextNotReachable, w.platform())
		case Uncertain, Retryable, RateLimited, ReauthNeeded, Unsupported, Permanent:
		}
	}
	// Only our own id tells when the message was sent. A client that sent it long ago may be gone, and with it the error.
	sent, known := timeOf(b.Ref)
	if known && time.Since(sent) < errorFresh && m.Resource != "" {
		w.show = append(w.show, Rendering{
			Component: w.inst.Component, From: w.in.Alias, To: w.account.User, Resource: m.Resource, Lang: w.account.Lang,
			What: ShowError{Of: m.Stanza, Refusal: *r},
		})
		return nil
	}
	text := r.Text
	if known {
		text = w.say(TextLate, sent.UTC().Format("15:04 UTC"), r.Text)
	}
	w.add(ShowMessage{IDs: []StanzaID{w.derived("failed")}, Content: PlainText(text), Notice: true})
	return nil
}

// sentAs finds the message that a status speaks of, by our own id where the platform echoes it. A message of several pieces has arrived,
// and was read, when the last was: of the others nothing but a failure is told.
func (w *inWalk) sentAs(ctx context.Context, b Status) (mapped, bool, *verdict) {
	for _, by := range []struct {
		kind string
		ids  []string
	}{{byRef, refIDs(b.Ref)}, {byNative, nativeIDs(b.IDs)}} {
		if len(by.ids) == 0 {
			continue
		}
		got, err := w.o.lookup(ctx, w.account, w.entry.Lane, by.kind, by.ids...)
		if err != nil {
			return mapped{}, false, new(w.o.storeFailed(ctx, err))
		}
		for _, id := range by.ids {
			m, ok := got[id]
			if !ok {
				continue
			}
			if len(m.IDs) > 0 && m.IDs[0] != MessageID(b.Ref) {
				m.Receipt, m.Markable = false, false
			}
			return m, true, nil
		}
	}
	return mapped{}, false, nil
}

// refIDs returns the op id that a reference stands for: pieces of a split op carry a suffix.
func refIDs(r OpID) []string {
	if r == "" {
		return nil
	}
	whole, _, _ := strings.Cut(string(r), ".")
	return []string{whole}
}

func nativeIDs(ids []MessageID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// consent turns a person's answer into a presence subscription.
func (w *inWalk) consent(b ContactUpdate) *verdict {
	switch b.Consent {
	case ConsentRequested, ConsentAccepted:
		if !w.fresh && !w.contact.Follows {
			w.add(ShowSubscription{Verb: Subscribe, Name: w.contact.Name})
		}
		if w.contact.Subscribed {
			w.add(w.o.g.here(w.account, w.contact))
		}
	case ConsentDeclined, "":
	}
	return nil
}
