//go:build servers

package packages_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is a Debian of its own, with systemd as its first process and no network but loopback. It stands on a root that is made
// once and kept in .cache; what is changed is gone with the machine (systemd-nspawn(1), --volatile=overlay).
type machine struct {
	t   *testing.T
	pid string
}

// packages are what the machine has besides the smallest system. A new list makes a new root.
var packages = []string{"systemd", "systemd-sysv", "ca-certificates", "adduser", "man-db", "redis-server", "prosody", "prosody-modules"}

// asRoot puts sudo before a command line where it is needed.
func asRoot(argv ...string) []string {
	if os.Geteuid() == 0 {
		return argv
	}
	return append([]string{"sudo"}, argv...)
}

// root returns the folder of the Debian that machines stand on.
func root(t *testing.T) string {
	t.Helper()
	cache, err := filepath.Abs("../../.cache")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "debian-12")
	made := dir + ".packages" // written last, so that what broke off is made again
	if got, err := os.ReadFile(made); err == nil && string(got) == strings.Join(packages, " ") {
		return dir
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	local(t, asRoot("rm", "-rf", "--one-file-system", dir)...)
	local(t, append(asRoot("nice", "../dev/bootstrap.sh", dir), packages...)...)
	if err := os.WriteFile(made, []byte(strings.Join(packages, " ")), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// local runs a command here.
func local(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// boot starts a machine that sees a folder as /mnt, and ends it with the test.
func boot(t *testing.T, folder string) *machine {
	t.Helper()
	argv := asRoot("systemd-nspawn", "--quiet", "--directory="+root(t), "--volatile=overlay", "--register=no", "--keep-unit", "--private-network",
		"--console=pipe", "--bind-ro="+folder+":/mnt", "--boot")
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var console strings.Builder
	cmd.Stdout, cmd.Stderr = &console, &console
	cmd.Cancel = func() error { // SIGTERM is an orderly end for systemd-nspawn
		argv := asRoot("kill", "-TERM", strconv.Itoa(cmd.Process.Pid))
		return exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...).Run()
	}
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err == nil {
			t.Error("the machine ended by itself")
		}
	})
	m := &machine{t: t}
	deadline := time.After(2 * time.Minute)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("systemd-nspawn: %v\n%s", err, console.String())
		case <-deadline:
			t.Fatalf("the machine does not come up\n%s", console.String())
		case <-tick.C:
		}
		if m.pid == "" {
			m.pid = firstProcess(cmd.Process.Pid)
			continue
		}
		// degraded: a service of Debian's own does not like where it is.
		if state, _ := m.try("systemctl is-system-running"); strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded") {
			tick.Stop()
			return m
		}
	}
}

// firstProcess finds the first process of the machine, a child of systemd-nspawn's, which may itself be a child of sudo's.
func firstProcess(pid int) string {
	for {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		fields := strings.Fields(string(raw))
		if err != nil || len(fields) == 0 {
			return ""
		}
		comm, _ := os.ReadFile("/proc/" + fields[0] + "/comm")
		if strings.TrimSpace(string(comm)) == "systemd" {
			return fields[0]
		}
		if pid, err = strconv.Atoi(fields[0]); err != nil {
			return ""
		}
	}
}

// try runs a shell's command line in the machine.
func (m *machine) try(line string) (string, error) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	argv := asRoot("nsenter", "--target", m.pid, "--all", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8", "sh", "-euc", line)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run is try for what has to succeed.
func (m *machine) run(line string) string {
	m.t.Helper()
	out, err := m.try(line)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// is compares what a command line prints.
func (m *machine) is(line, want string) {
	m.t.Helper()
	got, err := m.try(line)
	if _, exited := errors.AsType[*exec.ExitError](err); got != want || err != nil && !exited {
		m.t.Errorf("%s: got %q, %v, want %q", line, got, err, want)
	}
}

// until runs a command line until it succeeds.
func (m *machine) until(line string) string {
	m.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := m.try(line)
		if err == nil {
			return out
		}
		select {
		case <-tick.C:
		case <-deadline:
			log, _ := m.try("journalctl --no-pager -n 50 -u postern")
			m.t.Fatalf("%s: %v\n%s\n%s", line, err, out, log)
		}
	}
}
