package adaptertest

import (
	"errors"
	"io"
	"slices"
	"testing"

	"postern/gateway"
)

// profiles wants a contact's name and picture when asked for and when they change.
func (h Harness) profiles(t *testing.T) {
	b := h.open(t)
	p, ok := b.Adapter.(gateway.Profiles)
	if !ok || b.Look == nil {
		return
	}
	b.mustSend(0, b.opTo(0, text("we are in contact")))
	b.Look(0, "Juliet Montague")
	got, err := p.Profile(t.Context(), b.Accounts[0], b.Chats[0].Contact)
	if err != nil {
		b.tellError(err)
		t.Fatalf("Profile: %v", err)
	}
	if got.Name != "Juliet Montague" || got.Avatar.Handle == "" {
		t.Errorf("Profile: got name %q and picture %q, want Juliet Montague and one", got.Name, got.Avatar.Handle)
	}
	store, ok := b.Adapter.(gateway.MediaStore)
	if !ok {
		t.Fatal("the adapter offers pictures and is no MediaStore")
	}
	body, _, err := store.Fetch(t.Context(), b.Accounts[0], got.Avatar)
	if err != nil {
		t.Fatalf("Fetch of the picture: %v", err)
	}
	if n, err := io.Copy(io.Discard, body); err != nil || n == 0 {
		t.Errorf("the picture: got %d bytes and %v, want some", n, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(h.Silent, gateway.FeatureProfile) {
		b.told(got)
	}
	if _, err := p.Profile(t.Context(), b.Accounts[0], "gku_nobody"); !errors.Is(err, gateway.ErrNoPerson) {
		t.Errorf("Profile of nobody: got %v, want %v", err, gateway.ErrNoPerson)
	}
}

// told wants the event that says how the contact of Accounts[0] looks now.
func (b *bench) told(got gateway.Profile) {
	b.t.Helper()
	b.eventually("the contact's new look", b.posted(func(e gateway.Event) bool {
		u, ok := e.Body.(gateway.ContactUpdate)
		return ok && u.Name != nil && *u.Name == got.Name && u.Avatar != nil && *u.Avatar == got.Avatar.Handle &&
			e.Endpoint == b.Accounts[0].Endpoint && e.Chat.Contact == b.Chats[0].Contact
	}))
}

// moderation wants blocks and reports to arrive, and twice as once.
func (h Harness) moderation(t *testing.T) {
	b := h.open(t)
	m, ok := b.Adapter.(gateway.Moderator)
	if !ok || b.Blocked == nil || b.Say == nil {
		return
	}
	who := b.Chats[0].Contact
	b.Say(0, "before anything else") // some platforms block only who wrote
	for _, on := range []bool{true, true, false, false} {
		if err := m.Block(t.Context(), b.Accounts[0], who, on); err != nil {
			b.tellError(err)
			t.Errorf("Block %v: %v", on, err)
		}
		if got := b.Blocked(0); got != on {
			t.Errorf("Block %v: the platform says %v", on, got)
		}
	}
	if b.Reports == nil {
		if caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}); caps.Has(gateway.FeatureReport) {
			t.Error("Caps offers report, harness counts none")
		}
		before := b.wire.Total()
		err := m.Report(t.Context(), b.Accounts[0], gateway.Report{ID: gateway.NewOpID(), Contact: who, Reason: gateway.ReportSpam, Text: canary})
		b.tellError(err)
		if gateway.ClassOf(err) != gateway.Unsupported || err == nil || b.wire.Total() != before {
			t.Errorf("Report, which Caps does not offer: got %v and %d requests, want class unsupported and none", err, b.wire.Total()-before)
		}
		return
	}
	about := b.Say(0, "buy now")
	for _, reason := range []gateway.ReportReason{gateway.ReportSpam, gateway.ReportAbuse} {
		before := b.Reports(0)
		r := gateway.Report{ID: gateway.NewOpID(), Contact: who, Reason: reason, Text: canary, Messages: []gateway.MessageID{about}}
		for range 2 {
			if err := m.Report(t.Context(), b.Accounts[0], r); err != nil {
				b.tellError(err)
				t.Errorf("Report %s: %v", reason, err)
			}
		}
		if n := b.Reports(0) - before; n != 1 {
			t.Errorf("Report %s, said twice: the platform has %d, want one", reason, n)
		}
	}
}

// native wants what the user does in the platform's own app to be the user's doing.
func (h Harness) native(t *testing.T) {
	b := h.open(t)
	if b.Native == nil || b.Webhooks == nil || b.Say == nil {
		return
	}
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	mine := func(is func(gateway.EventBody) bool) func() bool {
		return b.posted(func(e gateway.Event) bool {
			return is(e.Body) && e.FromMe && e.Chat.Contact == b.Chats[0].Contact && e.Endpoint == b.Accounts[0].Endpoint
		})
	}
	at := func(target gateway.Target, id gateway.MessageID) bool {
		return len(target.IDs) == 1 && target.IDs[0] == id
	}
	theirs := b.Say(0, "good morrow")
	id := b.Native.Say(0, canary+" from my pocket")
	b.eventually("the user's own message", mine(func(body gateway.EventBody) bool { m, ok := body.(gateway.Message); return ok && m.ID == id }))
	if b.Native.Read != nil {
		b.Native.Read(0, theirs)
		b.eventually("the user's own reading", mine(func(body gateway.EventBody) bool { s, ok := body.(gateway.Seen); return ok && at(s.UpTo, theirs) }))
	}
	if caps.Has(gateway.FeatureReact) && b.Native.React != nil {
		b.Native.React(0, theirs, "🌹")
		b.eventually("the user's own reaction", mine(func(body gateway.EventBody) bool {
			r, ok := body.(gateway.Reacted)
			return ok && at(r.Target, theirs) && len(r.Emojis) == 1
		}))
	}
	if caps.Has(gateway.FeatureEdit) {
		b.Native.Edit(0, id, canary+" from my other pocket")
		b.eventually("the user's own edit", mine(func(body gateway.EventBody) bool {
			e, ok := body.(gateway.Edited)
			return ok && at(e.Target, id) && e.Target.Mine
		}))
	}
	if caps.Has(gateway.FeatureRetract) {
		b.Native.Retract(0, id)
		b.eventually("the user's own retraction", mine(func(body gateway.EventBody) bool {
			r, ok := body.(gateway.Retracted)
			return ok && at(r.Target, id) && r.Target.Mine
		}))
	}
}

// posted says whether the platform posted an event.
func (b *bench) posted(is func(gateway.Event) bool) func() bool {
	return func() bool {
		b.t.Helper()
		w, ok := b.Adapter.(gateway.Webhook)
		if !ok || b.Webhooks == nil {
			return false
		}
		for _, r := range b.Webhooks() {
			events, err := w.Parse(r)
			if err != nil {
				b.t.Fatalf("Parse of what the fake posted: %v\n%s", err, r.Body)
			}
			if slices.ContainsFunc(events, is) {
				return true
			}
		}
		return false
	}
}
