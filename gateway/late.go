package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// SentTTL is how long a message that is not delivered is kept after it was sent where a platform may say later that the window was closed.
const SentTTL = time.Hour

// sentOp is an op as it was before it was sent.
type sentOp struct {
	Out Outbound  `json:"out"`
	At  time.Time `json:"at"` // when it was ingested
}

func sentPlace(a AccountID, id OpID) string {
	return string(accountOwner(a)) + "/sent/" + string(id)
}

func (g *Gateway) sentName(id OpID) string { return g.keys.Name("sent", string(id)) }

// keep puts an op aside before it is sent, where the platform may take it and refuse it by the window afterwards.
func (w *outWalk) keep(ctx context.Context) error {
	if rule := w.caps().Window; rule == nil || !rule.Late || w.account.isLine() || !speaks(w.out.Op.Body) {
		return nil
	}
	// As it came: what the walk found out of chat and target is found out anew.
	out, err := openEntry[Outbound](ctx, w.o.g.identity, w.entry)
	if err != nil {
		return err
	}
	if out.Sent.IsZero() {
		out.Sent = time.Now().UTC()
	}
	plain, err := json.Marshal(sentOp{out, w.entry.At})
	if err != nil {
		return err
	}
	return w.o.g.store.Save(ctx, accountOwner(w.account.ID), Change{
		Kind: RecordSent, Name: w.o.g.sentName(out.Op.ID), TTL: SentTTL,
		Value: w.account.Keys.Data.Seal(sentPlace(w.account.ID, out.Op.ID), plain),
	})
}

// arrived forgets an op once it is delivered.
func (w *inWalk) arrived(ctx context.Context, b Status) *verdict {
	rule := w.inst.Adapter.Caps(w.contact.facts()).Window
	if ids := refIDs(b.Ref); rule != nil && rule.Late && len(ids) > 0 {
		if err := w.o.g.store.Save(ctx, accountOwner(w.account.ID), Change{Kind: RecordSent, Name: w.o.g.sentName(OpID(ids[0])), TTL: SentTTL}); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	return nil
}

// returned puts an op that the platform has taken, and then refused because the window was closed, back into its lane, where it meets
// what a closed window is met with. ok is false for one that is not known any more, and where the operator wants such messages refused.
//
// The order holds among all that come back (first), and with what waits behind them: as long as the window counts as closed, nothing of the
// lane is sent.
func (w *inWalk) returned(ctx context.Context, b Status) (ok bool, v *verdict) {
	rule := w.inst.Adapter.Caps(w.contact.facts()).Window
	ids := refIDs(b.Ref)
	if rule == nil || !rule.Late || w.inst.Window == WindowRefuse || len(ids) == 0 {
		return false, nil
	}
	id := OpID(ids[0])
	got, err := w.o.g.store.Load(ctx, RecordKey{accountOwner(w.account.ID), RecordSent, w.o.g.sentName(id)})
	if err != nil {
		return false, new(w.o.storeFailed(ctx, err))
	}
	var was sentOp
	plain, err := w.account.Keys.Data.Open(sentPlace(w.account.ID, id), got[0])
	if err != nil || json.Unmarshal(plain, &was) != nil {
		return false, nil
	}
	if v := w.shut(ctx, rule); v != nil {
		return false, v
	}
	was.Out.Op.ID = NewOpID() // for the platform it is another message
	if plain, err = json.Marshal(was.Out); err != nil {
		return false, nil
	}
	key := w.account.Lane(was.Out.Alias)
	e := w.o.g.identity.Seal(w.account, w.o.g.keys.Lane(key), EntryAgain, plain, was.At)
	_, duplicate, err := w.o.g.store.Ingest(ctx, key.Shard(), QueueOut, e, IngestOptions{
		Dedupe: w.o.g.keys.Name("again", string(w.account.ID), string(id)), DedupeFor: EventDedupe, // once for all pieces of it
	})
	w.o.g.countIngest("out", w.inst.ID, duplicate, err)
	if err != nil {
		return false, new(w.o.storeFailed(ctx, err))
	}
	return true, nil
}

// shut takes the platform's word for it that the window was closed when it refused, unless the contact has written since then. Both times
// are the platform's.
func (w *inWalk) shut(ctx context.Context, rule *WindowRule) *verdict {
	refused, over := w.shownAt().Unix(), time.Now().Add(-rule.For).Unix()
	now, err := w.o.g.identity.Revise(ctx, w.account, w.contact.Alias, func(c *Contact) {
		if c.LastInbound <= refused {
			c.LastInbound = min(c.LastInbound, over)
		}
	})
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = now
	return nil
}

// queued is a lane's item of an entry, which for one that came back knows when it was sent first.
func (o *ownership) queued(ctx context.Context, q Queue, e Entry) (*item, error) {
	it := &item{Entry: e, queue: q}
	if e.Kind != EntryAgain {
		return it, nil
	}
	switch out, err := openEntry[Outbound](ctx, o.g.identity, e); {
	case err == nil:
		it.sent = out.Sent
	case !errors.Is(err, ErrNoAccount) && !errors.Is(err, errUnreadable): // else the walk says what is wrong with it
		return nil, err
	}
	return it, nil
}

// inOrder puts what came back before everything else, as it was sent first.
func inOrder(items []*item) {
	slices.SortStableFunc(items, func(a, b *item) int {
		if back := a.Kind == EntryAgain; back != (b.Kind == EntryAgain) {
			if back {
				return -1
			}
			return 1
		}
		return a.sent.Compare(b.sent)
	})
}
