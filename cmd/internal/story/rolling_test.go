//go:build servers

package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy"
)

// pair is two processes of one gateway behind a load balancer.
type pair struct {
	*stage
	first, second *process
}

// process is one of several of the same gateway.
type process struct {
	*postern
	file, hook, site string
	program          string // the build of this source where it is empty
	signal           func(syscall.Signal)
}

// process prepares one of several processes of a stage's gateway: own listeners, own state_dir, the rest in common.
func (s *stage) process(name string) *process {
	s.Helper()
	p := &process{postern: &postern{t: s.T}, hook: freeAddr(s.T), site: freeAddr(s.T)}
	text := strings.NewReplacer("state_dir: state", "state_dir: "+name, fmt.Sprintf("public: %q", s.hook), fmt.Sprintf("public: %q", p.hook), s.site, p.site)
	// Users write as fast as no person does.
	p.file = s.file(name+".yaml", text.Replace(s.config())+"    limits: {user: \"off\", chat: \"off\"}\n")
	return p
}

// rewrite changes the process's configuration.
func (p *process) rewrite(old, with string) {
	p.t.Helper()
	text, err := os.ReadFile(p.file)
	if err == nil {
		err = os.WriteFile(p.file, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// up starts the process and waits until it serves.
func (p *process) up() {
	p.t.Helper()
	program := p.program
	if program == "" {
		program = binary(p.t)
	}
	p.signal = p.exec(program, p.file)
	p.said("webhook address told to the platform", 1)
}

// owns returns how many shards the process has, by its metrics, and whether it leads the component; nothing while it is down.
func (p *process) owns(ctx context.Context) (shards string, leads bool) {
	for line := range strings.Lines(p.metrics(ctx)) {
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, "postern_shards_owned "); ok {
			shards = n
		}
		leads = leads || strings.HasPrefix(line, "postern_leader{") && strings.HasSuffix(line, " 1")
	}
	return shards, leads
}

// metrics is what the process tells; nothing while it is down.
func (p *process) metrics(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.site+"/metrics", http.NoBody)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	all, _ := io.ReadAll(resp.Body) // what is cut off lacks a line
	return string(all)
}

// preparePair makes two processes behind a load balancer, and starts neither.
func preparePair(s *stage) *pair {
	s.Helper()
	p := &pair{stage: s, first: s.process("one"), second: s.process("two")}
	balance(s.T, s.hook, p.first.hook, p.second.hook)
	return p
}

// start starts both, of which the first leads the component, and waits until they share.
func (p *pair) start() {
	p.Helper()
	p.first.up()
	p.first.said("xmpp stream up", 1)
	p.second.up()
	p.shares(p.first, p.second)
	p.postern = p.first.postern
}

// shares waits until all of some processes own the same.
func (p *pair) shares(all ...*process) {
	p.Helper()
	want := fmt.Sprint(64 / len(all))
	p.first.until("every process owns "+want+" shards", func() bool {
		for _, x := range all {
			if got, _ := x.owns(p.ctx); got != want {
				return false
			}
		}
		return true
	})
}

// balance is a load balancer on addr as an operator has one: it asks the next when one is down or says 5xx.
func balance(t *testing.T, addr string, targets ...string) {
	t.Helper()
	var turn atomic.Int64
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	forward := func(r *http.Request, body []byte, target string) (*http.Response, error) {
		u := *r.URL
		u.Scheme, u.Host = "http", target
		req, err := http.NewRequestWithContext(r.Context(), r.Method, u.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = r.Header.Clone()
		resp, err := client.Do(req)
		if err == nil && resp.StatusCode >= http.StatusInternalServerError {
			_ = resp.Body.Close()
			err = errors.New(resp.Status)
		}
		return resp, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is cut off is not taken
		n := int(turn.Add(1))
		for i := range targets {
			resp, err := forward(r, body, targets[(n+i)%len(targets)])
			if err != nil {
				continue
			}
			defer func() { _ = resp.Body.Close() }()
			w.WriteHeader(resp.StatusCode)
			_, _ = io.Copy(w, resp.Body) // the client asks again
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	})}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) }) // until it is closed
	t.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
}

// version is the one that the running process says it has.
func (p *process) version(ctx context.Context) string {
	_, rest, _ := strings.Cut(p.metrics(ctx), "postern_build_info{")
	_, rest, _ = strings.Cut(rest, `version="`)
	version, _, _ := strings.Cut(rest, `"`)
	return version
}

// TestRollingUpgrade gives one of two processes after the other a newer program, in the middle of traffic both ways. What the one owned is
// with the other at once, both programs work side by side, and nothing is lost in silence, comes twice or out of order.
func TestRollingUpgrade(t *testing.T) {
	processes(t, func(s *stage) {
		p := preparePair(s)
		p.start()
		next, version := newer(s.T)
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		n := c.Count()
		talk := p.talk(c, jid, "nurse")
		for _, x := range []struct{ goes, stays *process }{{p.first, p.second}, {p.second, p.first}} {
			talk.on(24)
			p.leaves(x.goes, x.stays)
			talk.on(12)
			x.goes.program = next
			x.goes.up()
			began := time.Now()
			p.shares(p.first, p.second)
			p.Logf("the process that came back has its share %s after its start", time.Since(began).Round(time.Millisecond))
			if got := x.goes.version(p.ctx); got != version {
				p.Errorf("it is of version %q, want %q", got, version)
			}
			talk.on(12)
		}
		lines := talk.end()
		s.see(c, n, "the last text", text(jid, fmt.Sprint("in ", lines-1)))
		s.inOrder("to the user", bodies(c, n, "in "), "in ", lines)
		s.talks(c, jid, "nurse")
		got, lost := s.fates(c, n, talk.where, talk.ids)
		s.increasing(got, "out ")
		s.Logf("of %d messages %d arrived, %d came back, %d were lost by the server", lines, len(got), lines-len(got)-len(lost), len(lost))
		if len(lost) > 0 && s.kind == deploy.Prosody {
			// ejabberd drops what it has not written yet when it reads our end of stream, and tells nobody.
			s.Errorf("%d messages neither arrived nor came back: %q", len(lost), lost)
		}
		if came := lines - len(got); came > lines/4 {
			s.Errorf("%d of %d messages did not arrive, want few: only those of the moment between two streams", came, lines)
		}
	})
}

// leaves ends one process with SIGTERM and waits until the other has everything; it asserts that this was soon.
func (p *pair) leaves(goes, stays *process) {
	p.Helper()
	_, led := goes.owns(p.ctx)
	up := strings.Count(stays.log.String(), "xmpp stream up")
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		goes.signal(syscall.SIGTERM)
	}()
	if led {
		stays.said("xmpp stream up", up+1)
	}
	stream := time.Since(began)
	p.shares(stays)
	all := time.Since(began)
	<-ended
	p.Logf("SIGTERM: the component (led: %v) was with the other process within %s, all shards within %s", led, stream.Round(time.Millisecond), all.Round(time.Millisecond))
	if all > 6*time.Second { // about one on a machine that has nothing else to do; a lease lasts 15
		p.Errorf("hand-over took %s, want less than 6 s", all)
	}
}

// chatter says lines both ways until it is told to stop.
type chatter struct {
	p     *pair
	lines atomic.Int64
	stop  func()
	wg    sync.WaitGroup

	where string
	ids   map[string]string // of stanzas, by line
}

func (p *pair) talk(c *user.Client, jid, person string) *chatter {
	over := make(chan struct{})
	k := &chatter{p: p, stop: sync.OnceFunc(func() { close(over) }), ids: map[string]string{}}
	k.wg.Go(func() {
		tick := time.NewTicker(30 * time.Millisecond) // the sandbox keeps the last 500 messages of a chat
		defer tick.Stop()
		for i := 0; ; i++ {
			line := fmt.Sprint("out ", i)
			id, err := c.Send(p.ctx, jid, line)
			if err != nil {
				p.Error(err)
				return
			}
			k.ids[line] = id
			k.where = p.say(person, c.JID(), fmt.Sprint("in ", i)).Conversation
			k.lines.Add(1)
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	})
	p.Cleanup(func() { k.end() })
	return k
}

// on waits until so many more lines were said.
func (k *chatter) on(more int) {
	k.p.Helper()
	want := k.lines.Load() + int64(more)
	k.p.first.until("more lines", func() bool { return k.lines.Load() >= want })
}

// end returns how many lines were said each way.
func (k *chatter) end() int {
	k.stop()
	k.wg.Wait()
	return int(k.lines.Load())
}
