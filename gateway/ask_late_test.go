package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// outage is a platform that is not reached before it is told to be.
func (p *platform) outage() (over func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.send = func(gateway.Op) (gateway.Sent, error) {
		return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, Code: "503"}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.send = nil
	}
}

// desk returns the front desk of a rig.
func (r *rig) desk() *gateway.Desk {
	return gateway.NewDesk(gateway.DeskConfig{
		Identity: gateway.NewIdentity(r.store, r.keys), Store: r.store, Keyring: r.keys, Texts: gateway.NewTexts(), Unpark: r.gw.Unpark,
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: r.adapter}},
	})
}

// asked counts the questions about late messages.
func (r *rig) asked() (n int) {
	for _, line := range r.wire.lines() {
		if strings.HasPrefix(line, gate+" -> romeo@example.org: message") && strings.Contains(line, "Shall it still go out?") {
			n++
		}
	}
	return n
}

func TestLateMessages(t *testing.T) {
	for _, tt := range []struct {
		name, answer, said string
		sent               []string
		told               string // to the contact's chat, once it is over
	}{
		{"yes", "yes", "as soon as Wall can be reached", []string{"juliet one", "juliet two", "juliet three", "nurse other"}, ""},
		{"no", "No", "not sent any more", []string{"juliet three"}, ""},
		{"by name", "late no", "not sent any more", []string{"juliet three"}, ""},
		{"silence", "", "", nil, "Not delivered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps()}
				over := p.outage()
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.start(gateway.Config{AskAfter: 30 * time.Minute, GiveUp: 90 * time.Minute})
				defer func() { r.stop() }()
				juliet, nurse := r.contact("juliet"), r.contact("nurse")
				r.mustAsk(juliet, "s1", "one")
				r.mustAsk(juliet, "s2", "two")
				r.mustAsk(nurse, "s3", "other")
				gatewaytest.Advance(40 * time.Minute)
				r.mustAsk(juliet, "s4", "three") // young, behind the others
				over()
				gatewaytest.Advance(10 * time.Minute)
				if n := r.asked(); n != 1 || len(p.taken()) != 0 {
					t.Fatalf("asked %d times, sent %q; want one question for all chats and nothing sent", n, p.taken())
				}
				if tt.answer != "" {
					reply, err := r.desk().Say(t.Context(), gateway.Visitor{Adapter: wall, User: romeo, Resource: "phone"}, tt.answer)
					if err != nil || !strings.Contains(reply.Text, tt.said) {
						t.Errorf("answered %q, %v, want %q in it", reply.Text, err, tt.said)
					}
					gatewaytest.Advance(5 * time.Second)
				} else {
					gatewaytest.Advance(55 * time.Minute)
				}
				got := map[string]bool{}
				for _, line := range p.taken() {
					got[line] = true
				}
				if len(p.taken()) != len(tt.sent) {
					t.Errorf("sent %q, want %q", p.taken(), tt.sent)
				}
				for _, want := range tt.sent {
					if !got[want] {
						t.Errorf("sent %q, want %q in it", p.taken(), want)
					}
				}
				// What was written since waits behind what was asked about.
				others := func(line string) bool { return !strings.HasPrefix(line, "juliet ") }
				diff(t, "sent to juliet", slices.DeleteFunc(p.taken(), others), slices.DeleteFunc(slices.Clone(tt.sent), others))
				told := 0
				for _, line := range r.wire.lines() {
					if !strings.HasPrefix(line, gate) && strings.Contains(line, "not delivered") || strings.Contains(line, "Not delivered: ") {
						told++
					}
				}
				if (told > 0) != (tt.told != "") {
					t.Errorf("told %q", r.wire.lines())
				}
			})
		})
	}
}

// Where the contact has written since, nothing is asked: they talk. Nor where the operator does not want it.
func TestLateWithoutAQuestion(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  time.Duration
		wrote  bool
		window *gateway.WindowRule
	}{{"off", -1, false, nil}, {"held for the window", 30 * time.Minute, true, &gateway.WindowRule{For: 24 * time.Hour}}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps()}
				p.caps.Window = tt.window
				over := p.outage()
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.start(gateway.Config{AskAfter: tt.after, GiveUp: 90 * time.Minute})
				defer func() { r.stop() }()
				juliet := r.contact("juliet")
				r.mustAsk(juliet, "s1", "one")
				gatewaytest.Advance(40 * time.Minute)
				over()
				if tt.wrote {
					if err := r.event(said("juliet", "n1", "are you there?", 0)); err != nil {
						t.Fatal(err)
					}
				}
				gatewaytest.Advance(10 * time.Minute)
				diff(t, "sent", p.taken(), []string{"juliet one"})
				diff(t, "asked", r.asked(), 0)
			})
		})
	}
}

// A yes that answers nothing is a word like any other.
func TestYesWithoutAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		v := gateway.Visitor{Adapter: wall, User: romeo, Resource: "phone"}
		for text, want := range map[string]string{"yes": `Send "help"`, "late": "Nothing of yours waits"} {
			reply, err := r.desk().Say(t.Context(), v, text)
			if err != nil || !strings.Contains(reply.Text, want) {
				t.Errorf("%s: got %q, %v, want %q in it", text, reply.Text, err, want)
			}
		}
	})
}
