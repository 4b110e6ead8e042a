package setup

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
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
	// Gatekeeper and ClientID are for the type gatekeeper: whom we talk to, and as whom.
	Gatekeeper, ClientID string
	// Dir is where the files go.
	Dir string
}

// question is one thing to ask.
type question struct {
	text  string
	value *string
	def   func(*Answers) string
	check func(string) error
}

// questions lists what to ask, in order: later defaults build on earlier answers.
func (a *Answers) questions() []question {
	fixed := func(s string) func(*Answers) string { return func(*Answers) string { return s } }
	out := []question{
		{"Domain of your XMPP users", &a.Domain, fixed(""), wantDomain},
		{"XMPP server, prosody or ejabberd", &a.Server, fixed(string(deploy.Prosody)), oneOf(string(deploy.Prosody), string(deploy.Ejabberd))},
		{"Address where the server accepts components", &a.Component, fixed("127.0.0.1:5347"), wantIPPort},
		{"Platform (" + strings.Join(types(), ", ") + ")", &a.Adapter, fixed(types()[0]), oneOf(types()...)},
		{"Domain of the gateway", &a.JID, func(a *Answers) string { return a.Adapter + "." + a.Domain }, wantDomain},
		{"Redis", &a.Redis, fixed("redis://127.0.0.1:6379/0"), nil},
		{"URL under which platforms reach this gateway", &a.PublicURL, fixed("http://127.0.0.1:8443"), nil},
		{rightsQuestion, &a.Rights, fixed("yes"), oneOf("yes", "no")},
	}
	return append(out,
		question{"URL of the gatekeeper (the default is that of postern sandbox)", &a.Gatekeeper, fixed("http://127.0.0.1:8490"), nil},
		question{"Our client id at the gatekeeper", &a.ClientID, fixed("postern"), nil},
	)
}

const rightsQuestion = `May the gateway put contacts into your users' rosters and show what they write in a platform's own app?
(Whoever stole the component's secret could then write in your users' names.) yes or no`

func types() []string {
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
		return fmt.Errorf("want %s", strings.Join(known, " or "))
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
	for _, q := range a.questions() {
		*q.value = cmp.Or(*q.value, q.def(a))
		if q.check == nil {
			continue
		}
		if err := q.check(*q.value); err != nil {
			return fmt.Errorf("%s: %w", q.text, err)
		}
	}
	return nil
}

// ErrNoAnswer: the input ended before every question was answered.
var ErrNoAnswer = errors.New("setup: the input ended: answer the questions, or use --yes with flags")

// Ask asks for everything that is not answered yet. An empty line takes the default in brackets.
func (a *Answers) Ask(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for _, q := range a.questions() {
		if *q.value != "" {
			continue
		}
		for {
			def := q.def(a)
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
			*q.value = answer
			break
		}
	}
	return nil
}

// wantIPPort: both servers bind their component port to an address, not to a name.
func wantIPPort(s string) error {
	if host, port, err := net.SplitHostPort(s); err != nil || port == "" || net.ParseIP(host) == nil {
		return errors.New("want an IP address and a port such as 127.0.0.1:5347")
	}
	return nil
}
