package gateway

import (
	"context"
	"encoding/json"
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

// Receive takes one webhook call: verified on its raw bytes, parsed, and every event in it durable when it returns nil. Of one that
// is understood in part the events are taken, and the whole is kept as a dead letter besides.
// Any other error than those above means that the platform shall try again (503).
func (g *Gateway) Receive(ctx context.Context, a AdapterID, r Request) error {
	ctx, s := g.span(ctx, SpanWebhook, "", time.Time{})
	err := g.receive(ctx, a, r)
	s.End(a, taken(err))
	return err
}

func (g *Gateway) receive(ctx context.Context, a AdapterID, r Request) error {
	inst, ok := g.instance(a)
	hook, is := inst.Adapter.(Webhook)
	if !ok || !is {
		return ErrUnknownAdapter
	}
	began := time.Now()
	defer func() { g.metrics.hookTime.WithLabelValues(string(a)).Observe(time.Since(began).Seconds()) }()
	if err := verify(hook, r); err != nil {
		g.metrics.Webhook(a, "unverified")
		return fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	if _, stopped := g.orders.Stopped(a); stopped {
		g.metrics.Webhook(a, "stopped")
		return ErrStopped
	}
	events, bad := parse(hook, r)
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
	if bad != nil {
		g.metrics.Webhook(a, "malformed")
		if lost := g.buryRaw(ctx, a, rawCall{Token: r.token(), Body: r.Body}); lost != nil {
			return lost // not kept: the platform shall try again
		}
		return fmt.Errorf("%w: %w", ErrMalformed, bad)
	}
	g.metrics.Webhook(a, "ok")
	return nil
}

// verify keeps an adapter's panic to the call that caused it: what cannot be verified is not.
func verify(hook Webhook, r Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %T", p)
		}
	}()
	return hook.Verify(r)
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
func (g *Gateway) buryRaw(ctx context.Context, a AdapterID, r rawCall) error {
	plain, err := json.Marshal(r)
	if err != nil {
		return err
	}
	e := g.identity.Seal(nil, g.keys.Name("raw", string(a)), EntryRaw, plain, time.Now())
	g.metrics.deadLetter("webhook")
	part := LaneKey{a, ""}.Shard()
	if err := g.store.Bury(ctx, part, QueueIn, e, DeadReason{Class: Permanent, Code: "malformed"}); err != nil {
		return fmt.Errorf("gateway: keep malformed webhook: %w", err)
	}
	return nil
}

// rawCall is what is kept of a webhook that nobody understood: the body, and the token of the path that some platforms name the
// account by; of what was asked for it is the account's endpoint.
type rawCall struct {
	Token string `json:"token,omitempty"`
	Body  []byte `json:"body"`
}

// token is what stood behind the instance's name in the path.
func (r Request) token() string {
	if t := r.Query["token"]; len(t) == 1 {
		return t[0]
	}
	return ""
}

// walkRaw parses a kept body once more, when an operator replays it. It has no headers any more: Parse goes by the rest.
func (o *ownership) walkRaw(ctx context.Context, q Queue, it *item) verdict {
	kept, err := openEntry[rawCall](ctx, o.g.identity, it.Entry)
	if err != nil {
		return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "unreadable"})
	}
	for id, inst := range o.g.instances {
		hook, is := inst.Adapter.(Webhook)
		if !is || o.g.keys.Name("raw", string(id)) != it.Lane {
			continue
		}
		events, err := parse(hook, Request{
			Method: http.MethodPost, Query: map[string][]string{"token": {kept.Token}}, Body: kept.Body, Now: it.At.Unix(),
		})
		for _, ev := range events {
			if err := o.g.take(ctx, inst, ev); err != nil {
				return o.storeFailed(ctx, err)
			}
		}
		if err != nil {
			return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "malformed"})
		}
		if err := o.g.store.Finish(ctx, o.lease, q, []Entry{it.Entry}, nil); err != nil {
			return o.storeFailed(ctx, err)
		}
		return verdict{}
	}
	return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "no-adapter"})
}
