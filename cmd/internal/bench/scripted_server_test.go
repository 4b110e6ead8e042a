package bench

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"testing"
)

// TestScripted: an answer to a ping means that everything before it has been told.
func TestScripted(t *testing.T) {
	var told []string
	s, err := NewScripted(t.Context(), func(text string) { told = append(told, text) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Say(0, "p@gk", "too early", ""); err == nil {
		t.Error("said something to nobody")
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	expect := func(say, want string) {
		t.Helper()
		if _, err := conn.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		got := ""
		for !strings.Contains(got, want) {
			part, err := in.ReadString('>')
			if err != nil {
				t.Fatalf("%v after %q, want %q", err, got, want)
			}
			got += part
		}
	}
	expect("<?xml version='1.0'?>\n<stream:stream xmlns='jabber:component:accept' to='gk.localhost'>", "from='gk.localhost' id='bench'>")
	expect("<handshake>00</handshake>", "<handshake/>")
	expect(" <presence to='a'/><message to='a'><body>one</body></message><message to='a'><received id='two-2' xmlns='x'/></message>"+
		"<iq type='get' from='gk.localhost' to='localhost' id='7'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq from='localhost' to='gk.localhost' id='7' type='result'/>")
	if want := []string{"one", "two 2"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
	expect("<iq type='get' from='gk' to='localhost' id='8'><query xmlns='disco'/></iq>", "<service-unavailable")
	if err := s.Say(3, "p@gk", "bench x 3 1 1", "<x/>"); err != nil {
		t.Fatal(err)
	}
	expect("", "<message from='u3@localhost/bench' to='p@gk' type='chat' id='bench-x-3-1-1'><body>")
}
