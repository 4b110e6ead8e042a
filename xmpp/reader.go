package xmpp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// read hands over stanzas until the stream ends, and returns why it ended.
func (s *stream) read(ctx context.Context, handle func(context.Context, *Element)) error {
	for {
		fr, err := s.fr.next()
		if err != nil {
			return fmt.Errorf("xmpp: read: %w", err)
		}
		if fr.kind == frameClose {
			if !s.closing.Load() {
				return errClosedByServer
			}
			// RFC 6120 §4.4: the server closes the connection now. Should it leave that to us, we do not wait long.
			if err := s.conn.SetReadDeadline(time.Now().Add(lingerTimeout)); err != nil {
				return fmt.Errorf("xmpp: read: %w", err)
			}
		}
		if fr.kind != frameStanza {
			continue
		}
		if fr.skipped != nil {
			s.refuse(ctx, fr.raw, fr.skipped)
			continue
		}
		el, err := s.par.parse(fr.raw)
		if err != nil {
			s.refuse(ctx, fr.raw, err)
			continue
		}
		if el.Is(nsStream, "error") {
			return parseStreamError(el)
		}
		if s.admit(el) {
			began := s.now()
			s.heldSince.Store(max(1, int64(began)))
			handle(ctx, el)
			s.touch()
			s.held.Add(int64(s.now() - began))
			s.heldSince.Store(0)
		}
	}
}

// admit validates the envelope and takes out what is not for handlers.
func (s *stream) admit(el *Element) bool {
	known := el.Is(nsClient, "message") || el.Is(nsClient, "presence") || el.Is(nsClient, "iq")
	if !known {
		s.cfg.count(eventUnknown)
		return false
	}
	if !s.address(el) {
		s.cfg.count(eventBadAddress)
		return false
	}
	if !el.Is(nsClient, "iq") {
		return true
	}
	switch el.Attr("type") {
	case "get", "set":
		return true
	case "result", "error":
		// Answers bypass every queue, so that a handler may wait for one.
		if !s.iqs.deliver(el) {
			s.cfg.count(eventStrayResult)
		}
	default:
		s.cfg.count(eventMalformed)
	}
	return false
}

// address parses from and to once. Both are required of a component's server
// (XEP-0114 §4), and we can only answer for our own domain.
func (s *stream) address(el *Element) bool {
	from, err := ParseJID(el.Attr("from"))
	if err != nil {
		return false
	}
	to, err := ParseJID(el.Attr("to"))
	if err != nil || to.Domain() != s.self.Domain() {
		return false
	}
	el.env = &envelope{from, to}
	return true
}

// refuse answers a stanza that could not be taken, as far as its start tag can
// be read, so that its sender does not believe it went through.
func (s *stream) refuse(ctx context.Context, raw []byte, why error) {
	event, cond, text := eventMalformed, BadRequest, ""
	switch {
	case errors.Is(why, errTooLong):
		event, cond, text = eventTooLong, PolicyViolation, "stanza too long"
	case errors.Is(why, errTooDeep):
		event, cond, text = eventTooDeep, PolicyViolation, "stanza nested too deeply"
	}
	s.cfg.count(event)
	s.cfg.log.Warn("xmpp stanza refused", "component", s.cfg.domain, "reason", string(event))
	if raw == nil {
		return
	}
	head, err := s.par.parseHead(raw)
	if err != nil || head.Is(nsClient, "presence") || !s.address(head) {
		return
	}
	if typ := head.Attr("type"); head.Is(nsClient, "iq") && (typ == "result" || typ == "error") {
		s.iqs.spoil(head, why)
		return
	}
	reply := ErrorReply(head, &StanzaError{Condition: cond, Type: "modify", Text: text, Lang: langOf(text)})
	if reply == nil {
		return
	}
	if err := s.send(ctx, reply); err != nil {
		s.cfg.log.Debug("xmpp refusal not sent", "component", s.cfg.domain, "error", err.Error())
	}
}

func langOf(text string) string {
	if text == "" {
		return ""
	}
	return "en"
}
