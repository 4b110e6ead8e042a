package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Load is what one direction did under one load.
type Load struct {
	Messages int     `json:"messages"`
	Rate     float64 `json:"messages_per_s"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	// Allocs and AllocBytes are what Postern allocated for each message.
	Allocs     float64 `json:"allocs_per_message,omitempty"`
	AllocBytes float64 `json:"alloc_bytes_per_message,omitempty"`
	// CPU is milliseconds of processor time per message, by process.
	CPU      map[string]float64 `json:"cpu_ms_per_message"`
	Disorder int                `json:"out_of_order"`
	Missing  int                `json:"missing"`
}

// System is one gateway with its figures. A nil Load was not measured.
type System struct {
	Name string `json:"name"`
	// Flood is with 64 messages in flight over 50 chats, Drip at 100 messages per second, Brisk at 500; Out goes to the platform, In
	// to users.
	FloodOut *Load `json:"flood_out,omitempty"`
	FloodIn  *Load `json:"flood_in,omitempty"`
	// FloodReceipt is FloodOut with messages under way until their receipt is back at the client.
	FloodReceipt *Load `json:"flood_receipt,omitempty"`
	DripOut      *Load `json:"drip_out,omitempty"`
	DripIn       *Load `json:"drip_in,omitempty"`
	BriskOut     *Load `json:"brisk_out,omitempty"`
	BriskIn      *Load `json:"brisk_in,omitempty"`
	// RSS is bytes resident after all loads, Idle the percentage of one core used by gateway and Redis while nothing happens.
	RSS  int64   `json:"rss_bytes"`
	Idle float64 `json:"idle_cpu_percent"`
}

// Report is a run of the benchmark.
type Report struct {
	Date    time.Time `json:"date"`
	Machine Machine   `json:"machine"`
	Systems []System  `json:"systems"`
	Slow    *Slow     `json:"slow,omitempty"`
	Scale   []Scale   `json:"scale,omitempty"`
}

// Slow is Postern before a platform that takes its time.
type Slow struct {
	Delay float64 `json:"delay_ms"`
	Chats int     `json:"chats"`
	Load  *Load   `json:"load"`
	// InFlight is how many messages waited when Redis was measured, InFlightBytes what each took there.
	InFlight      int     `json:"in_flight"`
	InFlightBytes float64 `json:"redis_bytes_per_message_in_flight"`
}

// Scale is Postern with so many contacts mapped.
type Scale struct {
	Contacts int `json:"contacts"`
	// ContactBytes is what each contact takes in Redis, Start the milliseconds until the process is ready.
	ContactBytes float64 `json:"redis_bytes_per_contact"`
	Start        float64 `json:"start_ms"`
	// IdleRSS is resident after the start, RSS after a flood to all contacts in turn; Flood is nil where that takes too long.
	IdleRSS int64 `json:"idle_rss_bytes"`
	RSS     int64 `json:"rss_bytes,omitempty"`
	Flood   *Load `json:"flood_out,omitempty"`
}

// Machine says what the figures were measured on.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	// Load1 is the load average of the minute before: other work on the machine spoils absolute figures.
	Load1 string `json:"load_average_1m"`
}

// ThisMachine reads proc(5).
func ThisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(raw), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		m.CPU = strings.Trim(line, " \t:")
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load1, _, _ = strings.Cut(string(raw), " ")
	}
	return m
}

// Write stores the report as JSON.
func (r Report) Write(file string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: report: %w", err)
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil { //nolint:gosec // figures are no secret
		return fmt.Errorf("bench: report: %w", err)
	}
	return nil
}

// String is the report as a table. x is users, p the platform. Ratios are to the first system of the same column.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d cores, %s, load average %s before\n", r.Date.Format(time.RFC3339), r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.Load1)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "64 in flight\tx->p msg/s\tp->x msg/s\tCPU ms/msg x->p\tp->x\tserver\tRedis\tout of order\tmissing\tRSS MB")
	for _, s := range r.Systems {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.0f\n", s.Name,
			r.rate(s.FloodOut, func(s System) *Load { return s.FloodOut }), r.rate(s.FloodIn, func(s System) *Load { return s.FloodIn }),
			cpu(s.FloodOut, gatewayCPU), cpu(s.FloodIn, gatewayCPU), cpu(s.FloodOut, serverCPU)+" / "+cpu(s.FloodIn, serverCPU),
			cpu(s.FloodOut, redisCPU)+" / "+cpu(s.FloodIn, redisCPU),
			sum(s, func(l *Load) int { return l.Disorder }), sum(s, func(l *Load) int { return l.Missing }), float64(s.RSS)/1e6)
	}
	fmt.Fprintln(w, "\n100/s\tx->p p50 / p99 / p99.9 ms\tp->x p50 / p99 / p99.9 ms\tCPU ms/msg x->p\tp->x\tidle, % of a core")
	for _, s := range r.Systems {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f\n", s.Name, times(s.DripOut), times(s.DripIn), cpu(s.DripOut, gatewayCPU), cpu(s.DripIn, gatewayCPU), s.Idle)
	}
	fmt.Fprintln(w, "\n500/s\tx->p p50 / p99 / p99.9 ms\tp->x p50 / p99 / p99.9 ms\tCPU ms/msg x->p\tp->x\tallocations in the flood, x->p / p->x")
	for _, s := range r.Systems {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s / %s\n", s.Name, times(s.BriskOut), times(s.BriskIn), cpu(s.BriskOut, gatewayCPU), cpu(s.BriskIn, gatewayCPU), allocs(s.FloodOut), allocs(s.FloodIn))
	}
	r.more(w)
	_ = w.Flush() // a strings.Builder takes everything
	for _, s := range r.Systems {
		if l := s.FloodReceipt; l != nil {
			fmt.Fprintf(&b, "\n%s, x->p until the receipt is back: %.0f msg/s, p50 / p99 / p99.9 %s ms, CPU %s ms/msg\n", s.Name, l.Rate, times(l), cpu(l, gatewayCPU))
		}
	}
	return b.String()
}

// The processes whose time is counted.
const (
	gatewayCPU = "gateway"
	serverCPU  = "prosody"
	redisCPU   = "redis"
)

func (r Report) rate(l *Load, same func(System) *Load) string {
	if l == nil {
		return "-"
	}
	base := same(r.Systems[0])
	if base == nil || base == l || base.Rate == 0 {
		return fmt.Sprintf("%.0f", l.Rate)
	}
	return fmt.Sprintf("%.0f (%.2f)", l.Rate, l.Rate/base.Rate)
}

func cpu(l *Load, of string) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", l.CPU[of])
}

func times(l *Load) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f / %.2f / %.2f", l.P50, l.P99, l.P999)
}

func allocs(l *Load) string {
	if l == nil || l.Allocs == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f (%.1f kB)", l.Allocs, l.AllocBytes/1e3)
}

// more is what is measured of Postern alone.
func (r Report) more(w io.Writer) {
	if s := r.Slow; s != nil {
		fmt.Fprintf(w, "\nplatform takes %.0f ms, %d chats\tmsg/s\tp50 / p99 / p99.9 ms\tRedis bytes per message in flight (of %d)\n", s.Delay, s.Chats, s.InFlight)
		fmt.Fprintf(w, "postern\t%.0f\t%s\t%.0f\n", s.Load.Rate, times(s.Load), s.InFlightBytes)
	}
	if len(r.Scale) > 0 {
		fmt.Fprintln(w, "\ncontacts\tRedis bytes each\tstart ms\tidle RSS MB\tx->p msg/s\tp50 / p99 / p99.9 ms\tCPU ms/msg\tRSS MB")
	}
	for _, s := range r.Scale {
		rate := "-"
		if s.Flood != nil {
			rate = fmt.Sprintf("%.0f", s.Flood.Rate)
		}
		fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.1f\t%s\t%s\t%s\t%.1f\n", s.Contacts, s.ContactBytes, s.Start, float64(s.IdleRSS)/1e6, rate,
			times(s.Flood), cpu(s.Flood, gatewayCPU), float64(s.RSS)/1e6)
	}
}

func sum(s System, of func(*Load) int) int {
	n := 0
	for _, l := range s.loads() {
		if l.Load != nil {
			n += of(l.Load)
		}
	}
	return n
}
