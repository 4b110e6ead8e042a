//go:build servers

package story

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	messenger "postern/adapters/messenger/simulator"
	"postern/cmd/internal/user"
	"postern/deploy"
)

const pagesYAML = `
server: {component: %q, domain: localhost}
store: {redis: %q, key_file: store.key, prefix: %q}
http: {public: %q, admin: %q, public_url: %q}
log: {level: debug, format: json}
delivery: {drain: 5s}
media: {internal_hosts: [%q]}
state_dir: state
adapters:
  %s:
    type: %s
    jid: %s
    secret_file: component.secret
    base_url: %q
    dialog_url: %q
    app_id: %q
    app_secret_file: %s
    verify_token_file: %s
    media: upload
`

// newPages is Messenger with one page, or Instagram with one account, whose webhooks the app's dashboard sends to the gateway.
func newPages(s *stage, kind messenger.Kind, name string) *meta {
	s.Helper()
	return playMeta(s.T, func(now func() time.Time) (*messenger.Server, error) {
		accounts := messenger.DefaultPages(kind)
		if kind == messenger.InstagramLogin {
			accounts[0].Hook.URL = "http://" + s.hook + "/hooks/" + name
		}
		return messenger.New(kind, messenger.Config{Accounts: accounts, Now: now})
	})
}

func (s *stage) overPages(m *meta, kind messenger.Kind, name, more string) {
	s.Helper()
	s.yaml = s.file("postern.yaml", fmt.Sprintf(pagesYAML, s.xmpp.ComponentAddr(), s.store, s.prefix, s.hook, s.site, "http://"+s.hook,
		s.xmpp.UploadAddr(), name, name, s.gw, m.URL, m.URL, messenger.AppID, s.file("app.secret", kind.Secret()), s.file("verify.token", "verify-token-of-the-story"))+more)
	s.run(s.yaml)
	s.said("xmpp stream up", 1)
}

// linkPage registers a user with a page's token.
func (s *stage) linkPage(c *user.Client, asked string) {
	s.Helper()
	s.tell(c, "register")
	if got := s.tell(c, "yes").Body; !strings.Contains(got, asked) {
		s.Fatalf("answer to yes: got %q, want the first question", got)
	}
	s.tell(c, "2")
	if got := s.tell(c, "EAAunknownTokenSecret000000000001").Body; !strings.Contains(got, "Meta does not take this token") {
		s.Fatalf("answer to another token: got %q", got)
	}
	if got := s.tell(c, messenger.DefaultToken).Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("answer to the token: got %q, want success", got)
	}
}

// TestMessengerPage: a user brings a page of their own by its token; whoever writes to it is a contact. Delivery and reading come as times.
func TestMessengerPage(t *testing.T) {
	s := newStage(t, deploy.Ejabberd, onRedis)
	m := newPages(s, messenger.Messenger, "messenger")
	s.overPages(m, messenger.Messenger, "messenger", "")
	c := s.login("romeo")
	s.linkPage(c, "connect your page")
	n := c.Count()
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "good morrow"}, nil)
	first := s.see(c, n, "the person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "good morrow" })
	juliet := bare(first.From)
	id, err := c.Send(s.ctx, juliet, "a rose by any name")
	if err != nil {
		s.Fatal(err)
	}
	sent := s.hearsThere(m, control.Condition{Person: "juliet", Text: "a rose by any name"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == juliet })
	s.does(m, "POST", "/people/juliet/read", control.ReadIn{}, nil)
	s.see(c, n, "marker", func(m *user.Stanza) bool { return m.Displayed == id && bare(m.From) == juliet })
	s.does(m, "PUT", "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{"❤"}, "person": "juliet"}, nil)
	s.see(c, n, "reaction", func(m *user.Stanza) bool {
		e := m.Element.Child(nsReactions, "reactions")
		return e != nil && e.Attr("id") == id && strings.Contains(e.String(), "❤")
	})
	s.exchangeFiles(m, c, juliet)
	// What was sent although the answer says that nobody knows is not sent again: its echo tells.
	s.does(m, "PUT", "/faults", control.Faults{TimeoutRate: 1, TimeoutHoldMS: 1}, nil)
	if _, err := c.Send(s.ctx, juliet, "once, and once only"); err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "once, and once only"})
	s.does(m, "PUT", "/faults", control.Faults{}, nil)
	if _, err := c.Send(s.ctx, juliet, "and then this"); err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "and then this"})
	if all, err := m.Messages(s.ctx, control.Condition{Person: "juliet", Text: "once, and once only", Direction: "to_person"}, time.Second); err != nil || len(all) != 1 {
		s.Errorf("got %d messages of the uncertain send and %v, want one", len(all), err)
	}
	s.discreet()
}

var meLink = regexp.MustCompile(`https://(m\.me|ig\.me/m)/[a-z0-9]+\?ref=[a-z2-7]{26}`)

// TestMessengerLine: one page for all. An invite brings a person to the user who gave it out, by Get Started.
func TestMessengerLine(t *testing.T) {
	s := newStage(t, deploy.Prosody, onRedis)
	m := newPages(s, messenger.Messenger, "messenger")
	s.overPages(m, messenger.Messenger, "messenger", "    page_id: \""+messenger.DefaultPage+"\"\n    token_file: "+s.file("line.token", messenger.DefaultToken)+"\n")
	s.invited(m)
}

// TestInstagramAccount: a user brings an account of their own, with Instagram Login. A receipt means that Instagram has the message.
func TestInstagramAccount(t *testing.T) {
	s := newStage(t, deploy.Prosody, onRedis)
	m := newPages(s, messenger.InstagramLogin, "instagram")
	s.overPages(m, messenger.InstagramLogin, "instagram", "    token_url: "+m.URL+"\n")
	c := s.login("romeo")
	s.linkPage(c, "connect your account")
	n := c.Count()
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "good morrow"}, nil)
	juliet := bare(s.see(c, n, "the person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "good morrow" }).From)
	id, err := c.Send(s.ctx, juliet, strings.Repeat("ü", 700))
	if err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: strings.Repeat("ü", 500)})
	s.hearsThere(m, control.Condition{Person: "juliet", Text: strings.Repeat("ü", 200)})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	s.does(m, "POST", "/people/juliet/read", control.ReadIn{}, nil)
	s.see(c, n, "marker", func(m *user.Stanza) bool { return m.Displayed == id })
	s.discreet()
}

// TestInstagramLine: one account for all, with Facebook Login.
func TestInstagramLine(t *testing.T) {
	s := newStage(t, deploy.Ejabberd, onRedis)
	m := newPages(s, messenger.FacebookLogin, "instagram")
	page := messenger.DefaultPages(messenger.FacebookLogin)[0].IDs["page_id"]
	s.overPages(m, messenger.FacebookLogin, "instagram", "    login: facebook\n    instagram_id: \""+messenger.DefaultAccount+"\"\n    page_id: \""+page+
		"\"\n    username: verona\n    token_file: "+s.file("line.token", messenger.DefaultToken)+"\n")
	s.invited(m)
}

// invited registers a user on a line and lets Juliet come by their invite.
func (s *stage) invited(m *meta) {
	s.Helper()
	s.said("webhook address told to the platform", 1)
	c := s.login("romeo")
	s.tell(c, "register")
	if got := s.tell(c, "yes").Body; !strings.Contains(got, "You are registered") {
		s.Fatalf("answer to yes: got %q, want success and no question", got)
	}
	n := c.Count()
	s.tell(c, "invite")
	s.see(c, n, "how he is named to the person", func(m *user.Stanza) bool { return strings.Contains(m.Body, "How you are named") })
	s.tell(c, "Romeo")
	link := meLink.FindString(s.see(c, n, "the invite", func(m *user.Stanza) bool { return meLink.MatchString(m.Body) }).Body)
	n = c.Count()
	s.does(m, "POST", "/people/juliet/open", control.OpenIn{URL: link}, nil)
	s.does(m, "POST", "/people/juliet/messages", control.SayIn{Text: "art thou there?"}, nil)
	juliet := bare(s.see(c, n, "the invited person's message", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "art thou there?" }).From)
	id, err := c.Send(s.ctx, juliet, "here I am")
	if err != nil {
		s.Fatal(err)
	}
	s.hearsThere(m, control.Condition{Person: "juliet", Text: "here I am"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	s.discreet()
}
