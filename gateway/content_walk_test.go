package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/xmpp/conformance"
)

// ops is a platform that remembers whole ops, beside what platform remembers.
type ops struct {
	*platform
	got []gateway.Op
}

// newOps returns a platform with these features beside texts; refuse decides what it does not take after all.
func newOps(refuse func(gateway.Op) error, features ...gateway.Feature) *ops {
	o := &ops{platform: &platform{caps: textCaps()}}
	for _, f := range features {
		o.caps.Levels[f] = gateway.Native
	}
	o.send = func(op gateway.Op) (gateway.Sent, error) {
		if refuse != nil {
			if err := refuse(op); err != nil {
				return gateway.Sent{}, err
			}
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.got = append(o.got, op)
		return gateway.Sent{}, nil
	}
	return o
}

func (o *ops) last(t *testing.T) gateway.OpBody {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.got) == 0 {
		t.Fatal("the platform got nothing")
	}
	return o.got[len(o.got)-1].Body
}

func (o *ops) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.got)
}

// does asks for anything that a client can ask.
func (r *rig) does(alias gateway.Alias, stanza string, body gateway.OpBody) {
	r.t.Helper()
	err := r.gw.Ask(r.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: alias, User: romeo, Resource: "phone", Stanza: gateway.StanzaID(stanza), Op: gateway.Op{Body: body},
	}, []byte(stanza))
	if err != nil {
		r.t.Fatalf("ask %s: %v", stanza, err)
	}
	gatewaytest.Advance(time.Second)
}

func poll(id string, multiple bool, titles ...string) gateway.Event {
	ev := said("juliet", id, "", 0)
	p := gateway.Poll{Question: "What?", Multiple: multiple}
	for _, title := range titles {
		p.Options = append(p.Options, gateway.Choice{ID: "id-" + title, Title: title})
	}
	ev.Body = gateway.Message{ID: gateway.MessageID(id), Content: gateway.Content{Parts: []gateway.Part{p}}}
	return ev
}

func (r *rig) happens(evs ...gateway.Event) {
	r.t.Helper()
	if err := r.event(evs...); err != nil {
		r.t.Fatal(err)
	}
	gatewaytest.Advance(time.Second)
}

func TestAnswersToQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureAnswer, gateway.FeatureReply)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		answer := func(stanza, text string, reply gateway.StanzaID) string {
			b := gateway.OpMessage{Content: gateway.PlainText(text)}
			if reply != "" {
				b.ReplyTo = &gateway.Target{Stanza: reply}
			}
			r.does(juliet, stanza, b)
			switch b := o.last(t).(type) {
			case gateway.OpAnswer:
				var ids []string
				for _, c := range b.Choices {
					ids = append(ids, c.ID)
				}
				return fmt.Sprint(b.Target.IDs[0], " ", strings.Join(ids, "+"))
			case gateway.OpMessage:
				return "text " + b.Content.Parts[0].(gateway.Text).Text
			case gateway.OpEdit, gateway.OpRetract, gateway.OpReact, gateway.OpMarkRead, gateway.OpTyping, gateway.OpReopen, gateway.OpGroup:
			}
			return "?"
		}
		var got []string
		got = append(got, answer("s0", "1", ""))
		r.happens(poll("q1", false, "tea", "cake"))
		first := r.account.Keys.StanzaID("q1", 0)
		got = append(got, answer("s1", "I would say 2", ""), answer("s2", "2", ""), answer("s3", "1", ""), answer("s4", "1", first))
		r.happens(poll("q2", true, "now", "later"))
		got = append(got, answer("s5", "cake", first), answer("s6", "1 2", ""))
		diff(t, "the platform got", got, []string{
			"text 1", "text I would say 2", "q1 id-cake", "text 1", "q1 id-tea", "q1 id-cake", "q2 id-now+id-later",
		})
	})
}

// A degradation is told once per chat, feature and day, after the op has gone.
func TestDegradationsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		bold := gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "so bold", Spans: []gateway.Span{{Start: 3, Length: 4, Style: gateway.SpanStrong}}}}}}
		told := func() (n int) {
			for _, l := range r.wire.lines() {
				if strings.Contains(l, "marks around the words") {
					n++
				}
			}
			return n
		}
		for n, step := range []struct {
			to   gateway.Alias
			want int
		}{{juliet, 1}, {juliet, 1}, {nurse, 2}} {
			r.does(step.to, fmt.Sprint("s", n), bold)
			if got := told(); got != step.want {
				t.Errorf("step %d: told %d times, want %d", n, got, step.want)
			}
		}
		if got := o.last(t).(gateway.OpMessage).Content.Parts[0].(gateway.Text); got.Text != "so *bold*" || got.Spans != nil {
			t.Errorf("got %+v, want marks", got)
		}
	})
}

// A notice comes once a day, and only about a contact of the user's own.
func TestOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop() // what is shown stays in the outbox
		juliet := r.contact("juliet")
		for n, step := range []struct {
			wait  time.Duration
			user  gateway.UserID
			alias gateway.Alias
			want  int
		}{{0, romeo, juliet, 1}, {0, romeo, juliet, 1}, {0, romeo, "nobody", 1}, {0, "tybalt@example.org", juliet, 1}, {23 * time.Hour, romeo, juliet, 1}, {2 * time.Hour, romeo, juliet, 2}} {
			gatewaytest.Advance(step.wait)
			if err := r.gw.CallDeclined(t.Context(), gateway.Visitor{Adapter: wall, User: step.user}, step.alias); err != nil {
				t.Fatal(err)
			}
			if got, _, err := r.store.Depth(t.Context(), gateway.OutboxPartition(wall), gateway.QueueXMPP); err != nil || got != step.want {
				t.Errorf("step %d: got %d notices (%v), want %d", n, got, err, step.want)
			}
		}
	})
}

// What a platform refuses although it was declared is done in another way, and not tried again for a while when the platform
// named it.
func TestLearnedDowngrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		o := newOps(func(op gateway.Op) error {
			switch b := op.Body.(type) {
			case gateway.OpMessage:
				if b.ReplyTo != nil {
					tries++
					return &gateway.SendError{Class: gateway.Unsupported, Code: "reply"}
				}
			case gateway.OpEdit:
				tries++
				return &gateway.SendError{Class: gateway.Unsupported, Code: "too_late"}
			case gateway.OpRetract, gateway.OpReact, gateway.OpMarkRead, gateway.OpAnswer, gateway.OpTyping, gateway.OpReopen, gateway.OpGroup:
			}
			return nil
		}, gateway.FeatureReply, gateway.FeatureEdit)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.happens(said("juliet", "n1", "dinner?", 0))
		reply := gateway.OpMessage{Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: r.account.Keys.StanzaID("n1", 0), Excerpt: "dinner?"}}
		r.does(juliet, "s1", reply)
		r.does(juliet, "s2", reply)
		if tries != 1 {
			t.Errorf("got %d tries of a reply, want 1", tries)
		}
		for n := range 2 {
			r.does(juliet, fmt.Sprint("e", n), gateway.OpEdit{Target: gateway.Target{Stanza: "s1", Mine: true}, Content: gateway.PlainText("no")})
		}
		if tries != 3 {
			t.Errorf("got %d tries, want two of the edits: too late is not never", tries)
		}
		diff(t, "taken", r.platform.taken(), []string{"juliet > dinner?\nyes", "juliet > dinner?\nyes", "juliet ✎ no", "juliet ✎ no"})
		if slices.ContainsFunc(texts(r.wire.lines()), func(l string) bool { return strings.HasPrefix(l, "error") }) {
			t.Errorf("got %q, want no error", r.wire.lines())
		}
		v := gateway.Visitor{Adapter: wall, User: romeo}
		c, contact, err := r.gw.Caps(t.Context(), v, juliet)
		if err != nil || contact == nil || c.Has(gateway.FeatureReply) || !c.Has(gateway.FeatureEdit) {
			t.Errorf("got caps %v of %v: %v, want edits but no replies", c, contact, err)
		}
		gatewaytest.Advance(2 * time.Hour)
		r.does(juliet, "s3", reply)
		if tries != 4 {
			t.Errorf("got %d tries, want another after a while", tries)
		}
	})
}

// What the platform refuses in the middle of a message costs that piece another form. Nothing that it took is sent again, also
// by a second try.
func TestRefusedPieceIsSentOnce(t *testing.T) {
	bold := gateway.Text{Text: "one two abc de", Spans: []gateway.Span{{Start: 12, Length: 2, Style: gateway.SpanStrong}}}
	for _, tt := range []struct {
		name string
		body gateway.OpMessage
		fail string // the text that fails once, for another reason
		want []string
	}{
		{"reply", gateway.OpMessage{Content: gateway.PlainText("one two three four"), ReplyTo: &gateway.Target{Excerpt: "so?"}}, "three four", []string{"> so?\none ", "two ", "three four"}},
		{"style behind plain words", gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{bold}}}, "abc *de*", []string{"one two ", "abc *de*"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := false
				o := newOps(func(op gateway.Op) error {
					b := op.Body.(gateway.OpMessage)
					text := b.Content.Parts[0].(gateway.Text)
					switch {
					case b.ReplyTo != nil:
						return &gateway.SendError{Class: gateway.Unsupported, Code: "reply"}
					case text.Spans != nil:
						return &gateway.SendError{Class: gateway.Unsupported, Code: "styling"}
					case text.Text == tt.fail && !failed:
						failed = true
						return &gateway.SendError{Class: gateway.Retryable, Code: "busy"}
					}
					return nil
				}, gateway.FeatureReply, gateway.FeatureStyling)
				o.caps.TextMax = 10
				r := newRig(t, o.platform, gateway.Config{})
				defer r.stop()
				juliet := r.contact("juliet")
				r.happens(said("juliet", "n1", "so?", 0))
				if tt.body.ReplyTo != nil {
					tt.body.ReplyTo.Stanza = r.account.Keys.StanzaID("n1", 0)
				}
				r.does(juliet, "s1", tt.body)
				gatewaytest.Advance(time.Minute)
				var got []string
				for _, op := range o.got {
					got = append(got, op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text)
				}
				diff(t, "sent", got, tt.want)
				if !failed {
					t.Error("nothing failed in between")
				}
			})
		})
	}
}

// XEP-0333: a client that comes late with an older marker takes nothing back.
func TestMarkersGoForward(t *testing.T) {
	proof := conformance.Prove(t, conformance.InProcess, 48)
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureReadOut)
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		for n := range 3 {
			r.happens(said("juliet", fmt.Sprint("n", n), "line", 0))
		}
		var got []string
		for n, id := range []gateway.StanzaID{"n1", "n0", "n1", "n2", "other"} {
			before := o.count()
			r.does(juliet, fmt.Sprint("r", n), gateway.OpMarkRead{UpTo: gateway.Target{Stanza: r.account.Keys.StanzaID(gateway.MessageID(id), 0)}})
			if o.count() > before {
				got = append(got, string(o.last(t).(gateway.OpMarkRead).UpTo.IDs[0]))
			}
		}
		proof.That(slices.Equal(got, []string{"n1", "n2"}), "read up to %q, want n1, then n2", got)
	})
}

// A call is one line: what becomes of it corrects the line.
func TestCalls(t *testing.T) {
	call := func(id, state string, d time.Duration) gateway.Event {
		return gateway.Event{
			Dedupe: "call:" + id + state, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, From: "juliet", At: time.Now(),
			Body: gateway.Call{ID: id, State: gateway.CallState(state), Video: id == "v", Duration: d},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.contact("juliet")
		r.happens(call("a", "ringing", 0))
		r.happens(call("a", "ringing", 0)) // redelivered
		r.happens(call("a", "missed", 0))
		r.happens(call("v", "ringing", 0))
		r.happens(call("v", "ended", 190*time.Second))
		r.happens(call("b", "missed", 0))
		r.happens(call("c", "ended", 0))
		var got []string
		id := map[string]string{}
		for _, l := range texts(r.wire.lines()) {
			words := strings.SplitN(l, " ", 4)
			if words[0] == "message" {
				id[words[1]] = fmt.Sprint(len(id))
				got = append(got, "message "+id[words[1]]+" "+strings.SplitN(l, " ", 3)[2])
			} else {
				got = append(got, "edit of "+id[words[2]]+" "+words[3])
			}
		}
		diff(t, "shown", got, []string{
			`message 0 "Incoming voice call on Wall: answer it there."`, `edit of 0 "Missed voice call."`,
			`message 1 "Incoming video call on Wall: answer it there."`, `edit of 1 "Call, 4 min."`,
			`message 2 "Missed voice call."`, `message 3 "The call is over."`,
		})
	})
}

// The words beside a file are a message of their own: an edit of them leaves the file.
func TestEditOfACaption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.contact("juliet")
		said := said("juliet", "n1", "", 0)
		file := gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/cat.jpg"}
		said.Body = gateway.Message{ID: "n1", Content: gateway.Content{Parts: []gateway.Part{file, gateway.Text{Text: "a dog"}}}}
		r.happens(said)
		edit := said
		edit.Dedupe = "edit:1"
		edit.Body = gateway.Edited{Target: gateway.Target{IDs: []gateway.MessageID{"n1"}}, Content: gateway.Content{Parts: []gateway.Part{file, gateway.Text{Text: "a cat"}}}}
		r.happens(edit)
		got := texts(r.wire.lines())
		if want := fmt.Sprintf("edit of %s %q", r.account.Keys.StanzaID("n1", 1), "a cat"); got[len(got)-1] != want {
			t.Errorf("got %q, want %q", got[len(got)-1], want)
		}
	})
}

// XEP-0085: whoever types and is not heard of any more has stopped.
func TestTypingEnds(t *testing.T) {
	proof := conformance.Prove(t, conformance.InProcess, 49)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.contact("juliet")
		var got []string
		start := time.Now()
		go r.gw.Fleeting(t.Context(), wall, func(raw []byte) {
			_, what, _ := strings.Cut(string(raw), ": ")
			got = append(got, fmt.Sprint(what, " at ", time.Since(start)))
		})
		types := func(on bool) {
			r.happens(gateway.Event{
				Dedupe: fmt.Sprint("t", time.Now()), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, From: "juliet", At: time.Now(),
				Body: gateway.Typing{On: on},
			})
		}
		synctest.Wait()
		types(true)                          // 0 s
		gatewaytest.Advance(9 * time.Second) // 10 s
		types(true)
		gatewaytest.Advance(20 * time.Second) // 31 s
		types(true)
		types(false)
		gatewaytest.Advance(time.Minute)
		proof.That(len(got) == 5, "got %d states, want 5", len(got))
		diff(t, "shown", got, []string{"typing true at 0s", "typing true at 10s", "typing false at 25s", "typing true at 31s", "typing false at 32s"})
	})
}

func TestUnknownAndUnanswerable(t *testing.T) {
	proof := conformance.Prove(t, conformance.InProcess, 53, 56, 57)
	synctest.Test(t, func(t *testing.T) {
		o := newOps(nil, gateway.FeatureReact, gateway.FeatureRetract, gateway.FeatureEdit)
		o.caps.ReactionsMax = 1
		r := newRig(t, o.platform, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.happens(said("juliet", "n1", "hi", 0))
		theirs := gateway.Target{Stanza: r.account.Keys.StanzaID("n1", 0)}
		r.mustAsk(juliet, "s1", "hello")
		gatewaytest.Advance(time.Second)
		before := o.count()
		r.does(juliet, "a", gateway.OpReact{Target: theirs, Emojis: []string{"👍", "🎂"}})
		r.does(juliet, "b", gateway.OpReact{Target: gateway.Target{Stanza: "nobody"}, Emojis: []string{"👍"}})
		r.does(juliet, "d", gateway.OpRetract{Target: gateway.Target{Stanza: "nobody", Mine: true}})
		got := o.count() - before
		proof.That(got == 0, "the platform got %d ops, want none", got)
		r.does(juliet, "e", gateway.OpEdit{Target: gateway.Target{Stanza: "nobody", Mine: true}, Content: gateway.PlainText("new")})
		// A further piece of a long message is that message.
		r.does(juliet, "f", gateway.OpReact{Target: gateway.Target{Stanza: theirs.Stanza + ".1"}, Emojis: []string{"👍"}})
		b := o.last(t).(gateway.OpReact)
		proof.That(b.Target.IDs[0] == "n1", "got a reaction to %v, want to n1", b.Target.IDs)
		var errors []string
		for _, l := range texts(r.wire.lines()) {
			if strings.HasPrefix(l, "error") {
				errors = append(errors, l)
			}
		}
		diff(t, "errors", errors, []string{"error not-acceptable for a", "error item-not-found for b", "error item-not-found for d"})
		taken := r.platform.taken()
		proof.That(slices.Contains(taken, "juliet ✎ new"), "got %q, want the correction of nothing as a new message", taken)
	})
}
