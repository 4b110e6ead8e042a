package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// picky is a renderer that cannot show everything.
type picky struct{ gatewaytest.Renderer }

func (p picky) Render(r gateway.Rendering) ([][]byte, error) {
	out, err := p.Renderer.Render(r)
	if err == nil && strings.Contains(string(out[0]), "unspeakable") {
		err = errors.New("not representable")
	}
	return out, err
}

func TestUnrenderableEventIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.renderer = picky{}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		if err := r.event(said("juliet", "n1", "unspeakable", 0), said("juliet", "n2", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasSuffix(got[0], `"hello"`) {
			t.Errorf("got %q, want the second message", got)
		}
		if dead := r.dead(gateway.LaneKey{Adapter: wall, Local: juliet}.Shard()); len(dead) != 1 || dead[0].Why.Code != "unrenderable" {
			t.Errorf("got %v, want one dead letter", dead)
		}
	})
}

func TestUnrenderableAnswerHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(op gateway.Op) (gateway.Sent, error) {
			if op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text == "1" {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.NotReachable}
			}
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.renderer = picky{}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "unspeakable", "1")
		r.mustAsk(juliet, "s2", "2")
		gatewaytest.Advance(10 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet 2"})
	})
}
