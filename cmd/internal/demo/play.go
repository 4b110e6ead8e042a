package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"postern/cmd/internal/user"
)

// stepLimit is how long one step may take.
const stepLimit = 15 * time.Second

// play is the conversation under way.
type play struct {
	*stage
	*narrator
	romeo *user.Client
	alias string // Anna's address, once she is a contact
	mark  int    // what romeo had read when the step began
}

// failure is a step that did not go as it should.
type failure struct {
	expected string
	err      error
}

func (f *failure) Error() string { return "expected " + f.expected + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

var errStopped = errors.New("demo: stopped before its end")

// act is one step of the script.
type act struct {
	title string
	limit time.Duration // stepLimit when zero
	play  func(*play, context.Context) error
}

// run plays the acts in order.
func (p *play) run(ctx context.Context, acts []act) error {
	for _, a := range acts {
		p.step(a.title)
		if a.limit == 0 {
			a.limit = stepLimit
		}
		if p.romeo != nil {
			p.mark = p.romeo.Count()
		}
		step, cancel := context.WithTimeout(ctx, a.limit)
		err := a.play(p, step)
		cancel()
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return errStopped
		}
		p.explain(ctx, a.title, err)
		return fmt.Errorf("demo: step %d, %s: %w", p.steps, strings.ToLower(a.title[:1])+a.title[1:], err)
	}
	return nil
}

// see waits for a stanza of this step on romeo's stream.
func (p *play) see(ctx context.Context, expected string, match func(*user.Stanza) bool) (*user.Stanza, error) {
	s, err := p.romeo.WaitAfter(ctx, p.mark, func(s *user.Stanza) bool { return s.Carbon == "" && match(s) })
	if err != nil {
		return nil, &failure{expected + ", on romeo's stream", err}
	}
	return s, nil
}

// hear is see for a text, printed as it was read.
func (p *play) hear(ctx context.Context, from, expected string, match func(*user.Stanza) bool, most int) (*user.Stanza, error) {
	s, err := p.see(ctx, expected, func(s *user.Stanza) bool {
		return s.Kind == user.Message && s.Body != "" && s.Type != "error" && bare(s.From) == from && match(s)
	})
	if err != nil {
		return nil, err
	}
	p.says(atXMPP, p.name(from), "romeo", s.Body, most)
	return s, nil
}

// watch waits for something in the sandbox.
func (p *play) watch(ctx context.Context, expected string, cond object, first any) error {
	if err := p.sandbox.wait(ctx, cond, first); err != nil {
		return &failure{expected + ", in the sandbox", err}
	}
	return nil
}

// name is how a JID is printed.
func (p *play) name(jid string) string {
	switch bare(jid) {
	case p.alias:
		return "anna"
	case p.gw:
		return "gateway"
	}
	return jid
}

func bare(jid string) string {
	b, _, _ := strings.Cut(jid, "/")
	return b
}

// explain says what a failed step expected, what was seen instead, and where to look.
func (p *play) explain(ctx context.Context, title string, err error) {
	fmt.Fprintln(p.out)
	p.line(p.paint(red, "   FAILED: "+title))
	expected := "that this works"
	if f, ok := errors.AsType[*failure](err); ok {
		expected, err = f.expected, f.err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("nothing in time (%s for a step)", stepLimit)
	}
	p.tell("expected: " + expected)
	p.tell("instead:  " + strings.ReplaceAll(err.Error(), "\n", " "))
	if p.romeo != nil {
		all := p.romeo.Stanzas(0)
		for _, s := range all[max(0, len(all)-5):] {
			p.tell("last on romeo's stream: " + s.XML())
		}
	}
	if p.sandbox != nil && p.romeo != nil {
		look, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if chat, err := p.sandbox.chat(look, p.to()); err == nil {
			p.tell(fmt.Sprintf("anna's chat in the sandbox: request %q, %d messages", chat.Request, len(chat.Messages)))
			for _, m := range chat.Messages[max(0, len(chat.Messages)-5):] {
				p.tell(fmt.Sprintf("  from romeo: %t, %s: %s", m.FromUser, m.Status, m.Content.Text))
			}
		}
	}
	if p.postern != nil {
		for _, l := range lastLines(p.postern.Log(), 5) {
			p.tell("postern's log: " + l)
		}
	}
	for _, file := range p.logs() {
		p.tell("log: " + file)
	}
}

// tell prints a line of an explanation, in full where the play would cut it.
func (p *play) tell(text string) { fmt.Fprintf(p.out, "          %s\n", cut(text, 1000)) }

// lastLines returns the end of a file, nothing when it cannot be read.
func lastLines(file string, n int) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
