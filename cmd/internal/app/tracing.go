package app

import (
	"context"

	"postern/cmd/internal/tracing"
	"postern/gateway"
)

// tracer opens what the way of messages is told to; nil where nobody is.
func (b *builder) tracer(ctx context.Context, a *App) (gateway.Tracer, error) {
	if b.cfg.Tracing.Endpoint == "" {
		return nil, nil
	}
	t, err := tracing.New(ctx, tracing.Config{
		Endpoint: b.cfg.Tracing.Endpoint, Ratio: b.cfg.Tracing.Sample, Version: Version().Version, Replica: a.replica.id, Log: b.o.Log,
	})
	if err != nil {
		return nil, b.cfg.at.problem("tracing.endpoint", "%v", err)
	}
	a.tracing = t
	return t, nil
}

func (a *App) closeTracing() {
	if a.tracing == nil {
		return
	}
	if err := a.tracing.Close(); err != nil {
		a.log.Warn("the last traces were not sent", "err", err)
	}
	a.tracing = nil
}
