//go:build servers

package lab_test

import (
	"crypto/sha1" //nolint:gosec // XEP-0114 asks for it
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/deploy/lab"
)

const readTimeout = 20 * time.Second

// stream is an XMPP stream by hand: the lab is tested without the code that it is there to test.
type stream struct {
	t    *testing.T
	conn net.Conn
	got  string // read and not yet handed out
}

var streamID = regexp.MustCompile(`<stream:stream[^>]* id=['"]([^'"]+)['"]`)

func dial(t *testing.T, addr string) (*stream, error) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &stream{t: t, conn: conn}
	t.Cleanup(s.close)
	return s, nil
}

func (s *stream) close() { _ = s.conn.Close() }

func (s *stream) send(text string) {
	s.t.Helper()
	if _, err := s.conn.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// next hands out everything up to and including one of the marks.
func (s *stream) next(marks ...string) (string, error) {
	buf := make([]byte, 64<<10)
	for {
		for _, m := range marks {
			if i := strings.Index(s.got, m); i >= 0 {
				out := s.got[:i+len(m)]
				s.got = s.got[i+len(m):]
				return out, nil
			}
		}
		if err := s.conn.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
			return "", err
		}
		n, err := s.conn.Read(buf)
		s.got += string(buf[:n])
		if err != nil && n == 0 {
			return "", fmt.Errorf("%w, waiting for %q after %q", err, marks, s.got)
		}
	}
}

func (s *stream) readUntil(mark string) string {
	s.t.Helper()
	out, err := s.next(mark)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *stream) open(ns, to string) (header string, err error) {
	s.send(`<?xml version='1.0'?><stream:stream xmlns='` + ns + `' xmlns:stream='http://etherx.jabber.org/streams' to='` + to + `' version='1.0'>`)
	if _, err := s.next("<stream:stream"); err != nil {
		return "", err
	}
	rest, err := s.next(">")
	return "<stream:stream" + rest, err
}

// component logs in by XEP-0114 §3.
func component(t *testing.T, x *lab.XMPP, domain, secret string) *stream {
	t.Helper()
	s := dialComponent(t, x, domain, secret)
	if err := s.handshake(secret); err != nil {
		t.Fatal(err)
	}
	return s
}

func dialComponent(t *testing.T, x *lab.XMPP, domain, _ string) *stream {
	t.Helper()
	s, err := dial(t, x.ComponentAddr())
	if err != nil {
		t.Fatal(err)
	}
	header, err := s.open("jabber:component:accept", domain)
	if err != nil {
		t.Fatal(err)
	}
	s.got = header + s.got
	return s
}

func (s *stream) handshake(secret string) error {
	id := streamID.FindStringSubmatch(s.got)
	if id == nil {
		return fmt.Errorf("no stream id in %q", s.got)
	}
	s.got = ""
	sum := sha1.Sum([]byte(id[1] + secret)) //nolint:gosec // as above
	s.send("<handshake>" + hex.EncodeToString(sum[:]) + "</handshake>")
	out, err := s.next("<handshake/>", "<handshake></handshake>", "</stream:error>")
	if err != nil {
		return err
	}
	if strings.Contains(out, "error") {
		return errors.New(out)
	}
	return nil
}

// login authenticates (RFC 6120 §6, SASL PLAIN), binds a resource and becomes available.
func login(t *testing.T, x *lab.XMPP, user, password string) *stream {
	t.Helper()
	s, err := authenticate(t, x, user, password)
	if err != nil {
		t.Fatal(err)
	}
	s.send(`<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
	if got := s.readUntil("</iq>"); !strings.Contains(got, user+"@") {
		t.Fatalf("bind: got %s", got)
	}
	s.send(`<presence/>`)
	return s
}

func tryLogin(t *testing.T, x *lab.XMPP, user, password string) error {
	t.Helper()
	_, err := authenticate(t, x, user, password)
	return err
}

func authenticate(t *testing.T, x *lab.XMPP, user, password string) (*stream, error) {
	t.Helper()
	return authenticateAt(t, x, x.Domain(), user, password)
}

func authenticateAt(t *testing.T, x *lab.XMPP, host, user, password string) (*stream, error) {
	t.Helper()
	s, err := dial(t, x.ClientAddr())
	if err != nil {
		return nil, err
	}
	if _, err := s.open("jabber:client", host); err != nil {
		return nil, err
	}
	if _, err := s.next("</stream:features>"); err != nil {
		return nil, err
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	s.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + plain + `</auth>`)
	out, err := s.next("<success", "</failure>")
	if err != nil {
		return nil, err
	}
	if strings.Contains(out, "failure") {
		return nil, errors.New(out)
	}
	if _, err := s.next(">"); err != nil {
		return nil, err
	}
	s.got = ""
	if _, err := s.open("jabber:client", host); err != nil {
		return nil, err
	}
	_, err = s.next("</stream:features>")
	return s, err
}

// state returns the state letter of a process (proc(5)).
func state(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return rest[:1]
}

// family lists a process and its descendants.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		if err != nil {
			continue // the thread ended meanwhile
		}
		for f := range strings.FieldsSeq(string(data)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, family(t, child)...)
		}
	}
	return all
}

// gone waits until a process has ended: helpers end a moment after the server that they belong to.
func gone(t *testing.T, pid int) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); os.IsNotExist(err) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Errorf("process %d is left over", pid)
			return
		}
	}
}
