package xmpp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// XEP-0114 has no acknowledgements and the first write after a server's death
// succeeds, so silence is all there is to notice.
const (
	keepaliveEvery  = 30 * time.Second // a space when nothing else was sent
	pingAfter       = 60 * time.Second // of silence, XEP-0199 to the server
	deadAfter       = 90 * time.Second // of silence, the connection is given up
	barrierTimeout  = 20 * time.Second // of silence while a barrier waits
	barrierPatience = 2 * time.Minute  // with a server that speaks of everything but the barrier
	barrierAgain    = 5 * time.Second  // without an answer, after which it is asked once more
)

const nsPing = "urn:xmpp:ping"

// errBarrierTimeout is barrier's when the server has not answered in time.
var errBarrierTimeout = errors.New("xmpp: barrier: no answer from the server")

// watch keeps the connection alive and ends it when the server has gone silent.
func (s *stream) watch() {
	keepalive := time.NewTicker(keepaliveEvery)
	defer keepalive.Stop()
	silence := time.NewTimer(pingAfter)
	defer silence.Stop()
	sent, pinged := s.w.count(), false
	for {
		select {
		case <-s.ended:
			return
		case <-keepalive.C:
			if n := s.w.count(); n == sent {
				s.nudge([]byte(" "))
			}
			sent = s.w.count()
		case <-silence.C:
			switch idle := s.idle(); {
			case idle >= deadAfter:
				s.end(errDead)
				return
			case idle >= pingAfter:
				if !pinged {
					s.pingOnce()
				}
				pinged = true
				silence.Reset(deadAfter - idle)
			default:
				pinged = false
				silence.Reset(pingAfter - idle)
			}
		}
	}
}

// pingOnce asks for a sign of life. Any byte is one, so nobody waits for the
// answer; registering it keeps it from being counted as stray.
func (s *stream) pingOnce() {
	req := s.pingRequest()
	if _, err := s.iqs.register(iqKey{req.ID(), req.To()}); err == nil {
		s.nudge(req.AppendTo(nil))
	}
}

// nudge sends bytes that nobody waits for; a stream that is closing needs none.
func (s *stream) nudge(b []byte) {
	if err := s.w.force(b); err != nil && !errors.Is(err, errWriterClosed) {
		s.end(err)
	}
}

// idle is how long the server has been silent. While a handler holds up the
// reader, the silence is ours.
func (s *stream) idle() time.Duration {
	if s.heldSince.Load() != 0 {
		return 0
	}
	return s.now() - time.Duration(s.lastRead.Load())
}

func (s *stream) pingRequest() *Element {
	return NewIQ(s.self, s.peer, "get", NewElement(nsPing, "ping"))
}

// ours is how long handlers have held up the reader so far. Answers of the
// server lie unread meanwhile, so it is no time of the server's.
func (s *stream) ours() time.Duration {
	ours := time.Duration(s.held.Load())
	if since := s.heldSince.Load(); since != 0 {
		ours += s.now() - time.Duration(since)
	}
	return ours
}

// barrier returns nil once the server has processed everything written before
// the call: it pings the server, which handles a stream in order, and any
// answer counts, an error too. The answer comes behind all that the server has
// to read and to send before, which under load takes it long; so a server that
// is heard of is waited for, and one that is silent is not. It is asked again
// meanwhile: ejabberd gives an answer to any connection of the component, also
// to that of a replica that stands still.
func (s *stream) barrier(ctx context.Context) error {
	answers := make(chan iqAnswer, barrierPatience/barrierAgain)
	var asked []iqKey // answers that come after the first are still asked for
	var answered bool
	defer func() {
		for _, key := range asked {
			if !answered {
				s.iqs.forget(key)
			}
		}
	}()
	ask := func(send func(*Element) error) error {
		req := s.pingRequest()
		key := iqKey{req.ID(), req.To()}
		if err := s.iqs.expect(key, answers); err != nil {
			return err
		}
		asked = append(asked, key)
		return send(req)
	}
	if err := ask(func(el *Element) error { return s.send(ctx, el) }); err != nil {
		return err
	}
	began, ours := s.now(), s.ours()
	timer := time.NewTimer(barrierAgain)
	defer timer.Stop()
	for {
		select {
		case a := <-answers:
			answered = true
			return a.err
		case <-timer.C:
			waited := s.now() - began
			silent := min(s.idle(), waited)
			if silent >= barrierTimeout || waited-(s.ours()-ours) >= barrierPatience {
				return fmt.Errorf("%w: waited %v, silent for %v", errBarrierTimeout, waited, silent)
			}
			if s.heldSince.Load() == 0 && len(asked) < cap(answers) { // while handlers hold up the reader, the answer lies there unread
				if err := ask(func(el *Element) error { s.nudge(el.AppendTo(nil)); return nil }); err != nil { //nolint:contextcheck // it ends the stream, whatever became of ctx
					return err
				}
			}
			timer.Reset(min(barrierAgain, barrierTimeout-silent))
		case <-ctx.Done():
			return fmt.Errorf("xmpp: barrier: %w", context.Cause(ctx))
		}
	}
}
