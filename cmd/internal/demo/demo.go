package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"postern/cmd/internal/webclient"
	"postern/deploy/lab"
)

// Config says how the demo runs.
type Config struct {
	// Dir takes the files of all servers; what an earlier demo left there is deleted.
	Dir string
	// Exe is the program that is started as "serve -c FILE".
	Exe string
	// Once ends after the script; else everything stays up until the context ends.
	Once bool
	// Platform is what is played: gatekeeper, also when empty, or the name of a simulator.
	Platform string
	// DropWebhooks loses every webhook of the platform, so that the script must fail.
	DropWebhooks bool
	// Out takes the play, coloured when Color is set.
	Out   io.Writer
	Color bool
}

const (
	openLimit = 90 * time.Second
)

// Run plays the script. It returns an error when a step fails, after it has said what was expected and what was seen. All that
// it started has ended when it returns.
func Run(ctx context.Context, cfg Config) (err error) {
	n := &narrator{out: cfg.Out, color: cfg.Color, began: time.Now()}
	w, err := newWall(cfg.Platform)
	if err != nil {
		return err
	}
	n.line(n.paint(bold, "Postern: a conversation between an XMPP user and a person inside "+w.place()))
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := sweep(cfg.Dir); err != nil {
		return err
	}
	p := &play{stage: &stage{dir: cfg.Dir, wall: w, gw: w.component(), lab: lab.New(cfg.Dir, nil)}, narrator: n}
	p.lab.Keep = true // its logs are named when a step fails

	defer func() { err = errors.Join(err, p.end(err == nil)) }() //nolint:contextcheck // what was started is stopped also when ctx has ended

	err = p.run(ctx, []act{{"The servers start", openLimit, func(p *play, ctx context.Context) error { return p.open(ctx, cfg, n) }}})
	if err != nil {
		return err
	}
	if err := p.run(ctx, p.script()); err != nil {
		return err
	}
	fmt.Fprintln(n.out)
	n.line(n.paint(green, fmt.Sprintf("All %d steps went as they should.", n.steps)))
	if cfg.Once {
		return nil
	}
	chat, err := p.sandbox.chat(ctx, p.to())
	if err != nil {
		return err
	}
	if err := p.page.serve(ctx, p.stage, chat.ID, webclient.Dist); err != nil {
		return err
	}
	p.invite()
	<-ctx.Done()
	return nil
}

// invite says how to join in.
func (p *play) invite() {
	users := logins()
	fmt.Fprintf(p.out, `
Everything stays up. Join in:

  Two phones on one page, and what the gateway counts:
    %s/

  The page on which you are Anna, or anybody else inside %s:
    %s/

  Any XMPP client (server %s, no TLS; WebSocket %s):
    %s@%s    password %s    the user of the play, Anna is in his contact list
    %s@%s    password %s    not registered yet: write "help" to %s
  %s

  Files and logs: %s
  Ctrl-C stops everything.
`, p.page.url, p.wall.place(), p.sandbox.url, p.prosody.ClientAddr(), p.prosody.WebSocketURL(), users[0].User, domain, users[0].Password, users[1].User, domain, users[1].Password, p.gw, p.wall.others(), p.dir)
}

// end stops everything. Folders outside the directory of the demo are deleted when it went well.
func (p *play) end(well bool) error {
	var err error
	if p.romeo != nil {
		_ = p.romeo.Close() // the play is over
	}
	p.lab.Keep = !well
	return errors.Join(err, p.close())
}
