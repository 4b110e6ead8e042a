package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"postern/adapters"
	"postern/adapters/simulators"
	"postern/cmd/internal/app"
	"postern/cmd/internal/setup"
)

type initCmd struct {
	Yes       bool              `help:"Ask nothing: flags and defaults decide. Needs --domain."`
	Domain    string            `help:"Domain of your XMPP users, such as example.org."`
	Server    string            `help:"XMPP server: prosody or ejabberd." placeholder:"NAME"`
	Component string            `help:"IP address and port where the server accepts components." placeholder:"ADDR"`
	Adapter   string            `help:"Platform: ${types}." placeholder:"TYPE"`
	JID       string            `name:"jid" help:"Domain of the gateway, such as telegram.example.org."`
	Redis     string            `help:"URL of Redis." placeholder:"URL"`
	PublicURL string            `name:"public-url" help:"URL under which platforms reach this gateway." placeholder:"URL"`
	Rights    string            `help:"Rights over your users' rosters and messages: yes (the default) or no." placeholder:"ANSWER"`
	Set       map[string]string `help:"Answer of the platform's own, as listed above; may be repeated." placeholder:"KEY=VALUE" mapsep:"none"`
	Out       string            `default:"." help:"Folder for the files (default: this one)." placeholder:"DIR"`
	Force     bool              `help:"Write the configuration and the server's lines anew; keys and secrets that exist are kept."`
	NoProbe   bool              `help:"Do not look for the server and Redis."`
}

// Help is what postern init --help adds.
func (initCmd) Help() string {
	var b strings.Builder
	b.WriteString(`Writes postern.yaml, the keys and secrets it names, and the lines for Prosody or ejabberd. It asks for
what no flag says. The files are readable by their owner only; in a folder with the setgid
bit, such as the package's /etc/postern, by its group too. Nothing is changed outside of the folder.

A platform (--adapter) has questions of its own, which --set answers by key:

`)
	for _, t := range adapters.All() {
		fmt.Fprintf(&b, "  %-12s%s\n", t.Name, strings.Join(t.Setup().Asked(), ", "))
	}
	b.WriteString("\nSecrets that a platform gives out are files that are left empty: what goes in, and where to get it, is said at the end.")
	return b.String()
}

// Run asks, looks, writes, and says what comes next.
func (c *initCmd) Run(ctx context.Context, io *console) error {
	a := setup.Answers{
		Domain: c.Domain, Server: c.Server, Component: c.Component, Adapter: c.Adapter, JID: c.JID, Redis: c.Redis,
		PublicURL: c.PublicURL, Rights: c.Rights, Own: c.Set, Dir: c.Out,
	}
	if !c.Yes {
		if err := a.Ask(io.in, io.out); err != nil {
			return err
		}
	}
	if err := a.Fill(); err != nil {
		return err
	}
	if !c.NoProbe {
		for _, f := range setup.Probe(ctx, a) {
			mark := "ok  "
			if !f.OK {
				mark = "note"
			}
			fmt.Fprintf(io.out, "%s  %s\n", mark, f.Text)
		}
	}
	r, err := setup.Write(a, c.Force)
	if err != nil {
		return err
	}
	cfg, err := app.Load(r.Config)
	if err != nil {
		return fmt.Errorf("what was written does not pass postern check; correct it and go on:\n%w", err)
	}
	if len(r.Fetch()) == 0 { // without its secrets the adapter cannot be opened
		if problems := app.CheckFiles(cfg); len(problems) > 0 {
			return fmt.Errorf("what was written does not pass postern check; correct it and go on:\n%w", problems)
		}
	}
	report(io.out, a, r)
	return nil
}

func report(out io.Writer, a setup.Answers, r setup.Result) {
	for _, f := range r.Files {
		verb, empty := "wrote", ""
		if f.Kept {
			verb = "kept "
		}
		if f.Fetch != "" {
			empty = " (empty: see below)"
		}
		fmt.Fprintf(out, "%s %s%s\n", verb, f.Path, empty)
	}
	fmt.Fprintf(out, "\n%s (%s):\n\n%s\nNext:\n", r.Snippet, a.Server, r.Lines)
	steps := []string{r.Install}
	if fetch := r.Fetch(); len(fetch) > 0 {
		var step strings.Builder
		step.WriteString("fill in what only the platform gives out, each as one line of a file of its own:")
		for _, f := range fetch {
			fmt.Fprintf(&step, "\n       %s\n         %s", f.Path, f.Fetch)
		}
		steps = append(steps, step.String())
	}
	if r.Page != "" {
		steps = append(steps, "read "+r.Page+" in Postern's sources: what to set up at the platform, its limits and costs")
	}
	if r.System { // as its user: what only root can read is no use to the service
		steps = append(steps, "runuser -u postern -- postern doctor", "systemctl restart postern")
	} else {
		steps = append(steps, "postern check -c "+r.Config, "postern serve -c "+r.Config)
	}
	for n, s := range steps {
		fmt.Fprintf(out, "  %d. %s\n", n+1, s)
	}
	fmt.Fprintf(out, "To try it without a real platform, in another terminal: %s\n", sandbox(a))
	fmt.Fprintln(out, "Keep a copy of the store key (store.key): without it the store cannot be opened.")
	doctor := "postern doctor -c " + r.Config
	if r.System {
		doctor = "runuser -u postern -- postern doctor"
	}
	fmt.Fprintf(out, "When all of this is done: %s looks at Redis, the server and the platform, and says what users will not have.\n", doctor)
}

// sandbox is the command that plays the platform.
func sandbox(a setup.Answers) string {
	if a.Adapter == gatekeeper {
		return "postern sandbox --partner-jwks-url " + a.PublicURL + "/.well-known/gia-partner/jwks.json"
	}
	var names []string
	for _, sim := range simulators.All() {
		if sim.Type == a.Adapter {
			names = append(names, "postern sandbox --platform "+sim.Name)
		}
	}
	return strings.Join(names, ", or ") + ", which says what connects it"
}
