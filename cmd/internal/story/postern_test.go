//go:build servers

package story

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/app"
)

// postern is the gateway of a stage: in this process, or a process of its own.
type postern struct {
	t    *testing.T
	log  *lines
	pid  int    // of a process of its own
	stop func() // idempotent
}

// lines is a log that a test reads while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) tail() string {
	all := l.String()
	return all[max(0, len(all)-6000):]
}

// run starts Postern in this process; it stops with the test, or by stop.
func (p *postern) run(file string) {
	p.t.Helper()
	cfg, err := app.Load(file)
	if err != nil {
		p.t.Fatal(err)
	}
	p.log = &lines{}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.Build(ctx, cfg, app.Options{Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		cancel()
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("run: %v", err)
		}
	})
	p.t.Cleanup(p.stop)
}

// exec starts Postern as a process of its own; signal ends it and waits.
func (p *postern) exec(program, file string) (signal func(syscall.Signal)) {
	p.t.Helper()
	p.log = &lines{}
	// It ends by signal alone.
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), program, "serve", "-c", file)
	cmd.Stderr = p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var once sync.Once
	signal = func(sig syscall.Signal) {
		once.Do(func() {
			began := time.Now()
			defer func() { p.t.Logf("%s: ended within %s", sig, time.Since(began).Round(time.Millisecond)) }()
			_ = cmd.Process.Signal(sig)
			if err := <-ended; err != nil && sig == syscall.SIGTERM {
				p.t.Errorf("postern after SIGTERM: %v\n%s", err, p.log.tail())
			}
		})
	}
	p.stop = func() { signal(syscall.SIGTERM) }
	p.t.Cleanup(func() { signal(syscall.SIGKILL) })
	return signal
}

// said waits until the log holds a text n times.
func (p *postern) said(what string, n int) {
	p.t.Helper()
	p.until("the log says "+strconv.Quote(what), func() bool { return strings.Count(p.log.String(), what) >= n })
}

// until polls a condition of real processes.
func (p *postern) until(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			p.t.Fatalf("not within 40 s: %s\n%s", what, p.log.tail())
		case <-tick.C:
		}
	}
}

// freeAddr is an address that no other stage has, nor a lab of another test beside this one: both ask the same register of ports.
func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := ground.lab.Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
