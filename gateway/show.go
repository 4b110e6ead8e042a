package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Show appends what the gateway itself has to say to the outbox of a component, in order.
func (g *Gateway) Show(ctx context.Context, a AdapterID, rs ...Rendering) error {
	for _, r := range rs {
		if err := g.show(ctx, a, nil, r, time.Now(), ""); err != nil {
			return err
		}
	}
	return nil
}

// errRender: no later try renders it either, since a Renderer is pure.
var errRender = errors.New("gateway: render")

// show renders and appends to the outbox. With a dedupe name a replay of the hop changes nothing.
func (g *Gateway) show(ctx context.Context, a AdapterID, account *Account, r Rendering, at time.Time, dedupe string) error {
	r, err := g.addressed(ctx, a, account, r)
	if err != nil {
		return err
	}
	stanzas, err := g.renderer.Render(r)
	if err != nil {
		return fmt.Errorf("%w: %T: %w", errRender, r.What, err)
	}
	lane := withTrace(g.keys.Name("outbox", string(r.To), string(r.From)), g.traced(ctx))
	for n, raw := range stanzas {
		o := IngestOptions{QueueMax: g.cfg.OutboxMax}
		if dedupe != "" {
			o.Dedupe, o.DedupeFor = dedupe+strconv.Itoa(n), OutboxDedupe
		}
		e := g.identity.Seal(account, lane, EntryStanzas, raw, at)
		if _, _, err := g.store.Ingest(ctx, OutboxPartition(a), QueueXMPP, e, o); err != nil {
			return fmt.Errorf("gateway: outbox: %w", err)
		}
	}
	return nil
}
