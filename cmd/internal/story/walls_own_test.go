//go:build servers

package story

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"postern/adapters/control"
	"postern/cmd/internal/user"
	"postern/deploy"
)

// TestWallOwn: each user links an account of their own. What is no token, and one that the platform does not take, is refused at once; one
// that is revoked later parks the account until its user renews it; leaving ends the webhooks. Updates come by webhook on Prosody and, where
// that is possible, are asked for on ejabberd.
func TestWallOwn(t *testing.T) {
	more := func(w walled, kind deploy.Server) string {
		if kind == deploy.Ejabberd {
			return w.polls
		}
		return ""
	}
	onWalls(t, false, more, func(w *wallStage) {
		c := w.login("romeo")
		if talk := w.registers(c, w.wall.answers(w.account, "no token"), w.wall.none); !strings.Contains(talk, w.wall.told) {
			w.Errorf("before the token: got %q, want %q in it", talk, w.wall.told)
		}
		w.tell(c, "cancel")
		w.registers(c, w.wall.answers(w.account, w.wall.other), w.wall.refused)
		w.tell(c, "cancel")
		w.registers(c, w.wall.answers(w.account, w.account.Token), "You are registered")
		if !w.polls {
			w.becomes("subscribed")
		}
		w.does(http.MethodPost, "/people/juliet/open", control.OpenIn{To: w.account.ID}, nil)
		juliet := w.greets("juliet", c, "good morrow")
		w.changes(c, juliet, "")
		w.exchangesFiles(c, juliet)
		w.renews(c, juliet)
		if got := w.tell(c, "unregister").Body; !strings.Contains(got, "End the connection?") {
			w.Fatalf("unregister: got %q, want a question", got)
		}
		w.tell(c, "yes")
		if !w.polls {
			w.becomes("unsubscribed")
		}
	})
}

// exchangesFiles: a picture there, shown as one, and a file back.
func (w *wallStage) exchangesFiles(c *user.Client, juliet string) {
	w.Helper()
	var rose bytes.Buffer
	if err := png.Encode(&rose, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		w.Fatal(err)
	}
	w.share(c, juliet, w.upload(c, "rose.png", "image/png", int64(rose.Len()), bytes.NewReader(rose.Bytes())))
	got := w.gets("juliet", control.Condition{Has: "media"}).Content.Media[0]
	if sum := sha256.Sum256(rose.Bytes()); got.Kind != "image" || got.SHA256 != hex.EncodeToString(sum[:]) {
		w.Errorf("picture: got %+v, want an image with hash %x", got, sum)
	}
	n := c.Count()
	part, err := w.Make(w.ctx, control.MediaIn{Type: "application/pdf", Size: 300000, Name: "plan.pdf"})
	if err != nil {
		w.Fatal(err)
	}
	w.does(http.MethodPost, "/people/juliet/messages", control.SayIn{To: w.account.ID, Content: &control.Content{Media: []control.MediaPart{part}}}, nil)
	file := w.see(c, n, "the person's file", fileFrom(juliet))
	if sum, size, _ := w.got(file.Body); sum != part.SHA256 || size != 300000 {
		w.Errorf("file: got %d bytes with hash %s, want 300000 with %s", size, sum, part.SHA256)
	}
}

// renews: the platform has another token for the account from now on.
func (w *wallStage) renews(c *user.Client, juliet string) {
	w.Helper()
	n := c.Count()
	w.does(http.MethodPatch, "/users/"+w.account.ID, map[string]any{"token": w.wall.other}, nil)
	lines := []string{"first while it is refused", "second while it is refused", "third while it is refused"}
	for _, line := range lines {
		if _, err := c.Send(w.ctx, juliet, line); err != nil {
			w.Fatal(err)
		}
	}
	w.see(c, n, "notice", func(m *user.Stanza) bool { return m.From == w.gw && strings.Contains(m.Body, "needs to be renewed") })
	if got := w.tell(c, "status").Body; !strings.Contains(got, "needs to be renewed") {
		w.Errorf("status: got %q, want that it needs to be renewed", got)
	}
	answers := w.wall.answers(w.account, w.wall.other)
	answers["Renew a connection"] = "1"
	w.registers(c, answers, "is renewed")
	for _, line := range lines {
		w.gets("juliet", control.Condition{Text: line})
	}
	chat := w.gets("juliet", control.Condition{Text: lines[0]})
	for _, line := range lines[1:] {
		next := w.gets("juliet", control.Condition{Text: line})
		if next.Order < chat.Order {
			w.Errorf("%q came before %q", line, chat.Content.Text)
		}
		chat = next
	}
	notices := countBodies(c, n, w.gw, "Your connection to "+w.sim.Title+" needs to be renewed")
	if notices != 1 {
		w.Errorf("notices: got %d, want 1", notices)
	}
	w.comesBack(c, "juliet", juliet, "after it")
}
