package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

// Ask takes what a user's client asked of a contact. It returns when the op is durable, or a *Refusal for the client.
// digest is the SHA-256 of the stanza's payload: a client that resends after a reconnect sends the same id and payload,
// and is heard once.
func (g *Gateway) Ask(ctx context.Context, out Outbound, digest []byte) error {
	ctx, s := g.span(ctx, SpanStanza, "", out.Op.At)
	err := g.ask(ctx, out, digest)
	s.End(out.Adapter, taken(err))
	return err
}

func (g *Gateway) ask(ctx context.Context, out Outbound, digest []byte) error {
	inst, ok := g.instance(out.Adapter)
	if !ok {
		return g.refuse(out.Adapter, out.Op.Lang, ServiceUnavailable, TextInternal)
	}
	ctx, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	a, c, err := g.identity.Find(ctx, out.Adapter, out.User, out.Alias)
	switch {
	case errors.Is(err, ErrNoAccount):
		return g.refuse(out.Adapter, out.Op.Lang, RegistrationRequired, TextNotRegistered, inst.Component)
	case errors.Is(err, ErrNoContact):
		return g.refuse(out.Adapter, out.Op.Lang, ItemNotFound, TextNoContact, inst.Component)
	case err != nil:
		return g.storeDown(out, err)
	}
	if c.Blocked {
		// XEP-0191 §3.5 has the same condition for who writes to somebody they blocked on their own server.
		return g.refuse(out.Adapter, out.Op.Lang, NotAcceptable, TextBlocked, inst.Component)
	}
	out.Account, out.Alias = a.ID, c.Alias
	if out.Op.Lang == "" { // most clients do not say in each stanza
		out.Op.Lang = a.Lang
	}
	if r := g.halted(inst, out.Op.Lang); r != nil {
		return r
	}
	terms := g.terms(ctx, out.User, out.Adapter)
	if terms.Refused {
		return g.barred(out.Adapter, out.Op.Lang, terms)
	}
	if _, typing := out.Op.Body.(OpTyping); typing {
		g.askFleeting(a, out)
		return nil
	}
	if err := g.admit(ctx, inst, terms, a, c, out); err != nil {
		if _, refused := errors.AsType[*Refusal](err); refused {
			return err
		}
		return g.storeDown(out, err)
	}
	return g.ingestOp(ctx, a, out, digest)
}

func (g *Gateway) ingestOp(ctx context.Context, a *Account, out Outbound, digest []byte) error {
	if out.Op.ID == "" {
		out.Op.ID = NewOpID()
	}
	if out.Op.At.IsZero() {
		out.Op.At = time.Now().UTC()
	}
	opt := IngestOptions{LaneMax: g.cfg.LaneMax, QueueMax: g.cfg.ShardMax, ParkMax: g.cfg.ParkedMax}
	if out.Stanza != "" {
		opt.DedupeFor = StanzaDedupe
		opt.Dedupe = g.keys.Name("op", string(out.User), string(out.Adapter), string(out.Alias), string(out.Stanza), hex.EncodeToString(digest))
	}
	err := g.ingestAs(ctx, a, out, opt)
	switch {
	case errors.Is(err, ErrFull):
		return g.refuse(out.Adapter, out.Op.Lang, ResourceConstraint, TextBusy)
	case err != nil:
		return g.storeDown(out, err)
	}
	g.probe("after-ingest-out")
	return nil
}

// A store that is silent has to be noticed while there still is a stream to say so on: the stream ends before its lease does,
// and renewals are leaseRenewal apart (see holding.keep). What waits behind the first refusal is refused quickly.
const (
	askPatience     = 4 * time.Second
	askImpatience   = 500 * time.Millisecond
	rememberFailure = 5 * time.Second
)

// patience is how long an op may wait for the store.
func (g *Gateway) patience() time.Duration {
	if at := g.failed.Load(); at != nil && time.Since(*at) < rememberFailure {
		return askImpatience
	}
	return askPatience
}

// storeDown refuses what could not be stored.
func (g *Gateway) storeDown(out Outbound, err error) error {
	now := time.Now()
	g.failed.Store(&now)
	g.log.Warn("store not reached", "adapter", string(out.Adapter), "err", err)
	return g.refuse(out.Adapter, out.Op.Lang, ResourceConstraint, TextStoreDown)
}

// ingestAs makes one op of an account durable in its lane.
func (g *Gateway) ingestAs(ctx context.Context, a *Account, out Outbound, opt IngestOptions) error {
	out.Trace = g.traced(ctx)
	plain, err := out.pack()
	if err != nil {
		return err
	}
	key := a.Lane(out.Alias)
	e := g.identity.Seal(a, g.keys.Lane(key), EntryOp, plain, time.Now())
	part := key.Shard()
	opt.Hand = g.hand(part, QueueOut, &item{Entry: e, out: &out})
	_, duplicate, err := g.store.Ingest(ctx, part, QueueOut, e, opt)
	g.countIngest("out", out.Adapter, duplicate, err)
	return err
}

func (g *Gateway) countIngest(direction string, a AdapterID, duplicate bool, err error) {
	result := "new"
	switch {
	case errors.Is(err, ErrFull):
		result = "full"
	case err != nil:
		result = "error"
	case duplicate:
		result = "duplicate"
	}
	g.metrics.ingested.WithLabelValues(direction, string(a), result).Inc()
}

// Bounced takes the server's error answer to a stanza that we wrote: the user could not be reached with it.
func (g *Gateway) Bounced(ctx context.Context, adapter AdapterID, alias Alias, user UserID, id StanzaID, condition string) error {
	a, c, err := g.identity.Find(ctx, adapter, user, alias)
	if errors.Is(err, ErrNoAccount) || errors.Is(err, ErrNoContact) {
		return nil
	}
	if err != nil {
		return err
	}
	ev := Event{
		Dedupe: "bounce:" + string(id), Chat: Chat{Kind: ChatDirect}, At: time.Now().UTC(),
		Body: Undeliverable{Stanza: id, Condition: condition},
	}
	return g.ingestEvent(ctx, a, c.Alias, ev)
}

// ingestEvent makes one event durable in its lane.
func (g *Gateway) ingestEvent(ctx context.Context, a *Account, alias Alias, ev Event) error {
	_, err := g.ingestWithin(ctx, a, alias, ev, g.inCeilings())
	return err
}

// ingestWithin does so under these ceilings. It reports whether the event had been taken in before.
func (g *Gateway) ingestWithin(ctx context.Context, a *Account, alias Alias, ev Event, opt IngestOptions) (duplicate bool, err error) {
	in := Inbound{Event: ev, Adapter: a.Adapter, Account: a.ID, Alias: alias, Trace: g.traced(ctx)}
	plain, err := in.pack()
	if err != nil {
		return false, errors.Join(errUnwritable, err)
	}
	key := a.Lane(alias)
	e := g.identity.Seal(a, g.keys.Lane(key), EntryEvent, plain, time.Now())
	part := key.Shard()
	opt.Dedupe, opt.DedupeFor = g.keys.Name("event", string(a.ID), ev.Dedupe), EventDedupe
	opt.Hand = g.hand(part, QueueIn, &item{Entry: e, in: &in})
	_, duplicate, err = g.store.Ingest(ctx, part, QueueIn, e, opt)
	g.countIngest("in", a.Adapter, duplicate, err)
	if err != nil {
		return false, err
	}
	g.probe("after-ingest-in")
	return duplicate, nil
}

// inCeilings are the most that may wait of what comes in.
func (g *Gateway) inCeilings() IngestOptions {
	return IngestOptions{LaneMax: inLaneMax * g.cfg.LaneMax, QueueMax: g.cfg.ShardMax, ParkMax: g.cfg.ParkedMax}
}

// inLaneMax is how many times more an `in` lane may hold than an `out` lane: a platform's backlog after an outage comes
// all at once, and refusing it only makes the platform try again.
const inLaneMax = 10
