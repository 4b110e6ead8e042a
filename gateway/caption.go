package gateway

import (
	"context"
	"slices"
)

// caption returns what an edit of a file with words replaces: the words, which are a stanza of their own, by words. Other
// edits are returned whole, with no id.
func (w *inWalk) caption(ctx context.Context, b Edited) (StanzaID, Content, *verdict) {
	at := slices.IndexFunc(b.Content.Parts, func(p Part) bool { _, text := p.(Text); return text })
	if at < 1 || len(b.Target.IDs) == 0 {
		return "", b.Content, nil
	}
	id := w.stanzaID(b.Target.IDs[0], at)
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStanza, string(id))
	if err != nil {
		return "", b.Content, new(w.o.storeFailed(ctx, err))
	}
	if _, shown := got[string(id)]; !shown {
		return "", b.Content, nil
	}
	return id, Content{Parts: b.Content.Parts[at : at+1]}, nil
}
