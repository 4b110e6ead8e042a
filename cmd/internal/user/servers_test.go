//go:build servers

package user

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
)

// stage is a Prosody with two users.
type stage struct {
	*lab.XMPP
	ctx context.Context //nolint:containedctx // the deadline over all that one test does
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	x, err := lab.ForTest(t).StartProsody(ctx, lab.XMPPConfig{
		Components: []lab.Component{{Domain: "gw.localhost", Secret: "s"}},
		Users:      []lab.Login{{User: "romeo", Password: "r"}, {User: "juliet", Password: "j"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &stage{x, ctx}
}

func (s *stage) dial(t *testing.T, cfg Config) *Client {
	t.Helper()
	cfg.JID += "@" + s.Domain()
	cfg.Addr = s.ClientAddr()
	c, err := Dial(s.ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *stage) message(t *testing.T, c *Client, what string, match func(*Stanza) bool) *Stanza {
	t.Helper()
	got, err := c.WaitMessage(s.ctx, match)
	if err != nil {
		t.Fatalf("%s: %v; seen %d stanzas", what, err, c.Count())
	}
	return got
}

func TestConversation(t *testing.T) {
	s := newStage(t)
	romeo := s.dial(t, Config{JID: "romeo", Password: "r", Resource: "balcony"})
	juliet := s.dial(t, Config{JID: "juliet", Password: "j", Receipts: true, Accept: true})

	id, err := romeo.Send(s.ctx, juliet.JID(), "it is the east & <sun>")
	if err != nil {
		t.Fatal(err)
	}
	got := s.message(t, juliet, "text", func(m *Stanza) bool { return m.ID == id })
	if got.Body != "it is the east & <sun>" || got.From != "romeo@localhost/balcony" || got.OriginID != id || !got.Markable || got.State != "active" {
		t.Errorf("got %s", got.XML())
	}
	s.message(t, romeo, "receipt", func(m *Stanza) bool { return m.Received == id })
	if err := errors.Join(juliet.Displayed(s.ctx, got.From, id), juliet.Composing(s.ctx, got.From)); err != nil {
		t.Fatal(err)
	}
	s.message(t, romeo, "marker", func(m *Stanza) bool { return m.Displayed == id })
	s.message(t, romeo, "typing", func(m *Stanza) bool { return m.State == "composing" })

	n := romeo.Count()
	if err := romeo.Subscribe(s.ctx, juliet.JID()); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"subscribed", "subscribe"} {
		if _, err := romeo.WaitAfter(s.ctx, n, func(p *Stanza) bool { return p.Kind == Presence && p.Type == typ }); err != nil {
			for _, p := range append(juliet.Stanzas(0), romeo.Stanzas(n)...) {
				t.Log(p.XML())
			}
			t.Fatalf("%s: %v", typ, err)
		}
	}
	roster, err := romeo.Roster(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Item{{JID: "juliet@localhost", Subscription: "to"}}, roster); diff != "" {
		t.Errorf("roster, want - got +\n%s", diff)
	}

	if _, err := romeo.Ping(s.ctx, "localhost"); err != nil {
		t.Error(err)
	}
	if _, err := romeo.Ping(s.ctx, juliet.FullJID()); err != nil {
		t.Error(err)
	}
	_, err = romeo.IQ(s.ctx, juliet.FullJID(), "get", "<query xmlns='urn:example:unknown'/>")
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Condition != "service-unavailable" {
		t.Errorf("unknown request: got %v, want service-unavailable", err)
	}
	info, err := romeo.Info(s.ctx, juliet.FullJID(), "")
	if err != nil || info.Child(nsDiscoInfo, "identity").Attr("name") != clientName {
		t.Errorf("disco: got %s, %v", info, err)
	}
}

func TestArchiveCatchUp(t *testing.T) {
	s := newStage(t)
	juliet := s.dial(t, Config{JID: "juliet", Password: "j"})
	if err := juliet.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if _, err := juliet.Send(s.ctx, "romeo@localhost", "into the void"); !errors.Is(err, ErrOffline) {
		t.Errorf("send while offline: got %v, want %v", err, ErrOffline)
	}
	romeo := s.dial(t, Config{JID: "romeo", Password: "r"})
	const count = 2*archivePage + 10
	var want, got []string
	for i := range count {
		id, err := romeo.Send(s.ctx, juliet.JID(), fmt.Sprint("line ", i))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	if _, err := romeo.Ping(s.ctx, "localhost"); err != nil { // everything before it was processed
		t.Fatal(err)
	}
	if err := juliet.Connect(s.ctx); err != nil {
		t.Fatal(err)
	}
	for _, since := range []time.Time{{}, time.Now().Add(-time.Minute)} {
		kept, err := juliet.Archive(s.ctx, since)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, m := range kept {
			got = append(got, m.ID)
			if m.ArchiveID == "" || m.Delay.IsZero() {
				t.Errorf("archived without id or time: %s", m.XML())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("archive since %v, want - got +\n%s", since, diff)
		}
	}
	if kept, err := juliet.Archive(s.ctx, time.Now().Add(time.Hour)); err != nil || len(kept) != 0 {
		t.Errorf("archive of the future: got %d, %v", len(kept), err)
	}
}

func TestCarbonsAndSink(t *testing.T) {
	s := newStage(t)
	sink := make(chan *Stanza, 100)
	desktop := s.dial(t, Config{JID: "romeo", Password: "r", Carbons: true, Sink: func(m *Stanza) { sink <- m }})
	if _, err := desktop.Ping(s.ctx, "localhost"); err != nil { // carbons are on
		t.Fatal(err)
	}
	phone := s.dial(t, Config{JID: "romeo", Password: "r"})
	if _, err := phone.Send(s.ctx, "juliet@localhost", "from the phone"); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case m := <-sink:
			if m.Carbon == "sent" && m.Body == "from the phone" && m.From == phone.FullJID() {
				if n := len(desktop.Stanzas(0)); n != 0 {
					t.Errorf("recorded beside the sink: got %d, want 0", n)
				}
				return
			}
		case <-s.ctx.Done():
			t.Fatal("no carbon came")
		}
	}
}

func TestReconnect(t *testing.T) {
	s := newStage(t)
	romeo := s.dial(t, Config{JID: "romeo", Password: "r", Reconnect: true})
	if err := romeo.Drop(); err != nil {
		t.Fatal(err)
	}
	juliet := s.dial(t, Config{JID: "juliet", Password: "j"})
	if _, err := juliet.Send(s.ctx, romeo.JID(), "are you there"); err != nil {
		t.Fatal(err)
	}
	s.message(t, romeo, "after a lost connection", func(m *Stanza) bool { return m.Body == "are you there" })

	if err := s.Restart(s.ctx); err != nil {
		t.Fatal(err)
	}
	if err := romeo.Online(s.ctx); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Connect(s.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := juliet.Send(s.ctx, romeo.JID(), "and now"); err != nil {
		t.Fatal(err)
	}
	s.message(t, romeo, "after a restart", func(m *Stanza) bool { return m.Body == "and now" })
	if n := romeo.Logins(); n < 3 {
		t.Errorf("logins: got %d, want 3 or more", n)
	}
	if err := romeo.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := romeo.Wait(s.ctx, func(*Stanza) bool { return false }); !errors.Is(err, ErrOffline) {
		t.Errorf("wait on a closed client: got %v, want %v", err, ErrOffline)
	}
}

func TestWrongPassword(t *testing.T) {
	s := newStage(t)
	c, err := Dial(s.ctx, Config{JID: "romeo@localhost", Password: "wrong", Addr: s.ClientAddr()})
	if err == nil {
		t.Errorf("logged in as %s", c.FullJID())
	}
}
