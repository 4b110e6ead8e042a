package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// fates is a rig that tells of the fate of what was sent.
type fates struct {
	*rig
	mu   sync.Mutex
	ops  []gateway.Op
	told int
}

func newFates(t *testing.T, caps gateway.Caps, send func(op gateway.Op) (gateway.Sent, error)) *fates {
	t.Helper()
	f := &fates{}
	p := &platform{caps: caps}
	p.send = func(op gateway.Op) (gateway.Sent, error) {
		f.mu.Lock()
		f.ops = append(f.ops, op)
		f.mu.Unlock()
		return send(op)
	}
	f.rig = newRig(t, p, gateway.Config{})
	return f
}

// tells gives the gateway a status, and time.
func (f *fates) tells(s gateway.Status, d time.Duration) {
	f.t.Helper()
	f.told++
	f.mustEvent(gateway.Event{
		Dedupe: fmt.Sprint("fate:", f.told), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(), Body: s,
	})
	gatewaytest.Advance(d)
}

// shown is what the user was told of the message's fate.
func (f *fates) shown() []string {
	return slices.DeleteFunc(texts(f.wire.lines()), func(line string) bool { return strings.HasPrefix(line, "message ") })
}

func (f *fates) op(n int) gateway.OpID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops[n].ID
}

func takes(gateway.Op) (gateway.Sent, error) { return gateway.Sent{}, nil }

func ids(native ...gateway.MessageID) []gateway.MessageID { return native }

// What comes of a message before its id is known here is told once it is: what says most, in whatever order it came.
func TestFateBeforeTheMessage(t *testing.T) {
	for _, order := range [][]gateway.StatusState{{gateway.StatusRead, gateway.StatusDelivered}, {gateway.StatusDelivered, gateway.StatusRead}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Idempotent = false
				f := newFates(t, caps, func(gateway.Op) (gateway.Sent, error) {
					return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Code: "lost"}
				})
				defer func() { f.stop() }()
				f.mustAsk(f.contact("juliet"), "s1", "one")
				gatewaytest.Advance(time.Second)
				for _, state := range order {
					f.tells(gateway.Status{IDs: ids("m9"), State: state}, 6*time.Second)
				}
				f.tells(gateway.Status{Ref: f.op(0), IDs: ids("m9"), State: gateway.StatusAccepted}, 10*time.Second)
				diff(t, "shown", f.shown(), []string{"receipt for s1", "displayed s1"})
			})
		})
	}
}

// A message that became several has arrived when the last of them has, and was read when that was.
func TestFateOfPieces(t *testing.T) {
	caps := textCaps()
	caps.TextMax, caps.TextUnit = 6, gateway.CodePoints
	want := []string{"receipt for s1", "displayed s1"}
	states := []gateway.StatusState{gateway.StatusDelivered, gateway.StatusRead}
	t.Run("by id", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFates(t, caps, takes)
			defer func() { f.stop() }()
			f.mustAsk(f.contact("juliet"), "s1", "first:secondthird.")
			gatewaytest.Advance(time.Second)
			for n, state := range states {
				f.tells(gateway.Status{IDs: ids("m1"), State: state}, time.Second)
				f.tells(gateway.Status{IDs: ids("m2"), State: state}, time.Second)
				diff(t, "shown of the others", len(f.shown()), n)
				f.tells(gateway.Status{IDs: ids("m3"), State: state}, time.Second)
			}
			diff(t, "shown", f.shown(), want)
		})
	})
	t.Run("by reference", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			answers := make(chan struct{})
			f := newFates(t, caps, func(op gateway.Op) (gateway.Sent, error) {
				if text(op) == "third." {
					<-answers
				}
				return gateway.Sent{}, nil
			})
			defer func() { f.stop() }()
			f.mustAsk(f.contact("juliet"), "s1", "first:secondthird.")
			gatewaytest.Advance(time.Second)
			f.tells(gateway.Status{Ref: f.op(0), State: gateway.StatusDelivered}, time.Second)
			f.tells(gateway.Status{Ref: f.op(1), State: gateway.StatusDelivered}, time.Second)
			diff(t, "shown of the others", len(f.shown()), 0)
			f.tells(gateway.Status{Ref: f.op(2), State: gateway.StatusDelivered}, time.Second) // before the answer to its send
			close(answers)
			gatewaytest.Advance(time.Second)
			f.tells(gateway.Status{Ref: f.op(0), State: gateway.StatusRead}, time.Second)
			diff(t, "shown once the last has come", f.shown(), want[:1])
			f.tells(gateway.Status{Ref: f.op(2), IDs: ids("m3"), State: gateway.StatusRead}, time.Second)
			diff(t, "shown", f.shown(), want)
		})
	})
	t.Run("by time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			caps := caps
			caps.Watermarks = true
			f := newFates(t, caps, func(gateway.Op) (gateway.Sent, error) {
				<-time.After(2 * time.Second)
				return gateway.Sent{}, nil
			})
			defer func() { f.stop() }()
			began := time.Now()
			f.mustAsk(f.contact("juliet"), "s1", "first:secondthird.")
			gatewaytest.Advance(7 * time.Second)
			f.tells(gateway.Status{Through: began.Add(3 * time.Second), State: gateway.StatusRead}, time.Second)
			diff(t, "shown of the first", len(f.shown()), 0)
			f.tells(gateway.Status{Through: time.Now(), State: gateway.StatusRead}, time.Second)
			diff(t, "shown", f.shown(), want)
		})
	})
	t.Run("by reference, where the last was refused as it was", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			caps := textCaps()
			caps.Levels = map[gateway.Feature]gateway.Level{
				gateway.FeatureText: gateway.Native, gateway.FeatureLocation: gateway.Native, gateway.FeatureDelivered: gateway.Native, gateway.FeatureReadIn: gateway.Native,
			}
			answers := make(chan struct{})
			f := newFates(t, caps, func(op gateway.Op) (gateway.Sent, error) {
				switch m, _ := op.Body.(gateway.OpMessage); m.Content.Parts[0].(type) {
				case gateway.Location:
					return gateway.Sent{}, &gateway.SendError{Class: gateway.Unsupported, Code: string(gateway.FeatureLocation)}
				default:
					if strings.Contains(string(op.ID), string(gateway.FeatureLocation)) {
						<-answers
					}
					return gateway.Sent{}, nil
				}
			})
			defer func() { f.stop() }()
			err := f.gw.Ask(t.Context(), gateway.Outbound{
				Adapter: wall, Alias: f.contact("juliet"), User: romeo, Resource: "phone", Stanza: "s1", Receipt: true, Markable: true,
				Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "here"}, gateway.Location{Lat: 45, Lon: 11}}}}},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
			f.tells(gateway.Status{Ref: f.op(0), State: gateway.StatusDelivered}, time.Second)
			diff(t, "shown of the others", len(f.shown()), 0)
			f.tells(gateway.Status{Ref: f.op(2), State: gateway.StatusDelivered}, time.Second)
			close(answers)
			gatewaytest.Advance(time.Second)
			diff(t, "shown", f.shown(), want[:1])
		})
	})
}
