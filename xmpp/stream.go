package xmpp

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	closeTimeout     = 10 * time.Second // from our </stream:stream> to the end of the connection
	lingerTimeout    = time.Second      // from the server's </stream:stream> to the same
)

// Ways in which a stream ends, apart from a *StreamError and errors of the network.
var (
	errClosedByServer = errors.New("xmpp: stream: closed by the server")
	errDead           = errors.New("xmpp: stream: nothing received, not even a ping answer")
	errLocalClose     = errors.New("xmpp: stream: closed by us")
)

// StreamError is a stream error sent by the server (RFC 6120 §4.9.3), either
// during the handshake or later.
type StreamError struct {
	Condition string // such as conflict, host-unknown, not-authorized, system-shutdown
	Text      string
}

// Error gives the condition and the server's own words.
func (e *StreamError) Error() string {
	if e.Text == "" {
		return "xmpp: stream error: " + e.Condition
	}
	return "xmpp: stream error: " + e.Condition + ": " + e.Text
}

// streamConfig says which component to be and how to reach the server.
type streamConfig struct {
	domain   string                                  // the component's own domain
	server   string                                  // a domain of the server itself, pinged
	secret   string                                  // shared with the server, XEP-0114 §3
	dial     func(context.Context) (net.Conn, error) // one attempt
	tls      *tls.Config                             // nil for plaintext
	maxBytes int                                     // of one stanza, 0 for 1 MiB
	maxQueue int                                     // bytes waiting to be written, 0 for 1 MiB
	log      *slog.Logger                            // never nil
	count    func(wireEvent)                         // never nil
}

// wireEvent is something the wire layer counts; a closed set of metric labels.
type wireEvent string

const (
	eventMalformed   wireEvent = "malformed"    // stanza that cannot be parsed
	eventTooLong     wireEvent = "too_long"     // stanza over the size limit
	eventTooDeep     wireEvent = "too_deep"     // stanza over the depth limit
	eventBadAddress  wireEvent = "bad_address"  // from or to missing, invalid or not ours
	eventUnknown     wireEvent = "unknown"      // top-level element that is no stanza
	eventStrayResult wireEvent = "stray_result" // iq answer that nobody waits for
	eventPanic       wireEvent = "panic"        // handler that panicked

	eventPresenceDropped wireEvent = "presence_dropped" // presence for which the queue had no room
	eventOwnDropped      wireEvent = "own_dropped"      // own message of a user whose server has granted nothing
	eventOwnRefused      wireEvent = "own_refused"      // own message that the user's server refused
)

// stream is one connection to the server, from handshake to end. connect makes
// it, run drives it, and it is not used again after run returns.
type stream struct {
	cfg  streamConfig
	self JID // the component
	peer JID // the server
	conn net.Conn
	fr   *framer
	par  *parser
	w    *writer
	iqs  *iqTable

	start     time.Time
	lastRead  atomic.Int64 // nanoseconds since start
	held      atomic.Int64 // nanoseconds in which the reader has waited for handlers, not for the server
	heldSince atomic.Int64 // nanoseconds since start, 0 while no handler holds up the reader
	closing   atomic.Bool  // our end of stream has been queued

	endOnce sync.Once
	ended   chan struct{}
	reason  error     // valid once ended is closed
	over    time.Time // when that was
}

// connect dials and performs the handshake of XEP-0114 §3 within its deadline.
// On error the connection is closed.
func connect(ctx context.Context, cfg streamConfig) (*stream, error) {
	self, err := ParseJID(cfg.domain)
	if err != nil {
		return nil, err
	}
	peer, err := ParseJID(cfg.server)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, handshakeTimeout, errors.New("handshake timed out"))
	defer cancel()
	conn, err := cfg.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("xmpp: dial: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s := &stream{
		cfg: cfg, self: self, peer: peer, conn: conn, iqs: newIQTable(),
		start: time.Now(), ended: make(chan struct{}),
	}
	if cfg.tls != nil {
		tc := tls.Client(conn, cfg.tls)
		if err = tc.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("xmpp: tls: %w", err)
		}
		s.conn = tc
	}
	s.fr = newFramer(touchReader{s}, cfg.maxBytes, 0)
	s.par = &parser{maxDepth: defaultMaxDepth, base: streamBindings()}
	err = s.handshake()
	if !stop() && err == nil || err != nil && ctx.Err() != nil {
		err = fmt.Errorf("xmpp: handshake: %w", context.Cause(ctx))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.w = newWriter(s.conn, cfg.maxQueue)
	return s, nil
}

// touchReader notes when the server was last heard.
type touchReader struct{ s *stream }

func (r touchReader) Read(b []byte) (int, error) {
	n, err := r.s.conn.Read(b)
	if n > 0 {
		r.s.touch()
	}
	return n, err
}

func (s *stream) touch() { s.lastRead.Store(int64(s.now())) }

// now is the stream's age.
func (s *stream) now() time.Duration { return time.Since(s.start) }

// handshake opens the stream and authenticates. The deadline is the caller's.
func (s *stream) handshake() error {
	header := []byte("<?xml version='1.0'?><stream:stream xmlns='" + nsComponent + "' xmlns:stream='" + nsStream + "' to='")
	header = append(appendEscaped(header, s.self.String(), true), "'>"...)
	if _, err := s.conn.Write(header); err != nil {
		return fmt.Errorf("xmpp: handshake: %w", err)
	}
	fr, err := s.fr.next()
	if err != nil {
		return fmt.Errorf("xmpp: handshake: %w", err)
	}
	head, err := s.par.parseHead(fr.raw)
	if err != nil || fr.skipped != nil || !head.Is(nsStream, "stream") {
		return errors.New("xmpp: handshake: the peer does not speak XMPP")
	}
	s.adoptBindings()
	id := head.Attr("id")
	if id == "" {
		// Without an id there is nothing to sign; an error usually follows.
		if _, err := s.reply(); err != nil {
			return err
		}
		return errors.New("xmpp: handshake: stream without id")
	}
	if _, err := s.conn.Write([]byte("<handshake>" + handshakeDigest(id, s.cfg.secret) + "</handshake>")); err != nil {
		// The server may have refused and closed already: its reason tells more.
		if _, refused := s.reply(); refused != nil {
			if _, ok := errors.AsType[*StreamError](refused); ok {
				return refused
			}
		}
		return fmt.Errorf("xmpp: handshake: %w", err)
	}
	el, err := s.reply()
	if err != nil {
		return err
	}
	if !el.Is(nsClient, "handshake") {
		return fmt.Errorf("xmpp: handshake: unexpected <%s>", el.Name.Local)
	}
	return nil
}

// adoptBindings makes the stream header's namespace declarations hold for every stanza.
func (s *stream) adoptBindings() {
	s.par.base = append([]nsBinding(nil), s.par.ns...)
}

// reply reads the one element that answers a step of the handshake.
func (s *stream) reply() (*Element, error) {
	fr, err := s.fr.next()
	switch {
	case err != nil:
		return nil, fmt.Errorf("xmpp: handshake: %w", err)
	case fr.kind != frameStanza:
		return nil, fmt.Errorf("xmpp: handshake: %w", errClosedByServer)
	case fr.skipped != nil:
		return nil, fmt.Errorf("xmpp: handshake: %w", fr.skipped)
	}
	el, err := s.par.parse(fr.raw)
	if err != nil {
		return nil, fmt.Errorf("xmpp: handshake: %w", err)
	}
	if el.Is(nsStream, "error") {
		return nil, parseStreamError(el)
	}
	return el, nil
}

// handshakeDigest is lower-case hex of SHA-1 over stream id and secret (XEP-0114 §3).
func handshakeDigest(id, secret string) string {
	sum := sha1.Sum([]byte(id + secret))
	return hex.EncodeToString(sum[:])
}

func parseStreamError(el *Element) *StreamError {
	out := &StreamError{Condition: "undefined-condition"}
	for _, c := range el.Children() {
		switch {
		case c.Is(nsStreams, "text"):
			out.Text = c.Text()
		case c.Name.Space == nsStreams:
			out.Condition = c.Name.Local
		}
	}
	return out
}

// run drives the stream and blocks until it has ended and everything it started
// has stopped. handle is called on the reader's goroutine, one stanza at a time
// and in order; while it blocks, nothing more is read from the server.
//
// When ctx ends the stream is closed in order: </stream:stream> is sent after
// what is queued, and every stanza that still comes is handed over until the
// server closes too. The result is then errLocalClose, otherwise the reason.
func (s *stream) run(ctx context.Context, handle func(context.Context, *Element)) error {
	handlerCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.w.run(); err != nil {
			s.end(err)
		}
	})
	wg.Go(s.watch)
	wg.Go(func() {
		select {
		case <-ctx.Done():
			s.close(cancel) //nolint:contextcheck // it begins when ctx has ended, and has a deadline of its own
		case <-s.ended:
		}
	})
	s.end(s.read(handlerCtx, handle))
	wg.Wait()
	return s.reason
}

// close ends the stream in order and, past the deadline, by force.
func (s *stream) close(abandon func()) {
	s.closing.Store(true)
	if err := s.w.Close([]byte("</stream:stream>")); err != nil {
		s.end(errLocalClose)
		return
	}
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.cfg.log.Warn("xmpp stream not closed by the server in time", "component", s.cfg.domain)
		abandon()
		s.end(errLocalClose)
	}
}

// end closes the connection and fails everything that depends on it. The first
// reason stays.
func (s *stream) end(reason error) {
	s.endOnce.Do(func() {
		if s.closing.Load() {
			reason = errLocalClose
		}
		s.reason, s.over = reason, time.Now()
		s.conn.Close()
		s.w.fail(reason)
		s.iqs.fail(reason)
		close(s.ended)
	})
}

// send queues one stanza. nil means queued: see barrier for more than that. A
// stanza that would make the server end the stream is refused.
func (s *stream) send(ctx context.Context, el *Element) error {
	if err := checkEnvelope(el, s.self.Domain()); err != nil {
		return err
	}
	return s.w.Write(ctx, el.AppendTo(make([]byte, 0, 512)))
}

// write queues one or more stanzas that passed checkEnvelope and were rendered
// by AppendTo.
func (s *stream) write(ctx context.Context, rendered []byte) error {
	return s.w.Write(ctx, rendered)
}

// endLabel names a reason for metrics and logs; a closed set.
func endLabel(err error) string {
	var streamErr *StreamError
	var netErr net.Error
	switch {
	case err == nil, errors.Is(err, errLocalClose):
		return "local"
	case errors.As(err, &streamErr):
		return "stream_error"
	case errors.Is(err, errClosedByServer):
		return "closed"
	case errors.Is(err, errNotWellFormed):
		return "not_well_formed"
	case errors.Is(err, errDead), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	}
	return "network"
}
