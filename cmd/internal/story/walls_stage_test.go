//go:build servers

package story

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/simulators"
	"postern/cmd/internal/user"
	"postern/deploy"
)

// walled is what the stories have to know about a platform beyond its simulator.
type walled struct {
	// answers are what a user gives to link an account of their own, by a part of the question.
	answers func(a control.Account, token string) map[string]string
	// told is what they read before that; none what they read for a word that is no token; refused for a token that the platform
	// does not take; other is one of the right form.
	told, none, refused, other string
	// link is the form of an invite.
	link *regexp.Regexp
	// window says that people have to write first, for how long.
	window time.Duration
	// edits says that a user's correction changes the message there; reads that the platform tells of reading.
	edits, reads bool
	// polls says that updates can also be asked for, by this line of the configuration.
	polls string
}

// walls are the platforms of the stories.
func walls() map[string]walled {
	// A page or an account of Instagram is known by its token, which is how it is linked where nobody opens a browser.
	pages := walled{
		answers: func(_ control.Account, token string) map[string]string {
			return map[string]string{"How do you want to connect": "2", "Access token of the": token}
		},
		told: "connect your ", none: "This is no token", refused: "Meta does not take this token", other: "EAAanotherTokenOfTheRightForm00000001",
		link: regexp.MustCompile(`https://(m\.me|ig\.me/m)/[a-z0-9]+\?ref=[a-z2-7]{26}`), window: 24 * time.Hour, reads: true,
	}
	return map[string]walled{
		"messenger": pages, "instagram": pages, "instagram-facebook": pages,
		"telegram": {
			answers: func(_ control.Account, token string) map[string]string {
				return map[string]string{"Token of your bot": token}
			},
			told: "@BotFather", none: "This is no token", refused: "Telegram does not know this token", other: "7000000001:AAX-another-token-of-the-right-form-00001",
			link:  regexp.MustCompile(`https://t\.me/verona_bot\?start=[a-z2-7]{26}`),
			edits: true, polls: "    receive: poll\n",
		},
		"whatsapp": {
			answers: func(a control.Account, token string) map[string]string {
				return map[string]string{"Phone number id": a.ID, "Access token": token}
			},
			told: "Phone number id", none: "The id has digits only", refused: "Meta does not take this token", other: "EAAanotherTokenOfTheRightForm00000001",
			link: regexp.MustCompile(`https://wa\.me/15550001111\?text=\S+[a-z2-7]{26}%29`), window: 24 * time.Hour, reads: true,
		},
	}
}

// wallStage is a stage before a platform that is played by its simulator.
type wallStage struct {
	*stage
	wall walled
	*control.Client
	sim     simulators.Simulator
	account control.Account
	ahead   *atomic.Int64 // by how much the platform's clock is ahead
	polls   bool          // updates are asked for
}

// onWalls plays a story before every platform, on both servers at once. shared has one account for all users; more says what else stands
// in the configuration, by the server.
func onWalls(t *testing.T, shared bool, more func(walled, deploy.Server) string, play func(*wallStage)) {
	t.Helper()
	for _, sim := range simulators.All() {
		for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
			t.Run(sim.Name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				onWall(t, sim.Name, kind, shared, more(walls()[sim.Name], kind), play)
			})
		}
	}
}

// onWall plays a story before one platform, on one server.
func onWall(t *testing.T, name string, kind deploy.Server, shared bool, more string, play func(*wallStage)) {
	t.Helper()
	sim, ok := simulators.Named(name)
	w := wallStage{stage: newStage(t, kind, onRedis), wall: walls()[name], sim: sim, ahead: &atomic.Int64{}}
	if !ok || w.wall.answers == nil {
		t.Fatalf("%s has no simulator, or no entry in walls", name)
	}
	w.account = sim.Accounts()[0]
	if sim.Dashboard {
		w.account.Hook.URL = "http://" + w.hook + "/hooks/" + sim.Type
	}
	w.simulate()
	keys := sim.Keys(w.URL)
	if shared {
		keys = append(keys, sim.Line(w.account)...)
	}
	w.polls = w.wall.polls != "" && strings.Contains(more, w.wall.polls)
	w.furnish(keys, more)
	w.run(w.yaml)
	w.said("xmpp stream up", 1)
	if shared && !w.polls {
		w.said("webhook address told to the platform", 1)
	}
	play(&w)
	w.discreet()
	for _, token := range []string{w.account.Token, w.wall.other} {
		if at := strings.Index(w.log.String(), token[len(token)/3:]); at >= 0 {
			t.Errorf("the log holds a token: %.300q", w.log.String()[max(0, at-150):])
		}
	}
}

// furnish writes the configuration with the files that it names.
func (w *wallStage) furnish(keys []simulators.Key, more string) {
	w.Helper()
	block, files := simulators.Block(w.sim.Type, w.gw, keys)
	for name, text := range files {
		w.file(name, text)
	}
	w.file(w.sim.Type+".secret", secret+"\n")
	w.yaml = w.file("postern.yaml", w.head()+block+more)
}

// simulate plays the platform until the test is over.
func (w *wallStage) simulate() {
	w.Helper()
	sim, err := w.sim.New(simulators.Config{
		Accounts: []control.Account{w.account}, Speed: 20, Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Client = &control.Client{URL: serve(w.T, sim.Handler(), sim.Run)}
}

// does makes a request of the control API.
func (w *wallStage) does(method, path string, in, out any) {
	w.Helper()
	if err := w.Do(w.ctx, method, path, in, out); err != nil {
		w.Fatalf("%s %s: %v\n%s", method, path, err, w.log.tail())
	}
}

// says lets a person write to the account.
func (w *wallStage) says(who, text string) control.Said {
	w.Helper()
	var said control.Said
	w.does(http.MethodPost, "/people/"+who+"/messages", control.SayIn{To: w.account.ID, Text: text}, &said)
	return said
}

// gets waits for what a person gets.
func (w *wallStage) gets(who string, cond control.Condition) control.Message {
	w.Helper()
	cond.Person, cond.Direction = who, "to_person"
	got, err := w.Messages(w.ctx, cond, 20*time.Second)
	if err != nil || len(got) == 0 {
		w.Fatalf("%s gets %+v: got %v, %v\n%s", who, cond, got, err, w.log.tail())
	}
	return got[len(got)-1]
}

// becomes waits until the platform has the account in a state.
func (w *wallStage) becomes(state string) {
	w.Helper()
	if _, err := w.Wait(w.ctx, control.Condition{Kind: "account", User: w.account.ID, State: state}, 20*time.Second); err != nil {
		w.Fatalf("account %s: %v\n%s", state, err, w.log.tail())
	}
}

// registers answers whatever the gateway asks until a user is registered, or until it says something that ends it. It returns all that
// was said before.
func (w *wallStage) registers(c *user.Client, answers map[string]string, end string) (talk string) {
	w.Helper()
	got := w.tell(c, "register").Body
	for range 10 {
		answer := "yes"
		for part, a := range answers {
			if strings.Contains(lastLines(got, 6), part) {
				answer = a
			}
		}
		talk += got + "\n"
		n := c.Count()
		if _, err := c.SendMessage(w.ctx, user.Outgoing{To: w.gw, Body: answer}); err != nil {
			w.Fatal(err)
		}
		got = w.see(c, n, "answer to "+answer, func(m *user.Stanza) bool {
			return m.Kind == user.Message && m.From == w.gw && m.Body != "" && !strings.HasPrefix(m.Body, "Receipt of your consent")
		}).Body
		if strings.Contains(got, end) {
			return talk
		}
	}
	w.Fatalf("registering: got %q, want %q", got, end)
	return ""
}

// lastLines is where the question stands.
func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// invites returns a link that a user got, who is called by a name to the person.
func (w *wallStage) invites(c *user.Client, name string) string {
	w.Helper()
	n := c.Count()
	answers := func(line string, match func(body string) bool) string {
		if _, err := c.SendMessage(w.ctx, user.Outgoing{To: w.gw, Body: line}); err != nil {
			w.Fatal(err)
		}
		return w.see(c, n, "answer to "+line, func(m *user.Stanza) bool { return m.Kind == user.Message && m.From == w.gw && match(m.Body) }).Body
	}
	answers("invite", func(body string) bool { return strings.Contains(body, "How you are named") })
	return w.wall.link.FindString(answers(name, w.wall.link.MatchString))
}

var inviteToken = regexp.MustCompile(`[a-z2-7]{26}`)

// comes lets a person open a user's link and write, and returns the person's address there. The user does not see what the link holds.
func (w *wallStage) comes(who string, c *user.Client, link, text string) string {
	w.Helper()
	n := c.Count()
	w.does(http.MethodPost, "/people/"+who+"/open", control.OpenIn{URL: link}, nil)
	address := w.greets(who, c, text)
	for _, seen := range c.Stanzas(n) {
		if x := seen.XML(); strings.Contains(x, inviteToken.FindString(link)) || strings.Contains(x, "invite-") {
			w.Errorf("the user saw the invite's code: %s", x)
		}
	}
	return address
}

// greets lets a person whom a user does not know write, and returns the person's address.
func (w *wallStage) greets(who string, c *user.Client, text string) string {
	w.Helper()
	n := c.Count()
	w.says(who, text)
	return bare(w.see(c, n, "the person's text", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == text }).From)
}

// quiet asserts that a client has read nothing that holds a text.
func (w *wallStage) quiet(c *user.Client, n int, part string) {
	w.Helper()
	if i := slices.IndexFunc(c.Stanzas(n), func(s *user.Stanza) bool { return strings.Contains(s.Body, part) }); i >= 0 {
		w.Errorf("%s read %s, which was not for them", c.JID(), c.Stanzas(n)[i].XML())
	}
}
