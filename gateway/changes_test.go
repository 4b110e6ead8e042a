package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// change is an event about an earlier message of the contact.
func change(dedupe string, body gateway.EventBody) gateway.Event {
	ev := said("juliet", "", "", 0)
	ev.Dedupe, ev.Body = dedupe, body
	return ev
}

// A message that became several stanzas is taken back with all of them, by a second try too.
func TestRetractionOfSeveralStanzas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.contact("juliet")
		photo := said("juliet", "n1", "", 0)
		photo.Body = gateway.Message{ID: "n1", Content: gateway.Content{Parts: []gateway.Part{gateway.Sticker{Emoji: "🐈"}, gateway.Text{Text: "my cat"}}}}
		r.happens(photo, said("juliet", "n2", "and so on", 0))
		gone := change("gone:1", gateway.Retracted{Target: gateway.Target{IDs: []gateway.MessageID{"n1"}}})
		r.happens(gone, gone, change("gone:2", gateway.Retracted{Target: gateway.Target{IDs: []gateway.MessageID{"n2"}}}))
		var got, want []string
		for _, l := range texts(r.wire.lines()) {
			if strings.HasPrefix(l, "retract") {
				got = append(got, l)
			}
		}
		for _, of := range []gateway.StanzaID{r.account.Keys.StanzaID("n1", 0), r.account.Keys.StanzaID("n1", 1), r.account.Keys.StanzaID("n2", 0)} {
			want = append(want, "retract "+string(of))
		}
		diff(t, "taken back", got, want)
	})
}

// What changes a message that is not known any more is shown all the same, whatever it is, and can be answered.
func TestChangesOfTheUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureReply)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		old := gateway.Target{IDs: []gateway.MessageID{"old"}, Excerpt: "was"}
		r.happens(
			change("c1", gateway.Edited{Target: old, Content: gateway.PlainText("new")}),
			change("c2", gateway.Edited{Target: old, Content: gateway.Content{Parts: []gateway.Part{gateway.Location{Lat: 1, Lon: 2}}}}),
			change("c3", gateway.Reacted{Target: old, Emojis: []string{"👍"}}),
			change("c4", gateway.Reacted{Target: old}),
			change("c5", gateway.Retracted{Target: old}),
		)
		var got []string
		var first gateway.StanzaID
		for _, l := range texts(r.wire.lines()) {
			words := strings.SplitN(l, " ", 3)
			got = append(got, words[0]+" "+words[2])
			if first == "" {
				first = gateway.StanzaID(words[1])
			}
		}
		diff(t, "shown", got, []string{`message "Edited: new"`, `message "Edited:|[location]"`, `message "Reacted with 👍"`, `message "Took back: was"`})
		r.does(juliet, "s1", gateway.OpMessage{Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: first}})
		if b := o.last(t).(gateway.OpMessage); b.ReplyTo == nil || b.ReplyTo.IDs[0] != "old" {
			t.Errorf("got %+v, want an answer to the old message", b)
		}
	})
}

// XEP-0308 §5, XEP-0424 §8: nobody changes what somebody else wrote, even where the platform would let them.
func TestOnlyOwnMessagesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureEdit, gateway.FeatureRetract)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.happens(said("juliet", "n1", "hello", 0))
		r.does(juliet, "s1", gateway.OpMessage{Content: gateway.PlainText("hi")})
		theirs := gateway.Target{Stanza: r.account.Keys.StanzaID("n1", 0), Mine: true}
		for n, tt := range []struct {
			body gateway.OpBody
			sent bool
		}{
			{gateway.OpEdit{Target: theirs, Content: gateway.PlainText("no")}, false},
			{gateway.OpRetract{Target: theirs}, false},
			{gateway.OpEdit{Target: gateway.Target{Stanza: "s1", Mine: true}, Content: gateway.PlainText("no")}, true},
			{gateway.OpRetract{Target: gateway.Target{Stanza: "s1", Mine: true}}, true},
		} {
			before, id := o.count(), fmt.Sprint("c", n)
			r.does(juliet, id, tt.body)
			if sent := o.count() > before; sent != tt.sent {
				t.Errorf("%T %d: got sent %v, want %v", tt.body, n, sent, tt.sent)
			}
			refused := false
			for _, l := range texts(r.wire.lines()) {
				refused = refused || l == "error not-allowed for "+id
			}
			if refused == tt.sent {
				t.Errorf("%T %d: got refused %v in %q", tt.body, n, refused, r.wire.lines())
			}
		}
	})
}

// XEP-0359 §3.2: what a client calls a message in its origin-id means that message later. That of a correction means what it
// corrected.
func TestOriginIDOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureEdit, gateway.FeatureRetract)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		ask := func(stanza, origin string, body gateway.OpBody) {
			t.Helper()
			err := r.gw.Ask(t.Context(), gateway.Outbound{
				Adapter: wall, Alias: juliet, User: romeo, Resource: "phone", Stanza: gateway.StanzaID(stanza), Origin: gateway.StanzaID(origin), Op: gateway.Op{Body: body},
			}, []byte(stanza))
			if err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
		}
		ask("s1", "o1", gateway.OpMessage{Content: gateway.PlainText("hi")})
		ask("s2", "o2", gateway.OpEdit{Target: gateway.Target{Stanza: "s1", Mine: true}, Content: gateway.PlainText("hello")})
		sent := o.last(t).(gateway.OpEdit).Target.IDs[0]
		for _, origin := range []gateway.StanzaID{"o1", "o2"} {
			ask("of-"+string(origin), "", gateway.OpRetract{Target: gateway.Target{Stanza: origin, Mine: true}})
			b, ok := o.last(t).(gateway.OpRetract)
			if !ok || !slices.Contains(b.Target.IDs, sent) {
				t.Errorf("retraction of %s: got %+v, want one of %s", origin, o.last(t), sent)
			}
		}
	})
}

// A number answers the question that its writer saw: one that comes before the platform has it changes nothing.
func TestAnswerToTheQuestionThatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Bool
		busy.Store(true)
		o := newOps(func(gateway.Op) error {
			if busy.Load() {
				return &gateway.SendError{Class: gateway.Retryable}
			}
			return nil
		}, gateway.FeatureAnswer)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.happens(poll("q1", false, "tea", "cake"))
		r.does(juliet, "s1", gateway.OpMessage{Content: gateway.PlainText("2")}) // tried
		r.does(juliet, "s2", gateway.OpMessage{Content: gateway.PlainText("1")}) // waits behind it
		r.happens(poll("q2", false, "now", "later"))
		busy.Store(false)
		gatewaytest.Advance(time.Minute)
		var got []string
		for _, op := range o.got {
			switch b := op.Body.(type) {
			case gateway.OpAnswer:
				got = append(got, fmt.Sprint(b.Target.IDs[0], " ", b.Choices[0].ID))
			case gateway.OpMessage:
				got = append(got, "text "+b.Content.Parts[0].(gateway.Text).Text)
			default:
				t.Errorf("got %T", b)
			}
		}
		diff(t, "sent", got, []string{"q1 id-cake", "text 1"})
	})
}
