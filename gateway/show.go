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
	stanzas, err := g.renderer.Render(r)
	if err != nil {
		return fmt.Errorf("%w: %T: %w", errRender, r.What, err)
	}
	lane := g.keys.Name("outbox", string(r.To), string(r.From))
	for n, raw := range stanzas {
		o := IngestOptions{}
		if dedupe != "" {
			o = IngestOptions{Dedupe: dedupe + strconv.Itoa(n), DedupeFor: OutboxDedupe}
		}
		e := g.identity.Seal(account, lane, EntryStanzas, raw, at)
		if _, _, err := g.store.Ingest(ctx, OutboxPartition(a), QueueXMPP, e, o); err != nil {
			return fmt.Errorf("gateway: outbox: %w", err)
		}
	}
	return nil
}

// standing writes an account's new standing and tells its user once a day.
func (g *Gateway) standing(ctx context.Context, a *Account, s AccountStanding) error {
	inst, ok := g.instance(a.Adapter)
	if !ok || a.Standing == s {
		return nil
	}
	now, err := g.identity.reload(ctx, a.ID) // what a lane knows may be older than a renewal
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	changed := *now
	changed.Standing = s
	if err := g.identity.Update(ctx, changed); err != nil {
		return err
	}
	if err := g.store.Publish(ctx, SignalAccounts, []byte(a.ID)); err != nil {
		g.log.Warn("account change not signalled", "account", string(a.ID), "err", err)
	}
	platform := inst.Adapter.Descriptor().Platform
	var text string
	switch s {
	case AccountReauthNeeded:
		text = g.texts.Say(a.Lang, TextReauth, platform, inst.Component)
	case AccountReconsentNeeded:
		text = g.texts.Say(a.Lang, TextReconsent, platform, inst.Component)
	case AccountSuspended:
		text = g.texts.Say(a.Lang, TextSuspended, platform)
	case AccountActive, AccountExpiring, AccountWithdrawn, AccountWithdrawalQueued:
		return nil
	}
	day := time.Now().UTC().Format(time.DateOnly)
	id := StanzaID(g.keys.Name("standing", string(a.ID), string(s), day))
	r := Rendering{
		Component: inst.Component, To: a.User, Lang: a.Lang,
		What: ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true},
	}
	away := Rendering{Component: inst.Component, To: a.User, Lang: a.Lang, What: ShowPresence{Available: true, Away: true, Status: text}}
	if err := g.show(ctx, a.Adapter, a, r, time.Now(), string(id)); err != nil {
		return err
	}
	return g.show(ctx, a.Adapter, a, away, time.Now(), string(id)+"p")
}
