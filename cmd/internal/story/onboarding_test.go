//go:build servers

package story

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

// by is a way to register; each shows the user the same terms and needs the same yes.
type by func(s *stage, c *user.Client) (terms string)

func byForm(s *stage, c *user.Client) string {
	s.Helper()
	proof := s.prove(14, 15)
	r, err := c.Registration(s.ctx, s.gw)
	proof.Must(err == nil && !r.Registered && r.Form != nil, "registration: got %+v, %v, want a form and not <registered/> (XEP-0077 §3.1)", r, err)
	s.unknown(c)
	var refused *user.Error
	err = c.Register(s.ctx, s.gw, r, map[string]string{"display": "Romeo"})
	proof.Must(errors.As(err, &refused), "form without a consent: got %v, want an error", err)
	e := refused.Element.Child("jabber:client", "error")
	proof.That(refused.Condition == "not-acceptable" && e.Attr("type") == "modify" && e.Attr("code") == "406", "form without a consent: got %s, want not-acceptable, modify, 406", refused.Element)
	s.unknown(c)
	answers := r.Form.Agree()
	answers["display"] = "Romeo"
	if err := c.Register(s.ctx, s.gw, r, answers); err != nil {
		s.Fatal(err)
	}
	again, err := c.IQ(s.ctx, s.gw, "get", "<query xmlns='jabber:iq:register'/>")
	proof.That(err == nil && strings.Contains(again.String(), "<registered/>") && !strings.Contains(again.String(), "password") && !strings.Contains(again.String(), "x:data"),
		"registration afterwards: got %s, %v, want <registered/> and no secret", again, err)
	return r.Form.Text()
}

func byCommand(s *stage, c *user.Client) string {
	s.Helper()
	cmd, err := c.Command(s.ctx, s.gw, "jabber:iq:register")
	if err != nil {
		s.Fatal(err)
	}
	if cmd.Status != "executing" || cmd.Default == "" {
		s.Fatalf("command: got status %q, default action %q, want executing and one", cmd.Status, cmd.Default)
	}
	s.unknown(c)
	answers := cmd.Form.Agree()
	answers["display"] = "Romeo"
	done, err := c.Submit(s.ctx, cmd, "complete", answers)
	if err != nil {
		s.Fatal(err)
	}
	if done.Status != "completed" || !strings.Contains(done.Text(), "You are registered") {
		s.Fatalf("command: got %s %q, want completed", done.Status, done.Text())
	}
	// XEP-0050 §4.4: a finished session cannot be gone on with.
	if _, err := c.Submit(s.ctx, cmd, "complete", answers); err == nil {
		s.Error("a finished session took another submission")
	}
	return cmd.Form.Text()
}

func byChat(s *stage, c *user.Client) string {
	s.Helper()
	terms := s.tell(c, "register").Body
	s.unknown(c)
	if got := s.tell(c, "no").Body; !strings.Contains(got, "Nothing happens without your agreement") {
		s.Errorf("answer to no: got %q", got)
	}
	s.unknown(c)
	if got := s.tell(c, "yes").Body; !strings.Contains(got, "Name that people there see") {
		s.Fatalf("answer to yes: got %q, want the next question", got)
	}
	s.unknown(c)
	if got := s.tell(c, "Romeo").Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("last answer: got %q, want success", got)
	}
	return terms
}

// tell writes to the gateway and returns its answer.
func (s *stage) tell(c *user.Client, line string) *user.Stanza {
	s.Helper()
	n := c.Count()
	if _, err := c.SendMessage(s.ctx, user.Outgoing{To: s.gw, Body: line}); err != nil {
		s.Fatal(err)
	}
	return s.see(c, n, "answer to "+line, func(m *user.Stanza) bool { return m.Kind == user.Message && m.From == s.gw && m.Body != "" })
}

// unknown asserts that the gatekeeper was told nothing of a user.
func (s *stage) unknown(c *user.Client) {
	s.Helper()
	for _, r := range s.asked(c.JID()) {
		s.Errorf("before the consent the gatekeeper was asked about %s:\n%s", c.JID(), r)
	}
}

var receipt = regexp.MustCompile(`(?s)SHA-256 of the text below: ([0-9a-f]{64})\n\n(.*)`)

func TestRegister(t *testing.T) {
	for _, way := range []struct {
		name string
		by   by
	}{{"form", byForm}, {"command", byCommand}, {"chat", byChat}} {
		t.Run(way.name, func(t *testing.T) {
			both(t, func(s *stage) { registers(s, way.by) })
		})
	}
}

func registers(s *stage, by by) {
	c := s.login("romeo")
	n := c.Count()
	waits := s.waits(c.JID())
	terms := by(s, c)

	// What the user has to know before is what the receipt keeps.
	m := s.see(c, n, "consent receipt", func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.From == s.gw && strings.HasPrefix(m.Body, "Receipt of your consent")
	})
	got := receipt.FindStringSubmatch(m.Body)
	if got == nil {
		s.Fatalf("receipt: got %q", m.Body)
	}
	if sum := sha256.Sum256([]byte(got[2])); hex.EncodeToString(sum[:]) != got[1] {
		s.Errorf("receipt: SHA-256 of its text is %x, it says %s", sum, got[1])
	}
	for _, point := range []string{"there is no end-to-end encryption", "your address on this server", "unregister"} {
		if !strings.Contains(terms, point) || !strings.Contains(got[2], point) {
			s.Errorf("%q: in the terms shown %t, in the receipt %t, want both", point, strings.Contains(terms, point), strings.Contains(got[2], point))
		}
	}

	// XEP-0100 §4.1.1: the gateway asks for the user's presence, then both see each other.
	ask := s.see(c, n, "subscription request", presence(s.gw, "subscribe"))
	yes := s.see(c, n, "subscribed", presence(s.gw, "subscribed"))
	here := s.see(c, n, "presence of the gateway", presence(s.gw, ""))
	order := s.prove(16)
	order.That(here.N > ask.N && here.N > yes.N, "order: request %d, subscribed %d, presence %d: want presence last", ask.N, yes.N, here.N)
	if err := <-waits; err != nil {
		s.Fatal(err)
	}
	waited := s.see(c, n, "what had waited", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "I have waited for you" })
	order.That(waited.N > here.N, "order: presence %d, what had waited %d: want presence first", here.N, waited.N)
	s.until("the roster shows both", func() bool { return s.rosterHas(c, s.gw, "both") })

	list := hold[enlistment](s.sandbox, wait{Kind: "enlistment", User: c.JID(), State: "active"})
	if len(list) != 1 {
		s.Fatalf("enlistments: got %d, want 1", len(list))
	}
	posted := s.asked("POST /v1/enlistments\n")
	if len(posted) != 1 || !strings.Contains(posted[0], `"receipt_sha256":"`+got[1]+`"`) {
		s.Errorf("enlistment: got %q, want one with the hash %s of the receipt", posted, got[1])
	}
	r, err := c.Registration(s.ctx, s.gw)
	if err != nil || !r.Registered {
		s.Errorf("registered: got %+v, %v, want <registered/>", r, err)
	}
}

// waits has somebody write to a user as soon as the platform knows them, which is before the gateway can have said so.
func (s *stage) waits(jid string) <-chan error {
	sent := make(chan error, 1)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+"/sandbox/v1/people/nurse/messages", strings.NewReader(`{"to": "`+jid+`", "text": "I have waited for you"}`))
			if err != nil {
				sent <- err
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				err = resp.Body.Close()
			}
			if err != nil || resp.StatusCode == http.StatusOK {
				sent <- err
				return
			}
			select {
			case <-tick.C:
			case <-s.ctx.Done():
				sent <- s.ctx.Err()
				return
			}
		}
	}()
	return sent
}

func (s *stage) rosterHas(c *user.Client, jid, subscription string) bool {
	s.Helper()
	items, err := c.Roster(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	for _, i := range items {
		if i.JID == jid && i.Subscription == subscription {
			return true
		}
	}
	return false
}
