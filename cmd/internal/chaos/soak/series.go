package soak

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Series is one quantity over time.
type Series struct {
	Name, Unit string
	// Growth is how much of its mean the quantity may grow by over the second half, Slack how much beside that in its unit. The
	// first half is for caches and pools to fill.
	Growth, Slack float64
	Values        []float64
}

// Record is samples taken at the same moments.
type Record struct {
	At     []time.Duration // since the start, growing
	Series []*Series
}

// Add takes one sample, in the order of the series.
func (r *Record) Add(at time.Duration, values ...float64) {
	r.At = append(r.At, at)
	for i, s := range r.Series {
		s.Values = append(s.Values, values[i])
	}
}

// Trend is what the second half of a series does.
type Trend struct {
	Name, Unit string
	Mean       float64
	// Rise is how much the straight line through the samples (least squares) rises from the first to the last of them.
	Rise  float64
	Bound float64 // the most it may
}

// Flat tells whether the rise is within its bound. To fall is no fault.
func (t Trend) Flat() bool { return t.Rise <= t.Bound }

func (t Trend) String() string {
	return fmt.Sprintf("%s: mean %.0f %s, rises by %.1f in the second half, at most %.1f", t.Name, t.Mean, t.Unit, t.Rise, t.Bound)
}

// Trends judges every series. A record of fewer than four samples has none.
func (r *Record) Trends() []Trend {
	half := len(r.At) / 2
	if half < 2 {
		return nil
	}
	var out []Trend
	for _, s := range r.Series {
		mean, slope := line(r.At[half:], s.Values[half:])
		span := (r.At[len(r.At)-1] - r.At[half]).Seconds()
		out = append(out, Trend{Name: s.Name, Unit: s.Unit, Mean: mean, Rise: slope * span, Bound: s.Growth*mean + s.Slack})
	}
	return out
}

// line fits a straight line and returns the mean and the slope per second.
func line(at []time.Duration, values []float64) (mean, slope float64) {
	n := float64(len(at))
	middle := 0.0
	for i := range at {
		middle += at[i].Seconds() / n
		mean += values[i] / n
	}
	over, under := 0.0, 0.0
	for i := range at {
		d := at[i].Seconds() - middle
		over += d * (values[i] - mean)
		under += d * d
	}
	if under == 0 {
		return mean, 0
	}
	return mean, over / under
}

// CSV writes the samples, one moment per line (RFC 4180).
func (r *Record) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	head := []string{"seconds"}
	for _, s := range r.Series {
		head = append(head, fmt.Sprintf("%s (%s)", s.Name, s.Unit))
	}
	rows := [][]string{head}
	for i, at := range r.At {
		row := []string{strconv.FormatFloat(at.Seconds(), 'f', 1, 64)}
		for _, s := range r.Series {
			row = append(row, strconv.FormatFloat(s.Values[i], 'f', -1, 64))
		}
		rows = append(rows, row)
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}

// bounds are the least and the largest of some values.
func bounds(values []float64) (least, most float64) {
	if len(values) == 0 {
		return 0, 0
	}
	return slices.Min(values), slices.Max(values)
}
