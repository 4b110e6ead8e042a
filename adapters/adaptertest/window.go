package adaptertest

import (
	"slices"
	"strings"
	"testing"

	"postern/gateway"
)

// writer is how the user is named to a contact who is asked to write.
const writer = "Romeo Montague"

// window wants a reply window to be the platform's to judge, at once or in a status, and a contact to be asked to write only where Caps
// says so.
func (h Harness) window(t *testing.T) {
	b := h.open(t)
	rule := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).Window
	if rule == nil || !rule.Reopen {
		before := b.wire.Total()
		_, err := b.send(t.Context(), 0, b.opTo(0, gateway.OpReopen{From: writer}))
		if gateway.ClassOf(err) != gateway.Unsupported || err == nil || b.wire.Total() != before {
			t.Errorf("OpReopen, which Caps does not offer: got %v and %d requests, want class unsupported and none", err, b.wire.Total()-before)
		}
	}
	if rule == nil {
		return
	}
	if rule.For <= 0 {
		t.Errorf("WindowRule.For: got %s, want more than nothing", rule.For)
	}
	if b.Windowed == nil || b.Say == nil {
		t.Fatal("Caps has a reply window, harness cannot shut it")
	}
	b.Say(0, "good morrow")
	b.mustReach(b.opTo(0, text("while the window is open")))
	b.Windowed.Close(0)
	b.shut(b.opTo(0, text("too late")))
	if b.Windowed.Reopening != nil {
		b.reopen(b.Windowed.Reopening)
	}
	b.Say(0, "I am here again")
	b.mustReach(b.opTo(0, text("after they wrote")))
}

// fate returns what the platform told of an op so far.
func (b *bench) fate(op gateway.Op, ids []gateway.MessageID, is func(gateway.Status) bool) func() bool {
	return b.posted(func(e gateway.Event) bool {
		s, ok := e.Body.(gateway.Status)
		return ok && (s.Ref == op.ID || len(s.IDs) > 0 && slices.Equal(s.IDs, ids)) && is(s)
	})
}

// mustReach sends what has to arrive.
func (b *bench) mustReach(op gateway.Op) {
	b.t.Helper()
	sent := b.mustSend(0, op)
	switch caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}); {
	case !caps.Has(gateway.FeatureDelivered):
	case caps.Watermarks:
		b.eventually("delivery in an open window", b.posted(func(e gateway.Event) bool {
			s, ok := e.Body.(gateway.Status)
			return ok && s.State == gateway.StatusDelivered && !s.Through.IsZero() && !s.Through.Before(sent.At)
		}))
	default:
		b.eventually("delivery in an open window", b.fate(op, sent.IDs, func(s gateway.Status) bool { return s.State == gateway.StatusDelivered }))
	}
}

// shut sends what the platform has to refuse for the window: in its answer, or in a status afterwards.
func (b *bench) shut(op gateway.Op) {
	b.t.Helper()
	sent, err := b.send(b.t.Context(), 0, op)
	if err != nil {
		if gateway.ClassOf(err) != gateway.WindowClosed {
			b.t.Errorf("Send in a shut window: got %v, want class window_closed", err)
		}
		return
	}
	b.eventually("a status that says that the window is shut", b.fate(op, sent.IDs, func(s gateway.Status) bool {
		return s.State == gateway.StatusFailed && s.Failure != nil && s.Failure.Class == gateway.WindowClosed
	}))
}

// reopen asks the contact to write, which passes a shut window and names the user.
func (b *bench) reopen(a gateway.Adapter) {
	b.t.Helper()
	caps := a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	if caps.Window == nil || !caps.Window.Reopen {
		b.t.Fatal("Windowed.Reopening does not offer to reopen")
	}
	op := b.opTo(0, gateway.OpReopen{From: writer})
	before := len(b.Received())
	sent, err := b.sendBy(b.t.Context(), a, b.Accounts[0], op)
	if err != nil || len(sent.IDs) == 0 {
		b.t.Fatalf("OpReopen: got %v and ids %v, want a message", err, sent.IDs)
	}
	if got := b.Received()[before:]; len(got) != 1 || !strings.Contains(got[0].Text, writer) {
		b.t.Errorf("OpReopen: the platform received %d messages, want one that names %s", len(got), writer)
	}
	if caps.Has(gateway.FeatureDelivered) {
		b.eventually("the request to write arrives", b.fate(op, sent.IDs, func(s gateway.Status) bool { return s.State == gateway.StatusDelivered }))
	}
	b.shut(b.opTo(0, text("asking alone opens nothing")))
}
