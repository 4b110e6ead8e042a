//go:build servers

package story

import (
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

// TestPresence follows what a user sees of gateway and contact while either side comes and goes.
func TestPresence(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") && s.rosterHas(c, s.gw, "both") })

		// A login: the user's server asks for everybody's presence (RFC 6121 §4.3).
		n := c.Count()
		if err := c.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		for _, who := range []string{s.gw, jid} {
			s.see(c, n, "presence of "+who+" after a login", presence(who, ""))
		}
		// An orderly stop, then a start, with the user online all the time.
		n = c.Count()
		s.stop()
		bye := s.prove(30)
		for _, who := range []string{s.gw, jid} {
			bye.That(s.see(c, n, who+" leaving", presence(who, "unavailable")) != nil, "%s did not leave", who)
		}
		n, began := c.Count(), time.Now()
		s.start()
		back := s.prove(29)
		for _, who := range []string{s.gw, jid} {
			p := s.see(c, n, who+" coming back", presence(who, ""))
			back.That(p.Element.Child("jabber:client", "show") == nil, "got %s, want plainly there", p.XML())
		}
		back.That(time.Since(began) < 10*time.Second, "back within %s, want 10 s", time.Since(began))
		// Prosody's mod_privilege goes on sending everybody's presence to gateways with rights that other stories have stopped,
		// and the server answers for them: only what comes from this one is its own.
		for _, p := range c.Stanzas(0) {
			if p.Kind == user.Presence && p.Type == "error" && strings.HasSuffix("@"+bare(p.From), "@"+s.gw) {
				s.Errorf("got %s", p.XML())
			}
		}
		s.talks(c, jid, "nurse")

		// RFC 6121 §3.3: the user looks at the contact no more. The answer ends at the user's server, which has done so already.
		n = c.Count()
		if err := c.Unsubscribe(s.ctx, jid); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "unavailable", presence(jid, "unavailable"))
		s.until("the roster shows from", func() bool { return s.rosterHas(c, jid, "from") })
		// Asked anew, it comes back as it was.
		n = c.Count()
		if err := c.Subscribe(s.ctx, jid); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "subscribed again", presence(jid, "subscribed"))
		s.see(c, n, "presence again", presence(jid, ""))
	})
}

// TestSecondReplica starts the same gateway twice: the second waits and takes over when the first goes.
func TestSecondReplica(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		second := s.replica()
		s.talks(c, jid, "nurse")
		s.prove(3).That(!strings.Contains(second.log.String(), "xmpp stream up") && strings.Count(s.log.String(), "xmpp stream up") == 1,
			"two replicas: the second is connected, or the first was thrown out\n%s", second.log.tail())
		n := c.Count()
		s.stop()
		second.said("xmpp stream up", 1)
		s.see(c, n, "presence by the second", presence(s.gw, ""))
		s.log = second.log
		s.talks(c, jid, "nurse")
	})
}

// replica runs the gateway of a stage a second time, with a state directory of its own.
func (s *stage) replica() *postern {
	s.Helper()
	text := strings.NewReplacer("state_dir: state", "state_dir: state2", s.hook, freeAddr(s.T), s.site, freeAddr(s.T)).Replace(s.config())
	p := &postern{t: s.T}
	p.run(s.file("second.yaml", text))
	p.said("webhook address told to the platform", 1)
	return p
}
