package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// Scripted is an XMPP server that does as little as a component lets it: it believes every handshake, answers every ping once it has
// told Arrived of all that came before, and says what users say. Beside a real server it shows what a gateway could do with a faster one.
type Scripted struct {
	// Arrived is called with the text of each message, or of the message that a receipt is for.
	Arrived func(text string)

	listener net.Listener
	ended    sync.WaitGroup

	mu   sync.Mutex
	conn net.Conn // of the component; nil while there is none
}

// NewScripted listens on a loopback port until Close.
func NewScripted(ctx context.Context, arrived func(string)) (*Scripted, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: scripted server: %w", err)
	}
	s := &Scripted{Arrived: arrived, listener: l}
	s.ended.Go(s.accept)
	return s, nil
}

// Addr is host:port for the component.
func (s *Scripted) Addr() string { return s.listener.Addr().String() }

// Close ends the connection, and returns when nothing is read any more.
func (s *Scripted) Close() {
	_ = s.listener.Close() // accept sees it
	s.mu.Lock()
	if s.conn != nil {
		_ = s.conn.Close() // serve sees it
	}
	s.mu.Unlock()
	s.ended.Wait()
}

// accept serves one component after another.
func (s *Scripted) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conn = conn
		s.mu.Unlock()
		s.serve(conn)
	}
}

var errNobody = errors.New("bench: scripted server: no component is connected")

// Say has a user's client write a message.
func (s *Scripted) Say(user int, to, body, extra string) error {
	return s.write(strings.Replace(message(to, body, extra), "<message ", fmt.Sprintf("<message from='u%d@localhost/bench' ", user), 1))
}

func (s *Scripted) write(xml string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return errNobody
	}
	_, err := s.conn.Write([]byte(xml))
	return err
}

// serve reads what the component writes until it ends.
func (s *Scripted) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // the component's end is all that matters
	var rest []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		rest = append(rest, buf[:n]...)
		taken := 0
		for {
			length, stanza := cutStanza(rest[taken:])
			if length == 0 {
				break
			}
			taken += length
			if err := s.take(stanza); err != nil {
				return
			}
		}
		rest = append(rest[:0], rest[taken:]...)
	}
}

// take answers one stanza, as far as somebody waits for an answer.
func (s *Scripted) take(stanza []byte) error {
	tag, _, _ := bytes.Cut(stanza, []byte(">"))
	switch {
	case bytes.HasPrefix(stanza, []byte("<stream:stream")):
		return s.write("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='" + attribute(tag, "to") + "' id='bench'>")
	case bytes.HasPrefix(stanza, []byte("<handshake")):
		return s.write("<handshake/>")
	case bytes.HasPrefix(stanza, []byte("<message")):
		if text := textOf(stanza); text != "" {
			s.Arrived(text)
		}
	case bytes.HasPrefix(stanza, []byte("<iq")) && (attribute(tag, "type") == "get" || attribute(tag, "type") == "set"):
		head := "<iq from='" + attribute(tag, "to") + "' to='" + attribute(tag, "from") + "' id='" + attribute(tag, "id") + "' type="
		if bytes.Contains(stanza, []byte("urn:xmpp:ping")) {
			return s.write(head + "'result'/>")
		}
		return s.write(head + "'error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	}
	return nil
}

// cutStanza returns the first stanza of what was read, and how many bytes go with it; none when it is not complete. The header of the
// stream counts as one. It takes the text apart, which is enough for what a gateway writes.
func cutStanza(b []byte) (int, []byte) {
	start := bytes.IndexByte(b, '<')
	if start < 0 {
		return 0, nil
	}
	tag := bytes.IndexByte(b[start:], '>')
	if tag < 0 {
		return 0, nil
	}
	end := start + tag + 1
	head := b[start:end]
	name := head[1:bytes.IndexAny(head, " />\n")]
	if head[1] == '/' {
		name = nil
	}
	if len(name) > 0 && name[0] != '?' && !bytes.Equal(name, []byte("stream:stream")) && !bytes.HasSuffix(head, []byte("/>")) {
		closing := []byte("</" + string(name) + ">")
		length := bytes.Index(b[end:], closing)
		if length < 0 {
			return 0, nil
		}
		end += length + len(closing)
	}
	return end, b[start:end]
}

// attribute is the value of an attribute in a start tag.
func attribute(tag []byte, name string) string {
	_, rest, ok := bytes.Cut(tag, []byte(" "+name+"="))
	if !ok || len(rest) == 0 {
		return ""
	}
	value, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(value)
}
