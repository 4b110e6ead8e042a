//go:build servers

package lab_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/deploy"
	"postern/deploy/lab"
)

const testTimeout = 3 * time.Minute

func config() lab.XMPPConfig {
	return lab.XMPPConfig{
		Components: []lab.Component{
			{Domain: "gw.localhost", Secret: `s3"cr\et`, Privileged: true},
			{Domain: "gw2.localhost", Secret: "other"},
		},
		Hosts:    []string{"other.localhost"},
		Granting: []string{"third.localhost"},
		Users:    []lab.Login{{User: "alice", Password: "pw-alice"}, {User: "iago", Domain: "other.localhost", Password: "pw-iago"}},
	}
}

// eachServer runs f on both XMPP servers.
func eachServer(t *testing.T, f func(t *testing.T, l *lab.Lab, x *lab.XMPP)) {
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			l := lab.ForTest(t)
			f(t, l, start(t, l, kind))
		})
	}
}

func start(t *testing.T, l *lab.Lab, kind deploy.Server) *lab.XMPP {
	t.Helper()
	run := l.StartProsody
	if kind == deploy.Ejabberd {
		run = l.StartEjabberd
	}
	x, err := run(t.Context(), config())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

func TestXMPPServer(t *testing.T) {
	eachServer(t, func(t *testing.T, l *lab.Lab, x *lab.XMPP) {
		ctx := deadline(t)

		gw := component(t, x, "gw.localhost", `s3"cr\et`)
		privileges := gw.readUntil("</message>")
		// Each host that grants rights says so itself.
		more := gw.readUntil("</message>")
		if !strings.Contains(privileges+more, "third.localhost") || !strings.Contains(more, "outgoing") {
			t.Errorf("privileges of a further host: got %s, then %s", privileges, more)
		}
		for _, want := range []string{"roster", "outgoing"} {
			if !strings.Contains(privileges+more, want) {
				t.Errorf("privileges of gw: got %s, want %s in it", privileges, want)
			}
		}
		gw2 := component(t, x, "gw2.localhost", "other")

		alice := login(t, x, "alice", "pw-alice")
		alice.send(`<message to='bob@gw.localhost' type='chat' id='m1'><body>to gw</body></message>`)
		alice.send(`<message to='bob@gw2.localhost' type='chat' id='m2'><body>to gw2</body></message>`)
		if got := gw.readUntil("to gw</body>"); strings.Contains(got, "to gw2") {
			t.Errorf("gw got the message for gw2: %s", got)
		}
		if got := gw2.readUntil("to gw2</body>"); strings.Contains(got, "privilege") {
			t.Errorf("gw2 got privileges: %s", got)
		}

		// A component asks for an upload slot (XEP-0363).
		gw.send(`<iq from='gw.localhost' to='` + x.Upload() + `' type='get' id='u1'>` +
			`<request xmlns='urn:xmpp:http:upload:0' filename='a.jpg' size='10' content-type='image/jpeg'/></iq>`)
		if got := gw.readUntil("</iq>"); !strings.Contains(got, "<put") || !strings.Contains(got, "https://"+x.UploadAddr()) {
			t.Errorf("upload slot: got %s, want a put address on %s", got, x.UploadAddr())
		} else {
			put(ctx, t, l, got)
		}

		// The archive (XEP-0313) holds what alice sent.
		alice.send(`<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>`)
		if got := alice.readUntil("<fin"); !strings.Contains(got, "to gw2") {
			t.Errorf("archive: got %s, want the message in it", got)
		}

		if _, err := authenticateAt(t, x, "other.localhost", "iago", "pw-iago"); err != nil {
			t.Errorf("user of a further host: %v", err)
		}
		if err := tryLogin(t, x, "iago", "pw-iago"); err == nil {
			t.Error("user of a further host: got in at the first one as well")
		}

		if err := x.AddUser(ctx, lab.Login{User: "romeo", Password: "first"}); err != nil {
			t.Fatal(err)
		}
		login(t, x, "romeo", "first")
		if err := x.AddUser(ctx, lab.Login{User: "romeo", Password: "second"}); err != nil {
			t.Fatal(err)
		}
		login(t, x, "romeo", "second")
	})
}

func TestComponentTakesOver(t *testing.T) {
	eachServer(t, func(t *testing.T, _ *lab.Lab, x *lab.XMPP) {
		first := component(t, x, "gw.localhost", `s3"cr\et`)
		first.readUntil("</message>")
		if x.Kind() == deploy.Ejabberd {
			// ejabberd shares the stanzas out between both; a gateway ends the old one before it dials. The route goes a
			// moment after the stream: it has gone when a question to it comes back as an error.
			first.send("</stream:stream>")
			first.close()
			asker := login(t, x, "alice", "pw-alice")
			err := os.ErrDeadlineExceeded
			for tries := 0; errors.Is(err, os.ErrDeadlineExceeded) && tries < 3; tries++ {
				asker.send(`<iq type='get' id='p1' to='gw.localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
				_, err = asker.next("</iq>")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		second := component(t, x, "gw.localhost", `s3"cr\et`)
		second.readUntil("</message>")
		login(t, x, "alice", "pw-alice").send(`<message to='bob@gw.localhost' type='chat' id='m1'><body>hello</body></message>`)
		second.readUntil("hello</body>")
	})
}

func TestWrongSecret(t *testing.T) {
	eachServer(t, func(t *testing.T, _ *lab.Lab, x *lab.XMPP) {
		if err := dialComponent(t, x, "gw.localhost", "wrong").handshake("wrong"); err == nil {
			t.Error("wrong secret: got a login, want an error")
		}
		if err := tryLogin(t, x, "alice", "wrong"); err == nil {
			t.Error("wrong password: got a login, want an error")
		}
	})
}

func TestXMPPRestartKeepsData(t *testing.T) {
	eachServer(t, func(t *testing.T, _ *lab.Lab, x *lab.XMPP) {
		ctx := deadline(t)
		alice := login(t, x, "alice", "pw-alice")
		alice.send(`<message to='alice@localhost' type='chat' id='m1'><body>kept in the archive</body></message>`)
		alice.readUntil("kept in the archive")

		pid := x.PID()
		if err := x.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		if x.PID() == pid {
			t.Error("restart: got the same process, want another")
		}
		alice = login(t, x, "alice", "pw-alice")
		alice.send(`<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2'/></iq>`)
		if got := alice.readUntil("<fin"); !strings.Contains(got, "kept in the archive") {
			t.Errorf("archive after the restart: got %s", got)
		}

		if err := x.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := tryLogin(t, x, "alice", "pw-alice"); err == nil {
			t.Error("killed server: got a login, want an error")
		}
		if err := x.Start(ctx); err != nil {
			t.Fatal(err)
		}
		login(t, x, "alice", "pw-alice")
	})
}

func TestPause(t *testing.T) {
	l := lab.ForTest(t)
	x := start(t, l, deploy.Prosody)
	if err := x.Pause(); err != nil {
		t.Fatal(err)
	}
	if got := state(t, x.PID()); got != "T" {
		t.Errorf("state of the paused server: got %s, want T (stopped)", got)
	}
	if err := x.Resume(); err != nil {
		t.Fatal(err)
	}
	login(t, x, "alice", "pw-alice")
	if err := x.Pause(); err != nil {
		t.Fatal(err)
	}
	// The lab's closing has to end the paused server too.
}

// TestParentDies starts one server of each kind in another process, kills that process and looks for survivors.
func TestParentDies(t *testing.T) {
	ctx := deadline(t)
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestParentDiesChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	var left []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		pid, dir, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("child says %q: %v", lines.Text(), err)
		}
		pids = append(pids, family(t, n)...)
		left = append(left, dir)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as asked
	if len(left) != 3 {
		t.Errorf("got %d servers, want 3", len(left))
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
}

// childDir names the variable that makes TestParentDiesChild the other process.
const childDir = "POSTERN_LAB_TEST_CHILD"

// TestParentDiesChild is not a test of its own: without the variable there is nothing to do.
func TestParentDiesChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	l := lab.New(dir, nil)
	start(t, l, deploy.Prosody)
	start(t, l, deploy.Ejabberd)
	if _, err := l.StartRedis(t.Context(), lab.RedisConfig{}); err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Servers() {
		fmt.Fprintln(os.Stdout, s.PID(), s.Dir())
	}
	fmt.Fprintln(os.Stdout, "ready")
	<-t.Context().Done() // until killed
}

func TestSideBySideAndNothingLeft(t *testing.T) {
	ctx := deadline(t)
	var labs [2]*lab.Lab
	var wg sync.WaitGroup
	errs := make(chan error, 6)
	for i := range labs {
		l := lab.New(t.TempDir(), nil)
		labs[i] = l
		wg.Go(func() {
			_, err := l.StartProsody(ctx, config())
			errs <- err
		})
		wg.Go(func() {
			_, err := l.StartEjabberd(ctx, config())
			errs <- err
		})
		wg.Go(func() {
			_, err := l.StartRedis(ctx, lab.RedisConfig{})
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	var pids []int
	var dirs []string
	for _, l := range labs {
		for _, s := range l.Servers() {
			pids = append(pids, family(t, s.PID())...)
			dirs = append(dirs, s.Dir())
		}
	}
	if len(dirs) != 6 || len(pids) < 6 {
		t.Errorf("got %d servers with %d processes, want 6 and at least as many", len(dirs), len(pids))
	}
	for _, l := range labs {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err == nil && strings.HasPrefix(dir, "/var/tmp/") {
			t.Errorf("%s is left over", dir)
		}
	}
	for _, pid := range pidsWith(t, dirs) {
		t.Errorf("process %d still names a directory of the labs", pid)
	}
}

func TestRedis(t *testing.T) {
	ctx := deadline(t)
	l := lab.ForTest(t)
	r, err := l.StartRedis(ctx, lab.RedisConfig{AppendOnly: true, Fsync: lab.FsyncAlways})
	if err != nil {
		t.Fatal(err)
	}
	do := func(want any, args ...string) {
		t.Helper()
		if got, err := r.Do(ctx, args...); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", strings.Join(args, " "), got, err, want)
		}
	}
	do("OK", "SET", "k", "v")
	if err := r.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	do("v", "GET", "k")
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	do("v", "GET", "k")
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	do(int64(0), "DBSIZE")
	if want := fmt.Sprintf("redis://%s/0", r.Addr()); r.URL() != want {
		t.Errorf("URL: got %s, want %s", r.URL(), want)
	}
}

func TestRedisCluster(t *testing.T) {
	ctx := deadline(t)
	l := lab.ForTest(t)
	c, err := l.StartRedisCluster(ctx, 3, lab.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		v, err := c.Nodes[0].Do(ctx, "CLUSTER", "SLOTS")
		if err != nil {
			t.Fatal(err)
		}
		served := map[int64]int64{}
		for _, r := range v.([]any) {
			row := r.([]any)
			node := row[2].([]any)
			served[node[1].(int64)] += row[1].(int64) - row[0].(int64) + 1
		}
		total := int64(0)
		for _, n := range served {
			total += n
		}
		if len(served) != 3 || total != 16384 {
			t.Errorf("slots by node: got %v, want 16384 on three nodes", served)
		}
	}
	check()
	if err := c.Nodes[1].Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	check()
	if err := c.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// put uploads to the slot, by https.
func put(ctx context.Context, t *testing.T, l *lab.Lab, slot string) {
	t.Helper()
	_, roots, err := l.CA()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	_, rest, _ := strings.Cut(slot, "<put")
	_, rest, _ = strings.Cut(rest, "url=")
	url := strings.SplitN(rest[1:], rest[:1], 2)[0]
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, strings.ReplaceAll(url, "&amp;", "&"), strings.NewReader("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/jpeg")
	_, header, found := strings.Cut(slot, "<header")
	if found {
		_, value, _ := strings.Cut(header, ">")
		value, _, _ = strings.Cut(value, "<")
		req.Header.Set("Authorization", value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("upload: got %s, want 201", resp.Status)
	}
}

// pidsWith lists the processes whose command line names one of the directories.
func pidsWith(t *testing.T, dirs []string) (found []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue // ended meanwhile
		}
		for _, dir := range dirs {
			if strings.Contains(string(line), dir) {
				var pid int
				if _, err := fmt.Sscanf(f, "/proc/%d/", &pid); err != nil {
					t.Fatal(err)
				}
				found = append(found, pid)
			}
		}
	}
	return found
}
