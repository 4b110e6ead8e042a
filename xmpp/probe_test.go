package xmpp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"postern/xmpp/xmpptest"
)

// probed lets a component look around at a server that answers by what a request holds, and returns what came of it and what it wrote.
func probed(t *testing.T, answers map[string]string, says ...string) (got Surroundings, wrote string, err error) {
	synctest.Test(t, func(t *testing.T) {
		srv := xmpptest.NewServer()
		done := make(chan struct{})
		go func() {
			defer close(done)
			got, err = Probe(context.Background(), ProbeConfig{
				Domain: "gw.example", Server: "example", Secret: xmpptest.Secret, Dial: srv.Dial, Users: []string{"example", "other.example"},
			})
		}()
		c := srv.Accept(t, "gw.example")
		for _, s := range says {
			c.Send(t, s)
		}
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for {
				st, ok := c.Wait()
				if !ok {
					return
				}
				wrote += st.Raw
				el, err := ParseElement([]byte(st.Raw))
				if err != nil || el.Type() != "get" {
					continue
				}
				typ, payload := "error", "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
				for key, a := range answers {
					to, ns, _ := strings.Cut(key, " ")
					if el.To().String() == to && strings.Contains(st.Raw, ns) {
						typ, payload = "result", a
					}
				}
				_ = c.TrySend("<iq type='" + typ + "' from='" + el.To().String() + "' to='gw.example' id='" + el.ID() + "'>" + payload + "</iq>")
			}
		}()
		<-done
		<-stop
	})
	return got, wrote, err
}

const grantAll = "<message from='example' to='gw.example'><privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/><perm access='message' type='outgoing'/>" +
	"<perm access='iq'><namespace ns='urn:xmpp:http:upload:0' type='get'/></perm></privilege></message>"

// TestProbe sees what a server has and what it lacks, hosts apart.
func TestProbe(t *testing.T) {
	got, wrote, err := probed(t, map[string]string{
		"example jabber:iq:version":                        "<query xmlns='jabber:iq:version'><name>Prosody</name><version>0.12.3</version></query>",
		"example http://jabber.org/protocol/disco#items":   "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='gw.example'/><item jid='up.example'/></query>",
		"example http://jabber.org/protocol/disco#info":    "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:carbons:2'/></query>",
		"up.example http://jabber.org/protocol/disco#info": uploadInfo,
		"up.example postern-doctor":                        slotAnswer,
	}, grantAll,
		"<message from='romeo@example/a' to='nurse@gw.example' id='m1' type='chat'><body>hello</body></message>",
		"<iq from='romeo@example/a' to='gw.example' id='p1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<presence from='romeo@example/a' to='nurse@gw.example'/>")
	if err != nil {
		t.Fatal(err)
	}
	want := Surroundings{Software: "Prosody", Version: "0.12.3", Hosts: []Host{
		{Name: "example", Listed: true, Carbons: true, Upload: "up.example", UploadMax: 1000, Rosters: true, Words: true, Requests: true},
		{Name: "other.example", Upload: "up.example", UploadMax: 1000}, // the main host's service
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Nothing that users send is swallowed, and nothing is told to them unasked.
	if strings.Count(wrote, "<message ") != 1 || !strings.Contains(wrote, "type='error' id='m1'") || strings.Contains(wrote, "<presence") {
		t.Errorf("to users: got %s", wrote)
	}
	if !strings.Contains(wrote, "type='result' id='p1'") {
		t.Errorf("a ping was not answered: %s", wrote)
	}
}

// TestProbeOfNothing takes refusals for answers.
func TestProbeOfNothing(t *testing.T) {
	got, _, err := probed(t, map[string]string{
		"example http://jabber.org/protocol/disco#items":   "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='up.example'/></query>",
		"up.example http://jabber.org/protocol/disco#info": uploadInfo,
	})
	want := Surroundings{Hosts: []Host{
		{Name: "example", Upload: "up.example", UploadMax: 1000, UploadRefused: "service-unavailable"},
		{Name: "other.example", Upload: "up.example", UploadMax: 1000, UploadRefused: "service-unavailable"},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got %v (-want +got):\n%s", err, diff)
	}
}

// TestProbeRefused tells why.
func TestProbeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := xmpptest.NewServer()
		done := make(chan error)
		go func() {
			_, err := Probe(context.Background(), ProbeConfig{Domain: "gw.example", Server: "example", Secret: "x", Dial: srv.Dial})
			done <- err
		}()
		srv.Refuse(t, "gw.example", "host-unknown")
		if refused, ok := errors.AsType[*StreamError](<-done); !ok || refused.Condition != "host-unknown" {
			t.Errorf("got %v, want host-unknown", refused)
		}
	})
}
