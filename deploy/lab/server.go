package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds the start of one server; ejabberd on a busy machine is the slowest.
	readyTimeout = 90 * time.Second
	// probeTimeout bounds one question whether a server answers.
	probeTimeout = 3 * time.Second
	// pollEvery separates two such questions.
	pollEvery = 25 * time.Millisecond
)

// Server is one process of a lab. Its methods may be called from any goroutine, one at a time taking effect.
type Server struct {
	name    string
	dir     string
	log     string // file
	command command
	probe   func(context.Context) error
	printf  func(format string, args ...any) // to the log of the lab

	mu   sync.Mutex
	proc *process
}

// command says how a server is started.
type command struct {
	path string
	args []string
	env  []string // added to a minimal environment
	as   account
	// patience is how long an orderly stop may take before the server counts as stuck; 0 never.
	patience time.Duration
}

// Name returns the name of the server inside its lab, such as "redis-2".
func (s *Server) Name() string { return s.name }

// Dir returns the directory with the server's configuration and data.
func (s *Server) Dir() string { return s.dir }

// Log returns the path of the server's log file.
func (s *Server) Log() string { return s.log }

// PID returns the process id, 0 when the server is not running.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid
}

// Start starts a server that was stopped or killed, on the same ports and data, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return fmt.Errorf("lab: start %s: already running", s.name)
	}
	p, err := launch(ctx, s.command, s.dir)
	if err != nil {
		return fmt.Errorf("lab: start %s: %w", s.name, err)
	}
	s.proc = p
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := poll(ctx, p.done, s.probe); err != nil {
		err = fmt.Errorf("lab: start %s: %w\n%s", s.name, err, s.tail())
		p.signalGroup(syscall.SIGKILL)
		<-p.done
		s.proc = nil
		return err
	}
	return nil
}

// Stop ends the server in order (SIGTERM) and waits for it. A server that has not ended when ctx does is killed,
// which is an error; one whose patience has run out is killed as well, as a service manager would, which is none.
// Stopping a stopped server does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proc
	if p == nil {
		return nil
	}
	s.proc = nil
	p.signalGroup(syscall.SIGCONT) // a paused server cannot obey
	// Only the server itself: helpers that it runs are its to end.
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	var stuck <-chan time.Time
	if s.command.patience > 0 {
		t := time.NewTimer(s.command.patience)
		defer t.Stop()
		stuck = t.C
	}
	var err error
	select {
	case <-p.done:
	case <-stuck:
		s.printf("%s has not ended for %s: killed", s.name, s.command.patience)
	case <-ctx.Done():
		err = fmt.Errorf("lab: stop %s: %w, killed", s.name, ctx.Err())
	}
	p.signalGroup(syscall.SIGKILL)
	<-p.done
	return err
}

// Kill ends the server at once (SIGKILL) and waits until it is gone.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("lab: kill %s: not running", s.name)
	}
	s.proc.signalGroup(syscall.SIGKILL)
	<-s.proc.done
	s.proc = nil
	return nil
}

// Restart is Stop, then Start.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Pause freezes the server (SIGSTOP) and returns once it stands still: its connections stay open and nothing answers.
func (s *Server) Pause() error {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	return poll(ctx, nil, func(context.Context) error { return stopped(s.PID()) })
}

// stopped reports whether all threads of a process stand still (proc(5)); one that has ended does.
func stopped(pid int) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // the thread ended meanwhile
		}
		// The name in parentheses may hold spaces; the state follows its last closing one.
		if _, state, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')'):]), ") "); !strings.HasPrefix(state, "T") {
			return errors.New("still running")
		}
	}
	return nil
}

// Resume undoes Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("lab: signal %s: not running", s.name)
	}
	s.proc.signalGroup(sig)
	return nil
}

// tail returns the end of what the server wrote, for the error of a failed start.
func (s *Server) tail() string {
	const limit = 3000
	var b strings.Builder
	for _, file := range []string{filepath.Join(s.dir, outputFile), s.log} {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 {
			continue
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", file, data[max(0, len(data)-limit):])
	}
	return b.String()
}

// outputFile catches standard output and error of a server.
const outputFile = "output.log"

// process is a started child.
type process struct {
	pid  int
	done chan struct{} // closed once the child is reaped
}

// launch starts c in dir. The goroutine ends with the child, which whoever holds the process waits for.
func launch(ctx context.Context, c command, dir string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, outputFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	// A server ends by Stop or Kill; the context bounds its start only.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.path, c.args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8", "HOME=" + dir}, c.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = c.as.attr()

	p := &process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		defer out.Close()
		// PR_SET_PDEATHSIG fires when the thread that forked ends (prctl(2)), so that thread stays here.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // how a server ended is in its log
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// signalGroup signals the child and what it started. A group that is gone is no error.
func (p *process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.pid, sig) }

// poll asks until ok answers nil, ctx ends or gone closes.
func poll(ctx context.Context, gone <-chan struct{}, ok func(context.Context) error) error {
	for {
		once, cancel := context.WithTimeout(ctx, probeTimeout)
		err := ok(once)
		cancel()
		if err == nil {
			return nil
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-timer.C:
		case <-gone:
			timer.Stop()
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("not ready: %w (last answer: %w)", ctx.Err(), err)
		}
	}
}
