package gateway

import (
	"context"
	"errors"
	"time"
)

// The first-message notice: once in every chat the user is told who can read it, by the same words as in the disclosure,
// and that encryption has to be off. Descriptor decides all of it.

// readersNotice says who can read a chat.
func readersNotice(texts *Texts, lang string, d Descriptor) string {
	mode := func(m Mode) string { return texts.Mode(lang, m, d.Platform) }
	if d.Out == d.In {
		return texts.Say(lang, TextReadersBoth, mode(d.Out))
	}
	return texts.Say(lang, TextReaders, mode(d.Out), mode(d.In))
}

// Mode says who can read what goes to or comes from a platform.
func (t *Texts) Mode(lang string, m Mode, platform string) string {
	return t.Say(lang, modeText(m), platform)
}

// modeText is the text of a mode. What is not declared protected is not.
func modeText(m Mode) TextKey {
	switch m {
	case ModeRelay:
		return textModeRelay
	case ModeSelfHosted:
		return textModeSelfHosted
	case ModeTerminate:
		return textModeTerminate
	case ModeCleartext:
	}
	return textModeCleartext
}

// claimReaders is whether this event or op is the one that shows the notice: an answer may overtake the walk of the message that it
// answers, and then both want to. The claim comes before the notice; a second try of the same holds it already, and shows the
// notice once more under the same id.
func (o *ownership) claimReaders(ctx context.Context, a *Account, c *Contact, dedupe string) (kept *Contact, mine bool, err error) {
	told := o.g.keys.Name("told", string(a.ID), dedupe)[:8]
	if c.Told != "" {
		return c, c.Told == told, nil
	}
	kept, err = o.g.identity.Revise(ctx, a, c.Alias, func(c *Contact) {
		if c.Told == "" {
			c.Told = told
		}
	})
	return kept, err == nil && kept.Told == told, err
}

// readers shows the notice before the first message of a chat.
func (w *inWalk) readers(ctx context.Context) *verdict {
	kept, mine, err := w.o.claimReaders(ctx, w.account, w.contact, w.in.Event.Dedupe)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = kept
	if !mine {
		return nil
	}
	w.add(ShowMessage{
		IDs:     []StanzaID{w.account.Keys.DerivedID("readers", string(w.in.Alias))},
		Content: PlainText(readersNotice(w.o.g.texts, w.account.Lang, w.inst.Adapter.Descriptor())), Notice: true,
	})
	return nil
}

// readers tells the user the same after their own first message.
func (w *outWalk) readers(ctx context.Context) *verdict {
	if _, message := w.out.Op.Body.(OpMessage); !message {
		return nil
	}
	kept, mine, err := w.o.claimReaders(ctx, w.account, w.contact, string(w.out.Op.ID))
	switch {
	case errors.Is(err, ErrNoContact): // erased meanwhile: a contact that comes again is told of again
		return nil
	case err != nil:
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = kept
	if !mine {
		return nil
	}
	text := readersNotice(w.o.g.texts, w.out.Op.Lang, w.inst.Adapter.Descriptor())
	id := w.account.Keys.DerivedID("readers", string(w.out.Alias))
	r := Rendering{
		Component: w.inst.Component, From: w.out.Alias, To: w.out.User, Lang: w.out.Op.Lang,
		What: ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true},
	}
	err = w.o.g.show(ctx, w.inst.ID, w.account, r, time.Now(), w.o.g.keys.Name("tell", "readers", string(w.account.ID), string(w.out.Alias)))
	if err != nil && !errors.Is(err, errRender) {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}
