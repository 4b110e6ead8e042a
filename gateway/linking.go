package gateway

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"
)

// errLinking: an event is for an account that may be about to exist.
var errLinking = errors.New("gateway: receive: the account is being linked")

// linkingNotes is how many notes of links under way each adapter has. Two links rarely share one; if they do, the end of the
// first takes the note of the second along.
const linkingNotes = 16

func linkingNote(a AdapterID, keys *Keyring, n int) RecordKey {
	return RecordKey{keys.adapterOwner(a), RecordLinking, strconv.Itoa(n % linkingNotes)}
}

// noteOf returns the note of a registration.
func (d *Desk) noteOf(t *turn) RecordKey {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.s.Account))
	return linkingNote(t.Adapter, d.cfg.Keyring, int(h.Sum32()%linkingNotes))
}

// linking notes that a platform may know an account before we do: what it sends meanwhile must not be taken for an old
// account's. The note goes by itself where nobody removes it.
func (d *Desk) linking(ctx context.Context, t *turn) error {
	n := d.noteOf(t)
	if err := d.cfg.Store.Save(ctx, n.Owner, Change{Kind: n.Kind, Name: n.Name, Value: []byte{1}, TTL: LinkingTTL}); err != nil {
		return fmt.Errorf("gateway: desk: note link: %w", err)
	}
	return nil
}

// linkOver removes the note: the account is there now, or will not be.
func (d *Desk) linkOver(ctx context.Context, t *turn) {
	n := d.noteOf(t)
	if err := d.cfg.Store.Save(ctx, n.Owner, Change{Kind: n.Kind, Name: n.Name}); err != nil {
		d.log.Debug("note of a link not removed", "adapter", t.Adapter, "error", err)
	}
}

// unknown decides about an event for an account that is not there. While somebody is being linked the platform shall send it
// again; otherwise nobody was being linked when this looked.
func (g *Gateway) unknown(ctx context.Context, a AdapterID) error {
	notes := make([]RecordKey, linkingNotes)
	for n := range notes {
		notes[n] = linkingNote(a, g.keys, n)
	}
	got, err := g.store.Load(ctx, notes...)
	if err != nil {
		return fmt.Errorf("gateway: receive: %w", err)
	}
	for _, note := range got {
		if note != nil {
			return errLinking
		}
	}
	return nil
}

const (
	// meetWithin is how long what comes for a new account waits for its user to meet the gateway.
	meetWithin = 5 * time.Second
	meetAgain  = 100 * time.Millisecond
)

// meet lets what comes for a new account wait until its user has the gateway's presence, a few seconds at most: first the
// result, then the gateway itself, and only then what had waited (XEP-0100 §4.1.1).
func (w *inWalk) meet(context.Context) *verdict {
	left := time.Until(w.account.CreatedAt.Add(meetWithin))
	if !w.account.Unmet || left <= 0 {
		return nil
	}
	return &verdict{end: again, after: min(left, meetAgain), why: ParkRetry}
}

// met ends the wait of meet for accounts whose user has asked for the gateway's presence. Where the store fails it ends by itself.
func (g *Gateway) met(ctx context.Context, accounts []*Account) {
	for _, a := range accounts {
		if !a.Unmet {
			continue
		}
		_, err := g.identity.Amend(ctx, a.ID, func(a *Account) { a.Unmet = false })
		if err == nil {
			err = g.store.Publish(ctx, SignalAccounts, []byte(a.ID))
		}
		if err != nil && !errors.Is(err, ErrNoAccount) {
			g.log.Warn("account change not signalled", "account", string(a.ID), "err", err)
		}
	}
}
