package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Errors of Receive, which the HTTP side answers by status.
var (
	ErrUnknownAdapter = errors.New("no such adapter, or it has no webhook") // 404
	ErrUnverified     = errors.New("webhook not verified")                  // 401
	ErrMalformed      = errors.New("webhook not understood")                // 200: kept as a dead letter
)

// Challenge answers a platform's check of the webhook's address. ok is false when the request is no such check.
func (g *Gateway) Challenge(a AdapterID, r Request) (answer []byte, ok bool) {
	inst, found := g.instance(a)
	hook, is := inst.Adapter.(Webhook)
	if !found || !is {
		return nil, false
	}
	return hook.Challenge(r)
}

// Receive takes one webhook call: verified on its raw bytes, parsed, and every event in it durable when it returns nil.
// Any other error than those above means that the platform shall try again (503).
func (g *Gateway) Receive(ctx context.Context, a AdapterID, r Request) error {
	inst, ok := g.instance(a)
	hook, is := inst.Adapter.(Webhook)
	if !ok || !is {
		return ErrUnknownAdapter
	}
	if err := hook.Verify(r); err != nil {
		g.metrics.Webhook(a, "unverified")
		return fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	events, err := parse(hook, r)
	if err != nil {
		g.metrics.Webhook(a, "malformed")
		if lost := g.buryRaw(ctx, a, r); lost != nil {
			return lost // not kept: the platform shall try again
		}
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for _, ev := range events {
		if err := g.take(ctx, inst, ev); err != nil {
			result := "store_down"
			switch {
			case errors.Is(err, ErrFull):
				result = "full"
			case errors.Is(err, errLinking):
				result = "linking"
			}
			g.metrics.Webhook(a, result)
			return err
		}
	}
	g.metrics.Webhook(a, "ok")
	return nil
}

// parse keeps an adapter's panic to the payload that caused it.
func parse(hook Webhook, r Request) (events []Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			events, err = nil, fmt.Errorf("panic: %T", p)
		}
	}()
	return hook.Parse(r)
}

// buryRaw keeps a body that nobody understood, so that it can be replayed once somebody does.
func (g *Gateway) buryRaw(ctx context.Context, a AdapterID, r Request) error {
	e := g.identity.Seal(nil, g.keys.Name("raw", string(a)), EntryRaw, r.Body, time.Now())
	g.metrics.deadLetter("webhook")
	part := LaneKey{a, ""}.Shard()
	if err := g.store.Bury(ctx, part, QueueIn, e, DeadReason{Class: Permanent, Code: "malformed"}); err != nil {
		return fmt.Errorf("gateway: keep malformed webhook: %w", err)
	}
	return nil
}

// walkRaw parses a kept body once more, when an operator replays it. It has no headers any more: Parse goes by the body.
func (o *ownership) walkRaw(ctx context.Context, q Queue, it *item) verdict {
	body, err := o.g.identity.Open(ctx, it.Entry)
	if err != nil {
		return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "unreadable"})
	}
	for id, inst := range o.g.instances {
		hook, is := inst.Adapter.(Webhook)
		if !is || o.g.keys.Name("raw", string(id)) != it.Lane {
			continue
		}
		events, err := parse(hook, Request{Method: http.MethodPost, Body: body, Now: it.At.Unix()})
		if err != nil {
			return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "malformed"})
		}
		for _, ev := range events {
			if err := o.g.take(ctx, inst, ev); err != nil {
				return o.storeFailed(ctx, err)
			}
		}
		if err := o.g.store.Finish(ctx, o.lease, q, []EntryID{it.ID}, nil); err != nil {
			return o.storeFailed(ctx, err)
		}
		return verdict{}
	}
	return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "no-adapter"})
}
