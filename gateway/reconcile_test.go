package gateway_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// conversation is a platform that shows what it has taken, and does not tell apart what says the same.
type conversation struct{ *platform }

func (c conversation) Reconcile(_ context.Context, _ gateway.Credentials, op gateway.Op) (maybe []gateway.Sent, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, line := range c.sent {
		if line == string(op.Chat.Contact)+" "+text(op) {
			maybe = append(maybe, gateway.Sent{IDs: []gateway.MessageID{gateway.MessageID("m" + string(rune('1'+n)))}})
		}
	}
	return maybe, nil
}

// A message whose answer was lost is not taken for an earlier one that says the same: neither for another message, nor for the piece of its
// own before it. Where the platform has it, it is found behind those, and not sent again.
func TestReconcileOfEqualWords(t *testing.T) {
	for _, tt := range []struct {
		name  string
		says  []string
		lost  int // the call whose answer is lost
		taken bool
		want  string
	}{
		{"another message, not taken", []string{"ay", "ay"}, 2, false, "ay ay"},
		{"another message, taken", []string{"ay", "ay"}, 2, true, "ay ay"},
		{"a piece before it, not taken", []string{"twice;twice;"}, 2, false, "twice; twice;"},
		{"a piece before it, taken", []string{"twice;twice;"}, 2, true, "twice; twice;"},
		{"nothing else, taken", []string{"ay"}, 1, true, "ay"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Idempotent, caps.Echo, caps.TextMax, caps.TextUnit = false, false, 6, gateway.CodePoints
				calls := 0
				p := &platform{caps: caps}
				p.send = func(op gateway.Op) (gateway.Sent, error) {
					if calls++; calls != tt.lost {
						return gateway.Sent{}, nil
					}
					if tt.taken {
						p.mu.Lock()
						p.sent = append(p.sent, "juliet "+text(op))
						p.mu.Unlock()
					}
					return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Code: "lost"}
				}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.adapter = conversation{p}
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				juliet := r.contact("juliet")
				for n, words := range tt.says {
					r.mustAsk(juliet, "s"+string(rune('1'+n)), words)
				}
				gatewaytest.Advance(30 * time.Second)
				got := strings.ReplaceAll(strings.Join(p.taken(), " "), "juliet ", "")
				diff(t, "sent", got, tt.want)
				last := gateway.MessageID("m" + string(rune('0'+len(p.taken()))))
				r.mustEvent(gateway.Event{
					Dedupe: "fate", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
					Body: gateway.Status{IDs: []gateway.MessageID{last}, State: gateway.StatusDelivered},
				})
				gatewaytest.Advance(time.Second)
				if got, want := strings.Join(texts(r.wire.lines()), " "), "receipt for s"+string(rune('0'+len(tt.says))); !strings.Contains(got, want) {
					t.Errorf("shown %q, want %q in it", got, want)
				}
			})
		})
	}
}
