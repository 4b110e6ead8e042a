//go:build servers

package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters/control"
	whatsapp "postern/adapters/whatsapp/simulator"
	"postern/cmd/internal/user"
	"postern/deploy"
)

const whatsappYAML = `
server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key, prefix: %q}
http: {public: %q, admin: %q, public_url: %q}
log: {level: debug, format: json}
delivery: {drain: 5s}
media: {internal_hosts: [%q]}
state_dir: state
adapters:
  whatsapp:
    type: whatsapp
    jid: %s
    secret_file: component.secret
    closed_window: reopen
    base_url: %q
    app_id: %q
    app_secret_file: %s
    verify_token_file: %s
    reopen_template: write_again
    reopen_variables: ["{from}"]
    typing: true
`

// meta is one of Meta's platforms, and a clock that can be put forward: WhatsApp with one number.
type meta struct {
	*control.Client
	ahead atomic.Int64
}

func newMeta(t *testing.T) *meta {
	t.Helper()
	return playMeta(t, func(now func() time.Time) (*whatsapp.Server, error) { return whatsapp.New(whatsapp.Config{Now: now}) })
}

// playMeta runs one of Meta's simulators.
func playMeta(t *testing.T, open func(now func() time.Time) (*whatsapp.Server, error)) *meta {
	t.Helper()
	m := &meta{}
	sim, err := open(func() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(sim.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sim.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
		web.Close()
	})
	m.Client = &control.Client{URL: web.URL}
	return m
}

func (s *stage) overWhatsApp(m *meta, more string) {
	s.Helper()
	s.yaml = s.file("postern.yaml", fmt.Sprintf(whatsappYAML, s.xmpp.ComponentAddr(), s.store, s.prefix, s.hook, s.site, "http://"+s.hook,
		s.xmpp.UploadAddr(), s.gw, m.URL, whatsapp.AppID, s.file("app.secret", whatsapp.AppSecret), s.file("verify.token", "verify-token-of-the-story"))+more)
	s.run(s.yaml)
	s.said("xmpp stream up", 1)
}

func (s *stage) does(m *meta, method, path string, in, out any) {
	s.Helper()
	if err := m.Do(s.ctx, method, path, in, out); err != nil {
		s.Fatalf("%s %s: %v\n%s", method, path, err, s.log.tail())
	}
}

// hearsThere waits for what a person gets on WhatsApp.
func (s *stage) hearsThere(m *meta, cond control.Condition) control.Message {
	s.Helper()
	cond.Direction = "to_person"
	got, err := m.Messages(s.ctx, cond, 20*time.Second)
	if err != nil || len(got) == 0 {
		s.Fatalf("%+v: got %v, %v\n%s", cond, got, err, s.log.tail())
	}
	return got[len(got)-1]
}

// exchangeFiles sends a picture to Juliet and gets a file of hers.
func (s *stage) exchangeFiles(m *meta, c *user.Client, juliet string) {
	s.Helper()
	var rose bytes.Buffer
	if err := png.Encode(&rose, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		s.Fatal(err)
	}
	s.share(c, juliet, s.upload(c, "rose.png", "image/png", int64(rose.Len()), bytes.NewReader(rose.Bytes())))
	got := s.hearsThere(m, control.Condition{Person: "juliet", Has: "media"}).Content.Media[0]
	if sum := sha256.Sum256(rose.Bytes()); got.Kind != "image" || got.SHA256 != hex.EncodeToString(sum[:]) {
		s.Errorf("picture: got %+v, want an image with hash %x", got, sum)
	}
	n := c.Count()
	var part control.MediaPart
	s.does(m, "POST", "/media", map[string]any{"type": "application/pdf", "size": 300000, "name": "plan.pdf"}, &part)
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Content: &control.Content{Media: []control.MediaPart{part}}}, nil)
	file := s.see(c, n, "the person's file", fileFrom(juliet))
	if sum, size, _ := s.got(file.Body); sum != part.SHA256 || size != 300000 {
		s.Errorf("file: got %d bytes with hash %s, want 300000 with %s", size, sum, part.SHA256)
	}
}

// TestWhatsAppNumber: a user brings a number of their own by its id and a token; whoever writes to it is a contact.
func TestWhatsAppNumber(t *testing.T) {
	s := newStage(t, deploy.Ejabberd, onRedis)
	m := newMeta(t)
	s.overWhatsApp(m, "")
	c := s.login("romeo")
	s.tell(c, "register")
	if got := s.tell(c, "yes").Body; !strings.Contains(got, "Phone number id") {
		s.Fatalf("answer to yes: got %q, want the first question", got)
	}
	s.tell(c, whatsapp.DefaultNumber)
	if got := s.tell(c, "EAAunknownTokenSecret000000000001").Body; !strings.Contains(got, "Meta does not take this token") {
		s.Fatalf("answer to another token: got %q", got)
	}
	s.tell(c, whatsapp.DefaultNumber)
	if got := s.tell(c, whatsapp.DefaultToken).Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("answer to the token: got %q, want success", got)
	}
	n := c.Count()
	var said control.Said
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "good *morrow*"}, &said)
	first := s.see(c, n, "the person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "good *morrow*" })
	juliet := bare(first.From)
	id, err := c.Send(s.ctx, juliet, "a rose by any name")
	if err != nil {
		s.Fatal(err)
	}
	sent := s.hearsThere(m, control.Condition{Person: "juliet", Text: "a rose by any name"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == juliet })
	s.does(m, "PUT", "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{"❤"}, "person": "juliet"}, nil)
	s.see(c, n, "reaction", func(m *user.Stanza) bool {
		e := m.Element.Child(nsReactions, "reactions")
		return e != nil && e.Attr("id") == id && strings.Contains(e.String(), "❤")
	})
	s.exchangeFiles(m, c, juliet)
	s.does(m, "PATCH", "/people/juliet", map[string]any{"phone": "+390459990001"}, nil)
	n = c.Count()
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "a new number"}, nil)
	s.see(c, n, "the person under another number, the same contact", func(m *user.Stanza) bool { return m.Body == "a new number" && bare(m.From) == juliet })
	if _, err := c.Send(s.ctx, juliet, "still thou"); err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "still thou", Status: "delivered"})
	s.discreet()
}

var waLink = regexp.MustCompile(`https://wa\.me/15550001111\?text=\S+[a-z2-7]{26}%29`)

// TestWhatsAppLine: one number for all. An invite brings a person to the user who gave it out; when the 24 hours are over a message waits, the
// person is asked to write, and their next word lets it out.
func TestWhatsAppLine(t *testing.T) {
	s := newStage(t, deploy.Prosody, onRedis)
	m := newMeta(t)
	s.overWhatsApp(m, "    phone_number_id: \""+whatsapp.DefaultNumber+"\"\n    account_id: \"900100200300400\"\n    token_file: "+s.file("line.token", whatsapp.DefaultToken)+"\n")
	c := s.login("romeo")
	s.tell(c, "register")
	if got := s.tell(c, "yes").Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("answer to yes: got %q, want success and no question", got)
	}
	n := c.Count()
	s.tell(c, "invite")
	s.see(c, n, "how he is named to the person", func(m *user.Stanza) bool { return strings.Contains(m.Body, "How you are named") })
	s.tell(c, "Romeo")
	link := waLink.FindString(s.see(c, n, "the invite", func(m *user.Stanza) bool { return waLink.MatchString(m.Body) }).Body)
	m.ahead.Store(-int64(25 * time.Hour)) // she writes a day before the rest
	n = c.Count()
	s.does(m, "POST", "/people/juliet/open", control.OpenIn{URL: link}, nil)
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "art thou there?"}, nil)
	first := s.see(c, n, "the invited person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "art thou there?" })
	juliet := bare(first.From)
	for _, st := range c.Stanzas(n) {
		if strings.Contains(st.XML(), "invite-") {
			s.Errorf("the user saw the invite's code: %s", st.XML())
		}
	}
	m.ahead.Store(0)
	n = c.Count()
	if _, err := c.Send(s.ctx, juliet, "a day later"); err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Contains: "[write_again] Romeo"})
	s.see(c, n, "that the message waits", func(m *user.Stanza) bool { return strings.Contains(m.Body, "They were asked to") })
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "here I am"}, nil)
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "a day later", Status: "delivered"})
	id, err := c.Send(s.ctx, juliet, "and at once")
	if err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "and at once", Status: "delivered"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	s.discreet()
}
