package console

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
)

// The metrics that the console shows, all of this process.
const (
	metricIngest   = "postern_ingest_total"
	metricSend     = "postern_send_total"
	metricWebhooks = "postern_webhooks_total"
	metricEndToEnd = "postern_end_to_end_seconds"
	metricState    = "postern_component_state"
	metricLeader   = "postern_leader"
	metricQueued   = "postern_queue_entries"
	metricAccounts = "postern_accounts"
	metricShards   = "postern_shards_owned"
	metricReplicas = "postern_replicas"
	metricPanics   = "postern_panics_total"
	metricStore    = "postern_store_seconds"
	metricStoreBad = "postern_store_errors_total"
	metricStoreUp  = "postern_store_up"
	metricMemory   = "postern_store_memory_bytes"
	metricMemMax   = "postern_store_memory_limit_bytes"
)

// Metrics lists them, for who holds them against what a process tells.
func Metrics() []string {
	return []string{
		metricIngest, metricSend, metricWebhooks, metricEndToEnd, metricState, metricLeader, metricQueued, metricAccounts, metricShards,
		metricReplicas, metricPanics, metricStore, metricStoreBad, metricStoreUp, metricMemory, metricMemMax,
	}
}

// reading is what the metrics say at one moment. Counters count from the start of the process.
type reading struct {
	at                       time.Time
	adapters                 map[gateway.AdapterID]*adapterReading
	shards, replicas, panics float64
	store                    storeReading
}

type adapterReading struct {
	in, out         float64 // events taken from the platform, ops that it took
	failed, refused float64 // sends that did not work, webhooks that were no good
	slowIn, slowOut histogram
	state           string
	leads           bool
	waiting         float64
	accounts        map[gateway.AccountStanding]int
}

type storeReading struct {
	up, used, limit, errors float64
	slow                    histogram
}

// histogram has cumulative counts by upper bound.
type histogram struct{ bounds, counts []float64 }

// read gathers.
func read(from prometheus.Gatherer) (*reading, error) {
	families, err := from.Gather()
	if err != nil {
		return nil, err
	}
	r := &reading{at: time.Now(), adapters: map[gateway.AdapterID]*adapterReading{}}
	for _, f := range families {
		name := f.GetName()
		if !slices.Contains(Metrics(), name) {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if of := m.GetHistogram(); of != nil {
				h := histogram{}
				for _, b := range of.GetBucket() {
					h.bounds, h.counts = append(h.bounds, b.GetUpperBound()), append(h.counts, float64(b.GetCumulativeCount()))
				}
				h.bounds, h.counts = append(h.bounds, math.Inf(1)), append(h.counts, float64(of.GetSampleCount()))
				r.timed(name, labels, h)
				continue
			}
			r.counted(name, labels, m.GetCounter().GetValue()+m.GetGauge().GetValue()) // it is one of the two
		}
	}
	return r, nil
}

func (r *reading) of(labels map[string]string) *adapterReading {
	id := gateway.AdapterID(labels["adapter"])
	if r.adapters[id] == nil {
		r.adapters[id] = &adapterReading{accounts: map[gateway.AccountStanding]int{}}
	}
	return r.adapters[id]
}

func (r *reading) timed(name string, labels map[string]string, h histogram) {
	switch {
	case name == metricStore:
		r.store.slow = r.store.slow.plus(h)
	case labels["direction"] == "in":
		r.of(labels).slowIn = h
	default:
		r.of(labels).slowOut = h
	}
}

func (r *reading) counted(name string, labels map[string]string, v float64) {
	switch name {
	case metricIngest:
		if labels["direction"] == "in" && labels["result"] == "new" {
			r.of(labels).in += v
		}
	case metricSend:
		if labels["class"] == "ok" {
			r.of(labels).out += v
		} else {
			r.of(labels).failed += v
		}
	case metricWebhooks:
		if labels["result"] != "ok" && labels["result"] != "polled" {
			r.of(labels).refused += v
		}
	case metricState:
		if v == 1 {
			r.of(labels).state = labels["state"]
		}
	case metricLeader:
		r.of(labels).leads = v == 1
	case metricQueued:
		r.of(labels).waiting += v
	case metricAccounts:
		r.of(labels).accounts[gateway.AccountStanding(labels["standing"])] += int(v)
	case metricShards:
		r.shards = v
	case metricReplicas:
		r.replicas = v
	case metricPanics:
		r.panics = v
	case metricStoreBad:
		r.store.errors += v
	case metricStoreUp:
		r.store.up = v
	case metricMemory:
		r.store.used = v
	case metricMemMax:
		r.store.limit = v
	}
}

// plus adds what another with the same bounds counts.
func (h histogram) plus(o histogram) histogram { return h.and(o, 1) }

// since is what was counted after an earlier one.
func (h histogram) since(o histogram) histogram { return h.and(o, -1) }

func (h histogram) and(o histogram, sign float64) histogram {
	if len(h.counts) == 0 {
		return o
	}
	out := histogram{h.bounds, slices.Clone(h.counts)}
	for i := range min(len(out.counts), len(o.counts)) {
		out.counts[i] += sign * o.counts[i]
	}
	return out
}

// quantile is the value below which a share of the observations lies, as Prometheus estimates it; NaN where there are none. What is
// above the last bound is at that bound.
func (h histogram) quantile(q float64) float64 {
	if len(h.counts) == 0 || h.counts[len(h.counts)-1] <= 0 {
		return math.NaN()
	}
	want := q * h.counts[len(h.counts)-1]
	at := slices.IndexFunc(h.counts, func(n float64) bool { return n >= want })
	below, from := 0.0, 0.0
	if at > 0 {
		below, from = h.counts[at-1], h.bounds[at-1]
	}
	if to := h.bounds[at]; !math.IsInf(to, 1) && h.counts[at] > below {
		return from + (to-from)*(want-below)/(h.counts[at]-below)
	}
	return from
}
