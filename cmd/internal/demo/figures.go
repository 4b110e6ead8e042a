package demo

import (
	"context"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// figures are what the gateway counts, as far as the page shows it.
type figures struct {
	FromUsers float64 `json:"from_users"`
	ToUsers   float64 `json:"to_users"`
	Waiting   float64 `json:"waiting"`
	Refused   float64 `json:"refused"`
	// Typical is what half of the messages took at most from end to end, in milliseconds; 0 before the first.
	Typical float64 `json:"typical_ms"`
	// Memory is resident, in MB.
	Memory float64 `json:"memory_mb"`
}

// count asks /metrics.
func (s *stage) count(ctx context.Context) (figures, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", http.NoBody)
	if err != nil {
		return figures{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return figures{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return figures{}, fmt.Errorf("demo: metrics: %s", resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return figures{}, fmt.Errorf("demo: metrics: %w", err)
	}
	return figuresOf(families), nil
}

func figuresOf(families map[string]*dto.MetricFamily) figures {
	return figures{
		FromUsers: sum(families["postern_ingest_total"], map[string]string{"direction": "out", "result": "new"}),
		ToUsers:   sum(families["postern_ingest_total"], map[string]string{"direction": "in", "result": "new"}),
		Waiting:   sum(families["postern_queue_entries"], nil),
		Refused:   sum(families["postern_refused_total"], nil),
		Typical:   1000 * median(families["postern_end_to_end_seconds"]),
		Memory:    sum(families["process_resident_memory_bytes"], nil) / 1e6,
	}
}

// sum adds up the series that have all of labels.
func sum(f *dto.MetricFamily, labels map[string]string) float64 {
	total := 0.0
	for _, m := range f.GetMetric() {
		fits := 0
		for _, l := range m.GetLabel() {
			if labels[l.GetName()] == l.GetValue() && l.GetValue() != "" {
				fits++
			}
		}
		if fits == len(labels) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}

// median is the bound of the bucket that half of what was seen is in or below, over all series.
func median(f *dto.MetricFamily) float64 {
	below, bounds, all := map[float64]uint64{}, []float64(nil), uint64(0)
	for _, m := range f.GetMetric() {
		all += m.GetHistogram().GetSampleCount()
		for _, b := range m.GetHistogram().GetBucket() {
			if _, known := below[b.GetUpperBound()]; !known {
				bounds = append(bounds, b.GetUpperBound())
			}
			below[b.GetUpperBound()] += b.GetCumulativeCount()
		}
	}
	for _, bound := range bounds { // they come in order
		if all > 0 && 2*below[bound] >= all {
			return bound
		}
	}
	return 0
}
