package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	users    = 5
	chats    = 50 // of the ordinary loads
	inFlight = 64 // messages sent and not arrived, per direction
)

// place tells whose chat it is, and with which person: the users have them in turn.
func place(chat int) (user, person int) { return chat % users, chat / users }

// Way is a direction of the load.
type Way string

// The two ways.
const (
	ToPlatform Way = "x" // from a user's client to the platform
	ToUser     Way = "p" // from the platform to a user's client
)

// Meter watches one direction: what is under way, how long it took, whether it kept its order.
type Meter struct {
	way    Way
	chats  int
	window chan struct{}
	turns  []chan struct{} // by chat, what is under way in it; nil where only the window counts
	sent   atomic.Int64
	seen   atomic.Int64

	mu       sync.Mutex
	last     []int // by chat
	disorder int
	times    []time.Duration
}

func newMeter(way Way) *Meter { return newMeterOf(way, chats, inFlight) }

// newMeterOf watches so many chats with so many messages under way.
func newMeterOf(way Way, chats, window int) *Meter {
	return &Meter{way: way, chats: chats, window: make(chan struct{}, window), last: make([]int, chats)}
}

// inTurns lets one message of each chat be under way. In a chat that sends more before it is answered messages wait for each other,
// as their order wants, and what is measured is how long that queue is.
func (m *Meter) inTurns() *Meter {
	m.turns = make([]chan struct{}, m.chats)
	for i := range m.turns {
		m.turns[i] = make(chan struct{}, 1)
	}
	return m
}

// turn waits until a chat may send; false when ctx ended first.
func (m *Meter) turn(ctx context.Context, chat int) bool {
	if m.turns == nil {
		return true
	}
	select {
	case m.turns[chat] <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// text makes the body of message n of a chat; it holds the time of sending.
func (m *Meter) text(chat, n int) string {
	return fmt.Sprintf("bench %s %d %d %d", m.way, chat, n, time.Now().UnixNano())
}

// enter waits until another message may be under way; false when ctx ended first.
func (m *Meter) enter(ctx context.Context) bool {
	select {
	case m.window <- struct{}{}:
		m.sent.Add(1)
		return true
	case <-ctx.Done():
		return false
	}
}

// arrived books a message that reached the other side; other texts are not ours.
func (m *Meter) arrived(text string) {
	f := strings.Fields(text)
	if len(f) != 5 || f[0] != "bench" || f[1] != string(m.way) {
		return
	}
	chat, err1 := strconv.Atoi(f[2])
	n, err2 := strconv.Atoi(f[3])
	at, err3 := strconv.ParseInt(f[4], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || chat < 0 || chat >= m.chats {
		return
	}
	took := time.Since(time.Unix(0, at))
	m.mu.Lock()
	if n < m.last[chat] {
		m.disorder++
	}
	m.last[chat] = max(m.last[chat], n)
	m.times = append(m.times, took)
	m.mu.Unlock()
	m.seen.Add(1)
	if m.turns != nil {
		select {
		case <-m.turns[chat]:
		default: // a duplicate
		}
	}
	select {
	case <-m.window:
	default: // a duplicate
	}
}

// settle waits until all that was sent has arrived and reports how much has not when ctx ends.
func (m *Meter) settle(ctx context.Context) int64 {
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for m.seen.Load() < m.sent.Load() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return m.sent.Load() - m.seen.Load()
		}
	}
	return 0
}

// percentile returns the p-th share of the times.
func (m *Meter) percentile(p float64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.times) == 0 {
		return 0
	}
	slices.Sort(m.times)
	return m.times[min(int(p*float64(len(m.times))), len(m.times)-1)]
}

// flood sends as fast as the window lets it until ctx ends. Each of the senders has some of the chats in turn, so that one chat's
// messages leave one after another.
func (m *Meter) flood(ctx context.Context, send func(chat int, text string) error) error {
	var wg sync.WaitGroup
	senders := min(m.chats, cap(m.window))
	errs := make([]error, senders)
	for s := range senders {
		wg.Go(func() {
			for chat, n := s, 1; m.turn(ctx, chat) && m.enter(ctx); {
				if errs[s] = send(chat, m.text(chat, n)); errs[s] != nil {
					return
				}
				if chat += senders; chat >= m.chats {
					chat, n = s, n+1
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// drip sends at a rate per second until ctx ends.
func (m *Meter) drip(ctx context.Context, rate int, send func(chat int, text string) error) error {
	t := time.NewTicker(time.Second / time.Duration(rate))
	defer t.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	failed := make(chan error, 1)
	for n := 0; ; n++ {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if !m.enter(ctx) {
			return nil
		}
		chat, text := n%m.chats, m.text(n%m.chats, n/m.chats+1)
		wg.Go(func() {
			if err := send(chat, text); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
}

// client is a user's client that costs next to nothing: it looks for bodies in what it reads.
type client struct {
	conn  net.Conn
	write sync.Mutex
	done  chan struct{}
}

// dial logs in over plain TCP with SASL PLAIN, which the lab's Prosody takes on loopback, and reads from then on.
func dial(ctx context.Context, addr, user, password string, arrived func(body string)) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, done: make(chan struct{})}
	const open = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>"
	auth := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	for _, step := range [][2]string{
		{open, "</stream:features>"},
		{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + auth + "</auth>", "<success"},
		{open, "</stream:features>"},
		{"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>", "</iq>"},
	} {
		if err := c.step(step[0], step[1]); err != nil {
			return nil, errors.Join(fmt.Errorf("bench: login of %s: %w", user, err), conn.Close())
		}
	}
	if err := c.send("<presence/>"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go func() { // close waits for it
		defer close(c.done)
		c.read(arrived)
	}()
	return c, nil
}

func (c *client) step(say, want string) error {
	if err := c.send(say); err != nil {
		return err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(want)) {
		n, err := c.conn.Read(buf)
		if err != nil {
			return fmt.Errorf("%w after %q", err, got)
		}
		got = append(got, buf[:n]...)
		if bytes.Contains(got, []byte("<failure")) {
			return fmt.Errorf("refused: %q", got)
		}
	}
	return c.conn.SetReadDeadline(time.Time{})
}

func (c *client) send(xml string) error {
	c.write.Lock()
	defer c.write.Unlock()
	_, err := c.conn.Write([]byte(xml))
	return err
}

// message is a chat message as small as clients send it; extra is more XML in it.
func message(to, body, extra string) string {
	return "<message to='" + to + "' type='chat' id='" + strings.ReplaceAll(body, " ", "-") + "'><body>" + body + "</body>" + extra + "</message>"
}

// wantsReceipt asks for a delivery receipt (XEP-0184).
const wantsReceipt = "<request xmlns='urn:xmpp:receipts'/>"

// read tells the text of every message, and of every receipt the text of the message that it is for.
func (c *client) read(arrived func(string)) {
	var rest []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return
		}
		rest = append(rest, buf[:n]...)
		taken := 0
		for {
			length := bytes.Index(rest[taken:], []byte("</message>"))
			if length < 0 {
				break
			}
			if text := textOf(rest[taken : taken+length]); text != "" {
				arrived(text)
			}
			taken += length + len("</message>")
		}
		rest = append(rest[:0], rest[taken:]...)
	}
}

// textOf finds a message's body, or what a receipt (XEP-0184) names: ids are made from bodies.
func textOf(stanza []byte) string {
	if _, after, ok := bytes.Cut(stanza, []byte("<body>")); ok {
		body, _, _ := bytes.Cut(after, []byte("</body>"))
		return string(body)
	}
	_, after, _ := bytes.Cut(stanza, []byte("<received"))
	tag, _, _ := bytes.Cut(after, []byte(">"))
	_, value, ok := bytes.Cut(tag, []byte(" id="))
	if !ok || len(value) == 0 {
		return ""
	}
	id, _, _ := bytes.Cut(value[1:], value[:1])
	return strings.ReplaceAll(string(id), "-", " ")
}

func (c *client) close() {
	_ = c.conn.Close() // the reader sees it
	<-c.done
}
