package gateway

import "context"

// byCall is the kind of a map's line that knows a call's text: the platform's call id to the XMPP id.
const byCall = "c"

// call tells of a call, which Postern does not carry: one line, which the call's later states correct (XEP-0308).
func (w *inWalk) call(ctx context.Context, b Call) *verdict {
	if w.in.Event.FromMe {
		return nil // the user's own: their app has told them
	}
	name := b.ID
	if name == "" {
		name = w.in.Event.Dedupe
	}
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byCall, name)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	id := w.account.Keys.DerivedID("call", name)
	content := PlainText(w.callText(b))
	this := MessageID(w.in.Event.Dedupe)
	if m, shown := got[name]; shown && m.IDs[0] != this { // by an earlier event; a replay of the first shows it again
		if b.State != CallRinging {
			w.add(ShowEdit{ID: w.account.Keys.DerivedID("call "+string(b.State), name), Of: id, Content: content, Notice: true})
		}
		return nil
	}
	w.add(ShowMessage{IDs: []StanzaID{id}, Content: content, Notice: true})
	w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byCall, name, mapped{IDs: []MessageID{this}}))
	return nil
}

func (w *inWalk) callText(b Call) string {
	pick := func(voice, video TextKey) TextKey {
		if b.Video {
			return video
		}
		return voice
	}
	switch b.State {
	case CallRinging:
		return w.say(pick(TextCallVoice, TextCallVideo), w.platform())
	case CallMissed:
		return w.say(pick(TextCallMissedVoice, TextCallMissedVideo))
	case CallEnded:
	}
	if b.Duration <= 0 {
		return w.say(TextCallOver)
	}
	return w.say(TextCallEnded, w.o.g.texts.duration(w.account.Lang, b.Duration))
}
