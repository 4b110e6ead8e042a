package user

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

const (
	writeTimeout = 30 * time.Second
	closeTimeout = 2 * time.Second
	// A lost connection is redialled after redialFirst, then ever more slowly up to redialMax.
	redialFirst = 50 * time.Millisecond
	redialMax   = time.Second
	loginLimit  = 30 * time.Second
)

// ErrOffline is returned for what needs a connection while there is none.
var ErrOffline = errors.New("user: offline")

// Config says who logs in where, and what the client does by itself.
type Config struct {
	JID      string // bare: user@domain
	Password string
	Addr     string // host:port of the server, plain TCP
	Resource string // the server's choice when empty
	Lang     string // xml:lang of its messages and requests; none when empty

	// Sink takes every stanza instead of the record, on the goroutine that reads: it must not block and not call the Client's
	// waiting methods.
	Sink func(*Stanza)
	// Keep bounds the record to the newest stanzas; zero keeps all.
	Keep int
	// Accept answers every subscription request with yes and one of our own (RFC 6121 §3.1).
	Accept bool
	// Receipts answers receipt requests of live messages (XEP-0184).
	Receipts bool
	// Carbons asks for copies of what other resources send and get (XEP-0280).
	Carbons bool
	// Reconnect dials again, for ever, when the connection is lost.
	Reconnect bool
	// Notify names the nodes of contacts whose news the client asks for by its capabilities (XEP-0163 §4.2).
	Notify []string
	// Silent leaves out the initial presence: the server then hands no messages to this resource.
	Silent bool
}

// Client is a user's client.
type Client struct {
	cfg  Config
	bare jid.JID
	ids  string // prefix of ids, different for every client
	seq  atomic.Uint64

	mu      sync.Mutex
	link    *link         // nil while offline
	online  chan struct{} // closed while link is set
	running chan struct{} // closed when the reading goroutine has ended; nil before the first Connect
	stop    context.CancelFunc
	lastErr error // why the last connection ended
	over    bool  // nothing will come any more, until Connect
	logins  int
	read    int
	record  []*Stanza
	waiters map[*waiter]struct{}
	asked   map[string]*question
	archive map[string][]*Stanza // by query id
}

// link is one connection.
type link struct {
	session *xmpp.Session
	conn    net.Conn
	writing sync.Mutex
}

// Dial logs in, sends the initial presence, and reads from then on.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return c, c.Connect(ctx)
}

// New returns a client that is not connected.
func New(cfg Config) (*Client, error) {
	bare, err := jid.Parse(cfg.JID)
	if err != nil {
		return nil, fmt.Errorf("user: jid: %w", err)
	}
	return &Client{
		cfg: cfg, bare: bare.Bare(), ids: strconv.FormatInt(time.Now().UnixNano(), 36), online: make(chan struct{}),
		waiters: map[*waiter]struct{}{}, asked: map[string]*question{}, archive: map[string][]*Stanza{},
	}, nil
}

// JID returns the bare JID.
func (c *Client) JID() string { return c.bare.String() }

// FullJID returns the JID with the resource of the current connection, empty while offline.
func (c *Client) FullJID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return ""
	}
	return c.link.session.LocalAddr().String()
}

// Logins counts the connections so far.
func (c *Client) Logins() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins
}

// Connect logs in and starts to read. The context bounds the login only.
func (c *Client) Connect(ctx context.Context) error {
	if err := c.Disconnect(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	l, err := c.login(ctx)
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	c.mu.Lock()
	c.running, c.stop, c.over = done, stop, false
	c.mu.Unlock()
	if err := c.up(l); err != nil {
		stop()
		close(done)
		return errors.Join(err, l.conn.Close())
	}
	go func() { // Disconnect waits for it
		defer close(done)
		c.run(runCtx, l)
	}()
	// The server handles a stream in order: with this answered, the presence is known and messages come here.
	if _, err := c.Ping(ctx, c.bare.Domainpart()); err != nil {
		return errors.Join(err, c.Disconnect())
	}
	return nil
}

// Disconnect logs out. The record stays; Connect comes back.
func (c *Client) Disconnect() error {
	c.mu.Lock()
	running, stop := c.running, c.stop
	c.mu.Unlock()
	if running == nil {
		return nil
	}
	stop()
	c.mu.Lock()
	l := c.link // looked at after stop: a connection that comes later ends itself
	c.mu.Unlock()
	var err error
	if l != nil {
		err = l.end()
	}
	<-running
	return err
}

// Close logs out and ends every wait.
func (c *Client) Close() error {
	err := c.Disconnect()
	c.failWaiters(net.ErrClosed)
	return err
}

// Drop cuts the connection without a word, as a lost network does.
func (c *Client) Drop() error {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return ErrOffline
	}
	return l.conn.Close()
}

// Online waits until there is a connection.
func (c *Client) Online(ctx context.Context) error {
	c.mu.Lock()
	online, err := c.online, c.lastErr
	c.mu.Unlock()
	select {
	case <-online:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("user: %s: wait for connection: %w", c.bare, ctx.Err()), err)
	}
}

// end closes the stream in order, and the connection when the server does not answer in time.
func (l *link) end() error {
	l.writing.Lock()
	err := l.conn.SetDeadline(time.Now().Add(closeTimeout)) // the reader sees the server's end of stream or runs into this
	if err == nil {
		err = l.session.Close()
	}
	l.writing.Unlock()
	return err
}

// login dials and negotiates a stream: SASL, then a resource. mellium.im/xmpp offers passwords on streams that count as
// secure only; loopback does.
func (c *Client) login(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("user: %s: dial: %w", c.bare, err)
	}
	features := []xmpp.StreamFeature{
		xmpp.SASL("", c.cfg.Password, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain), bindAs(c.cfg.Resource),
	}
	s, err := xmpp.NewSession(ctx, c.bare.Domain(), c.bare, conn, xmpp.Secure, xmpp.NewNegotiator(
		func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Lang: "en", Features: features}
		}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("user: %s: login: %w", c.bare, err), conn.Close())
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("user: %s: login: %w", c.bare, err), conn.Close())
	}
	return &link{session: s, conn: conn}, nil
}

// bindAs asks for a resource (RFC 6120 §7.7). BindResource of mellium.im/xmpp v0.22.0 would ask for an empty one, whatever the
// JID has: it writes the JID of an answer that has not come yet.
func bindAs(resource string) xmpp.StreamFeature {
	f := xmpp.BindResource()
	f.Negotiate = func(_ context.Context, s *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, error) {
		request := "<iq type='set' id='bind'><bind xmlns='" + nsBind + "'>"
		if resource != "" {
			request += "<resource>" + Escape(resource) + "</resource>"
		}
		if _, err := io.WriteString(s.Conn(), request+"</bind></iq>"); err != nil {
			return 0, nil, err
		}
		r := s.TokenReader()
		defer r.Close() // it frees a lock
		tok, err := r.Token()
		if err != nil {
			return 0, nil, err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			return 0, nil, errors.New("user: bind: no answer")
		}
		e, err := readElement(r, start)
		if err != nil {
			return 0, nil, err
		}
		full, err := jid.Parse(e.Child(nsBind, "bind").Child(nsBind, "jid").Text())
		if err != nil || e.Attr("type") != "result" {
			return 0, nil, fmt.Errorf("user: bind: refused: %s", e)
		}
		s.UpdateAddr(full)
		return xmpp.Ready, nil, nil
	}
	return f
}

// up announces a new connection and makes it the current one.
func (c *Client) up(l *link) error {
	var hello strings.Builder
	// Who never asked for the roster hears neither of its changes nor of subscriptions (RFC 6121 §2.1.6, §3.1.5).
	hello.WriteString("<iq type='get' id='" + c.NewID() + "'><query xmlns='" + nsRoster + "'/></iq>")
	if c.cfg.Carbons {
		hello.WriteString("<iq type='set' id='" + c.NewID() + "'><enable xmlns='" + nsCarbons + "'/></iq>")
	}
	if !c.cfg.Silent {
		hello.WriteString("<presence>" + c.cfg.caps() + "</presence>")
	}
	if err := l.write(hello.String()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	c.logins++
	close(c.online)
	return nil
}

// down forgets the connection; what was asked over it is not answered any more.
func (c *Client) down(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastErr = err
	if c.link != nil {
		c.link, c.online = nil, make(chan struct{})
	}
	for id, q := range c.asked {
		delete(c.asked, id)
		close(q.answer)
	}
}

// run reads until the connection ends, and dials again when the client is to.
func (c *Client) run(ctx context.Context, l *link) {
	for {
		err := c.readAll(l)
		_ = l.conn.Close() // its end was read already
		c.down(err)
		if ctx.Err() != nil {
			return
		}
		if !c.cfg.Reconnect {
			c.failWaiters(errors.Join(ErrOffline, err))
			return
		}
		if l = c.redial(ctx); l == nil {
			return
		}
		if ctx.Err() != nil {
			_ = l.conn.Close() // the read below sees it
		}
	}
}

// redial returns the next connection, nil when ctx ended first.
func (c *Client) redial(ctx context.Context) *link {
	for wait := redialFirst; ; wait = min(2*wait, redialMax) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		l, err := c.login(ctx)
		if err == nil {
			if err = c.up(l); err == nil {
				return l
			}
			_ = l.conn.Close()
		}
		c.mu.Lock()
		c.lastErr = err
		c.mu.Unlock()
	}
}

// readAll hands on every stanza of a connection until it ends.
func (c *Client) readAll(l *link) error {
	r := l.session.TokenReader()
	defer r.Close() // it frees a lock
	for {
		tok, err := r.Token()
		if start, ok := tok.(xml.StartElement); ok && err == nil {
			var e *Element
			if e, err = readElement(r, start); err == nil {
				c.take(l, e)
			}
		}
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("user: %s: read: %w", c.bare, err)
		}
	}
}

// write puts XML on the stream as it is.
func (l *link) write(xml string) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("user: write: %w", err)
	}
	if _, err := io.WriteString(l.conn, xml); err != nil {
		return fmt.Errorf("user: write: %w", err)
	}
	return nil
}

// NewID returns an id that no other stanza of any client has.
func (c *Client) NewID() string {
	return c.ids + "-" + strconv.FormatUint(c.seq.Add(1), 36)
}
