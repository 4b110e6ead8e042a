//go:build servers && soak

package chaos_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/soak"
	"postern/cmd/internal/chaos/stand"
)

const (
	soakRate    = 20 // messages per second and direction: a day of such half an hour is one of a message a second
	soakDefault = 30 * time.Minute
	sampleEach  = time.Second
	// redisPerMessage is what Redis may keep of a message beyond its end, in bytes: two ids both ways (130 each), and for a day the
	// name under which a repetition is known.
	redisPerMessage = 1024
)

// TestSoak lets one gateway work steadily and checks that nothing of it grows, and that every message arrived. DURATION says how
// long (30m); what was measured goes to bin/artefacts as soak.csv and soak.svg.
func TestSoak(t *testing.T) {
	length := soakDefault
	if text := os.Getenv("POSTERN_DURATION"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("DURATION: %v", err)
		}
	}
	if _, err := gateway(); err != nil { // before the clock starts
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length+10*time.Minute)
	defer cancel()
	r := newRig(t, setup{seed: 1})
	r.rate = soakRate
	p := r.process(ctx, "postern")
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	r.Hook(p)
	if err := r.login(ctx); err != nil {
		t.Fatal(err)
	}
	r.slow(ctx, calmMS)
	r.release()
	messages := 2 * soakRate * length.Seconds() / 2 // of the second half
	rec := &soak.Record{Series: []*soak.Series{
		{Name: "resident memory", Unit: "MiB", Growth: 0.04, Slack: 1},
		{Name: "heap in use", Unit: "MiB", Growth: 0.04, Slack: 1},
		{Name: "goroutines", Unit: "goroutines", Growth: 0.02, Slack: 3},
		{Name: "open files", Unit: "files", Growth: 0.05, Slack: 2},
		{Name: "memory of Redis", Unit: "MiB", Slack: redisPerMessage * messages / (1 << 20)},
	}}
	stop := r.talk(ctx)
	err := r.sample(ctx, p, rec, length)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	report := r.finish(ctx, chaos.Minimum{Messages: int(soakRate * length.Seconds() / 2)}, cellWords)
	t.Logf("%s of %d messages/s each way, %d samples\n%s", length, soakRate, len(rec.At), report)
	if len(report.Violations) > 0 {
		t.Errorf("got %d violations, want none", len(report.Violations))
	}
	for _, trend := range rec.Trends() {
		t.Log(trend)
		if !trend.Flat() {
			t.Errorf("grows: %s", trend)
		}
	}
	if err := keepRecord(rec, fmt.Sprintf("Postern, %s, %d messages/s each way", length, soakRate)); err != nil {
		t.Error(err)
	}
}

// sample looks once a second.
func (r *rig) sample(ctx context.Context, p *stand.Process, rec *soak.Record, length time.Duration) error {
	began := time.Now()
	t := time.NewTicker(sampleEach)
	defer t.Stop()
	for time.Since(began) < length {
		select {
		case <-t.C:
		case <-p.Done():
			return fmt.Errorf("it ended:\n%s", p.Tail())
		case <-ctx.Done():
			return ctx.Err()
		}
		at := time.Since(began)
		use, err := p.Use()
		if err != nil {
			return err
		}
		m, err := metrics(ctx, p)
		if err != nil {
			return err
		}
		info, err := r.Redis.Do(ctx, "INFO", "memory")
		if err != nil {
			return err
		}
		text, _ := info.(string)
		_, after, _ := strings.Cut(text, "used_memory:")
		used, _, _ := strings.Cut(after, "\r\n")
		redis, err := strconv.ParseFloat(used, 64)
		if err != nil {
			return err
		}
		const mib = 1 << 20
		rec.Add(at, float64(use.RSS)/mib, m["go_memstats_heap_inuse_bytes"]/mib, m["go_goroutines"], m["process_open_fds"], redis/mib)
	}
	return nil
}

// metrics reads those metrics of a gateway that have no labels.
func metrics(ctx context.Context, p *stand.Process) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	for _, name := range []string{"go_memstats_heap_inuse_bytes", "go_goroutines", "process_open_fds"} {
		if out[name] == 0 {
			return nil, fmt.Errorf("metrics: no %s", name)
		}
	}
	return out, nil
}

// keepRecord writes the files that stay.
func keepRecord(rec *soak.Record, title string) error {
	dir := os.Getenv("POSTERN_ARTEFACTS")
	if dir == "" {
		dir = "../../../bin/artefacts"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{
		"soak.csv": rec.CSV, "soak.svg": func(w io.Writer) error { return rec.SVG(w, title) },
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := write(f); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
