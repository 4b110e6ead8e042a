//go:build servers

package story

import (
	"errors"
	"net/http"
	"testing"

	"postern/cmd/internal/user"
)

func TestUnregister(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(17)
		c := s.member("romeo")
		nurse, echo := s.befriend(c, "nurse"), s.befriend(c, "echo")
		s.talks(c, nurse, "nurse")

		// XEP-0077 §3.2: <remove/> is the only child.
		s.refused(c, "<query xmlns='jabber:iq:register'><remove/><username>x</username></query>", "bad-request")
		n := c.Count()
		if err := c.Unregister(s.ctx, s.gw); err != nil {
			s.Fatal(err)
		}
		for _, who := range []string{nurse, echo, s.gw} {
			for _, typ := range []string{"unsubscribe", "unsubscribed", "unavailable"} {
				s.see(c, n, typ+" from "+who, presence(who, typ))
			}
		}
		s.until("the enlistment is gone", func() bool { return !s.enlisted(c.JID()) })
		s.refused(c, "<query xmlns='jabber:iq:register'><remove/></query>", "registration-required")
		id, err := c.Send(s.ctx, nurse, "still there?")
		if err != nil {
			s.Fatal(err)
		}
		m := s.see(c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
		if m.Condition != "registration-required" {
			s.Errorf("message afterwards: got %s, want registration-required", m.XML())
		}
		r, err := c.Registration(s.ctx, s.gw)
		proof.That(err == nil && !r.Registered, "registration afterwards: got %+v, %v, want a form", r, err)

		// Coming back is a new registration; its contacts have new addresses.
		s.enrol(c)
		if again := s.befriend(c, "nurse"); again == nurse {
			s.Errorf("address after coming back: got %s again", again)
		} else {
			s.talks(c, again, "nurse")
		}
	})
}

// refused asserts that the gateway refuses a set request with a condition.
func (s *stage) refused(c *user.Client, payload, condition string) {
	s.Helper()
	var refused *user.Error
	if _, err := c.IQ(s.ctx, s.gw, "set", payload); !errors.As(err, &refused) || refused.Condition != condition {
		s.Errorf("%s: got %v, want %s", payload, err, condition)
	}
}

// enlisted reports whether a user has an active enlistment.
func (s *stage) enlisted(jid string) bool {
	s.Helper()
	var got struct{ Users []enlistment }
	s.control(http.MethodGet, "/state", nil, &got)
	for _, u := range got.Users {
		if u.Identifier.Value == jid && u.State == "active" {
			return true
		}
	}
	return false
}
