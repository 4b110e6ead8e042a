package gateway

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Where a platform tells of delivery and reading by times, a chat keeps which of the user's messages wait to be told of. The list
// is one line of the id map, written by the lane that sends and by the one that tells, one at a time.

const (
	byOutstanding  = "o"
	outstandingMax = 50 // the oldest are forgotten: whoever reads the newest has read them
)

// outstanding is one message that waits: when it was sent, and what was told of it already.
type outstanding struct {
	stanza            StanzaID
	at                time.Time
	receipt, markable bool
	delivered         bool
}

func (e outstanding) encode() MessageID {
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return "0"
	}
	return MessageID(strings.Join([]string{
		strconv.FormatInt(e.at.UnixMilli(), 36), flag(e.receipt) + flag(e.markable) + flag(e.delivered), string(e.stanza),
	}, " "))
}

func decodeOutstanding(m MessageID) (e outstanding, ok bool) {
	f := strings.SplitN(string(m), " ", 3)
	if len(f) != 3 || len(f[1]) != 3 {
		return e, false
	}
	ms, err := strconv.ParseInt(f[0], 36, 64)
	return outstanding{
		stanza: StanzaID(f[2]), at: time.UnixMilli(ms), receipt: f[1][0] == '1', markable: f[1][1] == '1', delivered: f[1][2] == '1',
	}, err == nil
}

func (o *ownership) waiting(ctx context.Context, a *Account, lane string) ([]outstanding, error) {
	got, err := o.lookup(ctx, a, lane, byOutstanding, "")
	if err != nil {
		return nil, err
	}
	var out []outstanding
	for _, raw := range got[""].IDs {
		if e, ok := decodeOutstanding(raw); ok {
			out = append(out, e)
		}
	}
	return out, nil
}

func (g *Gateway) waitingEntry(a *Account, lane string, all []outstanding) MapEntry {
	var m mapped
	for _, e := range all[max(0, len(all)-outstandingMax):] {
		m.IDs = append(m.IDs, e.encode())
	}
	return g.mapEntry(a, lane, byOutstanding, "", m)
}

// awaits notes that the platform will tell of a message by its time.
func (w *outWalk) awaits(ctx context.Context, sent Sent) *verdict {
	if !w.caps().Watermarks || w.out.Stanza == "" || !w.out.Receipt && !w.out.Markable {
		return nil
	}
	if _, message := opContent(w.out.Op.Body); !message {
		return nil
	}
	defer w.o.g.identity.alone(w.entry.Lane)()
	all, err := w.o.waiting(ctx, w.account, w.entry.Lane)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	at := sent.At
	if at.IsZero() {
		at = time.Now()
	}
	for _, e := range all {
		if e.stanza == w.out.Stanza {
			return nil
		}
	}
	all = append(all, outstanding{stanza: w.out.Stanza, at: at, receipt: w.out.Receipt, markable: w.out.Markable})
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, []MapEntry{w.o.g.waitingEntry(w.account, w.entry.Lane, all)}); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// through tells of everything that was sent up to a time. Who has read a message has it.
func (w *inWalk) through(ctx context.Context, b Status) *verdict {
	all, err := w.o.waiting(ctx, w.account, w.entry.Lane)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	for _, e := range all {
		if e.at.After(b.Through) {
			continue
		}
		if e.receipt && !e.delivered {
			w.add(ShowReceipt{ID: w.account.Keys.DerivedID("receipt", string(e.stanza)), Of: e.stanza})
		}
		if b.State == StatusRead && e.markable {
			w.add(ShowDisplayed{ID: w.account.Keys.DerivedID("displayed", string(e.stanza)), Of: e.stanza})
		}
	}
	return nil
}

// told returns what a watermark leaves of the list, once what it tells stands in the outbox: before that a second try of this
// event needs the whole list. The lock is held until release.
func (w *inWalk) told(ctx context.Context) (after []MapEntry, release func(), err error) {
	b, ok := w.in.Event.Body.(Status)
	if !ok || b.Through.IsZero() || len(w.show) == 0 {
		return nil, func() {}, nil
	}
	release = w.o.g.identity.alone(w.entry.Lane)
	all, err := w.o.waiting(ctx, w.account, w.entry.Lane)
	var left []outstanding
	for _, e := range all {
		if !e.at.After(b.Through) {
			if b.State == StatusRead {
				continue
			}
			e.delivered = true
		}
		left = append(left, e)
	}
	return []MapEntry{w.o.g.waitingEntry(w.account, w.entry.Lane, left)}, release, err
}
