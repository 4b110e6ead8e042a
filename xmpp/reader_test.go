package xmpp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

func TestStreamHostileStanzas(t *testing.T) {
	deep := strings.Repeat("<a>", 10000) + strings.Repeat("</a>", 10000)
	const good = "<message from='u@example/r' to='c@gw.example' id='after'><body>still here</body></message>"
	tests := []struct {
		name, send string
		handled    bool   // the stanza itself reaches the handler
		reply      string // part of what is sent back, "" for nothing
		event      wireEvent
	}{
		{"nested message", "<message from='u@example/r' to='c@gw.example'><message/><body>x</body></message>", true, "", ""},
		{"priority 999", "<presence from='u@example/r' to='gw.example'><priority>999</priority></presence>", true, "", ""},
		{"history offset", "<presence from='u@example/r' to='r@gw.example/n'><x xmlns='http://jabber.org/protocol/muc'><history since='2024-01-01T00:00:00+00:00' maxstanzas=''/></x></presence>", true, "", ""},
		{"deep iq", "<iq type='get' id='d1' from='u@example/r' to='gw.example'>" + deep + "</iq>", false, "policy-violation", eventTooDeep},
		{"deep message", "<message id='d2' from='u@example/r' to='c@gw.example'>" + deep + "</message>", false, "policy-violation", eventTooDeep},
		{"deep error", "<message type='error' id='d3' from='u@example/r' to='c@gw.example'>" + deep + "</message>", false, "", eventTooDeep},
		{"bad entity", "<iq type='set' id='e1' from='u@example/r' to='gw.example'><q xmlns='x'>&nope;</q></iq>", false, "bad-request", eventMalformed},
		{"wrong end tag", "<message id='e2' from='u@example/r' to='c@gw.example'><a></b></message>", false, "bad-request", eventMalformed},
		{"control character", "<message id='e3' from='u@example/r' to='c@gw.example'><body>&#xb;</body></message>", false, "bad-request", eventMalformed},
		{"comment", "<message id='e4' from='u@example/r' to='c@gw.example'><!-- <a> --><body>x</body></message>", false, "bad-request", eventMalformed},
		{"no from", "<message to='c@gw.example'><body>x</body></message>", false, "", eventBadAddress},
		{"invalid from", "<message from='@example' to='c@gw.example'><body>x</body></message>", false, "", eventBadAddress},
		{"foreign from only", "<message xmlns:e='e' e:from='admin@example' to='c@gw.example'><body>x</body></message>", false, "", eventBadAddress},
		{"another domain", "<message from='u@example' to='c@other.example'><body>x</body></message>", false, "", eventBadAddress},
		{"unknown element", "<fish from='u@example' to='c@gw.example'/>", false, "", eventUnknown},
		{"stray result", "<iq type='result' id='7' from='u@example' to='gw.example'/>", false, "", eventStrayResult},
		{"iq of no type", "<iq id='7' from='u@example' to='gw.example'/>", false, "", eventMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.server.Send(t, tt.send+good)
				if tt.handled {
					r.next(t)
				}
				if got := r.next(t).ID(); got != "after" {
					t.Errorf("got stanza %q, want after", got)
				}
				synctest.Wait()
				if tt.reply == "" {
					r.server.Quiet(t)
				} else {
					r.server.Expect(t, tt.reply, "type='error'", "to='u@example/r'")
				}
				if tt.event != "" && r.events.of(tt.event) != 1 {
					t.Errorf("%s: got %d, want 1", tt.event, r.events.of(tt.event))
				}
			})
		})
	}
}

func TestStreamSpoofedSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.server.Send(t, "<message from='alice@example/r' to='c@gw.example' xmlns:e='urn:e' e:from='admin@example' e:type='error' e:id='9' id='1' type='chat'>"+
			"<x xmlns='urn:other'><body>inner</body></x><body xmlns='urn:third'>other</body><body>real</body></message>")
		el := r.next(t)
		body, _ := el.Body()
		got := []string{el.From().String(), el.Type(), el.ID(), body}
		want := []string{"alice@example/r", "chat", "1", "real"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if v, ok := el.LookupAttr("urn:e", "from"); !ok || v != "admin@example" {
			t.Errorf("e:from: got %q, want it kept apart", v)
		}
	})
}

func TestStreamHugeStanza(t *testing.T) {
	r := newRig(t, nil)
	const chunk = 1 << 20
	text := strings.Repeat("x", chunk)
	r.server.Send(t, "<message from='u@example/r' to='c@gw.example' id='big'><body>")
	for range 64 {
		r.server.Send(t, text)
	}
	r.server.Send(t, "</body></message><message from='u@example/r' to='c@gw.example' id='after'/>")
	if got := r.next(t).ID(); got != "after" {
		t.Errorf("got stanza %q, want after", got)
	}
	r.server.Expect(t, "policy-violation", "id='big'")
	r.server.Drop()
	if err := <-r.done; !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, io.EOF)
	}
	if got := cap(r.fr.buf); got > 4*defaultMaxStanza {
		t.Errorf("framer holds %d bytes, want at most %d", got, 4*defaultMaxStanza)
	}
}
