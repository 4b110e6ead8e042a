package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestFailureReportedByThePlatform(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "error undefined-condition for s1"}, {time.Hour, "message"}} {
		synctest.Test(t, func(t *testing.T) {
			p := &platform{caps: textCaps()}
			var ref gateway.OpID
			p.send = func(op gateway.Op) (gateway.Sent, error) { ref = op.ID; return gateway.Sent{}, nil }
			r := newRig(t, p, gateway.Config{})
			defer r.stop()
			r.mustAsk(r.contact("juliet"), "s1", "hi")
			gatewaytest.Advance(tt.after)
			failed := gateway.Event{
				Dedupe: "st:1", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
				Body: gateway.Status{Ref: ref, State: gateway.StatusFailed},
			}
			if err := r.event(failed); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
			if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("after %v: got %q, want %s", tt.after, got, tt.want)
			}
		})
	}
}

func TestStatusAfterAClockStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.contact("juliet")
		alias := r.account.Keys.Alias("juliet")
		lane := gateway.LaneKey{Adapter: wall, Local: alias}
		status := gateway.Event{Dedupe: "st", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(), Body: gateway.Status{IDs: []gateway.MessageID{"unknown"}, State: gateway.StatusRead}}
		plain, err := json.Marshal(gateway.Inbound{Event: status, Adapter: wall, Account: r.account.ID, Alias: alias})
		if err != nil {
			t.Fatal(err)
		}
		e := r.identity.Seal(r.account, r.keys.Lane(lane), gateway.EntryEvent, plain, time.Now().Add(time.Hour))
		if _, _, err := r.store.Ingest(t.Context(), lane.Shard(), gateway.QueueIn, e, gateway.IngestOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 1 {
			t.Errorf("got %q, want the message", got)
		}
	})
}
