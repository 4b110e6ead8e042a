package conformance

import (
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Variable names the environment variable with the path of the file that proofs are appended to. Unset, none is kept.
const Variable = "POSTERN_CONFORMANCE"

// Server is where a test has shown something.
type Server string

// The servers of a proof. What depends on no server is proved in process, for all of them.
const (
	Prosody   Server = "prosody"
	Ejabberd  Server = "ejabberd"
	InProcess Server = "in process"
)

// Record is one line of the file of proofs, as JSON.
type Record struct {
	Numbers []int  `json:"numbers"`
	Server  Server `json:"server"`
	// Test is the last element of the package's path, and the test's name: story.TestWalk/edit.
	Test string `json:"test"`
	// Degraded says why the proof is of a lack, and of what happens instead.
	Degraded string `json:"degraded,omitempty"`
}

// Proof is one test's claim that statements hold on a server. Its methods may be called from several goroutines, Must from
// the test's own.
type Proof struct {
	t  testing.TB
	mu sync.Mutex
	// checks counts what the test has looked at through the proof.
	checks int
	record Record
}

// Prove claims that the statements of these numbers hold on the server. The claim is kept if t passes and has checked
// something by That or Must; without any check t fails, and so it does for numbers that there are not.
func Prove(t testing.TB, server Server, numbers ...int) *Proof {
	t.Helper()
	p := &Proof{t: t, record: Record{Numbers: numbers, Server: server, Test: testName(t.Name(), server)}}
	if !slices.Contains([]Server{Prosody, Ejabberd, InProcess}, server) {
		t.Fatalf("conformance: unknown server %q", server)
	}
	if len(numbers) == 0 {
		t.Fatalf("conformance: a proof of no statement")
	}
	for _, n := range numbers {
		if !slices.ContainsFunc(Statements(), func(s Statement) bool { return s.Number == n }) {
			t.Fatalf("conformance: there is no statement %d", n)
		}
	}
	t.Cleanup(p.close)
	return p
}

// That checks: unless ok, the test has failed, with a text in the form of fmt.Printf, and goes on.
func (p *Proof) That(ok bool, format string, args ...any) {
	p.t.Helper()
	p.count()
	if !ok {
		p.t.Errorf(format, args...)
	}
}

// Must checks like That, but a failure ends the test.
func (p *Proof) Must(ok bool, format string, args ...any) {
	p.t.Helper()
	p.count()
	if !ok {
		p.t.Fatalf(format, args...)
	}
}

// Degraded says that the server cannot do what the statements want, and that the proof is of what happens instead.
func (p *Proof) Degraded(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Degraded = why
}

func (p *Proof) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks++
}

// close runs when the test is over.
func (p *Proof) close() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.t.Failed() || p.t.Skipped() {
		return
	}
	if p.checks == 0 {
		p.t.Errorf("conformance: the test claims statements %v and has checked nothing", p.record.Numbers)
		return
	}
	path := os.Getenv(Variable)
	if path == "" {
		return
	}
	if err := p.record.write(path); err != nil {
		p.t.Errorf("conformance: %v", err)
	}
}

// write appends the record by one write, so that tests of several processes share the file.
func (r Record) write(path string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // a report, not a secret
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// testName is the test's name below its package's, without the server that a column of the table stands for.
func testName(name string, server Server) string {
	parts := slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool { return part == string(server) })
	return packageName() + strings.Join(parts, "/")
}

// packageName is that of the first caller outside of this package's own code, with a dot; stacks name functions as
// postern/xmpp_test.TestX.func1.
func packageName() string {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.File, "_test.go") {
			name := frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
			name, _, _ = strings.Cut(name, ".")
			return strings.TrimSuffix(name, "_test") + "."
		}
		if !more {
			return ""
		}
	}
}
