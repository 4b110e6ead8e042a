package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// native is what the user did in the platform's own app.
func native(dedupe string, body gateway.EventBody) gateway.Event {
	return gateway.Event{Dedupe: dedupe, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, FromMe: true, At: time.Now(), Body: body}
}

func at(ids ...gateway.MessageID) gateway.Target { return gateway.Target{IDs: ids} }

// since returns what was shown after the first n lines.
func (r *rig) since(n int) []string {
	gatewaytest.Advance(time.Second)
	return r.wire.lines()[n:]
}

func TestOwnActsAreShownAsTheUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		for _, f := range []gateway.Feature{gateway.FeatureEdit, gateway.FeatureRetract, gateway.FeatureReact, gateway.FeatureReply} {
			p.caps.Levels[f] = gateway.Native
		}
		var got []gateway.Op
		p.send = func(op gateway.Op) (gateway.Sent, error) { got = append(got, op); return gateway.Sent{}, nil }
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		keys := r.account.Keys
		if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		n := len(r.since(0))
		theirs, mine := keys.StanzaID("n1", 0), keys.OwnID("n2", 0)
		reply := gateway.Message{ID: "n2", Content: gateway.PlainText("from my phone"), ReplyTo: new(at("n1"))}
		if err := r.event(
			native("1", reply), native("2", gateway.Edited{Target: at("n2"), Content: gateway.PlainText("from my telephone")}),
			native("3", gateway.Reacted{Target: at("n1"), Emojis: []string{"🌹"}}), native("4", gateway.Seen{UpTo: at("n1")}),
			native("5", gateway.Retracted{Target: at("n2")}),
			native("6", gateway.Seen{UpTo: at("n2")}),                                                               // what the user wrote is read anyway
			native("7", gateway.Retracted{Target: at("long-ago")}), native("8", gateway.Seen{UpTo: at("long-ago")}), // nobody's words
		); err != nil {
			t.Fatal(err)
		}
		head := fmt.Sprintf("%s -> %s@%s: ", romeo, juliet, gate)
		diff(t, "shown", r.since(n), []string{
			head + fmt.Sprintf("message %s %q", mine, "from my phone"), head + fmt.Sprintf("edit of %s %q", mine, "from my telephone"),
			head + fmt.Sprintf("react to %s 🌹", theirs), head + fmt.Sprintf("displayed %s", theirs), head + fmt.Sprintf("retract %s", mine),
		})

		// From the other side, and from the user's clients, such a message is found like any other.
		n = len(r.since(0))
		heart := gateway.Event{Dedupe: "r1", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, From: "juliet", At: time.Now()}
		heart.Body = gateway.Reacted{Target: at("n2"), Emojis: []string{"♥"}}
		delivered := heart
		delivered.Dedupe, delivered.From, delivered.Body = "s1", "", gateway.Status{IDs: []gateway.MessageID{"n2"}, State: gateway.StatusRead}
		if err := r.event(heart, delivered); err != nil {
			t.Fatal(err)
		}
		diff(t, "shown of it", texts(r.since(n)), []string{fmt.Sprintf("react to %s ♥", mine), fmt.Sprintf("displayed %s", mine)})
		for _, body := range []gateway.OpBody{
			gateway.OpEdit{Target: gateway.Target{Stanza: mine, Mine: true}, Content: gateway.PlainText("by computer")},
			gateway.OpRetract{Target: gateway.Target{Stanza: mine, Mine: true}},
		} {
			out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Stanza: gateway.StanzaID(gateway.OpKind(body)), Op: gateway.Op{Body: body}}
			if err := r.gw.Ask(t.Context(), out, []byte(gateway.OpKind(body))); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(time.Second)
		if len(got) != 2 || got[0].Body.(gateway.OpEdit).Target.IDs[0] != "n2" || got[1].Body.(gateway.OpRetract).Target.IDs[0] != "n2" {
			t.Errorf("sent %+v, want an edit and a retraction of n2", got)
		}
	})
}

func TestOwnEditOfAMessageSentFromHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.mustAsk(r.contact("juliet"), "s1", "hi")
		n := len(r.since(0))
		if err := r.event(
			native("1", gateway.Message{ID: "m1", Content: gateway.PlainText("hi")}), // the platform tells of it as of any other
			native("2", gateway.Edited{Target: at("m1"), Content: gateway.PlainText("hi there")}),
		); err != nil {
			t.Fatal(err)
		}
		diff(t, "shown", texts(r.since(n)), []string{`edit of s1 "hi there"`})
	})
}

func TestEchoesAreKnownByTheirIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		keys := r.account.Keys
		own := keys.OwnID("n1", 0)
		for _, id := range []gateway.StanzaID{own, own + ".1", own + ".17", keys.OwnID("n1", 1), keys.OwnDerivedID("seen", "x")} {
			if !r.gw.Echoed(id) {
				t.Errorf("%s: not known as our own", id)
			}
		}
		last := byte('a')
		if own[len(own)-1] == last {
			last = 'b'
		}
		for _, id := range []gateway.StanzaID{"", "u1", keys.StanzaID("n1", 0), own[:len(own)-1], own[:len(own)-1] + gateway.StanzaID(last), "b" + own, own + "x", gateway.StanzaID(strings.ToUpper(string(own)))} {
			if r.gw.Echoed(id) {
				t.Errorf("%s: taken for our own", id)
			}
		}
		// Another process on the same store knows it too, and one with other keys does not.
		if keys.OwnID("n1", 0) == keys.OwnID("n2", 0) || !strings.HasPrefix(string(own), string(keys.StanzaID("n1", 0))) {
			t.Error("ids are not those of their messages")
		}
	})
}
