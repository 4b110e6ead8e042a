package xmpp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/xmpp/conformance"
)

const (
	uploadInfo = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='store' type='file'/><feature var='urn:xmpp:http:upload:0'/>" +
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value></field>" +
		"<field var='max-file-size'><value>1000</value></field></x></query>"
	slotAnswer = "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://up.example/put/cat.png'><header name='Authorization'>Bearer&#10;x</header>" +
		"<header name='Host'>evil</header><header name='cookie'>c=1</header></put><get url='https://up.example/get/cat.png'/></slot>"
)

// slot starts a request for a slot and returns what it comes to.
func (r *gatewayRig) slot(size int64) func() (gateway.Slot, error) {
	synctest.Wait() // until the component is up
	var slot gateway.Slot
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		slot, err = r.c.Slot(context.Background(), gateway.SlotRequest{
			To: gateway.Recipient{Adapter: "castle", User: "romeo@example"}, Name: "cat.png", Size: size, MIME: "image/png",
		})
	}()
	return func() (gateway.Slot, error) { <-done; return slot, err }
}

// reply answers the next request, which must hold these pieces.
func (r *gatewayRig) reply(payload string, pieces ...string) *Element {
	r.t.Helper()
	st := r.Expect(r.t, pieces...)
	el, err := ParseElement([]byte(st.Raw))
	if err != nil {
		r.t.Fatal(err)
	}
	r.respond(el, payload)
	return el
}

func (r *gatewayRig) respond(to *Element, payload string) {
	r.t.Helper()
	typ := "result"
	if strings.HasPrefix(payload, "<error") {
		typ = "error"
	}
	r.Send(r.t, "<iq type='"+typ+"' from='"+to.Attr("to")+"' to='"+to.Attr("from")+"' id='"+to.ID()+"'>"+payload+"</iq>")
}

const noService = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

func (r *gatewayRig) discoverUpload() {
	r.t.Helper()
	r.listServices()
	r.describe(map[string]string{"example": "<query xmlns='http://jabber.org/protocol/disco#info'/>", "rooms.example": noService, "up.example": uploadInfo})
}

// listServices answers what the server offers.
func (r *gatewayRig) listServices() {
	r.t.Helper()
	r.reply("<query xmlns='http://jabber.org/protocol/disco#items'><item jid='rooms.example'/><item jid='gw.example'/><item jid='up.example'/></query>", "disco#items", "to='example'")
}

// describe takes one question for each of the services and answers it; to "" it gives no answer.
func (r *gatewayRig) describe(answers map[string]string) {
	r.t.Helper()
	for range answers {
		el := r.element()
		answer, ok := answers[el.Attr("to")]
		if !ok || el.Child(nsDiscoInfo, "query") == nil {
			r.t.Fatalf("got %s, want a question to one of %v", el, answers)
		}
		if answer != "" {
			r.respond(el, answer)
		}
	}
}

func TestSlotOfTheComponent(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		end := r.slot(1000)
		r.discoverUpload()
		el := r.reply(slotAnswer, "urn:xmpp:http:upload:0", "to='up.example'")
		want := "<request xmlns='urn:xmpp:http:upload:0' filename='cat.png' size='1000' content-type='image/png'/>"
		if got := el.FirstChild().String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		slot, err := end()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(gateway.Slot{
			Put: "https://up.example/put/cat.png", Get: "https://up.example/get/cat.png", Header: map[string]string{"Authorization": "Bearerx", "Cookie": "c=1"},
		}, slot); d != "" {
			t.Errorf("slot (-want +got):\n%s", d)
		}
		end = r.slot(10) // the service is known by now
		r.reply("<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><file-too-large xmlns='urn:xmpp:http:upload:0'/></error>", "urn:xmpp:http:upload:0", "to='up.example'")
		for _, end := range []func() (gateway.Slot, error){end, r.slot(1001)} {
			_, err := end()
			if fe, ok := errors.AsType[*gateway.FileError](err); !ok || fe.Reason != gateway.FileTooLarge || fe.Max != 1000 || !errors.Is(err, gateway.ErrNoSlot) {
				t.Errorf("got %v, want no slot, since it is too large", err)
			}
		}
	})
}

func TestSlotInTheUsersName(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 69)
		r.Send(t, advert("example", nsPrivilege, "<perm access='iq'><namespace ns='urn:xmpp:http:upload:0' type='get'/></perm>"))
		synctest.Wait()
		end := r.slot(1000)
		r.discoverUpload()
		head := "<privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' type='result' id='x'>"
		el := r.reply(head+slotAnswer+"</iq></forwarded></privilege>", "privileged_iq", "to='romeo@example'", "to='up.example'")
		slot, err := end()
		proof.That(err == nil && slot.Put == "https://up.example/put/cat.png", "got %+v, %v", slot, err)
		proof.That(el.Attr("to") == "romeo@example", "got a request to %s, want the user's account", el.Attr("to"))

		end = r.slot(1000) // the user's quota is used up: on the component's
		r.reply("<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "privileged_iq")
		r.reply(slotAnswer, "urn:xmpp:http:upload:0", "from='gw.example'", "to='up.example'")
		slot, err = end()
		proof.That(err == nil && slot.Get != "", "got %+v, %v, want the component's own slot", slot, err)

		end = r.slot(1000) // neither: whoever asked goes on to the own store
		r.reply("<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "privileged_iq")
		r.reply("<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "urn:xmpp:http:upload:0")
		_, err = end()
		proof.That(errors.Is(err, gateway.ErrNoSlot), "got %v, want no slot", err)
	})
}

func TestNoSlot(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		end := r.slot(1)
		r.reply("<query xmlns='http://jabber.org/protocol/disco#items'/>", "disco#items")
		r.reply("<query xmlns='http://jabber.org/protocol/disco#info'/>", "disco#info")
		if _, err := end(); !errors.Is(err, gateway.ErrNoSlot) {
			t.Errorf("got %v, want no slot without a service", err)
		}
		if _, err := r.slot(1)(); !errors.Is(err, gateway.ErrNoSlot) { // not asked again at once
			t.Errorf("got %v, want no slot", err)
		}
		_, err := r.c.Slot(t.Context(), gateway.SlotRequest{To: gateway.Recipient{User: "eve@elsewhere"}})
		if !errors.Is(err, gateway.ErrNoSlot) {
			t.Errorf("got %v, want no slot for strangers", err)
		}
		r.Drop()
		synctest.Wait()
		if _, err := r.slot(1)(); !errors.Is(err, gateway.ErrElsewhere) {
			t.Errorf("got %v, want %v without a stream", err, gateway.ErrElsewhere)
		}
	})
}

// TestSlotUnsure: what the server did not refuse may work later, and is asked again.
func TestSlotUnsure(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		later := func(what string, err, want error) {
			t.Helper()
			if err == nil || errors.Is(err, gateway.ErrNoSlot) || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: got %v, want an error that is no refusal (%v)", what, err, want)
			}
		}
		began := time.Now()
		end := r.slot(10)
		r.listServices()
		r.describe(map[string]string{"example": noService, "rooms.example": noService, "up.example": ""})
		_, err := end()
		later("the service does not answer", err, nil)
		if took := time.Since(began); took != uploadPatience {
			t.Errorf("got an end after %v, want %v", took, uploadPatience)
		}
		end = r.slot(10)
		r.listServices()
		r.describe(map[string]string{"example": noService, "rooms.example": noService, "up.example": "<error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"})
		_, err = end()
		later("the service is not there for now", err, nil)
		end = r.slot(10) // one that never answers costs nothing where another is the service
		r.listServices()
		r.describe(map[string]string{"example": noService, "rooms.example": "", "up.example": uploadInfo})
		r.reply("<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "urn:xmpp:http:upload:0", "to='up.example'")
		_, err = end()
		later("wait", err, nil)
		end = r.slot(10)
		r.Expect(t, "urn:xmpp:http:upload:0", "to='up.example'")
		_, err = end()
		later("no answer", err, nil)
		end = r.slot(10)
		r.Expect(t, "urn:xmpp:http:upload:0", "to='up.example'")
		r.Drop()
		_, err = end()
		later("the stream ends", err, gateway.ErrElsewhere)
	})
}

// TestSlotsAskOnce: files that come at once do not each search for the service.
func TestSlotsAskOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		ends := []func() (gateway.Slot, error){r.slot(1), r.slot(2), r.slot(3)}
		synctest.Wait()
		r.discoverUpload()
		for range ends {
			r.reply(slotAnswer, "urn:xmpp:http:upload:0", "to='up.example'")
		}
		for _, end := range ends {
			if _, err := end(); err != nil {
				t.Error(err)
			}
		}
	})
}
