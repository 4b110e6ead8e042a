package gateway

import (
	"context"
	"encoding/json"
	"time"
)

// AskAfter is the age at which what a user wrote is not sent any more without asking them: an answer that comes half a day late
// may say something else than it did.
const AskAfter = 12 * time.Hour

// lateness is what an account's user was asked about messages that are late, and what they answered. The answer holds for all
// that was written before it.
type lateness struct {
	Asked   time.Time `json:"asked"`
	Send    bool      `json:"send,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
}

// open reports whether the question has no answer yet.
func (l lateness) open() bool { return l.Asked.After(l.Decided) }

func lateKey(a AccountID) RecordKey { return RecordKey{accountOwner(a), RecordLate, "late"} }

// readLateness returns what is known of an account, and its record as it stands; nothing known is the zero value.
func readLateness(ctx context.Context, s Records, a AccountID) (l lateness, raw []byte, err error) {
	got, err := s.Load(ctx, lateKey(a))
	if err != nil || got[0] == nil {
		return l, nil, err
	}
	if json.Unmarshal(got[0], &l) != nil {
		return lateness{}, got[0], nil // of a version that this one does not know: ask again
	}
	return l, got[0], nil
}

// reviseLateness changes what is known of an account. The question is put by any lane on any replica, and answered on another: no
// change writes over one that it has not seen. With false nothing is changed.
func reviseLateness(ctx context.Context, s Records, a AccountID, change func(*lateness) bool) (l lateness, err error) {
	err = settled(func() error {
		now, was, err := readLateness(ctx, s, a)
		if l = now; err != nil || !change(&l) {
			return err
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return err
		}
		return s.Save(ctx, accountOwner(a), Change{Kind: RecordLate, Name: "late", Value: raw, Was: was, IfAbsent: was == nil, TTL: LateTTL})
	})
	return l, err
}

// late asks the user before something goes out that they wrote long ago, once for all of their chats, and waits for their word. What
// was held for the contact to write again is not late: the user was told, and the contact has written since. Nor is what an operator
// replays, after it was given up.
func (w *outWalk) late(ctx context.Context) *verdict {
	age := time.Since(w.entry.At)
	if w.o.g.cfg.AskAfter < 0 || age < w.o.g.cfg.AskAfter || w.account.isLine() || !speaks(w.out.Op.Body) || w.contact.LastInbound > w.entry.At.Unix() {
		return nil
	}
	old := age > w.o.g.cfg.GiveUp
	// The question stands before it is put: an answer that comes at once finds it.
	l, err := reviseLateness(ctx, w.o.g.store, w.account.ID, func(l *lateness) bool {
		if old || l.open() || l.Decided.After(w.entry.At) {
			return false
		}
		l.Asked = time.Now().UTC()
		return true
	})
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	switch {
	case l.Decided.After(w.entry.At) && l.Send:
		return nil
	case l.Decided.After(w.entry.At):
		return new(w.finish(ctx)) // as they wished
	case old && l.open():
		return w.giveUp(ctx, &SendError{Class: Retryable, Code: "unanswered"})
	case old:
		return nil
	}
	if v := w.askLate(ctx, age, l.Asked); v != nil {
		return v
	}
	return &verdict{end: again, after: backoffMost, why: ParkLate}
}

// askLate puts the question, in the gateway's own chat: an answer in the contact's would go to the contact.
func (w *outWalk) askLate(ctx context.Context, age time.Duration, asked time.Time) *verdict {
	g, lang := w.o.g, w.out.Op.Lang
	whom := w.contact.Name
	if whom == "" {
		whom = string(w.account.Shows(w.contact)) + "@" + w.inst.Component
	}
	text := g.texts.Say(lang, TextAskLate, whom, g.texts.duration(lang, age.Truncate(time.Hour)), w.platform(), g.texts.duration(lang, g.cfg.GiveUp.Truncate(time.Hour)))
	r := Rendering{
		Component: w.inst.Component, To: w.account.User, Lang: lang,
		What: ShowMessage{IDs: []StanzaID{w.account.Keys.DerivedID("late", string(w.out.Op.ID))}, Content: PlainText(text), Notice: true},
	}
	if err := g.once(ctx, w.account, r, g.keys.Name("late", string(w.account.ID), asked.Format(time.RFC3339Nano))); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}
