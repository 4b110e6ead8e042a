//go:build servers

package story

import (
	"regexp"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// TestReadableAddresses has contacts under the gatekeeper's own ids, for those who are the first account of their user.
func TestReadableAddresses(t *testing.T) {
	bothAs(t, func(s *stage) {
		s.yaml = s.file("postern.yaml", strings.Replace(s.config(), "    type: gatekeeper\n", "    type: gatekeeper\n    contact_jids: readable\n", 1))
	}, func(s *stage) {
		a, b := s.member("romeo"), s.member("benvolio")
		readable := regexp.MustCompile(`\S+@` + regexp.QuoteMeta(s.gw))
		n := a.Count()
		cmd, err := a.Command(s.ctx, s.gw, "add")
		if err != nil {
			s.Fatal(err)
		}
		done, err := a.Submit(s.ctx, cmd, "", map[string]string{"query": "nurse"})
		if err != nil {
			s.Fatal(err)
		}
		nurse := readable.FindString(done.Text())
		if !strings.Contains(nurse, "nurse@") {
			s.Fatalf("added: got %q, want an address with the gatekeeper's id", done.Text())
		}
		s.see(a, n, "presence of the nurse", presence(nurse, ""))
		s.until("the roster shows both", func() bool { return s.rosterHas(a, nurse, "both") })
		s.talks(a, nurse, "nurse")
		e, err := a.IQ(s.ctx, s.gw, "set", "<query xmlns='jabber:iq:gateway'><prompt>nurse</prompt></query>")
		if err != nil || !strings.Contains(e.String(), "<jid>"+nurse+"</jid>") {
			s.Errorf("prompt: got %s, %v, want %s", e, err, nurse)
		}
		s.offers(s.info(a, nurse, ""), "urn:xmpp:receipts")

		// The same address is nobody for another user until they add the person, and then another conversation.
		n = b.Count()
		id, err := b.Send(s.ctx, nurse, "let me in")
		if err != nil {
			s.Fatal(err)
		}
		if m := s.see(b, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" }); m.Condition != "item-not-found" {
			s.Errorf("another user's readable address: got %s, want item-not-found", m.XML())
		}
		s.until("B has the nurse too", func() bool {
			cmd, err := b.Command(s.ctx, s.gw, "add")
			if err != nil {
				s.Fatal(err)
			}
			_, err = b.Submit(s.ctx, cmd, "", map[string]string{"query": "nurse"})
			return err == nil
		})
		s.talks(b, nurse, "nurse")
		s.talks(a, nurse, "nurse")
		n = a.Count()
		if err := a.Unregister(s.ctx, s.gw); err != nil {
			s.Fatal(err)
		}
		s.see(a, n, "unsubscribed from the nurse", presence(nurse, "unsubscribed"))
	})
}
