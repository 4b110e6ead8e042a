package telegram

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"postern/gateway"
)

const (
	// pollBatch is how many updates one answer may hold ("1-100"); fewer are less to say again when they cannot be stored.
	pollBatch = 50
	// pollWait and pollWaitMost are how long polling rests after a failure; it doubles from the first to the second.
	pollWait     = time.Second
	pollWaitMost = time.Minute
)

// Polls reports whether updates are asked for.
func (a *Adapter) Polls() bool { return a.cfg.Receive == ReceivePoll }

// Run asks for a bot's updates until ctx ends, or until asking makes no sense: the token is revoked, or somebody else takes the updates
// ("409 Conflict"). An update is confirmed by asking for those behind it ("offset ... greater by one than the highest among the
// identifiers of previously received updates"), which is after the core has made it durable.
func (a *Adapter) Run(ctx context.Context, account gateway.Credentials, to gateway.Intake) error {
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	r := poller{a: a, token: who.Token, bot: account.Endpoint, to: to}
	for failures := 0; ctx.Err() == nil; {
		err := r.once(ctx)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		se := readError(err)
		switch se.Class {
		case gateway.ReauthNeeded, gateway.Permanent, gateway.NotReachable, gateway.Unsupported, gateway.WindowClosed:
			return se
		case gateway.Retryable, gateway.RateLimited, gateway.Uncertain:
		}
		failures++
		pause(ctx, max(se.RetryAfter, backoff(failures)))
	}
	return nil
}

// backoff is how long to rest after so many failures in a row, with some chance in it.
func backoff(failures int) time.Duration {
	wait := min(pollWait<<min(failures-1, 10), pollWaitMost)
	return wait/2 + rand.N(wait/2)
}

// pause waits, but not beyond ctx.
func pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// poller is one bot's polling.
type poller struct {
	a      *Adapter
	token  string
	bot    gateway.Endpoint
	to     gateway.Intake
	began  bool
	offset int64
}

// once asks once and makes what came durable.
func (p *poller) once(ctx context.Context) error {
	if !p.began { // a webhook of earlier days would be in the way
		if err := p.a.stopHook(ctx, p.token); err != nil {
			return err
		}
		p.began = true
	}
	in := params{"limit": pollBatch, "timeout": int(p.a.cfg.PollTimeout / time.Second), "allowed_updates": allowedUpdates}
	if p.offset != 0 {
		in["offset"] = p.offset
	}
	var updates []json.RawMessage
	if err := p.a.client.by(ctx, p.a.client.polls, p.token, "getUpdates", in, &updates); err != nil {
		return err
	}
	for _, raw := range updates {
		var u struct {
			ID int64 `json:"update_id"`
		}
		if json.Unmarshal(raw, &u) != nil || u.ID == 0 { // it cannot be confirmed, and so not be got rid of
			return &gateway.SendError{Class: gateway.Retryable, Code: "no_update_id", Err: cause{errBadJSON}}
		}
		if err := p.take(ctx, raw); err != nil {
			return &gateway.SendError{Class: gateway.Retryable, Code: "not_stored", Err: cause{err}}
		}
		p.offset = max(p.offset, u.ID+1)
	}
	return nil
}

// take makes one update durable. One that is not understood would come for ever, and hold back what is behind it: it is kept apart.
func (p *poller) take(ctx context.Context, raw json.RawMessage) error {
	events, err := parse(raw, p.bot)
	if err != nil {
		p.a.log.Warn("update not understood", "bytes", len(raw), "err", err)
		return p.to.Bury(ctx, raw)
	}
	if len(events) == 0 {
		return nil
	}
	return p.to.Take(ctx, events)
}
