package xmpptest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait. Under testing/synctest it is virtual.
const patience = 2 * time.Minute

const streamID = "3BF96D32"

// Stanza is one top-level element that the component sent.
type Stanza struct {
	Raw  string            // exactly as it came
	Name string            // local name
	Attr map[string]string // attributes without namespace
	Text string            // all character data, nested too
}

// Conn is the server's end of one component stream.
type Conn struct {
	net.Conn
	stanzas chan Stanza
	ended   chan struct{} // closed when the component's side has ended
	closed  atomic.Bool   // the component sent </stream:stream>
	mute    atomic.Bool   // pings are not answered
	gate    chan struct{} // a token lets the reader run
	once    sync.Once
	writeMu sync.Mutex
	header  map[string]string
	opened  chan struct{}
}

func newConn(c net.Conn) *Conn {
	conn := &Conn{
		Conn: c, stanzas: make(chan Stanza, 1<<16), ended: make(chan struct{}),
		gate: make(chan struct{}, 1), opened: make(chan struct{}),
	}
	conn.gate <- struct{}{}
	go conn.read()
	return conn
}

// Drop closes the connection without a word, as a killed server does.
func (c *Conn) Drop() {
	c.once.Do(func() { c.Close() })
}

// MutePings stops answering the component's pings, or starts again.
func (c *Conn) MutePings(mute bool) { c.mute.Store(mute) }

// StopReading leaves the component's bytes unread until the returned function
// is called: a half-open connection, or a server that is overloaded.
func (c *Conn) StopReading() (resume func()) {
	<-c.gate
	return func() { c.gate <- struct{}{} }
}

// gatedReader waits for the gate and keeps what was read.
type gatedReader struct {
	c   *Conn
	raw *bytes.Buffer
}

func (r gatedReader) Read(b []byte) (int, error) {
	select {
	case <-r.c.gate:
		r.c.gate <- struct{}{}
	case <-time.After(patience):
	}
	n, err := r.c.Read(b)
	r.raw.Write(b[:n])
	return n, err
}

// read decodes until the component closes. It uses encoding/xml, which shares
// no code with the package under test.
func (c *Conn) read() {
	defer close(c.ended)
	raw := &bytes.Buffer{}
	d := xml.NewDecoder(gatedReader{c, raw})
	var base int64
	depth := 0
	var st Stanza
	var from int64
	for {
		before := d.InputOffset()
		tok, err := d.RawToken()
		if err != nil {
			return
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				c.header = attrs(t)
				close(c.opened)
			}
			if depth == 1 {
				st, from = Stanza{Name: t.Name.Local, Attr: attrs(t)}, before
			}
			depth++
		case xml.CharData:
			if depth > 1 {
				st.Text += string(t)
			}
		case xml.EndElement:
			depth--
			if depth == 0 {
				c.closed.Store(true)
				return
			}
			if depth == 1 {
				end := d.InputOffset()
				raw.Next(int(from - base))
				st.Raw = string(raw.Next(int(end - from)))
				base = end
				c.take(st)
			}
		}
	}
}

func attrs(t xml.StartElement) map[string]string {
	out := make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		if a.Name.Space == "" {
			out[a.Name.Local] = a.Value
		}
	}
	return out
}

// take answers pings to the server and queues everything else.
func (c *Conn) take(st Stanza) {
	if st.Name == "iq" && st.Attr["type"] == "get" && strings.Contains(st.Raw, "urn:xmpp:ping") && !c.mute.Load() {
		pong := fmt.Sprintf("<iq type='result' from='%s' to='%s' id='%s'/>", st.Attr["to"], st.Attr["from"], st.Attr["id"])
		go func() { _ = c.write(pong) }() // an error is a lost connection, which the reader meets too
		return
	}
	c.stanzas <- st
}

func (c *Conn) write(s string) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, err := io.WriteString(c.Conn, s)
	return err
}

// open waits for the stream header and answers it.
func (c *Conn) open(t testing.TB, domain string) {
	t.Helper()
	select {
	case <-c.opened:
	case <-c.ended:
		t.Fatal("xmpptest: closed before the stream opened")
	case <-time.After(patience):
		t.Fatal("xmpptest: no stream header")
	}
	if got := c.header["to"]; got != domain {
		t.Fatalf("xmpptest: stream to: got %q, want %q", got, domain)
	}
	c.Send(t, "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "+
		"xmlns:stream='http://etherx.jabber.org/streams' from='"+domain+"' id='"+streamID+"'>")
}

// Send writes raw XML to the component.
func (c *Conn) Send(t testing.TB, raw string) {
	t.Helper()
	if err := c.write(raw); err != nil {
		t.Fatalf("xmpptest: send: %v", err)
	}
}

// TrySend writes raw XML and reports whether the component took it all.
func (c *Conn) TrySend(raw string) error { return c.write(raw) }

// StreamError sends a stream error of that condition and closes the connection.
func (c *Conn) StreamError(t testing.TB, condition string) {
	t.Helper()
	c.Send(t, "<stream:error><"+condition+" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
	c.Drop()
}

// CloseStream sends </stream:stream> and closes the connection.
func (c *Conn) CloseStream(t testing.TB) {
	t.Helper()
	c.Send(t, "</stream:stream>")
	c.Drop()
}

// Next returns the next stanza the component sent; answered pings are left out.
func (c *Conn) Next(t testing.TB) Stanza {
	t.Helper()
	select {
	case st := <-c.stanzas:
		return st
	case <-time.After(patience):
		t.Fatalf("xmpptest: no stanza within %v", patience)
		return Stanza{}
	}
}

// Expect returns the next stanza and requires each of the given pieces in it.
func (c *Conn) Expect(t testing.TB, pieces ...string) Stanza {
	t.Helper()
	st := c.Next(t)
	for _, p := range pieces {
		if !strings.Contains(st.Raw, p) {
			t.Errorf("xmpptest: got %s, want it to contain %s", st.Raw, p)
		}
	}
	return st
}

// Wait returns the next stanza as soon as there is one; ok is false when the component's side has ended.
func (c *Conn) Wait() (st Stanza, ok bool) {
	select {
	case st := <-c.stanzas:
		return st, true
	case <-c.ended:
		return Stanza{}, false
	}
}

// Quiet requires that no stanza has come and not been taken with Next.
func (c *Conn) Quiet(t testing.TB) {
	t.Helper()
	select {
	case st := <-c.stanzas:
		t.Errorf("xmpptest: got %s, want nothing", st.Raw)
	default:
	}
}

// WaitEnd waits until the component has closed its side, and tells whether it
// did so with </stream:stream>.
func (c *Conn) WaitEnd(t testing.TB) bool {
	t.Helper()
	select {
	case <-c.ended:
		return c.closed.Load()
	case <-time.After(patience):
		t.Fatal("xmpptest: the component did not close")
		return false
	}
}
