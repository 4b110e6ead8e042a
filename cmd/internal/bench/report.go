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
	// RedisLeft is what stays in Redis of each message once it is through, in bytes: what copies are known by, and what its receipts,
	// corrections and answers are found by. The floor's queue and map stay whole.
	RedisLeft float64 `json:"redis_bytes_left_per_message,omitempty"`
	// CPU is milliseconds of processor time per message, by process.
	CPU      map[string]float64 `json:"cpu_ms_per_message"`
	Disorder int                `json:"out_of_order"`
	Missing  int                `json:"missing"`
}

// System is one gateway with its figures. A nil Load was not measured.
type System struct {
	Name string `json:"name"`
	// Server is the XMPP server: prosody or ejabberd.
	Server string `json:"server,omitempty"`
	// Flood is with 64 messages in flight over 50 chats, 1,000 with simulators; Drip at 100 messages per second, Brisk at 500; Out goes to
	// the platform, In to users.
	FloodOut *Load `json:"flood_out,omitempty"`
	FloodIn  *Load `json:"flood_in,omitempty"`
	// FloodReceipt is FloodOut with messages under way until their receipt is back at the client.
	FloodReceipt *Load `json:"flood_receipt,omitempty"`
	DripOut      *Load `json:"drip_out,omitempty"`
	DripIn       *Load `json:"drip_in,omitempty"`
	BriskOut     *Load `json:"brisk_out,omitempty"`
	BriskIn      *Load `json:"brisk_in,omitempty"`
	// Memory is that after all loads, Idle the percentage of one core used by gateway and Redis while nothing happens.
	Memory Memory  `json:"memory"`
	Idle   float64 `json:"idle_cpu_percent"`
}

// Report is a run of the benchmark.
type Report struct {
	Date    time.Time `json:"date"`
	Machine Machine   `json:"machine"`
	Systems []System  `json:"systems"`
	// Simulators are Postern before the simulator of each platform.
	Simulators []System `json:"simulators,omitempty"`
	Slow       *Slow    `json:"slow,omitempty"`
	Scale      []Scale  `json:"scale,omitempty"`
}

// Slow is Postern before a platform that takes its time.
type Slow struct {
	Delay float64 `json:"delay_ms"`
	Chats int     `json:"chats"`
	Load  *Load   `json:"load"`
	// InFlight is how many messages waited when Redis was measured, InFlightBytes what each took there.
	InFlight      int     `json:"in_flight"`
	InFlightBytes float64 `json:"redis_bytes_per_message_in_flight"`
	// HeldDisorder and HeldMissing are those of them that came in another order, or not at all, when the platform answered again.
	HeldDisorder int `json:"held_out_of_order"`
	HeldMissing  int `json:"held_missing"`
	// Calls is how many calls the platform had in hand, each sampleEvery of the load. Memory is that after it.
	Calls  []int64 `json:"calls_in_flight"`
	Memory Memory  `json:"memory"`
}

// Scale is Postern with so many contacts mapped.
type Scale struct {
	Contacts int `json:"contacts"`
	// ContactBytes is what each contact takes in Redis, Seeding the milliseconds to register the users and write them all, Start those until the
	// process is ready.
	ContactBytes float64 `json:"redis_bytes_per_contact"`
	Seeding      float64 `json:"seeding_ms"`
	Start        float64 `json:"start_ms"`
	// Idle is a moment after the start, Flooded right after a flood to all contacts in turn, Rested when nothing was done for
	// restTime since.
	Idle    Memory `json:"idle"`
	Flooded Memory `json:"flooded"`
	Rested  Memory `json:"rested"`
	Flood   *Load  `json:"flood_out,omitempty"`
}

// Memory is what Postern holds.
type Memory struct {
	// RSS is bytes resident. Anon are those of them that no file holds as well: the rest is the program, which the kernel drops when
	// it needs the room.
	RSS  int64 `json:"rss_bytes"`
	Anon int64 `json:"anon_bytes"`
	// Live is what the collector found in use when it last looked, Heap what is in use and what waits for it, Stacks those of all
	// goroutines, in bytes.
	Live       int64 `json:"heap_live_bytes"`
	Heap       int64 `json:"heap_bytes"`
	Stacks     int64 `json:"stack_bytes"`
	Goroutines int   `json:"goroutines"`
}

func (m Memory) String() string {
	if m.RSS == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f (%.1f; %.1f, %.1f, %.1f; %d)", mb(m.RSS), mb(m.Anon), mb(m.Live), mb(m.Heap), mb(m.Stacks), m.Goroutines)
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

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

// String is the report as a table. x is users, p the platform. Ratios are to the first system with the same XMPP server.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d cores, %s, load average %s before\n", r.Date.Format(time.RFC3339), r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.Load1)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(r.Systems) > 0 {
		r.floods(w, "64 in flight", r.Systems)
		r.drips(w, "100/s", r.Systems)
		r.brisks(w)
	}
	if len(r.Simulators) > 0 {
		fmt.Fprintln(w)
		r.floods(w, "simulators, 64 in flight in 1000 chats", r.Simulators)
		r.drips(w, "simulators, 100/s", r.Simulators)
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

func (r Report) floods(w io.Writer, title string, all []System) {
	fmt.Fprintln(w, title+"\tx->p msg/s\tp->x msg/s\tCPU ms/msg x->p\tp->x\tserver\tRedis\tout of order\tmissing\tRSS MB")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.0f\n", s.Name,
			r.rate(s, func(s System) *Load { return s.FloodOut }), r.rate(s, func(s System) *Load { return s.FloodIn }),
			cpu(s.FloodOut, gatewayCPU), cpu(s.FloodIn, gatewayCPU), cpu(s.FloodOut, serverCPU)+" / "+cpu(s.FloodIn, serverCPU),
			cpu(s.FloodOut, redisCPU)+" / "+cpu(s.FloodIn, redisCPU),
			sum(s, func(l *Load) int { return l.Disorder }), sum(s, func(l *Load) int { return l.Missing }), mb(s.Memory.RSS))
	}
}

func (r Report) drips(w io.Writer, title string, all []System) {
	fmt.Fprintln(w, "\n"+title+"\tx->p p50 / p99 / p99.9 ms\tp->x p50 / p99 / p99.9 ms\tCPU ms/msg x->p\tp->x")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, times(s.DripOut), times(s.DripIn), cpu(s.DripOut, gatewayCPU), cpu(s.DripIn, gatewayCPU))
	}
}

func (r Report) brisks(w io.Writer) {
	fmt.Fprintln(w, "\n500/s\tx->p p50 / p99 / p99.9 ms\tp->x p50 / p99 / p99.9 ms\tCPU ms/msg x->p\tp->x\tidle, % of a core\tof the flood: allocations, x->p / p->x\tRedis bytes that stay of a message, x->p / p->x")
	for _, s := range r.Systems {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s / %s\t%s / %s\n", s.Name, times(s.BriskOut), times(s.BriskIn), cpu(s.BriskOut, gatewayCPU), cpu(s.BriskIn, gatewayCPU),
			s.Idle, allocs(s.FloodOut), allocs(s.FloodIn), left(s.FloodOut), left(s.FloodIn))
	}
}

// The processes whose time is counted.
const (
	gatewayCPU = "gateway"
	serverCPU  = "server"
	redisCPU   = "redis"
	benchCPU   = "bench" // users, people and the platform
)

// base is what a system is compared with: the first one measured with the same server, the least that there was.
func (r Report) base(s System) System {
	for _, b := range r.Systems {
		if b.Server == s.Server {
			return b
		}
	}
	return System{}
}

func (r Report) rate(s System, of func(System) *Load) string {
	l, base := of(s), of(r.base(s))
	if l == nil {
		return "-"
	}
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

func left(l *Load) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", l.RedisLeft)
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
