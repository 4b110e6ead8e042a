package setup

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"postern/adapters"
	"postern/deploy"
)

// Answers is what has to be known. Empty fields take their defaults; Domain has none.
type Answers struct {
	Domain    string // host of the users
	Server    string // prosody or ejabberd
	Component string // IP address and port on which the server accepts components
	Adapter   string // type of the adapter; its name too
	JID       string // domain of the adapter's component
	Redis     string // URL
	PublicURL string // origin under which platforms reach us
	Rights    string // yes or no: whether the server grants the gateway its users' rosters and messages (XEP-0356)
	// Own are the answers to the questions of the adapter's type, by key.
	Own adapters.Answers
	// Dir is where the files go.
	Dir string
}

// question is one thing to ask. A type's own are asked once the type is known, and only if they make sense by then.
type question struct {
	text  string
	flag  string // by which it is answered without being asked
	get   func() string
	set   func(string)
	def   func() string
	check func(string) error
}

// judge checks the answer that there is.
func (q question) judge() error {
	if q.check == nil {
		return nil
	}
	if err := q.check(q.get()); err != nil {
		return fmt.Errorf("%s: %w (%s)", q.text, err, q.flag)
	}
	return nil
}

// general are the questions that do not depend on the platform, in order: later defaults build on earlier answers.
func (a *Answers) general() []question {
	ask := func(text, flag string, v *string, def func() string, check func(string) error) question {
		return question{text, "--" + flag, func() string { return *v }, func(s string) { *v = s }, def, check}
	}
	fixed := func(s string) func() string { return func() string { return s } }
	return []question{
		ask("Domain of your XMPP users", "domain", &a.Domain, fixed(""), wantDomain),
		ask("XMPP server, prosody or ejabberd", "server", &a.Server, fixed(string(deploy.Prosody)), oneOf(string(deploy.Prosody), string(deploy.Ejabberd))),
		ask("Address where the server accepts components", "component", &a.Component, fixed("127.0.0.1:5347"), wantIPPort),
		ask("Platform ("+strings.Join(Types(), ", ")+")", "adapter", &a.Adapter, fixed(Types()[0]), oneOf(Types()...)),
		ask("Domain of the gateway", "jid", &a.JID, func() string { return a.Adapter + "." + a.Domain }, wantDomain),
		ask("Redis", "redis", &a.Redis, fixed("redis://127.0.0.1:6379/0"), nil),
		ask("URL under which platforms reach this gateway", "public-url", &a.PublicURL, fixed("http://127.0.0.1:8443"), nil),
		ask(rightsQuestion, "rights", &a.Rights, fixed("yes"), oneOf("yes", "no")),
	}
}

// own is the question of one key of the adapter; ok is false for a key that is not asked for.
func (a *Answers) own(k adapters.Key) (q question, ok bool) {
	a.Own = own(a)
	if k.Ask == "" || k.When != nil && !k.When(a.Own) {
		return question{}, false
	}
	check := func(s string) error {
		switch {
		case s == "" && k.Required:
			return errors.New("want an answer")
		case s == "" || k.Check == nil:
			return nil
		}
		return k.Check(s)
	}
	def := func() string {
		if k.Default == nil {
			return ""
		}
		return k.Default(a.Own)
	}
	return question{k.Ask, "--set " + k.Name, func() string { return a.Own[k.Name] }, func(s string) { a.Own[k.Name] = s }, def, check}, true
}

// own is what is known of the adapter's keys, and the public address.
func own(a *Answers) adapters.Answers {
	out := maps.Clone(a.Own)
	if out == nil {
		out = adapters.Answers{}
	}
	out[adapters.PublicURL] = a.PublicURL
	return out
}

// each calls do for every question, in order.
func (a *Answers) each(do func(question) error) error {
	for _, q := range a.general() {
		if err := do(q); err != nil {
			return err
		}
	}
	for _, k := range a.guide().Keys {
		if q, ok := a.own(k); ok {
			if err := do(q); err != nil {
				return err
			}
		}
	}
	return nil
}

// Known refuses answers that the type does not ask for, or not after the others.
func (a *Answers) Known() error {
	g := a.guide()
	for _, key := range slices.Sorted(maps.Keys(a.Own)) {
		if key == adapters.PublicURL || a.Own[key] == "" {
			continue
		}
		k, _ := g.Key(key)
		if k.Ask == "" {
			return fmt.Errorf("--set %s: %s asks for %s; every other key is in deploy/postern.yaml", key, a.Adapter, strings.Join(g.Asked(), ", "))
		}
		if _, ok := a.own(k); !ok {
			return fmt.Errorf("--set %s: does not go with the other answers", key)
		}
	}
	return nil
}

// guide is that of the adapter's type.
func (a *Answers) guide() adapters.Guide {
	for _, t := range adapters.All() {
		if t.Name == a.Adapter {
			return t.Setup()
		}
	}
	return adapters.Guide{}
}

const rightsQuestion = `May the gateway put contacts into your users' rosters and show what they write in a platform's own app?
(Whoever stole the component's secret could then write in your users' names.) yes or no`

// Types names the types of adapters.
func Types() []string {
	var out []string
	for _, t := range adapters.All() {
		out = append(out, t.Name)
	}
	return out
}

func oneOf(known ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(known, s) {
			return nil
		}
		return fmt.Errorf("got %q, want %s", s, strings.Join(known, " or "))
	}
}

func wantDomain(s string) error {
	if s == "" || strings.ContainsAny(s, "@/: \t\"\\") || !strings.Contains(s, ".") && s != "localhost" {
		return errors.New("want a domain such as example.org")
	}
	return nil
}

// Fill takes the defaults for everything that is not answered. It returns an error for what has no default, or no sense.
func (a *Answers) Fill() error {
	if err := a.each(func(q question) error {
		q.set(cmp.Or(q.get(), q.def()))
		return q.judge()
	}); err != nil {
		return err
	}
	return a.Known()
}

// ErrNoAnswer: the input ended before every question was answered.
var ErrNoAnswer = errors.New("setup: the input ended: answer the questions, or use --yes with flags")

// Ask asks for everything that is not answered yet. An empty line takes the default in brackets.
func (a *Answers) Ask(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	return a.each(func(q question) error {
		if q.get() != "" {
			return q.judge()
		}
		for {
			def := q.def()
			fmt.Fprint(out, q.text)
			if def != "" {
				fmt.Fprintf(out, " [%s]", def)
			}
			fmt.Fprint(out, ": ")
			if !lines.Scan() {
				fmt.Fprintln(out)
				return errors.Join(ErrNoAnswer, lines.Err())
			}
			answer := cmp.Or(strings.TrimSpace(lines.Text()), def)
			if q.check != nil {
				if err := q.check(answer); err != nil {
					fmt.Fprintf(out, "  %v\n", err)
					continue
				}
			}
			q.set(answer)
			return nil
		}
	})
}

// wantIPPort: both servers bind their component port to an address, not to a name.
func wantIPPort(s string) error {
	if host, port, err := net.SplitHostPort(s); err != nil || port == "" || net.ParseIP(host) == nil {
		return errors.New("want an IP address and a port such as 127.0.0.1:5347")
	}
	return nil
}
