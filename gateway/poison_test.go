package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// poisoned renders everything but what has the word in it.
type poisoned struct {
	gatewaytest.Renderer
	fails func() ([][]byte, error)
}

func (p poisoned) Render(r gateway.Rendering) ([][]byte, error) {
	if strings.Contains(fmt.Sprintf("%v", r.What), "poison") {
		return p.fails()
	}
	return p.Renderer.Render(r)
}

// An event that cannot be rendered, or panics while it is, is set aside with its reason; what comes behind it is shown.
func TestPoisonEventIsSetAside(t *testing.T) {
	for code, fails := range map[string]func() ([][]byte, error){
		"panic":        func() ([][]byte, error) { panic("renderer bug") },
		"unrenderable": func() ([][]byte, error) { return nil, errors.New("no words for it") },
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				r.renderer = poisoned{fails: fails}
				r.start(gateway.Config{})
				defer func() { r.stop() }()
				juliet := r.contact("juliet")
				r.mustEvent(said("juliet", "n1", "one", 0), said("juliet", "n2", "poison", 0), said("juliet", "n3", "three", 0))
				gatewaytest.Advance(time.Minute)
				got := strings.Join(r.wire.lines(), "\n")
				if !strings.Contains(got, `"one"`) || !strings.Contains(got, `"three"`) {
					t.Errorf("got %q, want one and three", got)
				}
				dead := r.dead(gateway.LaneKey{Adapter: wall, Local: juliet}.Shard())
				if len(dead) != 1 || dead[0].Why.Code != code || dead[0].From != gateway.QueueIn {
					t.Errorf("got %+v, want one dead letter for %s", dead, code)
				}
			})
		})
	}
}

// shaky panics where a lane or a webhook asks it something before there is an entry to blame.
type shaky struct{ *platform }

func (b shaky) Verify(r gateway.Request) error {
	if strings.Contains(string(r.Body), "poison") {
		panic("verify bug")
	}
	return b.platform.Verify(r)
}

func (shaky) Missing(context.Context, gateway.Credentials, gateway.Chat, int64) ([]gateway.Event, error) {
	panic("backlog bug")
}

// A panic outside the walk of an entry costs the question: the process lives, the lane goes on.
func TestPanicOutsideAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.adapter = shaky{p}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		err := r.gw.Receive(t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}, Body: []byte("poison")})
		if !errors.Is(err, gateway.ErrUnverified) {
			t.Errorf("got %v, want ErrUnverified", err)
		}
		r.mustEvent(said("juliet", "n1", "line 1", 1))
		gatewaytest.Advance(time.Second)
		r.mustEvent(said("juliet", "n3", "line 3", 3)) // the second is missing, and asked for
		gatewaytest.Advance(20 * time.Second)
		if got := strings.Join(r.wire.lines(), "\n"); !strings.Contains(got, "line 1") || !strings.Contains(got, "line 3") {
			t.Errorf("got %q, want both lines", got)
		}
	})
}
