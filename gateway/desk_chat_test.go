package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// converse says one line after the other and checks what each answer holds.
func (c *counter) converse(v gateway.Visitor, turns ...[2]string) gateway.Reply {
	c.t.Helper()
	var r gateway.Reply
	for _, turn := range turns {
		r = c.say(v, turn[0])
		for want := range strings.SplitSeq(turn[1], " & ") {
			if unwanted, not := strings.CutPrefix(want, "!"); not == strings.Contains(r.Text, strings.TrimPrefix(want, "!")) {
				c.t.Fatalf("said %q, got %q, want %q (unwanted: %q)", turn[0], r.Text, want, unwanted)
			}
		}
	}
	return r
}

func TestChatRegisters(t *testing.T) {
	c := newCounter(t)
	r := c.converse(c.romeo,
		[2]string{"hello", `Send "help"`},
		[2]string{"HELP", "register - & help - & !unregister & !contacts"},
		[2]string{"Register", "Example Hosting & I live in: EEA & yes or no"},
		[2]string{"maybe", "Nothing happens without your agreement & yes or no"},
		[2]string{"no", "Nothing happens without your agreement"},
		[2]string{"help", "register - & Do you agree?"},
		[2]string{"Yes", "Your name there & !agree"},
		[2]string{"back", "Do you agree?"},
		[2]string{"ok", "Your name there"},
		[2]string{"Montague", "registered with Wall as Montague"},
	)
	if r.Status != gateway.ReplyCompleted || len(r.After) != 2 {
		t.Errorf("got %s and %d afterwards, want completed, subscribe and receipt", r.Status, len(r.After))
	}
	if got := receiptOf(t, c, c.romeo); !got.Verify() {
		t.Error("the receipt does not verify")
	}
	c.converse(c.romeo,
		[2]string{"help", "status - & add - & contacts - & unregister -"},
		[2]string{"status", "Montague & active"},
		[2]string{"yes", `Send "help"`},
		[2]string{"cancel", "nothing to cancel"},
	)
}

func TestChatRegistersInSteps(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	c.converse(c.romeo,
		[2]string{"register", "Do you agree?"},
		[2]string{"back", "nothing to go back to & Do you agree?"},
		[2]string{"yes", "Number"},
		[2]string{"1", "A code was sent."},
		[2]string{"back", "Example Hosting & Do you agree?"}, // the step before
		[2]string{"yes", "Number"},
		[2]string{"status", "A code was sent. & Code & stays in the history"}, // a text question takes any text
		[2]string{"9", "Device & 1. Phone & 2. Desk & answer with a number"},
		[2]string{"7", "choose one of the options & 1. Phone"},
		[2]string{"back", "Code & stays"},
	)
	c.restart()
	c.converse(c.romeo,
		[2]string{"9", "Device"},
		[2]string{"desk", "Nickname & skip"},
		[2]string{"skip", "wrong_code & Code"}, // refused: the step is asked again
		[2]string{"1234", "Device"},
		[2]string{"1", "Nickname"},
		[2]string{"-", "registered with Wall as +49 ... 56 on p"},
	)
	if got, err := c.desk.Consents(c.t.Context(), c.romeo.User); len(got) != 1 || err != nil {
		t.Errorf("got %d consents, %v, want one", len(got), err)
	}
}

// TestChatRefusedFirstStep: the platform refuses what stood beside the consent; the consent is not asked for again.
func TestChatRefusedFirstStep(t *testing.T) {
	c := newCounter(t)
	c.register(c.juliet, "Montague")
	c.converse(c.romeo,
		[2]string{"register", "Do you agree?"},
		[2]string{"yes", "Your name there"},
		[2]string{"Montague", "already linked by another & Your name there & !Do you agree"},
		[2]string{"Romeo", "registered with Wall as Romeo"},
	)
	if got, err := c.desk.Consents(c.t.Context(), c.romeo.User); len(got) != 1 || err != nil {
		t.Errorf("got %d consents, %v, want one", len(got), err)
	}
}

func TestChatOnAPage(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
		switch {
		case in.User == "":
			return gateway.LinkStep{}, nil
		case in.State == nil:
			return gateway.LinkStep{Text: "Sign in there.", Redirect: "https://wall.example/in", State: []byte("x"), Fields: []gateway.Field{
				{Name: "hint", Label: "Hint:", Value: "Use Chrome.", Kind: gateway.FieldDisplay},
			}}, nil
		}
		return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep1", Shown: "Romeo"}}, nil
	}})
	c.converse(c.romeo,
		[2]string{"register", "Do you agree?"},
		[2]string{"yes", "Sign in there. & https://wall.example/in & Hint: Use Chrome. & next"},
		[2]string{"what?", "next"},
		[2]string{"done", "registered with Wall as Romeo"},
	)
}

func TestChatAddsAndLists(t *testing.T) {
	c := newCounter(t)
	c.converse(c.romeo, [2]string{"add anna", "not registered"}, [2]string{"contacts", "not registered"}, [2]string{"unregister", "not registered"})
	c.register(c.romeo, "Montague")
	r := c.converse(c.romeo, [2]string{"Add +49 30 123456", "Added +49 30 123456"})
	if len(r.After) != 1 {
		t.Errorf("got %d afterwards, want the contact's request", len(r.After))
	}
	c.converse(c.romeo,
		[2]string{"add", "Whom do you want to reach & phone number or user name"},
		[2]string{"contacts", "Added contacts"}, // a text question takes any text
		[2]string{"contacts", "+49 30 123456 & contacts"},
		[2]string{"add", "Whom"},
		[2]string{"cancel", "Cancelled"},
	)
	c.platform.Play(script{Resolve: func(q string) (gateway.Person, error) {
		if q == "nobody" {
			return gateway.Person{}, gateway.ErrNoPerson
		}
		return gateway.Person{ID: "b", Name: "Benvolio"}, nil
	}})
	c.converse(c.romeo,
		[2]string{"add nobody", "Nobody can be reached & phone number"}, // asked again
		[2]string{"ben", "Added Benvolio & has to accept"},
	)
	if r := c.say(c.juliet, "contacts"); strings.Contains(r.Text, "Benvolio") {
		t.Errorf("another user sees %q", r.Text)
	}
}

func TestChatLeaves(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.converse(c.romeo,
		[2]string{"unregister", "Montague & yes or no"},
		[2]string{"hm", "yes or no"},
		[2]string{"status", "active"}, // a command interrupts a yes-or-no question
		[2]string{"yes", `Send "help"`},
		[2]string{"unregister", "yes or no"},
		[2]string{"add anna", "Added anna"},
		[2]string{"unregister", "yes or no"},
		[2]string{"no", "Nothing was changed"},
		[2]string{"unregister", "yes or no"},
		[2]string{"cancel", "Cancelled"},
	)
	if !c.registered(c.romeo) {
		t.Fatal("left without a yes")
	}
	c.platform.Play(script{Unlink: func(gateway.Credentials) error { return &gateway.SendError{Class: gateway.Retryable} }})
	r := c.converse(c.romeo,
		[2]string{"logout", "yes or no"},
		[2]string{"yes", "no longer registered & pending"},
		[2]string{"status", "pending"},
	)
	if c.registered(c.romeo) || r.Status != gateway.ReplyCompleted {
		t.Errorf("got %s, registered %v", r.Status, c.registered(c.romeo))
	}
}

func TestChatsDoNotMix(t *testing.T) {
	c := newCounter(t)
	c.converse(c.romeo, [2]string{"register", "Do you agree?"})
	c.converse(c.juliet, [2]string{"yes", `Send "help"`})
	c.converse(c.romeo, [2]string{"yes", "Your name there"})
	// A form elsewhere is a dialogue of its own.
	c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Form"))
	c.converse(c.romeo, [2]string{"Form", "renewed"})
	if c.registered(c.juliet) {
		t.Error("juliet was registered by romeo's dialogue")
	}
}

// TestChatSpeaksTheAccountsLanguage: notices are in the language of the account, so the words that they tell are understood
// from a client that does not say its language.
func TestChatSpeaksTheAccountsLanguage(t *testing.T) {
	c := newCounter(t)
	german := c.romeo
	german.Lang = "de"
	c.register(german, "Montague")
	word, _, _ := strings.Cut(gateway.NewTexts().Say("de", "desk.resume.words"), "|")
	english := c.romeo
	english.Lang = "en" // what a client says counts more
	c.converse(english, [2]string{"pause", "Paused until"}, [2]string{word, `Send "help"`})
	if r := c.say(c.romeo, word); c.account(c.romeo).PausedAt(time.Now()) {
		t.Errorf("%q: got %q, want resumed", word, r.Text)
	}
}

// TestChatEndsWithMachines: who answers everything with something else gets an error in the end, which nobody answers. Commands
// go on, and so do other people.
func TestChatEndsWithMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		lines := 0
		for _, line := range []string{"I am on holiday", "unregister"} {
			for ; lines < 100; lines++ {
				if _, err := c.desk.Say(t.Context(), c.romeo, line); err != nil {
					c.refused(err, gateway.ResourceConstraint, "")
					break
				}
				line = "I am on holiday"
			}
			if lines < 20 || lines == 100 {
				t.Fatalf("refused after %d lines, want some tens", lines)
			}
		}
		c.converse(c.romeo, [2]string{"cancel", "Cancelled"}, [2]string{"status", "Montague"})
		c.converse(c.juliet, [2]string{"hello", `Send "help"`})
		gatewaytest.Advance(time.Hour)
		c.converse(c.romeo, [2]string{"hello", `Send "help"`})
	})
}
