package app

import (
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"postern/gateway"
)

// newRegistry returns a registry with what every process tells about itself.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	v := Version()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_build_info", Help: "Always 1; the labels say which build runs."}, []string{"version", "go"})
	info.WithLabelValues(v.Version, v.Go).Set(1)
	live := collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}) // without what waits for the collector
	r.MustRegister(info, collectors.NewGoCollector(live), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// componentStates and stanzaFaults are the closed sets that package xmpp reports (Config.State, Config.Count).
var (
	componentStates = [...]string{"standby", "connecting", "up", "down", "refused", "stopped"}
	stanzaFaults    = [...]string{"malformed", "too_long", "too_deep", "bad_address", "unknown", "stray_result", "panic", "presence_dropped", "own_dropped", "own_refused"}
)

// componentMetrics counts what the components report.
type componentMetrics struct {
	states *prometheus.GaugeVec
	faults *prometheus.CounterVec
}

func newComponentMetrics(r prometheus.Registerer, instances []gateway.Instance) *componentMetrics {
	m := &componentMetrics{
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_component_state", Help: "1 for the state that the component's connection is in."}, []string{"adapter", "state"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postern_stanza_faults_total", Help: "Stanzas that came to nothing."}, []string{"adapter", "fault"}),
	}
	r.MustRegister(m.states, m.faults)
	for _, i := range instances {
		m.state(i.ID)("stopped", nil)
		for _, f := range stanzaFaults {
			m.faults.WithLabelValues(string(i.ID), f)
		}
	}
	return m
}

func (m *componentMetrics) state(id gateway.AdapterID) func(string, error) {
	return func(now string, _ error) {
		for _, s := range componentStates {
			v := 0.0
			if s == now {
				v = 1
			}
			m.states.WithLabelValues(string(id), s).Set(v)
		}
	}
}

func (m *componentMetrics) count(id gateway.AdapterID) func(string) {
	return func(fault string) { m.faults.WithLabelValues(string(id), fault).Inc() }
}
