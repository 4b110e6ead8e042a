//go:build servers

package story

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// Numbers of users; the log must not hold them.
const (
	firstNumber  = "+390451239001"
	secondNumber = "+390451239002"
	thirdNumber  = "+390451239003"
)

// shownAs is how a number is named to its user.
func shownAs(number string) string { return "+•••" + number[len(number)-4:] }

// byNumber makes a stage whose gatekeeper knows users by numbers.
func byNumber(s *stage) {
	s.yaml = s.file("postern.yaml", s.config()+"    identifier: phone\n")
	*s.users = append(*s.users, firstNumber, secondNumber, thirdNumber)
}

// code is what the gatekeeper sent to a number.
func (b *sandbox) code(number string) string {
	b.t.Helper()
	got := hold[struct{ Code string }](b, wait{Kind: "code", User: number})
	if len(got) != 1 {
		b.t.Fatalf("codes for %s: got %d, want one", number, len(got))
	}
	return got[0].Code
}

// wrongly is a code with another first digit.
func wrongly(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

// TestSeveralAccounts: a user proves two numbers, by form and by command, and has an account by each; then one of them moves to
// another address, with all that is under way.
func TestSeveralAccounts(t *testing.T) {
	bothAs(t, byNumber, func(s *stage) {
		c := s.login("romeo")
		s.provesByForm(c, firstNumber)
		s.provesByCommand(c, secondNumber)
		first, second := s.addsAs(c, "nurse", firstNumber), s.addsAs(c, "nurse", secondNumber)
		echo := s.addsAs(c, "echo", firstNumber)
		if first == second {
			s.Fatalf("the same person has one address %s for both accounts", first)
		}
		s.act("apart", func(s *stage) { s.apart(c, first, second) })
		s.talksAs(c, firstNumber, echo, "echo")

		other := s.login("benvolio")
		s.provesByChat(other, thirdNumber)
		s.act("move", func(s *stage) { s.moves(c, other, first, second) })
		s.act("leave", func(s *stage) { s.leavesOne(c, other, second) })
	})
}

// provesByForm registers by XEP-0077: the second form comes with the refusal of the first.
func (s *stage) provesByForm(c *user.Client, number string) {
	s.Helper()
	n := c.Count()
	r, err := c.Registration(s.ctx, s.gw)
	if err != nil || !strings.Contains(r.Form.Text(), "your phone number") || r.Form.Field("phone") == nil {
		s.Fatalf("registration: got %+v, %v; want to be told of the phone number, and asked", r, err)
	}
	send := func(answers map[string]string, want string) {
		s.Helper()
		var more *user.Error
		err := c.Register(s.ctx, s.gw, r, answers)
		if !errors.As(err, &more) || more.Condition != "not-acceptable" || !strings.Contains(more.Text, want) || more.Registration().Form == nil {
			s.Fatalf("form: got %v, want another form: %s", err, want)
		}
		r = more.Registration()
	}
	answers := r.Form.Agree()
	answers["phone"] = "0451239001"
	send(answers, "no phone number")
	answers = r.Form.Agree()
	answers["phone"], answers["display"] = number, "Romeo"
	send(answers, "has sent you a code")
	if text := r.Form.Text(); !strings.Contains(text, shownAs(number)) || strings.Contains(text, number) {
		s.Errorf("form of the code: got %q, want the number masked", text)
	}
	code := s.code(number)
	send(map[string]string{"code": wrongly(code)}, "not the code")
	if s.enlisted(number) {
		s.Error("enlisted by a wrong code")
	}
	if err := c.Register(s.ctx, s.gw, r, map[string]string{"code": code}); err != nil {
		s.Fatal(err)
	}
	s.see(c, n, "presence of the gateway", presence(s.gw, ""))
	e, err := c.IQ(s.ctx, s.gw, "get", "<query xmlns='jabber:iq:register'/>")
	if err != nil || !strings.Contains(e.String(), shownAs(number)) || strings.Contains(e.String(), number) {
		s.Errorf("registered: got %s, %v; want the number masked", e, err)
	}
}

// provesByCommand adds an account by XEP-0050; without a code another one comes, and the first is dead.
func (s *stage) provesByCommand(c *user.Client, number string) {
	s.Helper()
	n := c.Count()
	cmd, err := c.Command(s.ctx, s.gw, "jabber:iq:register")
	if err != nil {
		s.Fatal(err)
	}
	submit := func(answers map[string]string, status, want string) {
		s.Helper()
		next, err := c.Submit(s.ctx, cmd, "", answers)
		if err != nil || next.Status != status || !strings.Contains(next.Text(), want) {
			s.Fatalf("command: got %+v, %v; want %s: %s", next, err, status, want)
		}
		cmd = next
	}
	answers := cmd.Form.Agree()
	answers["phone"], answers["connection"] = number, "new"
	submit(answers, "executing", "has sent you a code")
	old := s.code(number)
	submit(map[string]string{"code": wrongly(old)}, "executing", "not the code")
	submit(map[string]string{"code": ""}, "executing", "has sent you a code")
	code := s.code(number)
	if code != old {
		submit(map[string]string{"code": old}, "executing", "not the code")
	}
	if s.enlisted(number) {
		s.Error("enlisted by a wrong code")
	}
	submit(map[string]string{"code": code}, "completed", "You are registered")
	s.see(c, n, "consent receipt", saysOf(s.gw, "Receipt of your consent"))
	if status := s.tell(c, "status").Body; !strings.Contains(status, shownAs(firstNumber)) || !strings.Contains(status, shownAs(number)) {
		s.Errorf("status: got %q, want both accounts", status)
	}
}

// provesByChat answers one question at a time.
func (s *stage) provesByChat(c *user.Client, number string) {
	s.Helper()
	n := c.Count()
	says := func(line, want string) {
		s.Helper()
		if got := s.tell(c, line).Body; !strings.Contains(got, want) {
			s.Fatalf("%s: got %q, want %s", line, got, want)
		}
	}
	says("register", "Do you agree?")
	says("yes", "Your phone number")
	says(number, "Name that people there see")
	says("skip", shownAs(number))
	code := s.code(number)
	says(wrongly(code), "not the code")
	says(code[:3]+" "+code[3:], "You are registered")
	s.see(c, n, "consent receipt", saysOf(s.gw, "Receipt of your consent"))
	s.see(c, n, "presence of the gateway", presence(s.gw, ""))
}

// addsAs adds a person to one of a user's accounts.
func (s *stage) addsAs(c *user.Client, person, number string) string {
	s.Helper()
	n := c.Count()
	cmd, err := c.Command(s.ctx, s.gw, "add")
	if err != nil {
		s.Fatal(err)
	}
	account := cmd.Form.Field("connection").Options[shownAs(number)]
	done, err := c.Submit(s.ctx, cmd, "", map[string]string{"query": person, "connection": account})
	if err != nil || account == "" {
		s.Fatalf("add to %q: %v", account, err)
	}
	jid := address.FindString(done.Text())
	s.see(c, n, "presence of "+person, presence(jid, ""))
	return jid
}

// apart interleaves lines of both accounts with the same person, both ways: each line is where it belongs and nowhere else.
func (s *stage) apart(c *user.Client, first, second string) {
	n := c.Count()
	jids := map[string]string{firstNumber: first, secondNumber: second}
	const lines = 5
	for i := range lines {
		for number, jid := range jids {
			if _, err := c.Send(s.ctx, jid, fmt.Sprint("out ", i, " of ", shownAs(number))); err != nil {
				s.Fatal(err)
			}
			s.say("nurse", number, fmt.Sprint("in ", i, " of ", shownAs(number)))
		}
	}
	for number, jid := range jids {
		for i := range lines {
			s.see(c, n, "line from the person", text(jid, fmt.Sprint("in ", i, " of ", shownAs(number))))
		}
		got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", User: number, Direction: "to_person", Contains: "out ", Min: lines})
		for i, m := range got {
			if want := fmt.Sprint("out ", i, " of ", shownAs(number)); m.Content.Text != want || len(got) != lines {
				s.Errorf("line %d of %d by %s: got %q, want %q", i, len(got), shownAs(number), m.Content.Text, want)
			}
		}
	}
	seen := 0
	for _, m := range c.Stanzas(n) {
		for number, jid := range jids {
			if m.Kind == user.Message && strings.HasPrefix(m.Body, "in ") && strings.HasSuffix(m.Body, shownAs(number)) {
				if seen++; bare(m.From) != jid {
					s.Errorf("%q came from %s, want %s", m.Body, m.From, jid)
				}
			}
		}
	}
	if seen != 2*lines {
		s.Errorf("lines from the person: got %d, want %d", seen, 2*lines)
	}
}

var claim = regexp.MustCompile(`claim ([a-z2-7-]{19})`)

// moves gives the second account to another address while messages are on their way in both directions.
func (s *stage) moves(c, other *user.Client, first, second string) {
	if got := s.tell(c, "move").Body; !strings.Contains(got, shownAs(firstNumber)) || !strings.Contains(got, shownAs(secondNumber)) {
		s.Fatalf("move: got %q, want to be asked which", got)
	}
	got := claim.FindStringSubmatch(s.tell(c, "2").Body)
	if got == nil {
		s.Fatal("move: got no code")
	}
	code := got[1]
	s.refuses(other, "aaaa-bbbb-cccc-dddd", "item-not-found")
	s.refuses(c, code, "conflict")

	// What the person says waits because the account pauses, what the user says because the platform is down.
	s.tell(c, "pause")
	if got := s.tell(c, "2").Body; !strings.Contains(got, "messages wait") {
		s.Fatalf("pause: got %q", got)
	}
	n, m := c.Count(), other.Count()
	for i := range 3 {
		s.say("nurse", secondNumber, fmt.Sprint("under way ", i))
	}
	hold[any](s.sandbox, wait{Kind: "idle"})
	s.control(http.MethodPut, "/faults", map[string]any{"error_rate": 1}, nil)
	if _, err := c.Send(s.ctx, second, "also under way"); err != nil {
		s.Fatal(err)
	}
	if _, err := c.Ping(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	s.claims(other, code)
	s.control(http.MethodPut, "/faults", map[string]any{}, nil)

	for i := range 3 {
		s.see(other, m, "what was under way", text(second, fmt.Sprint("under way ", i)))
	}
	s.inOrder("at the new address", bodies(other, m, "under way "), "under way ", 3)
	if got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", User: secondNumber, Direction: "to_person", Text: "also under way"}); len(got) != 1 {
		s.Errorf("what the old address had sent: got %d, want one", len(got))
	}
	s.see(c, n, "word of the move", func(st *user.Stanza) bool { return st.From == s.gw && strings.Contains(st.Body, "has moved") })
	s.see(c, n, "the contact leaves", presence(second, "unsubscribe"))

	// The same address, another user; the code is used up.
	s.talksAs(other, secondNumber, second, "nurse")
	s.talksAs(c, firstNumber, first, "nurse")
	s.refuses(s.login("paris"), code, "item-not-found")
	s.nothingFrom(c, n, second)
	id, err := c.Send(s.ctx, second, "to an account that moved")
	if err != nil {
		s.Fatal(err)
	}
	e := s.see(c, n, "error", func(st *user.Stanza) bool { return st.ID == id && st.Type == "error" })
	if e.Condition != "item-not-found" || e.ErrorText == "" {
		s.Errorf("writing by the old address: got %s, want item-not-found", e.XML())
	}
	if status := s.tell(c, "status").Body; strings.Contains(status, shownAs(secondNumber)) || !strings.Contains(status, shownAs(firstNumber)) {
		s.Errorf("status: got %q, want the first account alone", status)
	}
}

// claims takes an account over by its code, after the disclosure.
func (s *stage) claims(c *user.Client, code string) {
	s.Helper()
	done, err := s.tryClaim(c, code)
	if err != nil || done.Status != "completed" || !strings.Contains(done.Text(), shownAs(secondNumber)) {
		s.Fatalf("claim: got %+v, %v; want the account", done, err)
	}
}

func (s *stage) tryClaim(c *user.Client, code string) (*user.Command, error) {
	s.Helper()
	cmd, err := c.Command(s.ctx, s.gw, "claim")
	if err != nil {
		s.Fatal(err)
	}
	answers := cmd.Form.Agree()
	answers["code"] = code
	return c.Submit(s.ctx, cmd, "complete", answers)
}

// refuses wants a claim to fail.
func (s *stage) refuses(c *user.Client, code, condition string) {
	s.Helper()
	var refused *user.Error
	if got, err := s.tryClaim(c, code); !errors.As(err, &refused) || refused.Condition != condition || refused.Text == "" {
		s.Errorf("claim of %s: got %+v, %v; want %s in words", c.JID(), got, err, condition)
	}
}

// nothingFrom asserts that no message came from an address.
func (s *stage) nothingFrom(c *user.Client, n int, jid string) {
	s.Helper()
	for _, m := range c.Stanzas(n) {
		if m.Kind == user.Message && bare(m.From) == jid {
			s.Errorf("the old address got %s", m.XML())
		}
	}
}

// leavesOne withdraws the first account; those of the other user go on.
func (s *stage) leavesOne(c, other *user.Client, second string) {
	if err := c.Unregister(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	s.until("the enlistment is gone", func() bool { return !s.enlisted(firstNumber) })
	if !s.enlisted(secondNumber) || !s.enlisted(thirdNumber) {
		s.Error("leaving took more than the user's own account")
	}
	s.talksAs(other, secondNumber, second, "nurse")
}
