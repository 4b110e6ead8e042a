package xmpp

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
	"postern/xmpp/xmpptest"
)

// The whole story between one user's server and one platform: register by form,
// add a contact, text both ways with a receipt, leave.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStory(t)
		session, answers := "", ""
		q := r.result("gw.example", "get", registerGet)
		for _, f := range q.Child(nsForm, "x").ChildrenNamed(nsForm, "field") {
			switch name := f.Attr("var"); {
			case name == formSession:
				session = f.Child(nsForm, "value").Text()
			case f.Attr("type") == "boolean":
				answers += field(name, "1")
			}
		}
		reply := r.ask("gw.example", "set", registerForm(session, answers+field("name", "romeo")))
		if reply.Attr("type") != "result" {
			t.Fatalf("got %s", reply)
		}
		// XEP-0100 §4.1: the subscription request comes after the result.
		sub := r.until(func(el *Element) bool { return el.Is(nsClient, "presence") && el.Attr("type") == "subscribe" })
		if sub.Attr("from") != testDomain || sub.Attr("to") != "romeo@example" {
			t.Errorf("got %s", sub)
		}
		r.Send(t, "<presence type='subscribed' from='romeo@example' to='gw.example'/><presence type='subscribe' from='romeo@example' to='gw.example'/>")
		r.until(func(el *Element) bool { return el.Attr("type") == "subscribed" && el.Attr("from") == testDomain })
		r.until(func(el *Element) bool {
			return el.Is(nsClient, "presence") && el.Attr("type") == "" && el.Attr("from") == testDomain
		})

		r.Send(t, iqXML("romeo@example/phone", "gw.example", "set", "<query xmlns='jabber:iq:gateway'><prompt>anna</prompt></query>"))
		added := r.until(func(el *Element) bool { return el.Is(nsClient, "iq") })
		contact := added.FirstChild().Child(nsGateway, "jid").Text()
		if contact == "" {
			t.Fatalf("got %s", added)
		}
		r.Send(t, "<presence type='subscribe' from='romeo@example' to='"+contact+"'/>")
		r.until(func(el *Element) bool { return el.Attr("type") == "subscribed" && el.Attr("from") == contact })

		r.Send(t, chatTo(contact, "<body>ciao</body><request xmlns='urn:xmpp:receipts'/>"))
		for range 100 {
			if len(r.platform.Sent()) > 0 {
				break
			}
			<-time.After(100 * time.Millisecond)
		}
		sent := r.platform.Sent()
		if len(sent) != 1 || sent[0].Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text != "ciao" {
			t.Fatalf("got %+v", sent)
		}
		r.webhook(gateway.Status{IDs: []gateway.MessageID{"m1"}, State: gateway.StatusDelivered}, sent[0].Chat)
		r.until(func(el *Element) bool { return el.Child(nsReceipts, "received").Attr("id") == "u1" })
		r.webhook(gateway.Message{ID: "n1", Content: gateway.PlainText("ciao a te \x00")}, sent[0].Chat)
		msg := r.until(func(el *Element) bool { body, _ := el.Body(); return strings.HasPrefix(body, "ciao a te") })
		if msg.Attr("from") != contact+"/gateway" || msg.Child(nsSID, "origin-id").Attr("id") != msg.ID() {
			t.Errorf("got %s", msg)
		}

		stranger := r.answer("<message type='chat' from='juliet@example/x' to='" + contact + "' id='j1'><body>hi</body></message>")
		wantError(t, stranger, contact, "juliet@example/x", "j1", RegistrationRequired, "auth")
		r.Send(t, iqXML("romeo@example/phone", "gw.example", "set", "<query xmlns='jabber:iq:register'><remove/></query>"))
		if el := r.until(func(el *Element) bool { return el.Is(nsClient, "iq") }); el.Attr("type") != "result" {
			t.Errorf("got %s", el)
		}
		r.until(func(el *Element) bool { return el.Attr("type") == "unsubscribed" && el.Attr("from") == contact })
		r.until(func(el *Element) bool { return el.Attr("type") == "unsubscribed" && el.Attr("from") == testDomain })
		r.finish()
	})
}

// story is a component with the real gateway behind it.
type story struct {
	*gatewayRig
	gateway  *gateway.Gateway
	platform *gatewaytest.Adapter
	ended    chan struct{}
}

func newStory(t *testing.T) *story {
	t.Helper()
	platform := &gatewaytest.Adapter{Describe: testDescriptor(), Chats: testDescriptor().Caps}
	instances := []gateway.Instance{{ID: "castle", Component: testDomain, Name: "Castle", Adapter: platform}}
	store, texts, log := memstore.New(), gateway.NewTexts(), slog.New(slog.DiscardHandler)
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	identity := gateway.NewIdentity(store, keys)
	g := gateway.New(gateway.Config{}, gateway.Deps{
		Store: store, Keyring: keys, Identity: identity, Instances: instances, Renderer: NewRenderer(texts, instances...), Texts: texts, Log: log,
		Metrics: gateway.NewMetrics(prometheus.NewRegistry(), []gateway.AdapterID{"castle"}),
	})
	desk := gateway.NewDesk(gateway.DeskConfig{Identity: identity, Store: store, Keyring: keys, Instances: instances, Texts: texts, Log: log})
	srv := xmpptest.NewServer()
	c, err := New(Config{
		Adapter: "castle", Domain: testDomain, Server: "example", Secret: xmpptest.Secret, Dial: srv.Dial, Descriptor: testDescriptor(), Texts: texts,
	}, g, desk, g.Outbox("castle"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &story{gatewayRig: &gatewayRig{t: t, srv: srv, c: c, stop: stop, done: make(chan struct{})}, gateway: g, platform: platform, ended: make(chan struct{})}
	go func() { g.Run(ctx); close(s.ended) }()
	go func() { c.Run(ctx); close(s.done) }()
	s.Conn = srv.Accept(t, testDomain)
	synctest.Wait() // nobody is greeted while they register
	return s
}

func (s *story) finish() {
	s.t.Helper()
	s.stop()
	synctest.Wait()
	s.Drop()
	<-s.done
	<-s.ended
}

// until returns the next stanza that fits; others may come in between.
func (s *story) until(fits func(*Element) bool) *Element {
	s.t.Helper()
	for {
		if el := s.element(); fits(el) {
			return el
		}
	}
}

// webhook is one call of the platform.
func (s *story) webhook(body gateway.EventBody, chat gateway.Chat) {
	s.t.Helper()
	s.platform.Play(gatewaytest.Script{Parse: func(gateway.Request) ([]gateway.Event, error) {
		return []gateway.Event{{
			Dedupe: gateway.EventKind(body), Endpoint: "ep-romeo", Chat: chat, From: chat.Contact, At: time.Now().UTC(), Body: body,
		}}, nil
	}})
	err := s.gateway.Receive(s.t.Context(), "castle", gateway.Request{Method: "POST", Header: http.Header{"Signature": {"good"}}, Body: []byte("{}"), Now: time.Now().Unix()})
	if err != nil {
		s.t.Fatal(err)
	}
}
