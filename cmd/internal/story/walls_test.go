//go:build servers

package story

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/cmd/internal/user"
	"postern/deploy"
)

// TestWallLine: one account of the operator's for all users. Updates come by webhook on ejabberd and, where that is possible, are asked for
// on Prosody, the other way round than in TestWallOwn; a closed window holds messages on Prosody and refuses them on ejabberd.
func TestWallLine(t *testing.T) {
	more := func(w walled, kind deploy.Server) string {
		if kind == deploy.Ejabberd {
			return "    closed_window: refuse\n"
		}
		return w.polls + "    closed_window: hold\n"
	}
	onWalls(t, true, more, func(w *wallStage) {
		romeo, mercutio := w.login("romeo"), w.login("mercutio")
		w.registers(romeo, nil, "You are registered")
		w.registers(mercutio, nil, "You are registered")
		juliet := w.sharesJuliet(romeo, mercutio)
		w.strangerIsTold(romeo, mercutio)
		w.changes(romeo, juliet, "Romeo: ")
		w.unknownKind(romeo, juliet)
		if !w.polls {
			w.forged(romeo, juliet)
		}
		if w.wall.window > 0 {
			w.windowCloses(romeo)
		}
		w.lineRevoked(romeo, juliet)
	})
}

// sharesJuliet connects a person with two users and lets her choose whom she writes to.
func (w *wallStage) sharesJuliet(romeo, mercutio *user.Client) (hers string) {
	w.Helper()
	n, m := romeo.Count(), mercutio.Count()
	link := w.invites(romeo, "Romeo")
	there := w.comes("juliet", romeo, link, "art thou there?")
	w.quiet(mercutio, m, "art thou there?")
	other := w.comes("juliet", mercutio, w.invites(mercutio, "Mercutio"), "and thou?")
	w.quiet(romeo, n, "and thou?")

	w.says("juliet", "/who")
	list := w.gets("juliet", control.Condition{Contains: "You are connected with"}).Content.Text
	if !strings.Contains(list, "1. Romeo\n2. Mercutio ✓") {
		w.Errorf("/who: got %q, want both, and Mercutio as the one she writes to", list)
	}
	w.says("juliet", "/switch 1")
	w.gets("juliet", control.Condition{Contains: "1. Romeo ✓"})
	m = mercutio.Count()
	w.says("juliet", "wherefore art thou?")
	w.see(romeo, n, "text after the switch", text(there, "wherefore art thou?"))
	w.quiet(mercutio, m, "wherefore")

	// What answers somebody's message is theirs, whomever she writes to otherwise.
	if _, err := mercutio.Send(w.ctx, other, "a plague"); err != nil {
		w.Fatal(err)
	}
	about := w.gets("juliet", control.Condition{Text: "Mercutio (/switch 2): a plague"})
	n = romeo.Count()
	w.does(http.MethodPost, "/people/juliet/messages", control.SayIn{To: w.account.ID, Text: "o fie", ReplyTo: about.ID}, nil)
	w.see(mercutio, m, "reply", func(s *user.Stanza) bool {
		return bare(s.From) == other && strings.HasSuffix(s.Body, "o fie") && s.Element.Child(nsReply, "reply") != nil
	})
	w.quiet(romeo, n, "o fie")

	w.does(http.MethodPost, "/people/nurse/open", control.OpenIn{URL: link}, nil)
	w.gets("nurse", control.Condition{Contains: "used up or too old"})
	return there
}

// strangerIsTold: whom nobody has invited hears how to reach somebody, once, and no user hears them.
func (w *wallStage) strangerIsTold(users ...*user.Client) {
	w.Helper()
	w.does(http.MethodPost, "/people/nurse/open", control.OpenIn{To: w.account.ID}, nil)
	w.says("nurse", "anybody?")
	w.gets("nurse", control.Condition{Contains: "Ask the person whom you want to reach for an invite link"})
	w.says("nurse", "nobody?")
	for _, c := range users {
		w.quiet(c, 0, "anybody?")
		w.quiet(c, 0, "nobody?")
	}
}

// changes are a correction and a reaction of the user's, and what the person does about a message: she has it, reads it and reacts to it.
// what is said begins with the user's name where several share an account.
func (w *wallStage) changes(c *user.Client, juliet, by string) {
	w.Helper()
	n := c.Count()
	id, err := c.Send(w.ctx, juliet, "a rose by any name")
	if err != nil {
		w.Fatal(err)
	}
	sent := w.gets("juliet", control.Condition{Text: by + "a rose by any name"})
	w.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == juliet })
	if w.wall.reads {
		w.does(http.MethodPost, "/people/juliet/read", control.ReadIn{To: w.account.ID}, nil)
		w.see(c, n, "marker", func(m *user.Stanza) bool { return m.Displayed == id && bare(m.From) == juliet })
	}
	if _, err := c.SendMessage(w.ctx, user.Outgoing{To: juliet, Body: "a rose by any other name", Extra: "<replace xmlns='" + nsReplace + "' id='" + id + "'/>"}); err != nil {
		w.Fatal(err)
	}
	got := w.gets("juliet", control.Condition{Contains: "a rose by any other name", Edited: w.wall.edits})
	if w.wall.edits != (got.ID == sent.ID) || !w.wall.edits && got.Content.Text != "✎ "+by+"a rose by any other name" {
		w.Errorf("correction: got %s %q for %s, want it changed: %t", got.ID, got.Content.Text, sent.ID, w.wall.edits)
	}
	w.does(http.MethodPut, "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{"❤"}, "person": "juliet"}, nil)
	w.see(c, n, "her reaction", func(m *user.Stanza) bool {
		e := m.Element.Child(nsReactions, "reactions")
		return e != nil && e.Attr("id") == id && strings.Contains(e.String(), "❤")
	})
}

// unknownKind is what the platform has and the gateway does not know: a labelled notice, and the chat goes on.
func (w *wallStage) unknownKind(c *user.Client, juliet string) {
	w.Helper()
	n := c.Count()
	raw := json.RawMessage(`{"hologram": {"beams": 3}}`)
	if w.sim.Name != "telegram" { // where a message says its type, beside what it holds
		raw = json.RawMessage(`{"type": "hologram", "hologram": {"beams": 3}}`)
	}
	w.does(http.MethodPost, "/people/juliet/messages", control.SayIn{To: w.account.ID, Content: &control.Content{Raw: raw}}, nil)
	w.see(c, n, "notice of an unknown kind", saysOf(juliet, "not supported here"))
	if err := w.Tell(w.ctx, w.account.ID, "hologram_update", map[string]any{"id": 7, "beams": 3}); err != nil {
		w.Fatal(err)
	}
	w.says("juliet", "after the hologram")
	w.see(c, n, "text after it", text(juliet, "after the hologram"))
}

// forged: what is not signed by the platform is refused, counted and changes nothing; the same signed comes later.
func (w *wallStage) forged(c *user.Client, juliet string) {
	w.Helper()
	n := c.Count()
	if err := w.SetFaults(w.ctx, control.Faults{WebhookBadSignatureRate: 1}); err != nil {
		w.Fatal(err)
	}
	w.says("juliet", "is it even so?")
	w.until("a forged webhook is refused", func() bool {
		got, err := w.Deliveries(w.ctx, 0, 1000)
		return err == nil && len(got.Items) > 0 && got.Items[len(got.Items)-1].Result == "401"
	})
	w.quiet(c, n, "is it even so?")
	if err := w.SetFaults(w.ctx, control.Faults{}); err != nil {
		w.Fatal(err)
	}
	w.see(c, n, "text once it is signed", text(juliet, "is it even so?"))

	state, err := w.State(w.ctx)
	if err != nil {
		w.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, state.Accounts[0].Hook.URL, bytes.NewReader([]byte(`{"update_id": 1}`)))
	if err != nil {
		w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it
	if resp.StatusCode != http.StatusUnauthorized {
		w.Errorf("unsigned webhook: got %d, want 401", resp.StatusCode)
	}
	if m := w.metrics(); strings.Contains(m, `postern_webhooks_total{adapter="`+w.sim.Type+`",result="unverified"} 0`) || !strings.Contains(m, `result="unverified"}`) {
		w.Error("refused webhooks were not counted")
	}
}

// windowCloses: when a person has not written for too long, a message waits for her next word, or is refused, as the operator wants.
func (w *wallStage) windowCloses(c *user.Client) {
	w.Helper()
	if err := w.PutPerson(w.ctx, control.Person{ID: "rosaline", Display: "Rosaline", Phone: "+390451230010"}); err != nil {
		w.Fatal(err)
	}
	w.ahead.Store(int64(-w.wall.window - time.Hour))
	rosaline := w.comes("rosaline", c, w.invites(c, "Romeo"), "long ago")
	w.ahead.Store(0)
	n := c.Count()
	id, err := c.Send(w.ctx, rosaline, "a day later")
	if err != nil {
		w.Fatal(err)
	}
	if w.kind == deploy.Ejabberd { // closed_window: refuse
		e := w.see(c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
		if e.Condition != "policy-violation" || !strings.Contains(e.ErrorText, "Wait for their next message") {
			w.Errorf("refused: got %s %q", e.Condition, e.ErrorText)
		}
		w.comesBack(c, "rosaline", rosaline, "here I am")
		if _, err := c.Send(w.ctx, rosaline, "now then"); err != nil {
			w.Fatal(err)
		}
		w.gets("rosaline", control.Condition{Text: "now then"})
		return
	}
	w.see(c, n, "that it waits", saysOf(rosaline, "Your message is kept"))
	w.comesBack(c, "rosaline", rosaline, "here I am")
	w.gets("rosaline", control.Condition{Text: "a day later"})
	w.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
}

// comesBack lets a person write, and waits for it.
func (w *wallStage) comesBack(c *user.Client, who, address, line string) {
	w.Helper()
	n := c.Count()
	w.says(who, line)
	w.see(c, n, line, text(address, line))
}

// lineRevoked: the platform takes the operator's token no more. A user is told once; what they write waits until the operator has put
// another token in its place.
func (w *wallStage) lineRevoked(c *user.Client, juliet string) {
	w.Helper()
	n := c.Count()
	w.does(http.MethodPatch, "/users/"+w.account.ID, map[string]any{"token": w.wall.other}, nil)
	for _, line := range []string{"one", "two"} {
		if _, err := c.Send(w.ctx, juliet, line); err != nil {
			w.Fatal(err)
		}
	}
	const notice = "Its operator has to see to it"
	w.see(c, n, "notice", func(m *user.Stanza) bool { return m.From == w.gw && strings.Contains(m.Body, notice) })
	w.said("see to its token", 1)
	w.stop()
	w.file(w.sim.Type+".token", w.wall.other+"\n")
	w.run(w.yaml)
	w.gets("juliet", control.Condition{Text: "Romeo: one"})
	w.gets("juliet", control.Condition{Text: "Romeo: two"})
	w.comesBack(c, "juliet", juliet, "there thou art")
	if got := countBodies(c, n, w.gw, notice); got != 1 {
		w.Errorf("notices: got %d, want 1", got)
	}
}

// countBodies counts what somebody has said that holds a text.
func countBodies(c *user.Client, n int, from, part string) (times int) {
	for _, s := range c.Stanzas(n) {
		if s.Kind == user.Message && bare(s.From) == from && strings.Contains(s.Body, part) {
			times++
		}
	}
	return times
}
