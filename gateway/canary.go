package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Canary is a message that the gateway sends now and then as a user of the operator's own, to see whether the platform delivers. The
// zero value sends none.
type Canary struct {
	// User is whose message it is, a registered user, To whom they write to, as their client addresses the contact.
	User UserID
	To   Alias
	// Every is from one to the next, Within how long the platform may take.
	Every, Within time.Duration
	// Echo wants an answer that contains the message; else its delivery is enough.
	Echo bool
}

// CanaryResult is what came of one.
type CanaryResult string

// Results of a canary.
const (
	CanaryOK        CanaryResult = "ok"
	CanaryNoAnswer  CanaryResult = "no_answer"  // sent, and nothing was heard of it in time
	CanaryFailed    CanaryResult = "failed"     // the platform refused it
	CanaryRefused   CanaryResult = "refused"    // by the gateway, as any user's message: limits, policy, a block
	CanaryWaiting   CanaryResult = "waiting"    // not sent: an earlier message to the contact still waits
	CanaryStopped   CanaryResult = "stopped"    // not sent: the operator has stopped the adapter
	CanaryNoAccount CanaryResult = "no_account" // not sent: the user is not registered, or the account cannot act
	CanaryNoContact CanaryResult = "no_contact" // not sent: the account has no such contact
)

var canaryResults = []CanaryResult{CanaryOK, CanaryNoAnswer, CanaryFailed, CanaryRefused, CanaryWaiting, CanaryStopped, CanaryNoAccount, CanaryNoContact}

// CanaryState is how an adapter's last canary ended.
type CanaryState struct {
	At     time.Time     `json:"at"` // when it began; zero before the first
	Result CanaryResult  `json:"result"`
	OK     time.Time     `json:"ok,omitzero"`   // when the last good one began
	Took   time.Duration `json:"took,omitzero"` // of the last good one
}

const (
	ownerCanary Owner = "canary"
	canaryLook        = 5 * time.Second // how often it is looked whether the chat is this replica's, and whether it is time
)

// canaryMetrics are made with the others; see NewMetrics.
type canaryMetrics struct {
	ended    *prometheus.CounterVec   // adapter, result
	took     *prometheus.HistogramVec // adapter
	last     *prometheus.GaugeVec     // adapter
	interval *prometheus.GaugeVec     // adapter
}

func newCanaryMetrics(r prometheus.Registerer, seconds []float64, adapters []AdapterID) canaryMetrics {
	m := canaryMetrics{
		ended:    counter(r, "postern_canary_total", "Messages that the gateway sent to see whether the platform delivers, by what came of them.", "adapter", "result"),
		took:     histogram(r, "postern_canary_seconds", "From such a message to its delivery, or to its echo.", seconds, "adapter"),
		last:     gauge(r, "postern_canary_last_success_timestamp_seconds", "When the last good one was sent, as the replica knows that owns its chat; 0 for none.", "adapter"),
		interval: gauge(r, "postern_canary_interval_seconds", "From one to the next; 0 where none is configured.", "adapter"),
	}
	for _, a := range adapters {
		for _, result := range canaryResults {
			m.ended.WithLabelValues(string(a), string(result))
		}
		m.took.WithLabelValues(string(a))
		m.last.WithLabelValues(string(a))
		m.interval.WithLabelValues(string(a))
	}
	return m
}

// canary sends one adapter's. The owner of the chat's shard does, so that of several replicas one sends, and what is told of the
// message passes the same process.
type canary struct {
	Canary
	g    *Gateway
	inst Instance

	state CanaryState
	owned *possession // the ownership under which state was read; nil before

	mu      sync.Mutex
	alias   Alias // of the contact, by which its answers are known
	awaited StanzaID
	heard   chan CanaryResult
}

func newCanary(g *Gateway, inst Instance) *canary {
	g.metrics.canary.interval.WithLabelValues(string(inst.ID)).Set(inst.Canary.Every.Seconds())
	return &canary{Canary: inst.Canary, g: g, inst: inst, alias: inst.Canary.To}
}

// carry sends them until ctx ends, one after the other: the next one is not sent before this one has ended.
func (c *canary) carry(ctx context.Context) {
	for sleep(ctx, canaryLook) {
		c.look(ctx)
	}
}

// look sends one if it is time and the chat is this replica's.
func (c *canary) look(ctx context.Context) {
	a, contact, err := c.g.identity.Find(ctx, c.inst.ID, c.User, c.To)
	alias := c.To
	if err == nil {
		alias = contact.Alias
	}
	owned, ok := c.g.ownedPart(LaneKey{c.inst.ID, alias}.Shard())
	if !ok {
		c.owned = nil
		return
	}
	if c.owned != owned {
		state, err := c.g.CanaryState(ctx, c.inst.ID)
		if err != nil {
			return // the store is away: others tell of that
		}
		c.owned, c.state = owned, state
		c.show()
	}
	if since := time.Since(c.state.At); since >= 0 && since < c.Every { // a time to come is a clock that was set back
		return
	}
	if err != nil && !errors.Is(err, ErrNoAccount) && !errors.Is(err, ErrNoContact) {
		return
	}
	began := time.Now()
	result := c.turn(ctx, owned.lost, a, alias, err)
	select {
	case <-owned.lost: // what is told of it is told to the next owner, who sends another
	case <-ctx.Done():
	default:
		c.end(ctx, began, result)
	}
}

// turn sends one and waits for what comes of it.
func (c *canary) turn(ctx context.Context, lost <-chan struct{}, a *Account, alias Alias, err error) CanaryResult {
	if _, stopped := c.g.orders.Stopped(c.inst.ID); stopped {
		return CanaryStopped
	}
	switch {
	case errors.Is(err, ErrNoAccount):
		return CanaryNoAccount
	case errors.Is(err, ErrNoContact):
		return CanaryNoContact
	}
	if s := a.StandingUnder(c.inst.Adapter.Descriptor()); s != AccountActive && s != AccountExpiring {
		return CanaryNoAccount
	}
	if c.g.laneWaits(a.Lane(alias)) {
		return CanaryWaiting
	}
	id := canaryMark + newULID()
	heard := c.expect(alias, StanzaID(id))
	defer c.expect(alias, "")
	out := Outbound{
		Adapter: c.inst.ID, Alias: c.To, User: c.User, Stanza: StanzaID(id), Receipt: true,
		Op: Op{Body: OpMessage{Content: PlainText(c.g.texts.Say(a.Lang, TextCanary, id))}},
	}
	if err := c.g.Ask(ctx, out, nil); err != nil {
		return CanaryRefused
	}
	late := time.NewTimer(c.Within)
	defer late.Stop()
	select {
	case result := <-heard:
		return result
	case <-lost:
	case <-ctx.Done():
	case <-late.C:
		if _, stopped := c.g.orders.Stopped(c.inst.ID); stopped {
			return CanaryStopped
		}
	}
	return CanaryNoAnswer
}

// end counts one, and keeps how it ended for the next owner and for who asks another replica.
func (c *canary) end(ctx context.Context, began time.Time, result CanaryResult) {
	took := time.Since(began)
	c.state.At, c.state.Result = began.UTC(), result
	if result == CanaryOK {
		c.state.OK, c.state.Took = c.state.At, took
		c.g.metrics.canary.took.WithLabelValues(string(c.inst.ID)).Observe(took.Seconds())
	}
	c.g.metrics.canary.ended.WithLabelValues(string(c.inst.ID), string(result)).Inc()
	c.show()
	c.g.log.Info("canary", "adapter", string(c.inst.ID), "result", string(result), "duration", took)
	if err := c.g.keepCanary(ctx, c.inst.ID, c.state); err != nil {
		c.g.log.Warn("canary not kept", "adapter", string(c.inst.ID), "err", err)
	}
}

func (c *canary) show() {
	at := 0.0
	if !c.state.OK.IsZero() {
		at = float64(c.state.OK.UnixMilli()) / 1000
	}
	c.g.metrics.canary.last.WithLabelValues(string(c.inst.ID)).Set(at)
}

func canaryPlace(a AdapterID) string { return "canary/" + string(a) }

func (g *Gateway) keepCanary(ctx context.Context, a AdapterID, s CanaryState) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return g.store.Save(ctx, ownerCanary, Change{Kind: RecordCanary, Name: string(a), Value: g.keys.operator.Seal(canaryPlace(a), plain), TTL: CanaryTTL})
}

// CanaryState returns how an adapter's last canary ended, whichever replica sent it.
func (g *Gateway) CanaryState(ctx context.Context, a AdapterID) (s CanaryState, err error) {
	got, err := g.store.Load(ctx, RecordKey{ownerCanary, RecordCanary, string(a)})
	if err != nil {
		return s, fmt.Errorf("gateway: canary: %w", err)
	}
	if got[0] == nil {
		return s, nil
	}
	plain, err := g.keys.operator.Open(canaryPlace(a), got[0])
	if err == nil {
		err = json.Unmarshal(plain, &s)
	}
	if err != nil {
		return s, fmt.Errorf("gateway: canary: %w", err)
	}
	return s, nil
}
