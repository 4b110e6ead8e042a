// Command first plays a user's first minutes with a gateway: it registers by chat, adds a contact, writes, and ends once the text
// is delivered and answered. The contact has to be one that answers by itself, such as Echo of postern sandbox.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"postern/cmd/internal/user"
)

const text = "But, soft! what light through yonder window breaks?"

func main() {
	var cfg user.Config
	flag.StringVar(&cfg.JID, "jid", "", "bare JID of the user")
	flag.StringVar(&cfg.Password, "password", "", "their password")
	flag.StringVar(&cfg.Addr, "addr", "127.0.0.1:5222", "of the server, without TLS")
	gateway := flag.String("gateway", "", "domain of the gateway")
	contact := flag.String("add", "echo@capulet.example", "who is added")
	limit := flag.Duration("limit", time.Minute, "how long all of it may take")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	cfg.Accept, cfg.Receipts = true, true
	if err := play(ctx, cfg, *gateway, *contact); err != nil {
		fmt.Fprintln(os.Stderr, "first:", err)
		os.Exit(1)
	}
}

// chat is the user's side of it.
type chat struct {
	*user.Client
	began time.Time
}

func (c chat) say(who, text string) {
	line, _, _ := strings.Cut(text, "\n")
	fmt.Printf("%6.2fs  %-8s %s\n", time.Since(c.began).Seconds(), who, line)
}

// ask writes to the gateway and returns the first answer with one of these parts in it.
func (c chat) ask(ctx context.Context, gateway, text string, parts ...string) (string, error) {
	mark := c.Count()
	if _, err := c.Send(ctx, gateway, text); err != nil {
		return "", err
	}
	c.say("user", text)
	s, err := c.WaitAfter(ctx, mark, func(s *user.Stanza) bool {
		return s.Kind == user.Message && s.Type != "error" && bare(s.From) == gateway && contains(s.Body, parts)
	})
	if err != nil {
		return "", fmt.Errorf("after %q: expected an answer with one of %q: %w", text, parts, err)
	}
	c.say("gateway", s.Body)
	return s.Body, nil
}

func contains(body string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(body, p) {
			return true
		}
	}
	return false
}

func bare(jid string) string {
	b, _, _ := strings.Cut(jid, "/")
	return b
}

func play(ctx context.Context, cfg user.Config, gateway, contact string) error {
	client, err := user.Dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the play is over
	c := chat{client, time.Now()}
	if err := c.register(ctx, gateway); err != nil {
		return err
	}
	answer, err := c.ask(ctx, gateway, "add "+contact, "@"+gateway)
	if err != nil {
		return err
	}
	var alias string
	for word := range strings.FieldsSeq(answer) {
		if strings.HasSuffix(word, "@"+gateway) {
			alias = word
		}
	}
	return c.write(ctx, alias)
}

// register answers whatever the gateway asks.
func (c chat) register(ctx context.Context, gateway string) error {
	text, expected := "register", []string{"Do you agree?"}
	for {
		answer, err := c.ask(ctx, gateway, text, expected...)
		switch {
		case err != nil:
			return err
		case strings.Contains(answer, "You are registered"):
			return nil
		}
		text, expected = "yes", []string{"(yes or no)", `or "skip"`, "You are registered"}
		if strings.Contains(answer, "Name that people there see") {
			text = "Romeo Montague"
		}
	}
}

// write sends a text and waits for its receipt (XEP-0184) and for the contact's answer.
func (c chat) write(ctx context.Context, alias string) error {
	mark := c.Count()
	id, err := c.Send(ctx, alias, text)
	if err != nil {
		return err
	}
	c.say("user", text)
	if _, err := c.WaitAfter(ctx, mark, func(s *user.Stanza) bool { return s.Received == id }); err != nil {
		return fmt.Errorf("no receipt: %w", err)
	}
	c.say("contact", "(delivered)")
	s, err := c.WaitAfter(ctx, mark, func(s *user.Stanza) bool {
		return s.Kind == user.Message && s.Type != "error" && bare(s.From) == alias && strings.Contains(s.Body, "yonder window")
	})
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	c.say("contact", s.Body)
	return nil
}
