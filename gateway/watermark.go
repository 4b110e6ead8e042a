package gateway

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Where a platform tells of delivery and reading by times, a chat keeps which of the user's messages wait to be told of. The list
// is one line of the id map, written by the lane that sends and by the one that tells, one at a time.

const (
	byOutstanding  = "o"
	byThrough      = "w" // by state: up to when the platform has told
	byEchoTime     = "t" // our op id to when the platform took the op, as its echo says
	outstandingMax = 50  // the oldest are forgotten: whoever reads the newest has read them
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

// instant is a time as the value of a line, to the millisecond.
func instant(t time.Time) mapped {
	return mapped{IDs: []MessageID{MessageID(strconv.FormatInt(t.UnixMilli(), 36))}}
}

func (m mapped) instant() time.Time {
	if len(m.IDs) != 1 {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(string(m.IDs[0]), 36, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// toldThrough is up to when the platform has told of a state in this chat.
func (o *ownership) toldThrough(ctx context.Context, a *Account, lane string, s StatusState) (time.Time, error) {
	got, err := o.lookup(ctx, a, lane, byThrough, string(s))
	if err != nil {
		return time.Time{}, err
	}
	return got[string(s)].instant(), nil
}

// awaits notes that the platform will tell of a message by its time. It may have told already: a watermark that overtakes the
// answer to the send speaks of this message all the same.
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
	for _, e := range all {
		if e.stanza == w.out.Stanza {
			return nil
		}
	}
	e := outstanding{stanza: w.out.Stanza, at: sent.At, receipt: w.out.Receipt, markable: w.out.Markable}
	read, v := w.overtaken(ctx, &e)
	if v != nil || read {
		return v
	}
	all = append(all, e)
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, []MapEntry{w.o.g.waitingEntry(w.account, w.entry.Lane, all)}); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// overtaken tells what the platform had told of a message before the answer to its send came. It reports whether that is all.
func (w *outWalk) overtaken(ctx context.Context, e *outstanding) (read bool, v *verdict) {
	covered := map[StatusState]bool{}
	for _, s := range []StatusState{StatusDelivered, StatusRead} {
		t, err := w.o.toldThrough(ctx, w.account, w.entry.Lane, s)
		if err != nil {
			return false, new(w.o.storeFailed(ctx, err))
		}
		covered[s] = !t.IsZero() && !e.at.After(t)
	}
	if !covered[StatusDelivered] && !covered[StatusRead] {
		return false, nil
	}
	e.delivered = true
	if e.receipt {
		id := w.account.Keys.DerivedID("receipt", string(e.stanza))
		if v := w.tell(ctx, "receipt", ShowReceipt{ID: id, Of: e.stanza}, ""); v != nil {
			return false, v
		}
	}
	if covered[StatusRead] && e.markable {
		id := w.account.Keys.DerivedID("displayed", string(e.stanza))
		return true, w.tell(ctx, "displayed", ShowDisplayed{ID: id, Of: e.stanza}, "")
	}
	return covered[StatusRead], nil
}

// through tells of everything that was sent up to a time. Who has read a message has it.
func (w *inWalk) through(ctx context.Context, b Status) *verdict {
	all, err := w.o.waiting(ctx, w.account, w.entry.Lane)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.covered = map[StanzaID]bool{}
	for _, e := range all {
		if e.at.After(b.Through) {
			continue
		}
		w.covered[e.stanza] = true
		if e.receipt && !e.delivered {
			w.add(ShowReceipt{ID: w.account.Keys.DerivedID("receipt", string(e.stanza)), Of: e.stanza})
		}
		if b.State == StatusRead && e.markable {
			w.add(ShowDisplayed{ID: w.account.Keys.DerivedID("displayed", string(e.stanza)), Of: e.stanza})
		}
	}
	return nil
}

// errLate: a message joined those that wait after a watermark had looked at them; it looks again.
var errLate = errors.New("a message was sent meanwhile")

// told returns what a watermark leaves of the list, once what it tells stands in the outbox: before that a second try of this
// event needs the whole list. It keeps the watermark too, for a message that is sent and not noted yet. The lock is held until
// release. One that nobody was to hear of leaves all as it is: a later one tells of the same.
func (w *inWalk) told(ctx context.Context) (after []MapEntry, release func(), err error) {
	b, ok := w.in.Event.Body.(Status)
	if !ok || b.Through.IsZero() || w.account == nil || w.covered == nil {
		return nil, func() {}, nil
	}
	lane := w.entry.Lane
	release = w.o.g.identity.alone(lane)
	all, err := w.o.waiting(ctx, w.account, lane)
	if err != nil {
		return nil, release, err
	}
	before, err := w.o.toldThrough(ctx, w.account, lane, b.State)
	if err != nil {
		return nil, release, err
	}
	if b.Through.After(before) {
		after = append(after, w.o.g.mapEntry(w.account, lane, byThrough, string(b.State), instant(b.Through)))
	}
	if len(all) == 0 {
		return after, release, nil
	}
	var left []outstanding
	for _, e := range all {
		if !e.at.After(b.Through) {
			if !w.covered[e.stanza] {
				return nil, release, errLate
			}
			if b.State == StatusRead {
				continue
			}
			e.delivered = true
		}
		left = append(left, e)
	}
	return append(after, w.o.g.waitingEntry(w.account, lane, left)), release, nil
}
