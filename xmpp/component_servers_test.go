//go:build servers

package xmpp

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
)

// A real server takes everything that a component says, whatever a platform put
// into it, and confirms it; and users are answered through it.
func TestServersComponent(t *testing.T) {
	eachServer(t, func(t *testing.T, x *lab.XMPP) {
		const user = "romeo@gw2.localhost"
		gw, outbox := newFakeGateway(t), newFakeOutbox()
		gw.domain = "@gw2.localhost"
		gw.contacts = map[gateway.UserID]map[gateway.Alias]string{user: {"anna7": "Anna"}}
		wire := serverConfig(x, "gw.localhost", serverSecret)
		up := make(chan struct{}, 16)
		c, err := New(Config{
			Adapter: "castle", Domain: "gw.localhost", Server: x.Domain(), Secret: serverSecret, Dial: wire.dial, Users: []string{"gw2.localhost"},
			Descriptor: testDescriptor(), Log: slog.New(slog.DiscardHandler),
			State: func(s string, _ error) {
				if s == string(linkUp) {
					up <- struct{}{}
				}
			},
		}, gw, newFakeDesk(t), outbox)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		defer func() { stop(); <-done }()
		got := make(chan *Element, 256)
		client := join(t, x, "gw2.localhost", func(_ *component, el *Element) { got <- el })
		next := func() *Element {
			t.Helper()
			select {
			case el := <-got:
				return el
			case <-time.After(serverWait):
				t.Fatal("nothing came")
				return nil
			}
		}
		select {
		case <-up:
		case <-time.After(serverWait):
			t.Fatal("not connected")
		}
		send := func(s string) {
			t.Helper()
			if err := client.write(t.Context(), []byte(s)); err != nil {
				t.Fatal(err)
			}
		}
		const from = " from='romeo@gw2.localhost/phone' id='q1'"
		send("<message" + from + " to='nobody@gw.localhost' type='chat'><body>x</body></message>")
		wantError(t, next(), "nobody@gw.localhost", "romeo@gw2.localhost/phone", "q1", ItemNotFound, "cancel")
		ask := func(to, space, local string) *Element {
			t.Helper()
			el, err := client.iq(t.Context(), NewIQ(mustJID(t, "romeo@gw2.localhost/phone"), mustJID(t, to), "get", NewElement(space, local)))
			if err != nil {
				t.Fatal(err)
			}
			return el.FirstChild()
		}
		if q := ask("gw.localhost", nsDiscoInfo, "query"); parsedInfo(q).ver() != c.profile.gwVer() {
			t.Errorf("got %s", q)
		}
		if q := ask("anna7@gw.localhost/gateway", nsDiscoInfo, "query"); parsedInfo(q).ver() != c.profile.cVer {
			t.Errorf("got %s", q)
		}
		send("<message" + from + " to='anna7@gw.localhost' type='chat'><body>hello</body></message>")
		ask("anna7@gw.localhost", nsPing, "ping") // the same conversation, so it comes after

		var batch []gateway.Waiting
		want := 0
		for name, what := range renderCases() {
			g := rendering(name, what)
			g.Component, g.To = "gw.localhost", user
			stanzas, err := c.render.Render(g)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range stanzas {
				batch = append(batch, gateway.Waiting{Bytes: b, At: time.Now().Add(-time.Hour)})
				want++
			}
		}
		outbox.batches <- batch
		if err := <-outbox.taken; err != nil {
			t.Fatalf("not confirmed: %v", err)
		}
		for range want {
			if el := next(); el.From().Domain() != "gw.localhost" {
				t.Errorf("got %s", el)
			}
		}
		if gw.count() != 1 {
			t.Errorf("got %d messages taken, want 1", gw.count())
		}
	})
}
