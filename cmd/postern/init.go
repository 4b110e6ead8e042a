package main

import (
	"context"
	"fmt"
	"io"

	"postern/cmd/internal/app"
	"postern/cmd/internal/setup"
)

type initCmd struct {
	Yes       bool   `help:"Ask nothing: flags and defaults decide. Needs --domain."`
	Domain    string `help:"Domain of your XMPP users, such as example.org."`
	Server    string `help:"XMPP server: prosody or ejabberd." placeholder:"NAME"`
	Component string `help:"IP address and port where the server accepts components." placeholder:"ADDR"`
	Adapter   string `help:"Platform." placeholder:"TYPE"`
	JID       string `name:"jid" help:"Domain of the gateway, such as gatekeeper.example.org."`
	Redis     string `help:"URL of Redis." placeholder:"URL"`
	PublicURL string `name:"public-url" help:"URL under which platforms reach this gateway." placeholder:"URL"`
	Rights    string `help:"Rights over your users' rosters and messages: yes (the default) or no." placeholder:"ANSWER"`
	BaseURL   string `name:"base-url" help:"URL of the gatekeeper." placeholder:"URL"`
	ClientID  string `name:"client-id" help:"Our name at the gatekeeper." placeholder:"ID"`
	Out       string `default:"." help:"Folder for the files (default: this one)." placeholder:"DIR"`
	Force     bool   `help:"Write the configuration and the server's lines anew; keys and secrets that exist are kept."`
	NoProbe   bool   `help:"Do not look for the server and Redis."`
}

// Help is what postern init --help adds.
func (initCmd) Help() string {
	return `Writes postern.yaml, the keys and secrets it names, and the lines for Prosody or ejabberd. It asks for
what no flag says. The files are readable by their owner only. Nothing is changed outside of the folder.`
}

// Run asks, looks, writes, and says what comes next.
func (c *initCmd) Run(ctx context.Context, io *console) error {
	a := setup.Answers{
		Domain: c.Domain, Server: c.Server, Component: c.Component, Adapter: c.Adapter, JID: c.JID, Redis: c.Redis,
		PublicURL: c.PublicURL, Rights: c.Rights, Gatekeeper: c.BaseURL, ClientID: c.ClientID, Dir: c.Out,
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
	if problems := app.CheckFiles(cfg); len(problems) > 0 {
		return fmt.Errorf("what was written does not pass postern check; correct it and go on:\n%w", problems)
	}
	report(io.out, a, r)
	return nil
}

func report(out io.Writer, a setup.Answers, r setup.Result) {
	for _, f := range r.Files {
		verb := "wrote"
		if f.Kept {
			verb = "kept "
		}
		fmt.Fprintf(out, "%s %s\n", verb, f.Path)
	}
	fmt.Fprintf(out, "\n%s (%s):\n\n%s\n", r.Snippet, a.Server, r.Lines)
	fmt.Fprintf(out, `Next:
  1. %s
  2. postern check -c %s
  3. postern serve -c %[2]s
To try it without a real platform, in another terminal: postern sandbox --partner-jwks-url %s/.well-known/gia-partner/jwks.json
Keep a copy of the store key (store.key): without it the store cannot be opened.
`, r.Install, r.Config, a.PublicURL)
}
