package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// LetterID names a dead letter among those of all partitions.
type LetterID string

func letterID(p Partition, id EntryID) LetterID { return LetterID(string(p) + "/" + string(id)) }

// split returns where a letter lies; ok is false for what is no letter's id.
func (l LetterID) split() (p Partition, id EntryID, ok bool) {
	part, rest, _ := strings.Cut(string(l), "/")
	return Partition(part), EntryID(rest), part != "" && EntryID(rest).whole()
}

// find returns where a letter lies. ErrNotFound where there are none, and for what is no letter's id: a store is asked for neither.
func (g *Gateway) find(l LetterID) (p Partition, id EntryID, err error) {
	p, id, ok := l.split()
	if !ok || !slices.Contains(g.letterPartitions(), p) {
		return "", "", ErrNotFound
	}
	return p, id, nil
}

// Letter is a dead letter as an operator sees it: what it is, whose, and why it was given up on. It says nothing of what is in it.
type Letter struct {
	ID LetterID
	// Adapter is empty where that cannot be told any more; Account where it belongs to none.
	Adapter AdapterID
	Account AccountID
	// Where is the label of postern_dead_letters_total: in, out, outbox or webhook.
	Where string
	// What is the kind of the op or event; empty for stanzas, for webhooks and for what no key opens.
	What string
	// Chat is an HMAC, as in the log.
	Chat string
	Why  DeadReason
	// At is when the entry was taken, Died when it was given up on.
	At, Died time.Time
}

// LetterFilter chooses dead letters; an empty field takes any.
type LetterFilter struct {
	Adapter AdapterID
	Account AccountID
	Where   string
	Chat    string
	Code    string
}

func (f LetterFilter) takes(l Letter) bool {
	return (f.Adapter == "" || f.Adapter == l.Adapter) && (f.Account == "" || f.Account == l.Account) && (f.Where == "" || f.Where == l.Where) &&
		(f.Chat == "" || f.Chat == l.Chat) && (f.Code == "" || f.Code == l.Why.Code)
}

// Letters returns up to n dead letters behind one, those of a chat in order; next continues, and is empty at the end. A page may be
// empty before the end. ErrCursor for a place that is none.
func (g *Gateway) Letters(ctx context.Context, f LetterFilter, after LetterID, n int) (page []Letter, next LetterID, err error) {
	from, id, ok := after.split()
	if after != "" && !ok {
		return nil, "", ErrCursor
	}
	parts := g.letterPartitions()
	for i, p := range parts {
		if p < from {
			continue
		}
		if p != from {
			id = ""
		}
		found, err := g.store.ListDead(ctx, p, id, n)
		if err != nil {
			return nil, "", err
		}
		for _, d := range found {
			if l := g.letter(ctx, p, d); f.takes(l) {
				page = append(page, l)
			}
		}
		switch {
		case len(found) == n:
			return page, letterID(p, found[n-1].ID), nil
		case len(found) > 0 && i < len(parts)-1:
			return page, letterID(parts[i+1], "0-0"), nil
		}
	}
	return page, "", nil
}

const (
	// lettersAsked is how many dead letters GatherLetters asks for at once.
	lettersAsked = 200
	// MaxAsked is how often it asks at most: each partition that has some answers once at least.
	MaxAsked = 2 * Shards
)

// GatherLetters returns at least n dead letters behind one, or all that there are, out of the pages that letters gives (Gateway.Letters); next
// is empty at their end. Where a filter takes few of many it may end before: next goes on.
func GatherLetters(
	ctx context.Context, letters func(context.Context, LetterFilter, LetterID, int) ([]Letter, LetterID, error), f LetterFilter, after LetterID, n int,
) (all []Letter, next LetterID, err error) {
	for asked := 1; ; asked++ {
		page, next, err := letters(ctx, f, after, min(n, lettersAsked))
		if err != nil {
			return nil, "", err
		}
		all = append(all, page...)
		if next == "" || len(all) >= n || asked == MaxAsked {
			return all, next, nil
		}
		after = next
	}
}

// letterPartitions lists every partition that has dead letters, by name.
func (g *Gateway) letterPartitions() []Partition {
	all := AllShards()
	for _, a := range slices.Collect(maps.Keys(g.instances)) {
		all = append(all, OutboxPartition(a))
	}
	slices.Sort(all)
	return all
}

// letter tells what a dead letter is. What cannot be opened, since its account was erased or its key is another, is told as far as
// it goes.
func (g *Gateway) letter(ctx context.Context, p Partition, d DeadLetter) Letter {
	l := Letter{ID: letterID(p, d.ID), Account: d.Account, Where: direction(d.From), Chat: d.Lane, Why: d.Why, At: d.At, Died: d.Died}
	switch d.Kind {
	case EntryOp, EntryAgain:
		if out, err := openEntry[Outbound](ctx, g.identity, d.Entry); err == nil {
			l.Adapter, l.What = out.Adapter, OpKind(out.Op.Body)
		}
	case EntryEvent:
		if in, err := openEntry[Inbound](ctx, g.identity, d.Entry); err == nil {
			l.Adapter, l.What = in.Adapter, EventKind(in.Event.Body)
		}
	case EntryStanzas:
		l.Where = "outbox"
		l.Chat, _ = cutTrace(d.Lane)
		l.Adapter = AdapterID(strings.TrimPrefix(string(p), string(OutboxPartition(""))))
	case EntryRaw:
		l.Where = "webhook"
		for id := range g.instances {
			if g.keys.Name("raw", string(id)) == d.Lane {
				l.Adapter = id
			}
		}
	}
	return l
}

// ReplayLetter puts a dead letter at the end of the lane that it came from, with its age and all tries forgiven. ErrNotFound when it
// is gone.
func (g *Gateway) ReplayLetter(ctx context.Context, id LetterID) error {
	p, entry, err := g.find(id)
	if err != nil {
		return err
	}
	_, err = g.store.Replay(ctx, p, entry)
	if err == nil {
		g.log.Info("dead letter replayed", "partition", p, "entry", entry)
	}
	return err
}

// DropLetter forgets a dead letter. ErrNotFound when it is gone.
func (g *Gateway) DropLetter(ctx context.Context, id LetterID) error {
	p, entry, err := g.find(id)
	if err != nil {
		return err
	}
	err = g.store.DropDead(ctx, p, entry)
	if err == nil {
		g.log.Info("dead letter dropped", "partition", p, "entry", entry)
	}
	return err
}

// ReplayLetters replays all dead letters that a filter takes, those of a chat in order, and returns how many. What is given up on
// once more meanwhile is not tried again.
func (g *Gateway) ReplayLetters(ctx context.Context, f LetterFilter) (int, error) {
	return g.eachLetter(ctx, f, g.ReplayLetter)
}

// DropLetters forgets all dead letters that a filter takes, and returns how many.
func (g *Gateway) DropLetters(ctx context.Context, f LetterFilter) (int, error) {
	return g.eachLetter(ctx, f, g.DropLetter)
}

func (g *Gateway) eachLetter(ctx context.Context, f LetterFilter, do func(context.Context, LetterID) error) (n int, err error) {
	const pageSize = 100
	began := time.Now()
	var after LetterID
	for {
		page, next, err := g.Letters(ctx, f, after, pageSize)
		if err != nil {
			return n, err
		}
		for _, l := range page {
			if l.Died.After(began) {
				continue
			}
			switch err := do(ctx, l.ID); {
			case err == nil:
				n++
			case !errors.Is(err, ErrNotFound): // somebody else's doing
				return n, err
			}
		}
		if after = next; after == "" {
			return n, nil
		}
	}
}
