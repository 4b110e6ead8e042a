//go:build servers

package story

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/cmd/internal/user"
	"postern/deploy"
)

// TestWhatsAppNewNumber: who writes from another number is the same contact. What they say arrives as they wrote it.
func TestWhatsAppNewNumber(t *testing.T) {
	onWall(t, "whatsapp", deploy.Ejabberd, false, "    closed_window: reopen\n    typing: true\n", func(w *wallStage) {
		c := w.login("romeo")
		w.registers(c, w.wall.answers(w.account, w.account.Token), "You are registered")
		juliet := w.greets("juliet", c, "good *morrow*")
		w.does(http.MethodPatch, "/people/juliet", map[string]any{"phone": "+390459990001"}, nil)
		w.comesBack(c, "juliet", juliet, "a new number")
		if _, err := c.Send(w.ctx, juliet, "still thou"); err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Text: "still thou", Status: "delivered"})
	})
}

// TestWhatsAppReopen: when the 24 hours are over a message waits, the person is asked to write by the operator's template, and their next
// word lets it out.
func TestWhatsAppReopen(t *testing.T) {
	more := "    closed_window: reopen\n    reopen_variables: [\"{from}\"]\n    typing: true\n"
	onWall(t, "whatsapp", deploy.Prosody, true, more, func(w *wallStage) {
		c := w.login("romeo")
		w.registers(c, nil, "You are registered")
		link := w.invites(c, "Romeo")
		w.ahead.Store(-int64(25 * time.Hour)) // she writes a day before the rest
		juliet := w.comes("juliet", c, link, "art thou there?")
		w.ahead.Store(0)
		n := c.Count()
		if _, err := c.Send(w.ctx, juliet, "a day later"); err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Contains: "[please_write] Romeo"})
		w.see(c, n, "that the message waits", func(m *user.Stanza) bool { return strings.Contains(m.Body, "They were asked to") })
		w.says("juliet", "here I am")
		w.gets("juliet", control.Condition{Text: "a day later", Status: "delivered"})
		id, err := c.Send(w.ctx, juliet, "and at once")
		if err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Text: "and at once", Status: "delivered"})
		w.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	})
}
