package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"postern/deploy"
)

const prosodyPackages = "prosody prosody-modules lua-dbi-sqlite3"

// prosodyPatience is more than Prosody takes to stop; it gives clients 5 s to close their streams. Prosody 0.12.3 does
// not stop at all when SIGTERM comes while it takes a connection down: its handler runs there and then, fails on the
// half-ended session, and no later signal is heeded.
const prosodyPatience = 15 * time.Second

// StartProsody starts a Prosody with archives, carbons, stream management, uploads and group chats.
func (l *Lab) StartProsody(ctx context.Context, cfg XMPPConfig) (*XMPP, error) {
	bin, err := program("prosody", prosodyPackages)
	if err != nil {
		return nil, err
	}
	ctl, err := program("prosodyctl", prosodyPackages)
	if err != nil {
		return nil, err
	}
	if err := needFile("Prosody's mod_privilege", prosodyPackages, "/usr/lib/prosody/modules/mod_privilege*"); err != nil {
		return nil, err
	}
	if err := needFile("Lua's SQLite driver", prosodyPackages, "/usr/lib/*/lua/5.*/dbd/sqlite3.so"); err != nil {
		return nil, err
	}
	acct, err := accountFor("prosody")
	if err != nil {
		return nil, err
	}
	x, err := l.prepare(ctx, cfg, deploy.Prosody, acct)
	if err != nil {
		return nil, err
	}
	// Without this empty directory every start logs an error.
	if err := os.MkdirAll(filepath.Join(x.dir, "certs"), 0o750); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := acct.own(x.dir); err != nil {
		return nil, err
	}
	config := filepath.Join(x.dir, "prosody.cfg.lua")
	x.log = filepath.Join(x.dir, "prosody.log")
	x.command = command{path: bin, args: []string{"--config", config, "-F"}, as: acct, patience: prosodyPatience}
	x.addUser = func(ctx context.Context, u Login) error {
		cmd := exec.CommandContext(ctx, ctl, "--config", config, "register", u.User, u.Domain, u.Password)
		cmd.Dir = x.dir
		cmd.SysProcAttr = acct.attr()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("lab: add user to %s: %w: %s", x.name, err, out)
		}
		return nil
	}
	if err := l.start(ctx, x.Server); err != nil {
		return nil, err
	}
	return x, x.addUsers(ctx, cfg.Users)
}

func (x *XMPP) addUsers(ctx context.Context, users []Login) error {
	for _, u := range users {
		if err := x.AddUser(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
