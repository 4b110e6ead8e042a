package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"postern/cmd/internal/app"
)

// configFlag is shared by the commands that read a configuration.
type configFlag struct {
	Config string `short:"c" default:"/etc/postern/postern.yaml" help:"The configuration (default: ${default})." placeholder:"FILE"`
}

// load reads the configuration and says all that is wrong with it.
func (f configFlag) load(io *console) (*app.Config, error) {
	cfg, err := app.Load(f.Config)
	if err != nil {
		fmt.Fprintln(io.err, err)
		return nil, errSaid
	}
	return cfg, nil
}

type serveCmd struct{ configFlag }

// Help is what postern serve --help adds.
func (serveCmd) Help() string {
	return `SIGTERM and SIGINT end it in order. SIGHUP reads the configuration again: the log says which keys changed and took effect,
and which need a restart; a configuration that is wrong changes nothing.`
}

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, io *console) error {
	cfg, err := c.load(io)
	if err != nil {
		return err
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	level := new(slog.LevelVar)
	a, err := app.Build(ctx, cfg, app.Options{Log: newLogger(cfg.Log, level, io.err), Level: level, Reload: again, Load: func() (*app.Config, error) { return app.Load(c.Config) }})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// newLogger writes as the configuration says: text for a person at a terminal, JSON for a program.
func newLogger(cfg app.Log, level slog.Leveler, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if cfg.Format == "text" || cfg.Format == "auto" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// readable writes durations as people read them, in JSON too.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// terminal reports whether w is a character device.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type checkCmd struct{ configFlag }

// Run reads the configuration and the files that it names, and calls nobody.
func (c *checkCmd) Run(io *console) error {
	cfg, err := c.load(io)
	if err != nil {
		return err
	}
	if problems := app.CheckFiles(cfg); len(problems) > 0 {
		fmt.Fprintln(io.err, problems)
		return errSaid
	}
	fmt.Fprintf(io.out, "%s: ok, %d adapter(s)\n", c.Config, len(cfg.Adapters))
	return nil
}

type versionCmd struct{}

// Run prints the build.
func (versionCmd) Run(io *console) error {
	_, err := fmt.Fprint(io.out, app.Version())
	return err
}
