package stand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = 60 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// Process is a gateway. It can be started again after it has ended.
type Process struct {
	// Public is host:port of what takes webhooks, Admin of Postern's other listener.
	Public, Admin string
	// Log is the file with what it writes, over all its lives.
	Log string

	hooks  string // host:port where the platform finds Public
	enter  []string
	binary string
	args   []string
	env    []string
	ready  func(context.Context) error

	mu   sync.Mutex
	pid  int
	done chan struct{} // closed when the current life has ended
}

// Process makes one more Postern with a state_dir of its own, not started yet.
func (s *Stand) Process(ctx context.Context, name string) (*Process, error) {
	p, err := s.Other(ctx, name, s.cfg.Binary)
	if err != nil {
		return nil, err
	}
	if p.Admin, err = FreeAddr(ctx); err != nil {
		return nil, err
	}
	component, err := s.via(ctx, name+"/"+PathXMPP, s.XMPP.ComponentAddr())
	if err != nil {
		return nil, err
	}
	redis := s.url
	if s.cfg.Store == Single || s.cfg.Store == "" { // the others tell their clients by themselves where they are, all of them the same
		addr, err := s.via(ctx, name+"/"+PathRedis, s.Redis.Told())
		if err != nil {
			return nil, err
		}
		redis = strings.Replace(redis, s.Redis.Told(), addr, 1)
	}
	_, host, _ := strings.Cut(s.Platform, "://")
	platform, err := s.via(ctx, name+"/"+PathPlatform, host)
	if err != nil {
		return nil, err
	}
	if p.hooks, err = s.via(ctx, name+"/"+PathHooks, p.Public); err != nil {
		return nil, err
	}
	config, state := filepath.Join(s.cfg.Dir, name+".yaml"), filepath.Join(s.cfg.Dir, name+".state")
	if s.cfg.Enter != nil {
		if p.enter, err = s.cfg.Enter(ctx, name, filepath.Join(state, "media")); err != nil {
			return nil, err
		}
	}
	p.args, p.ready = []string{"serve", "-c", config}, p.answers
	p.env = []string{"SSL_CERT_FILE=" + s.roots} // crypto/x509: all that it trusts
	waits := 0                                   // of what a failover may lose nothing that was taken
	if s.Failover != nil {
		waits = len(s.Nodes) - 1
	}
	files := slices.Concat([]string{s.XMPP.UploadAddr()}, s.cfg.FileHosts)
	text := fmt.Sprintf(`server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key, wait_replicas: %d}
http: {public: %q, admin: %q, public_url: "http://%s"}
log: {level: info, format: text}
media: {internal_hosts: ["%s"]}
state_dir: %s
adapters:
  %s:
    type: gatekeeper
    jid: %s
    limits: {user: "off", chat: "off", first_contact: "off"}
    secret: %q
    base_url: %q
    client_id: %s
    key_file: partner.pem
    webhook_secret_file: webhook.secret
%s`, component, redis, waits, p.Public, p.Admin, HookHost, strings.Join(files, `", "`), state,
		Adapter, Domain, s.ComponentSecret, "http://"+platform, ClientID, s.cfg.Settings)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("stand: %w", err)
	}
	return p, nil
}

// Other makes a process of another program, which takes webhooks on "-listen host:port".
func (s *Stand) Other(ctx context.Context, name, binary string, args ...string) (*Process, error) {
	p := &Process{binary: binary, Log: filepath.Join(s.cfg.Dir, name+".log"), done: make(chan struct{})}
	close(p.done)
	var err error
	if p.Public, err = FreeAddr(ctx); err != nil {
		return nil, err
	}
	p.hooks = p.Public
	p.args, p.ready = append(args, "-listen", p.Public), p.listens
	return p, nil
}

// Program makes the process one of another build of the same program, before it is started.
func (p *Process) Program(binary string) { p.binary = binary }

func (p *Process) listens(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Public)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Start runs the process with these variables added to its environment, and waits until it says that it is ready.
func (p *Process) Start(ctx context.Context, env ...string) error {
	if err := p.launch(ctx, env); err != nil {
		return fmt.Errorf("stand: start: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err := Poll(ctx, func() error {
		select {
		case <-p.Done():
			return &ended{p.tail()}
		default:
		}
		return p.ready(ctx)
	})
	if err != nil {
		return fmt.Errorf("stand: start: %w", err)
	}
	return nil
}

// ended stops a wait for a process that is gone.
type ended struct{ log string }

func (e *ended) Error() string { return "ended before it was ready:\n" + e.log }

func (p *Process) answers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", resp.Status)
	}
	return nil
}

// launch starts the child. The goroutine ends with it.
func (p *Process) launch(ctx context.Context, env []string) error {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	line := slices.Concat(p.enter, []string{p.binary}, p.args)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), line[0], line[1:]...)
	cmd.Env = slices.Concat(os.Environ(), p.env, env)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done, started := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		defer out.Close()
		// PR_SET_PDEATHSIG fires when the thread that forked ends (prctl(2)), so that thread stays here.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.mu.Lock()
		p.pid, p.done = cmd.Process.Pid, done
		p.mu.Unlock()
		started <- nil
		_ = cmd.Wait() // how it ended is in its log
	}()
	return <-started
}

// Done is closed when the current life has ended.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// PID is the current life's process id.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Signal sends a signal to the process, if it still lives.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.Done():
		return os.ErrProcessDone
	default:
	}
	return syscall.Kill(p.PID(), sig)
}

// Stop ends the process in order and waits for it; when ctx ends first it is killed, which is an error.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return nil //nolint:nilerr // it has ended already
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		p.Kill()
		return errors.New("stand: stop: killed, it did not end in time")
	}
}

// Kill ends the process at once and waits for it.
func (p *Process) Kill() {
	if p.Signal(syscall.SIGKILL) == nil {
		<-p.Done()
	}
}

// Use is what a process has used so far.
type Use struct {
	CPU time.Duration // user and system
	RSS int64         // bytes resident now
}

// Use reads proc(5) of the running process.
func (p *Process) Use() (Use, error) { return UseOf(p.PID()) }

// UseOf is Use of any process.
func UseOf(pid int) (Use, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Use{}, fmt.Errorf("stand: use: %w", err)
	}
	// The name in parentheses may hold spaces; field 3 follows its last closing one.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 22 {
		return Use{}, errors.New("stand: use: short stat")
	}
	num := func(n int) int64 {
		v, _ := strconv.ParseInt(f[n-3], 10, 64) // the kernel writes numbers
		return v
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	return Use{CPU: time.Duration(num(14)+num(15)) * tick, RSS: num(24) * int64(os.Getpagesize())}, nil
}

// crashes are what the runtime writes before the stacks of all goroutines, which are longer than a tail.
var crashes = regexp.MustCompile(`(?m)^(?:fatal error|panic|runtime|SIG[A-Z]+): .*$`)

// Tail returns the end of what the process wrote, and where it crashed the beginning of that.
func (p *Process) tail() string {
	const limit = 3000
	data, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	tail := max(0, len(data)-limit)
	if at := crashes.FindIndex(data); at != nil && at[0] < tail {
		return string(data[at[0]:min(at[0]+limit, tail)]) + "\n...\n" + string(data[tail:])
	}
	return string(data[tail:])
}

// Tail returns the last lines of the log.
func (p *Process) Tail() string { return p.tail() }

// Poll asks until ok answers nil or ctx ends.
func Poll(ctx context.Context, ok func() error) error {
	for {
		err := ok()
		if err == nil {
			return nil
		}
		if _, gone := errors.AsType[*ended](err); gone {
			return err
		}
		t := time.NewTimer(pollEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w (last answer: %w)", ctx.Err(), err)
		}
	}
}

// Config is the path of Postern's configuration.
func (p *Process) Config() string { return p.args[2] }
