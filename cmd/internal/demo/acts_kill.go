package demo

import (
	"context"
	"errors"
	"net/http"
	"time"

	"postern/adapters/control"
	"postern/cmd/internal/user"
)

// kill ends Postern with SIGKILL while an answer of the gatekeeper is outstanding: whether the message was taken, nobody can know.
// What both write while it is dead waits in the sandbox or comes back to romeo's client, which sends it again.
func (p *play) kill(ctx context.Context) error {
	// The gatekeeper does what it is asked but keeps its answers back.
	if err := p.faults(ctx, control.Faults{TimeoutRate: 1}); err != nil {
		return err
	}
	first, err := p.romeo.Send(ctx, p.alias, textUnderWay)
	if err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textUnderWay, 0)
	if err := p.reached(ctx, textUnderWay); err != nil {
		return err
	}
	pid := p.postern.PID()
	if err := p.postern.Kill(); err != nil {
		return err
	}
	p.note("postern, pid %d, is killed (SIGKILL)", pid)
	if err := p.faults(ctx, control.Faults{}); err != nil {
		return err
	}
	if err := p.speak(ctx, textWhile); err != nil {
		return err
	}
	if err := p.dead(ctx); err != nil {
		return err
	}
	second, err := p.romeo.Send(ctx, p.alias, textBounced)
	if err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textBounced, 0)
	bounce, err := p.see(ctx, "an error from the server for a dead gateway", func(s *user.Stanza) bool { return s.ID == second && s.Type == "error" })
	if err != nil {
		return err
	}
	p.says(atXMPP, "prosody", "romeo", "(not delivered: "+bounce.Condition+")", 0)
	if err := p.postern.Start(ctx); err != nil {
		return err
	}
	p.note("postern is started again, pid %d", p.postern.PID())
	return p.afterKill(ctx, first, second)
}

// dead waits until the server knows that the gateway is gone. What it writes into the dead connection before is lost without
// an error: XEP-0114 has no acknowledgements.
func (p *play) dead(ctx context.Context) error {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err := p.romeo.Ping(once, p.gw)
		cancel()
		if _, refused := errors.AsType[*user.Error](err); refused {
			return nil
		}
	}
	return &failure{"the server to notice that the gateway is gone", ctx.Err()}
}

func (p *play) faults(ctx context.Context, f control.Faults) error {
	return p.sandbox.do(ctx, http.MethodPut, "/faults", f, nil)
}

func (p *play) afterKill(ctx context.Context, first, second string) error {
	if _, err := p.hear(ctx, p.alias, "Anna's text", func(s *user.Stanza) bool { return s.Body == textWhile }, 0); err != nil {
		return err
	}
	if err := p.acknowledged(ctx, first); err != nil {
		return err
	}
	// A client sends again what came back, under the same id.
	if _, err := p.romeo.SendMessage(ctx, user.Outgoing{To: p.alias, Body: textBounced, ID: second, Receipt: true, Markable: true, OriginID: true}); err != nil {
		return err
	}
	p.says(atXMPP, "romeo", "anna", textBounced, 0)
	if err := p.reached(ctx, textBounced); err != nil {
		return err
	}
	if err := p.acknowledged(ctx, second); err != nil {
		return err
	}
	return p.watch(ctx, "no webhook waiting", object{"kind": "idle"}, nil)
}
