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
	"testing"
	"time"

	"postern/adapters/control"
	telegram "postern/adapters/telegram/simulator"
	"postern/cmd/internal/user"
	"postern/deploy"
)

const telegramYAML = `
server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key, prefix: %q}
http: {public: %q, admin: %q, public_url: %q}
log: {level: debug, format: json}
delivery: {drain: 5s}
media: {internal_hosts: [%q]}
state_dir: state
adapters:
  telegram:
    type: telegram
    jid: %s
    secret_file: component.secret
    webhook_secret_file: webhook.secret
    base_url: %q
    receive: %s
`

// TestTelegramBot: a user brings a bot of their own; a person presses Start, and they talk, with files, by webhook and by polling.
func TestTelegramBot(t *testing.T) {
	for _, way := range []struct {
		kind    deploy.Server
		receive string
	}{{deploy.Prosody, "webhook"}, {deploy.Ejabberd, "poll"}} {
		t.Run(string(way.kind)+" "+way.receive, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, way.kind, onRedis)
			b := newBots(t)
			s.yaml = s.file("postern.yaml", fmt.Sprintf(telegramYAML, s.xmpp.ComponentAddr(), s.store, s.prefix, s.hook, s.site, "http://"+s.hook,
				s.xmpp.UploadAddr(), s.gw, b.URL, way.receive))
			s.run(s.yaml)
			s.said("xmpp stream up", 1)
			s.talksByBot(b)
			s.discreet()
			token, _, _ := strings.Cut(strings.TrimPrefix(telegram.DefaultToken, "7000000001:"), "-sandbox")
			if at := strings.Index(s.log.String(), token); at >= 0 {
				t.Errorf("the log holds the bot's token: %.300q", s.log.String()[max(0, at-150):])
			}
		})
	}
}

// newBots is Telegram with one bot.
func newBots(t *testing.T) *control.Client {
	t.Helper()
	sim, err := telegram.New(telegram.Config{SlowDelay: 200 * time.Millisecond})
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
	return &control.Client{URL: web.URL}
}

func (s *stage) talksByBot(b *control.Client) {
	s.Helper()
	c := s.login("romeo")
	if got := s.tell(c, "register").Body; !strings.Contains(got, "@BotFather") {
		s.Fatalf("terms: got %q, want how a bot is made among them", got)
	}
	if got := s.tell(c, "yes").Body; !strings.Contains(got, "Token of your bot") {
		s.Fatalf("answer to yes: got %q, want the next question", got)
	}
	if got := s.tell(c, "no token").Body; !strings.Contains(got, "This is no token") {
		s.Errorf("answer to what is no token: got %q", got)
	}
	if got := s.tell(c, telegram.DefaultToken).Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("answer to the token: got %q, want success", got)
	}
	n := c.Count()
	do := func(method, path string, in, out any) {
		s.Helper()
		if err := b.Do(s.ctx, method, path, in, out); err != nil {
			s.Fatal(err)
		}
	}
	do("POST", "/people/juliet/open", control.OpenIn{To: "verona_bot"}, nil)
	var said control.Said
	do("POST", "/people/juliet/messages", control.SayIn{To: "verona_bot", Text: "good morrow"}, &said)
	first := s.see(c, n, "the person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "good morrow" })
	juliet := bare(first.From)
	hears := func(cond control.Condition) control.Message {
		s.Helper()
		cond.Person, cond.Direction = "juliet", "to_person"
		got, err := b.Messages(s.ctx, cond, 20*time.Second)
		if err != nil || len(got) == 0 {
			s.Fatalf("Juliet, %+v: %v\n%s", cond, err, s.log.tail())
		}
		return got[len(got)-1]
	}
	id, err := c.Send(s.ctx, juliet, "a rose by any name")
	if err != nil {
		s.Fatal(err)
	}
	sent := hears(control.Condition{Text: "a rose by any name"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == juliet })
	if _, err := c.SendMessage(s.ctx, user.Outgoing{To: juliet, Body: "a rose by any other name", Extra: "<replace xmlns='" + nsReplace + "' id='" + id + "'/>"}); err != nil {
		s.Fatal(err)
	}
	if got := hears(control.Condition{Text: "a rose by any other name", Edited: true}); got.ID != sent.ID {
		s.Errorf("edited: got %s, want %s", got.ID, sent.ID)
	}
	do("PUT", "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{"❤"}, "person": "juliet"}, nil)
	s.see(c, n, "reaction", func(m *user.Stanza) bool {
		e := m.Element.Child(nsReactions, "reactions")
		return e != nil && e.Attr("id") == id && strings.Contains(e.String(), "❤")
	})
	s.filesByBot(b, c, juliet, hears)
}

// filesByBot: a picture there, shown as one, and a file back.
func (s *stage) filesByBot(b *control.Client, c *user.Client, juliet string, hears func(control.Condition) control.Message) {
	s.Helper()
	var rose bytes.Buffer
	if err := png.Encode(&rose, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		s.Fatal(err)
	}
	s.share(c, juliet, s.upload(c, "rose.png", "image/png", int64(rose.Len()), bytes.NewReader(rose.Bytes())))
	got := hears(control.Condition{Has: "media"}).Content.Media[0]
	if sum := sha256.Sum256(rose.Bytes()); got.Kind != "image" || got.SHA256 != hex.EncodeToString(sum[:]) {
		s.Errorf("picture: got %+v, want an image with hash %x", got, sum)
	}
	n := c.Count()
	var part control.MediaPart
	if err := b.Do(s.ctx, "POST", "/media", map[string]any{"type": "application/pdf", "size": 300000, "name": "plan.pdf"}, &part); err != nil {
		s.Fatal(err)
	}
	if err := b.Do(s.ctx, "POST", "/people/juliet/messages", control.SayIn{To: "verona_bot", Content: &control.Content{Media: []control.MediaPart{part}}}, nil); err != nil {
		s.Fatal(err)
	}
	file := s.see(c, n, "the person's file", fileFrom(juliet))
	if sum, size, _ := s.got(file.Body); sum != part.SHA256 || size != 300000 {
		s.Errorf("file: got %d bytes with hash %s, want 300000 with %s", size, sum, part.SHA256)
	}
}

// TestTelegramLine: one bot for all. An invite brings a person to the user who gave it out, whoever has none hears how it works, and two
// users on the bot hear nothing of each other.
func TestTelegramLine(t *testing.T) {
	for _, way := range []struct {
		kind    deploy.Server
		receive string
	}{{deploy.Ejabberd, "webhook"}, {deploy.Prosody, "poll"}} {
		t.Run(string(way.kind)+" "+way.receive, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, way.kind, onRedis)
			b := newBots(t)
			s.yaml = s.file("postern.yaml", fmt.Sprintf(telegramYAML, s.xmpp.ComponentAddr(), s.store, s.prefix, s.hook, s.site, "http://"+s.hook,
				s.xmpp.UploadAddr(), s.gw, b.URL, way.receive)+"    bot_name: verona_bot\n    token_file: "+s.file("bot.token", telegram.DefaultToken)+"\n")
			s.run(s.yaml)
			s.said("xmpp stream up", 1)
			s.talksByLine(b)
			s.discreet()
		})
	}
}

var invitation = regexp.MustCompile(`https://t\.me/verona_bot\?start=[a-z2-7]{26}`)

func (s *stage) talksByLine(b *control.Client) {
	s.Helper()
	do := func(path string, in any) {
		s.Helper()
		if err := b.Do(s.ctx, "POST", path, in, nil); err != nil {
			s.Fatal(err)
		}
	}
	hears := func(person, contains string) {
		s.Helper()
		got, err := b.Messages(s.ctx, control.Condition{Person: person, Direction: "to_person", Contains: contains}, 20*time.Second)
		if err != nil {
			s.Fatalf("%s hears %q: got %v, %v\n%s", person, contains, got, err, s.log.tail())
		}
	}
	users := map[string]*user.Client{}
	for _, name := range []string{"romeo", "mercutio"} {
		c := s.login(name)
		s.tell(c, "register")
		if got := s.tell(c, "yes").Body; !strings.Contains(got, "You are registered") {
			s.Fatalf("answer to yes: got %q, want success and no question", got)
		}
		users[name] = c
	}
	do("/people/nurse/open", control.OpenIn{To: "verona_bot"})
	do("/people/nurse/messages", control.SayIn{To: "verona_bot", Text: "anybody?"})
	hears("nurse", "Ask the person whom you want to reach for an invite link")
	romeo, mercutio := users["romeo"], users["mercutio"]
	got := s.tell(romeo, "invite").Body
	if !invitation.MatchString(got) {
		got = s.tell(romeo, "Romeo").Body // it asks how he is named to the person
	}
	link := invitation.FindString(got)
	if link == "" {
		s.Fatalf("invite: got %q, want a link", got)
	}
	n, m := romeo.Count(), mercutio.Count()
	do("/people/juliet/open", control.OpenIn{URL: link})
	do("/people/juliet/messages", control.SayIn{To: "verona_bot", Text: "art thou there?"})
	first := s.see(romeo, n, "the invited person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "art thou there?" })
	if _, err := romeo.Send(s.ctx, bare(first.From), "I am"); err != nil {
		s.Fatal(err)
	}
	hears("juliet", "I am")
	for _, st := range mercutio.Stanzas(m) {
		if strings.Contains(st.XML(), "art thou there?") {
			s.Errorf("another user of the bot saw %s", st.XML())
		}
	}
	do("/people/nurse/open", control.OpenIn{URL: link})
	hears("nurse", "used up or too old")
}
