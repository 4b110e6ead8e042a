package gateway

import "context"

// byEarly is the kind of field in an id map that holds what a platform told of one of its ids before we knew it as ours: the state that
// says most.
const byEarly = "y"

// early keeps what was told of ids that nothing is known of. Where the answer to a send was lost, its ids come only with the platform's
// echo, which may stand behind this status in its lane.
func (w *inWalk) early(ctx context.Context, b Status) *verdict {
	if b.State != StatusDelivered && b.State != StatusRead || !w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Echo {
		return nil
	}
	var told map[string]mapped
	if b.State == StatusDelivered { // who has read it has it: the words may come in the other order
		var err error
		if told, err = w.o.lookup(ctx, w.account, w.entry.Lane, byEarly, nativeIDs(b.IDs)...); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	for _, id := range b.IDs {
		if _, more := told[string(id)]; more {
			continue
		}
		w.after = append(w.after, w.o.g.mapEntry(w.account, w.entry.Lane, byEarly, string(id), mapped{IDs: []MessageID{MessageID(b.State)}}))
	}
	return nil
}

// foretold tells what the platform said of a message before its ids were known here. A first try that has an answer needs no look:
// statuses wait for as long as that takes, though not for as long as its end may.
func (w *outWalk) foretold(ctx context.Context, ids []MessageID) *verdict {
	if w.try.Number < 2 && !w.resumed || len(ids) == 0 || w.out.Stanza == "" || !w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Echo {
		return nil
	}
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byEarly, string(ids[len(ids)-1]))
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	for _, m := range got {
		for _, state := range m.IDs {
			if w.out.Receipt {
				shown := ShowReceipt{ID: w.account.Keys.DerivedID("receipt", string(w.out.Stanza)), Of: w.out.Stanza}
				if v := w.tell(ctx, "receipt", shown, ""); v != nil {
					return v
				}
			}
			if StatusState(state) == StatusRead && w.out.Markable {
				shown := ShowDisplayed{ID: w.account.Keys.DerivedID("displayed", string(w.out.Stanza)), Of: w.out.Stanza}
				if v := w.tell(ctx, "displayed", shown, ""); v != nil {
					return v
				}
			}
		}
	}
	return nil
}
