package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
)

// storeCheckEvery is how often the store is asked whether it takes writes, for metrics, storePatience how long that may take.
const (
	storeCheckEvery = 10 * time.Second
	storePatience   = 5 * time.Second
)

// storeOps are the calls to the store that are timed: those on the way of every message, and one of each other kind.
var storeOps = [...]string{"ingest", "read", "begin", "park", "dead", "load", "save", "limit", "lease", "publish"}

// storeMetrics tells how the store does.
type storeMetrics struct {
	seconds *prometheus.HistogramVec
	errors  *prometheus.CounterVec
	up      prometheus.Gauge
	memory  prometheus.Gauge
	limit   prometheus.Gauge
}

func newStoreMetrics(r prometheus.Registerer) *storeMetrics {
	m := &storeMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postern_store_seconds", Help: "Time of one call to the store, what it waits for others included.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"op"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postern_store_errors_total", Help: "Calls to the store that failed."}, []string{"op"}),
		up:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_store_up", Help: "1 while the store takes writes, as asked every few seconds."}),
		memory: prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_store_memory_bytes", Help: "Memory that Redis uses for data, of the fullest master; 0 while unknown."}),
		limit:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_store_memory_limit_bytes", Help: "maxmemory of that master; 0 for no limit."}),
	}
	r.MustRegister(m.seconds, m.errors, m.up, m.memory, m.limit)
	for _, op := range storeOps {
		m.seconds.WithLabelValues(op)
		m.errors.WithLabelValues(op)
	}
	return m
}

// watchStore asks the store how it does until ctx ends.
func (a *App) watchStore(ctx context.Context) {
	for ok := true; ok; ok = sleep(ctx, storeCheckEvery) {
		a.storeStats.look(ctx, a.store, a.storeUsage)
	}
}

// look asks once. usage may be nil: a store in memory has no limit of its own.
func (m *storeMetrics) look(ctx context.Context, s gateway.Store, usage func(context.Context) (used, limit int64, err error)) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if s.Ready(ctx) != nil { // the calls that fail for it are logged
		m.up.Set(0)
		return
	}
	m.up.Set(1)
	if usage == nil {
		return
	}
	if used, limit, err := usage(ctx); err == nil { // Redis may not allow to ask (ACL)
		m.memory.Set(float64(used))
		m.limit.Set(float64(limit))
	}
}

// watched is a store whose calls are timed and counted.
type watched struct {
	gateway.Store
	timers map[string]timer
}

// timer is one kind of call.
type timer struct {
	seconds prometheus.Observer
	errors  prometheus.Counter
}

func (m *storeMetrics) watch(s gateway.Store) gateway.Store {
	w := watched{s, map[string]timer{}}
	for _, op := range storeOps {
		w.timers[op] = timer{m.seconds.WithLabelValues(op), m.errors.WithLabelValues(op)}
	}
	return w
}

// end counts a call that began at a time. What the contract lets a store answer is no failure of it, nor is a caller who is gone.
func (w watched) end(op string, began time.Time, err error) {
	t := w.timers[op]
	t.seconds.Observe(time.Since(began).Seconds())
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	for _, known := range []error{gateway.ErrFull, gateway.ErrHeld, gateway.ErrFenced, gateway.ErrExists, gateway.ErrNotFound} {
		if errors.Is(err, known) {
			return
		}
	}
	t.errors.Inc()
}

func (w watched) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (id gateway.EntryID, dup bool, err error) {
	defer func(began time.Time) { w.end("ingest", began, err) }(time.Now())
	return w.Store.Ingest(ctx, p, q, e, o)
}

func (w watched) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) (entries []gateway.Entry, err error) {
	defer func(began time.Time) { w.end("read", began, err) }(time.Now())
	return w.Store.Read(ctx, p, q, after, n)
}

func (w watched) ReadQueues(ctx context.Context, p gateway.Partition, from ...gateway.Cursor) (entries [][]gateway.Entry, err error) {
	defer func(began time.Time) { w.end("read", began, err) }(time.Now())
	return w.Store.ReadQueues(ctx, p, from...)
}

func (w watched) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (a gateway.Attempt, err error) {
	defer func(began time.Time) { w.end("begin", began, err) }(time.Now())
	return w.Store.Begin(ctx, l, q, id, maps)
}

func (w watched) Park(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, reason gateway.ParkReason) (err error) {
	defer func(began time.Time) { w.end("park", began, err) }(time.Now())
	return w.Store.Park(ctx, l, from, lane, ids, wait, reason)
}

func (w watched) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) (err error) {
	defer func(began time.Time) { w.end("dead", began, err) }(time.Now())
	return w.Store.Dead(ctx, l, q, id, why)
}

func (w watched) Load(ctx context.Context, keys ...gateway.RecordKey) (values [][]byte, err error) {
	defer func(began time.Time) { w.end("load", began, err) }(time.Now())
	return w.Store.Load(ctx, keys...)
}

func (w watched) Save(ctx context.Context, owner gateway.Owner, changes ...gateway.Change) (err error) {
	defer func(began time.Time) { w.end("save", began, err) }(time.Now())
	return w.Store.Save(ctx, owner, changes...)
}

func (w watched) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, buckets ...gateway.Bucket) (taken gateway.Taken, err error) {
	defer func(began time.Time) { w.end("limit", began, err) }(time.Now())
	return w.Store.Take(ctx, a, most, buckets...)
}

func (w watched) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (renewed gateway.Lease, err error) {
	defer func(began time.Time) { w.end("lease", began, err) }(time.Now())
	return w.Store.Renew(ctx, l, ttl)
}

func (w watched) Publish(ctx context.Context, topic string, payload []byte) (err error) {
	defer func(began time.Time) { w.end("publish", began, err) }(time.Now())
	return w.Store.Publish(ctx, topic, payload)
}
