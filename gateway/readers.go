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

// readers shows the notice before the first message of a chat. A second try of the same event shows it once more, under
// the same id.
func (w *inWalk) readers(ctx context.Context) *verdict {
	told := w.o.g.keys.Name("told", string(w.account.ID), w.in.Event.Dedupe)[:8]
	if w.contact.Told != "" && w.contact.Told != told {
		return nil
	}
	if w.contact.Told == "" {
		kept, err := w.o.g.identity.Revise(ctx, w.account, w.contact.Alias, func(c *Contact) { c.Told = told })
		if err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
		w.contact = kept
	}
	w.add(ShowMessage{
		IDs:     []StanzaID{w.account.Keys.DerivedID("readers", string(w.in.Alias))},
		Content: PlainText(readersNotice(w.o.g.texts, w.account.Lang, w.inst.Adapter.Descriptor())), Notice: true,
	})
	return nil
}

// readers tells the user the same after their own first message.
func (w *outWalk) readers(ctx context.Context) *verdict {
	if _, message := w.out.Op.Body.(OpMessage); !message || w.contact.Told != "" {
		return nil
	}
	text := readersNotice(w.o.g.texts, w.out.Op.Lang, w.inst.Adapter.Descriptor())
	id := w.account.Keys.DerivedID("readers", string(w.out.Alias))
	r := Rendering{
		Component: w.inst.Component, From: w.out.Alias, To: w.out.User, Lang: w.out.Op.Lang,
		What: ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true},
	}
	err := w.o.g.show(ctx, w.inst.ID, w.account, r, time.Now(), w.o.g.keys.Name("tell", "readers", string(w.account.ID), string(w.out.Alias)))
	if err != nil && !errors.Is(err, errRender) {
		return new(w.o.storeFailed(ctx, err))
	}
	told := w.o.g.keys.Name("told", string(w.account.ID), string(w.out.Op.ID))[:8]
	now, err := w.o.g.identity.Revise(ctx, w.account, w.out.Alias, func(c *Contact) { c.Told = told })
	if errors.Is(err, ErrNoContact) {
		return nil
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = now
	return nil
}
