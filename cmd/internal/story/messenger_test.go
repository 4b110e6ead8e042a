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

// TestMessengerEcho: what was sent although the answer says that nobody knows is not sent again, for its echo tells.
func TestMessengerEcho(t *testing.T) {
	onWall(t, "messenger", deploy.Ejabberd, false, "", func(w *wallStage) {
		c := w.login("romeo")
		w.registers(c, w.wall.answers(w.account, w.account.Token), "You are registered")
		juliet := w.greets("juliet", c, "good morrow")
		w.does(http.MethodPut, "/faults", control.Faults{TimeoutRate: 1, TimeoutHoldMS: 1}, nil)
		if _, err := c.Send(w.ctx, juliet, "once, and once only"); err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Text: "once, and once only"})
		w.does(http.MethodPut, "/faults", control.Faults{}, nil)
		if _, err := c.Send(w.ctx, juliet, "and then this"); err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Text: "and then this"})
		if all, err := w.Messages(w.ctx, control.Condition{Person: "juliet", Text: "once, and once only", Direction: "to_person"}, time.Second); err != nil || len(all) != 1 {
			w.Errorf("got %d messages of the uncertain send and %v, want one", len(all), err)
		}
	})
}

// TestInstagramLongText: what is longer than 1,000 bytes goes as several messages, and is one for the user. A receipt means that Instagram
// has the message.
func TestInstagramLongText(t *testing.T) {
	onWall(t, "instagram", deploy.Prosody, false, "", func(w *wallStage) {
		c := w.login("romeo")
		w.registers(c, w.wall.answers(w.account, w.account.Token), "You are registered")
		n := c.Count()
		juliet := w.greets("juliet", c, "good morrow")
		id, err := c.Send(w.ctx, juliet, strings.Repeat("ü", 700))
		if err != nil {
			w.Fatal(err)
		}
		w.gets("juliet", control.Condition{Text: strings.Repeat("ü", 500)})
		w.gets("juliet", control.Condition{Text: strings.Repeat("ü", 200)})
		w.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
		w.does(http.MethodPost, "/people/juliet/read", control.ReadIn{To: w.account.ID}, nil)
		w.see(c, n, "marker", func(m *user.Stanza) bool { return m.Displayed == id })
	})
}
