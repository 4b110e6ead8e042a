package xmpp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

func chatTo(to, inner string) string {
	return "<message type='chat' from='romeo@example/phone' to='" + to + "' id='u1'>" + inner + "</message>"
}

func wantError(t *testing.T, el *Element, from, to, id string, condition Condition, typ string) {
	t.Helper()
	e := ParseStanzaError(el)
	if e == nil {
		t.Fatalf("got %s, want an error", el)
	}
	if el.Attr("from") != from || el.Attr("to") != to || el.ID() != id {
		t.Errorf("got from %q to %q id %q, want %q %q %q", el.Attr("from"), el.Attr("to"), el.ID(), from, to, id)
	}
	if e.Condition != condition || e.Type != typ {
		t.Errorf("got %s/%s, want %s/%s", e.Type, e.Condition, typ, condition)
	}
}

func TestMessageReachesGateway(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"anna7@gw.example", "anna7@gw.example/gateway", "anna7@gw.example/anything"} {
			r.silent("<message xml:lang='it' type='chat' from='Romeo@example/phone' to='" + to + "' id='u1'><body>ciao</body>" +
				"<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>")
			out := r.gw.lastAsked(t)
			msg, _ := out.Op.Body.(gateway.OpMessage)
			if out.User != "romeo@example" || out.Resource != "phone" || out.Alias != "anna7" || out.Stanza != "u1" || out.Adapter != "castle" ||
				!out.Receipt || !out.Markable || out.Op.Lang != "it" || out.Op.ID == "" || out.Op.At.IsZero() {
				t.Errorf("got %+v", out)
			}
			if len(msg.Content.Parts) != 1 || msg.Content.Parts[0].(gateway.Text).Text != "ciao" {
				t.Errorf("got %+v", msg)
			}
		}
		r.silent("<message type='chat' from='romeo@example/phone' to='anna7@gw.example'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o9'/></message>")
		if got := r.gw.lastAsked(t).Stanza; got != "o9" {
			t.Errorf("got stanza %q, want the origin-id", got)
		}
		for _, tt := range []struct {
			id   string
			want gateway.StanzaID
		}{{"u2", "o2"}, {"o2", ""}} {
			r.silent("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='" + tt.id + "'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o2'/></message>")
			if got := r.gw.lastAsked(t); string(got.Stanza) != tt.id || got.Origin != tt.want {
				t.Errorf("id %q: got stanza %q and origin %q, want the origin %q only where it is another", tt.id, got.Stanza, got.Origin, tt.want)
			}
		}
	})
}

// A process that stood still longer than its lease takes nothing of what lay in its stream meanwhile: another has taken what was
// written later.
func TestOvertakenTakesNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.outbox.mu.Lock()
		r.outbox.overtaken = true
		r.outbox.mu.Unlock()
		el := r.answer(chatTo("anna7@gw.example", "<body>x</body>"))
		wantError(t, el, "anna7@gw.example", "romeo@example/phone", "u1", ResourceConstraint, "wait")
		if n := r.gw.count(); n != 0 {
			t.Errorf("got %d messages taken, want none", n)
		}
	})
}

// RFC 6120 §8.3: every refusal goes to the client that sent, with its id, from
// the exact address it was sent to.
func TestMessageRefused(t *testing.T) {
	tests := []struct {
		name, raw, from, to string
		condition           Condition
		typ, text           string
	}{
		{"unknown contact", chatTo("nobody@gw.example", "<body>x</body>"), "nobody@gw.example", "romeo@example/phone", ItemNotFound, "cancel", "nobody there"},
		{"to a resource", chatTo("nobody@gw.example/r", "<body>x</body>"), "nobody@gw.example/r", "romeo@example/phone", ItemNotFound, "cancel", ""},
		{
			"unregistered", "<message from='mallory@example/x' to='anna7@gw.example' id='u1'><body>x</body></message>",
			"anna7@gw.example", "mallory@example/x", RegistrationRequired, "auth", "register first",
		},
		{
			"foreign", "<message from='eve@elsewhere.example/x' to='anna7@gw.example' id='u1'><body>x</body></message>",
			"anna7@gw.example", "eve@elsewhere.example/x", Forbidden, "auth", "its own provider",
		},
		{
			"foreign to the gateway", "<message from='eve@elsewhere.example/x' to='gw.example' id='u1'><body>help</body></message>",
			"gw.example", "eve@elsewhere.example/x", Forbidden, "auth", "its own provider",
		},
		{
			"subdomain of ours", "<message from='eve@example.evil.example/x' to='anna7@gw.example' id='u1'><body>x</body></message>",
			"anna7@gw.example", "eve@example.evil.example/x", Forbidden, "auth", "",
		},
		{
			"encrypted", chatTo("anna7@gw.example", "<encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted><body>fallback</body>"),
			"anna7@gw.example", "romeo@example/phone", NotAcceptable, "modify", "turn off encryption",
		},
		{
			"encrypted to the gateway", chatTo("gw.example", "<encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted><body>fallback</body>"),
			"gw.example", "romeo@example/phone", NotAcceptable, "modify", "turn off encryption",
		},
		{
			"groupchat", "<message type='groupchat' from='romeo@example/phone' to='anna7@gw.example' id='u1'><body>x</body></message>",
			"anna7@gw.example", "romeo@example/phone", BadRequest, "modify", "",
		},
		{
			"headline", "<message type='headline' from='romeo@example/phone' to='anna7@gw.example' id='u1'><body>x</body></message>",
			"anna7@gw.example", "romeo@example/phone", BadRequest, "modify", "",
		},
		{
			"two deep", chatTo("anna7@gw.example", strings.Repeat("<a xmlns='x'>", 600)+strings.Repeat("</a>", 600)),
			"anna7@gw.example", "romeo@example/phone", PolicyViolation, "modify", "",
		},
		{
			"too long", chatTo("anna7@gw.example", "<body>"+strings.Repeat("x", 2<<20)+"</body>"),
			"anna7@gw.example", "romeo@example/phone", PolicyViolation, "modify", "",
		},
	}
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, tt := range tests {
			el := r.answer(tt.raw)
			wantError(t, el, tt.from, tt.to, "u1", tt.condition, tt.typ)
			if got := ParseStanzaError(el).Text; !strings.Contains(got, tt.text) {
				t.Errorf("%s: got text %q, want %q in it", tt.name, got, tt.text)
			}
			if el.Child(nsClient, "error").Attr("code") != "" {
				t.Errorf("%s: has a legacy code", tt.name)
			}
		}
		if n := r.gw.count(); n != 0 {
			t.Errorf("got %d messages taken, want none", n)
		}
	})
}

func TestMessageSilentlyIgnored(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, inner := range []string{
			"<thing xmlns='a:b'/>", "<x xmlns='a:b'><body xmlns='jabber:client'>no</body></x>", "<received xmlns='urn:xmpp:receipts' id='c1'/>",
			"<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted>",
		} {
			r.silent(chatTo("anna7@gw.example", inner))
			r.silent(chatTo("gw.example", inner))
		}
		// Nobody waits for an answer to these, so not even an unknown contact gives one.
		r.silent(chatTo("nobody@gw.example", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
		r.silent(chatTo("nobody@gw.example", "<displayed xmlns='urn:xmpp:chat-markers:0' id='c1'/>"))
		r.silent("<message from='eve@elsewhere.example/x' to='anna7@gw.example'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
		// Errors are never answered, results neither.
		r.silent("<message type='error' from='romeo@example/phone' to='nobody@gw.example' id='x'><body>x</body></message>")
		r.silent("<presence type='error' from='romeo@example/phone' to='anna7@gw.example'/>")
		r.silent("<iq type='error' from='romeo@example/phone' to='gw.example' id='x'/>")
		r.silent("<iq type='result' from='romeo@example/phone' to='gw.example' id='x'/>")
		// A server's announcement is no conversation.
		r.silent("<message from='example' to='gw.example'><body>maintenance at noon</body></message>")
		if n := r.gw.count(); n != 0 {
			t.Errorf("got %d messages taken, want none", n)
		}
	})
}

// The sender is never another than the from attribute that the server wrote.
func TestForgedSenderIsIgnored(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.silent("<message xmlns:e='urn:evil' e:from='juliet@example/x' type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u1'><body>x</body>" +
			"<from>juliet@example</from></message>")
		if got := r.gw.lastAsked(t); got.User != "romeo@example" || got.Resource != "phone" {
			t.Errorf("got %s/%s", got.User, got.Resource)
		}
	})
}

// XEP-0353: whoever calls hears at once that nobody will answer.
func TestCallsAreDeclined(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"anna7@gw.example", "nobody@gw.example/x"} {
			el := r.answer(chatTo(to, "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose><body>call</body>"))
			if el.Child(nsCallMessage, "reject").Attr("id") != "c1" || el.Attr("to") != "romeo@example/phone" || el.From().Resource() != contactResource {
				t.Errorf("got %s", el)
			}
		}
		r.silent("<message from='eve@elsewhere.example/x' to='anna7@gw.example'><propose xmlns='urn:xmpp:jingle-message:0' id='c1'/></message>")
		r.silent(chatTo("anna7@gw.example", "<retract xmlns='urn:xmpp:jingle-message:0' id='c1'/>"))
		if r.gw.count() != 0 {
			t.Error("a call went to the gateway as a message")
		}
	})
}

func TestAskFails(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.gw.err = errors.New("redis: password is hunter2")
		el := r.answer(chatTo("anna7@gw.example", "<body>x</body>"))
		wantError(t, el, "anna7@gw.example", "romeo@example/phone", "u1", InternalServerError, "cancel")
		if strings.Contains(el.String(), "hunter2") {
			t.Error("the cause reached the user")
		}
		r.gw.err = fmt.Errorf("wrapped: %w", &gateway.Refusal{Condition: gateway.ResourceConstraint, Text: "later"})
		wantError(t, r.answer(chatTo("anna7@gw.example", "<body>x</body>")), "anna7@gw.example", "romeo@example/phone", "u1", ResourceConstraint, "wait")
	})
}

// Typing, text and markers of one chat arrive in the order sent.
func TestOrderWithinAChat(t *testing.T) {
	bubble(t, func(r *gatewayRig) {
		var first sync.Once
		r.gw.onAsk = func(context.Context, gateway.Outbound) { first.Do(func() { <-time.After(time.Second) }) }
	}, func(t *testing.T, r *gatewayRig) {
		for i := range 100 {
			r.Send(t, fmt.Sprintf("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u%d'><body>x</body></message>", i))
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		for i, out := range r.gw.asked {
			if want := gateway.StanzaID(fmt.Sprintf("u%d", i)); out.Stanza != want {
				t.Fatalf("got %s at %d, want %s", out.Stanza, i, want)
			}
		}
		if r.gw.count() != 100 {
			t.Errorf("got %d, want 100", r.gw.count())
		}
	})
}

func TestOutboxWire(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		msg := func(id string) []byte {
			return []byte("<message from='anna7@gw.example/gateway' to='romeo@example' id='" + id + "' type='chat'><body>x</body></message>")
		}
		gone := []byte("<presence from='gw.example' to='romeo@example'/>")
		old := time.Now().Add(-time.Minute)
		r.outbox.batches <- []gateway.Waiting{{Bytes: msg("a"), At: time.Now()}, {Bytes: msg("b"), At: old}, {Bytes: gone, At: old}}
		if got := r.Next(t).Raw; got != string(msg("a")) {
			t.Errorf("got %s, want it unchanged", got)
		}
		el := r.element()
		stamp := el.Child(nsDelay, "delay")
		if stamp.Attr("stamp") != FormatTime(old) || stamp.Attr("from") != testDomain || !strings.HasSuffix(stamp.Attr("stamp"), "Z") {
			t.Errorf("got %s", el)
		}
		if got := r.Next(t).Raw; got != string(gone) {
			t.Errorf("got %s, want presence unchanged", got)
		}
		if err := <-r.outbox.taken; err != nil {
			t.Errorf("batch: %v", err)
		}
	})
}

// A batch that the server never confirms ends the stream, and the outbox keeps it.
func TestBarrierUnanswered(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.MutePings(true)
		r.outbox.batches <- []gateway.Waiting{{Bytes: []byte("<presence from='gw.example' to='romeo@example'/>"), At: time.Now()}}
		r.Expect(t, "<presence")
		if err := <-r.outbox.taken; err == nil {
			t.Error("the batch was confirmed without an answer")
		}
		r.Conn = r.srv.Accept(t, testDomain)
	})
}

// TestNews: what an order changes goes to users while the stream lives.
func TestNews(t *testing.T) {
	stopped := make(chan struct{})
	prepare := func(r *gatewayRig) {
		r.gw.news = func(ctx context.Context, yield func(gateway.Rendering) error) error {
			select {
			case <-stopped:
			case <-ctx.Done():
				return ctx.Err()
			}
			return yield(gateway.Rendering{Component: testDomain, To: "romeo@example", What: gateway.ShowPresence{Available: true, Away: true, Status: "stopped"}})
		}
	}
	bubble(t, prepare, func(t *testing.T, r *gatewayRig) {
		close(stopped)
		r.Expect(t, "<presence", "<show>xa</show>", "<status>stopped</status>")
	})
}

func TestGreetEphemeralFarewell(t *testing.T) {
	g := func(what gateway.Shown, from gateway.Alias) gateway.Rendering {
		return gateway.Rendering{Component: testDomain, From: from, To: "romeo@example", What: what}
	}
	prepare := func(r *gatewayRig) {
		r.gw.greet = []gateway.Rendering{g(gateway.ShowPresence{Available: true}, ""), g(gateway.ShowProbe{}, "")}
		r.gw.farewell = []gateway.Rendering{g(gateway.ShowPresence{}, "anna7"), g(gateway.ShowPresence{}, "")}
		r.cfg.Ephemeral = func(context.Context) <-chan []byte {
			ch := make(chan []byte, 1)
			ch <- []byte("<message from='anna7@gw.example/gateway' to='romeo@example' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
			return ch
		}
	}
	bubble(t, prepare, func(t *testing.T, r *gatewayRig) {
		seen := map[string]bool{}
		for range 3 {
			el := r.element()
			seen[el.Name.Local+" "+el.Attr("type")] = true
			if el.Is(nsClient, "presence") && el.Attr("type") == "" && el.Child(nsCaps, "c").Attr("ver") != r.c.profile.gwVer() {
				t.Errorf("got %s, want the gateway's caps", el)
			}
		}
		if !seen["presence "] || !seen["presence probe"] || !seen["message chat"] {
			t.Errorf("got %v", seen)
		}
		// While a batch waits for its confirmation, the stop waits for it; what comes in meanwhile is taken.
		r.MutePings(true)
		r.outbox.batches <- []gateway.Waiting{{Bytes: []byte("<presence from='gw.example' to='romeo@example' id='last'/>"), At: time.Now()}}
		r.Expect(t, "id='last'")
		r.stop()
		synctest.Wait()
		barrier := r.element() // unanswered so far
		r.Send(t, chatTo("anna7@gw.example", "<body>under way</body>"))
		r.Send(t, "<iq type='result' from='example' to='gw.example' id='"+barrier.ID()+"'/>")
		if err := <-r.outbox.taken; err != nil {
			t.Errorf("the open batch: %v", err)
		}
		r.Expect(t, "from='anna7@gw.example/gateway'", "type='unavailable'")
		r.Expect(t, "from='gw.example'", "type='unavailable'")
		if !r.WaitEnd(t) {
			t.Error("the stream was not ended in order")
		}
		// The server ends its side late: everything it still sends is taken, and what is refused is told on the next stream.
		r.Send(t, chatTo("anna7@gw.example", "<body>last words</body>")+chatTo("nobody@gw.example", "<body>to nobody</body>"))
		r.CloseStream(t)
		<-r.done
		if n := r.gw.count(); n != 2 {
			t.Errorf("got %d messages taken, want 2", n)
		}
		if len(r.gw.shown) != 1 || r.gw.shown[0].Resource != "phone" || r.gw.shown[0].From != "nobody" {
			t.Errorf("got %+v, want the refusal kept", r.gw.shown)
		}
		if r.outbox.acquired != 1 || r.outbox.released != 1 {
			t.Errorf("got %d leases acquired and %d released", r.outbox.acquired, r.outbox.released)
		}
	})
}

// A new stream after a lost one serves as the first did.
func TestReconnect(t *testing.T) {
	var mu sync.Mutex
	var states []string
	bubble(t, func(r *gatewayRig) {
		r.gw.greet = []gateway.Rendering{{Component: testDomain, To: "romeo@example", What: gateway.ShowPresence{Available: true}}}
		r.cfg.State = func(s string, _ error) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, s)
		}
	}, func(t *testing.T, r *gatewayRig) {
		r.Expect(t, "<presence")
		r.Drop()
		r.Conn = r.srv.Accept(t, testDomain)
		r.Expect(t, "<presence")
		wantError(t, r.answer(chatTo("nobody@gw.example", "<body>x</body>")), "nobody@gw.example", "romeo@example/phone", "u1", ItemNotFound, "cancel")
		mu.Lock()
		defer mu.Unlock()
		if got, want := strings.Join(states, " "), "standby connecting up down connecting up"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// Logs hold no addresses, no ids of chats and no words of anybody.
func TestLogsHoldNoContent(t *testing.T) {
	var logs lockedBuffer
	bubble(t, func(r *gatewayRig) {
		r.cfg.Log = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, func(t *testing.T, r *gatewayRig) {
		r.gw.err = errors.New("store down")
		r.answer(chatTo("anna7@gw.example", "<body>topsecret</body>"))
		r.gw.err = nil
		r.answer(chatTo("gw.example", "<body>panic</body>"))
		r.answer(chatTo("nobody@gw.example", "<body>topsecret</body>"))
		got := logs.String()
		for _, private := range []string{"topsecret", "romeo", "anna7", "phone"} {
			if strings.Contains(got, private) {
				t.Errorf("logs hold %q:\n%s", private, got)
			}
		}
		if !strings.Contains(got, "store down") {
			t.Errorf("logs hold no cause:\n%s", got)
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestNewRefuses(t *testing.T) {
	good := Config{Domain: testDomain, Server: "example", Dial: testDial}
	if _, err := New(good, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no domain": func(c *Config) { c.Domain = "" },
		"no server": func(c *Config) { c.Server = "" },
		"no dial":   func(c *Config) { c.Dial = nil },
		"bad users": func(c *Config) { c.Users = []string{"a@example"} },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg, nil, nil, nil); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// A bug in the taking of one message costs that message, and its sender hears so.
func TestPanicIsAnswered(t *testing.T) {
	bubble(t, func(r *gatewayRig) {
		r.gw.onAsk = func(context.Context, gateway.Outbound) { panic("quoting topsecret") }
	}, func(t *testing.T, r *gatewayRig) {
		got := r.answer(chatTo("anna7@gw.example", "<body>topsecret</body>"))
		if got == nil || got.Type() != "error" || ParseStanzaError(got).Condition != "internal-server-error" {
			t.Errorf("got %v, want internal-server-error", got)
		}
		r.silent(chatTo("anna7@gw.example", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
	})
}
