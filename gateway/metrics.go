package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what happens. Labels come from closed sets only: adapter instances, classes, features, directions.
type Metrics struct {
	ingested   *prometheus.CounterVec   // direction, adapter, result
	sent       *prometheus.CounterVec   // adapter, class ("ok" when it worked)
	sendTime   *prometheus.HistogramVec // adapter
	endToEnd   *prometheus.HistogramVec // adapter, direction
	degraded   *prometheus.CounterVec   // adapter, feature
	refused    *prometheus.CounterVec   // adapter, condition
	parks      *prometheus.CounterVec   // reason
	dead       *prometheus.CounterVec   // where
	fenced     prometheus.Counter
	shards     prometheus.Gauge
	replicas   prometheus.Gauge
	leads      *prometheus.GaugeVec // adapter
	stanzas    *prometheus.CounterVec
	barrier    *prometheus.HistogramVec
	webhooks   *prometheus.CounterVec // adapter, result
	ephemerals *prometheus.CounterVec // direction, result
	hushed     *prometheus.CounterVec // adapter, reason
	guests     *prometheus.CounterVec // adapter, result
	files      *prometheus.CounterVec // direction, adapter, result
	limited    *prometheus.CounterVec // adapter, scope
	barred     *prometheus.CounterVec // adapter, scope
	stopped    *prometheus.GaugeVec   // adapter
	panics     prometheus.Counter

	hookTime  *prometheus.HistogramVec // adapter
	pollFails *prometheus.CounterVec   // adapter, class
	standings *prometheus.CounterVec   // adapter, standing
	queued    *prometheus.GaugeVec     // where, adapter
	oldest    *prometheus.GaugeVec     // where, adapter
	parked    *prometheus.GaugeVec     // where, reason
	accounts  *prometheus.GaugeVec     // adapter, standing
	canary    canaryMetrics
}

// fileResults are the ends that a file can come to.
var fileResults = []string{
	"ok", string(FileTooLarge), string(FileType), string(FileBroken), string(FileBomb), string(FileForbidden), string(FileGone), string(FileAway), string(FileNowhere), string(FileQuota),
}

// webhookResults are the ends that a webhook call can come to.
var webhookResults = []string{"ok", "unknown_account", "unverified", "malformed", "store_down", "full", "linking", "too_large", "polled", "busy", "stopped"}

// conditions are those that the gateway refuses stanzas with.
var conditions = []Condition{
	ItemNotFound, RegistrationRequired, NotAuthorized, Forbidden, NotAllowed, NotAcceptable, BadRequest, Conflict, ServiceUnavailable,
	RecipientUnavailable, ResourceConstraint, RemoteServerTimeout, PolicyViolation, InternalServerError, UndefinedCondition,
}

// parkReasons, accountStandings and places are the other closed sets.
var (
	parkReasons      = []ParkReason{ParkRetry, ParkLimit, ParkReauth, ParkWindow, ParkPause, ParkLate, ParkShare, ParkBreaker, ParkStopped, ParkBacklog, ParkServer}
	accountStandings = []AccountStanding{
		AccountActive, AccountExpiring, AccountReauthNeeded, AccountReconsentNeeded, AccountSuspended, AccountWithdrawn, AccountWithdrawalQueued,
	}
	places = []string{"in", "out", "outbox"}
)

// guestResults are what can come of somebody on a line who is nobody's contact, or of what is the line's own.
var guestResults = []string{"stranger", "invited", "invite_unknown", "switched", "line"}

// NewMetrics registers the delivery path's metrics. Every series of the given adapters is there from the start, so that
// an alert can tell "never happened" from "not measured".
func NewMetrics(r prometheus.Registerer, adapters []AdapterID) *Metrics {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600}
	m := &Metrics{
		ingested:   counter(r, "postern_ingest_total", "Entries taken into the store.", "direction", "adapter", "result"),
		sent:       counter(r, "postern_send_total", "Ops given to a platform, by how it ended.", "adapter", "class"),
		sendTime:   histogram(r, "postern_send_seconds", "Time of one call to the platform.", seconds, "adapter"),
		endToEnd:   histogram(r, "postern_end_to_end_seconds", "From the event or stanza to its end.", seconds, "adapter", "direction"),
		degraded:   counter(r, "postern_degraded_total", "Ops changed because the platform lacks a feature.", "adapter", "feature"),
		refused:    counter(r, "postern_refused_total", "Stanzas answered with an error.", "adapter", "condition"),
		parks:      counter(r, "postern_parks_total", "Times that a lane was parked.", "reason"),
		dead:       counter(r, "postern_dead_letters_total", "Entries given up on.", "where"),
		leads:      gauge(r, "postern_leader", "1 while this replica holds the component's lease.", "adapter"),
		stopped:    gauge(r, "postern_adapter_stopped", "1 while the operator has stopped the adapter.", "adapter"),
		stanzas:    counter(r, "postern_stanzas_total", "Stanzas confirmed by the XMPP server.", "adapter"),
		barrier:    histogram(r, "postern_barrier_seconds", "From writing a batch to the server's confirmation.", seconds, "adapter"),
		webhooks:   counter(r, "postern_webhooks_total", "Webhook calls by result.", "adapter", "result"),
		ephemerals: counter(r, "postern_ephemerals_total", "Typing and presence, by result.", "direction", "result"),
		hushed:     counter(r, "postern_hushed_total", "Events kept from a user who blocked or muted the contact.", "adapter", "reason"),
		guests:     counter(r, "postern_guests_total", "People and news on an operator's line that are no contact's, by what came of it.", "adapter", "result"),
		files:      counter(r, "postern_files_total", "Files moved, by how it ended.", "direction", "adapter", "result"),
		limited:    counter(r, "postern_limited_total", "Times that something had to wait for a limit, or a user was told to.", "adapter", "scope"),
		barred:     counter(r, "postern_policy_refused_total", "What the operator's policy did not allow a user, by why: the user, or what of their plan is spent.", "adapter", "scope"),
		fenced:     prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_fenced_total", Help: "Writes refused because the lease was lost."}),
		panics:     prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_panics_total", Help: "Panics contained to one entry."}),
		shards:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_shards_owned", Help: "Shards that this replica owns."}),
		replicas:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_replicas", Help: "Replicas that work, as this one knows them, itself included."}),

		hookTime:  histogram(r, "postern_webhook_seconds", "From a webhook that was read to its answer.", seconds, "adapter"),
		pollFails: counter(r, "postern_poll_failures_total", "Times that asking a platform for its events ended, by the class of the error.", "adapter", "class"),
		standings: counter(r, "postern_account_changes_total", "Times that the gateway found an account in another standing; of an operator's line each time that it is refused.", "adapter", "standing"),
		queued:    gauge(r, "postern_queue_entries", "Entries that wait or are worked on in what this replica owns, without parked ones; adapter is empty for what was not read yet.", "where", "adapter"),
		oldest:    gauge(r, "postern_queue_oldest_age_seconds", "Age of the oldest of these entries; 0 where there is none.", "where", "adapter"),
		parked:    gauge(r, "postern_parked_chats", "Chats that wait in a queue of their own, in what this replica owns.", "where", "reason"),
		accounts:  gauge(r, "postern_accounts", "Accounts by standing, as the replica that carries the adapter's component counts them every few minutes.", "adapter", "standing"),
	}
	m.canary = newCanaryMetrics(r, seconds, adapters)
	r.MustRegister(m.fenced, m.panics, m.shards, m.replicas)
	m.start(adapters)
	return m
}

// start makes every series appear.
func (m *Metrics) start(adapters []AdapterID) {
	for _, a := range adapters {
		id := string(a)
		for _, dir := range []string{"in", "out"} {
			for _, result := range []string{"new", "duplicate", "full", "error"} {
				m.ingested.WithLabelValues(dir, id, result)
			}
			m.endToEnd.WithLabelValues(id, dir)
			for _, result := range fileResults {
				m.files.WithLabelValues(dir, id, result)
			}
		}
		m.sent.WithLabelValues(id, "ok")
		for _, c := range Classes() {
			m.sent.WithLabelValues(id, c.String())
		}
		for _, f := range Features() {
			m.degraded.WithLabelValues(id, string(f))
		}
		for _, w := range webhookResults {
			m.webhooks.WithLabelValues(id, w)
		}
		for _, result := range guestResults {
			m.guests.WithLabelValues(id, result)
		}
		for _, reason := range []string{"blocked", "muted"} {
			m.hushed.WithLabelValues(id, reason)
		}
		for _, scope := range append(LimitScopes(), "pause") {
			m.limited.WithLabelValues(id, string(scope))
		}
		for _, scope := range policyScopes {
			m.barred.WithLabelValues(id, scope)
		}
		for _, c := range Classes() {
			m.pollFails.WithLabelValues(id, c.String())
		}
		for _, c := range conditions {
			m.refused.WithLabelValues(id, string(c))
		}
		for _, s := range accountStandings {
			m.standings.WithLabelValues(id, string(s))
			m.accounts.WithLabelValues(id, string(s))
		}
		for _, where := range places {
			m.queued.WithLabelValues(where, id)
			m.oldest.WithLabelValues(where, id)
		}
		m.hookTime.WithLabelValues(id)
		m.sendTime.WithLabelValues(id)
		m.leads.WithLabelValues(id)
		m.stopped.WithLabelValues(id)
		m.stanzas.WithLabelValues(id)
		m.barrier.WithLabelValues(id)
	}
	for _, p := range parkReasons {
		m.parks.WithLabelValues(string(p))
		for _, dir := range []string{"in", "out"} {
			m.parked.WithLabelValues(dir, string(p))
		}
	}
	for _, where := range []string{"in", "out", "outbox", "webhook"} {
		m.dead.WithLabelValues(where)
	}
	for _, dir := range []string{"in", "out"} {
		for _, result := range []string{"ok", "dropped"} {
			m.ephemerals.WithLabelValues(dir, result)
		}
	}
}

func (m *Metrics) leader(a AdapterID, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	m.leads.WithLabelValues(string(a)).Set(v)
}

func (m *Metrics) deadLetter(where string) { m.dead.WithLabelValues(where).Inc() }

func (m *Metrics) carried(a AdapterID, n int, took time.Duration) {
	m.stanzas.WithLabelValues(string(a)).Add(float64(n))
	m.barrier.WithLabelValues(string(a)).Observe(took.Seconds())
}

// Webhook counts a webhook call that never reached the gateway, by one of the results above.
func (m *Metrics) Webhook(a AdapterID, result string) {
	m.webhooks.WithLabelValues(string(a), result).Inc()
}

func counter(r prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

func gauge(r prometheus.Registerer, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

func histogram(r prometheus.Registerer, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	r.MustRegister(h)
	return h
}
