package main

import (
	"context"
	"fmt"
	"os"

	"postern/cmd/internal/demo"
)

type demoCmd struct {
	Once         bool   `help:"Exit after the script: 0 when every step went as it should."`
	Dir          string `default:".run/demo" help:"Folder for the files of all servers; what is in it is deleted (default: ${default})." placeholder:"DIR"`
	Platform     string `default:"gatekeeper" help:"Where the other person is: gatekeeper, ${platforms} (default: ${default})." placeholder:"NAME"`
	DropWebhooks bool   `help:"Lose every webhook of the platform: proves that the script can fail."`
}

// Help is what postern demo --help adds.
func (demoCmd) Help() string {
	return `Starts Prosody, Redis, a sandbox that plays the platform, and a gateway; lets an XMPP user and a person inside the
platform talk; kills the gateway in the middle and starts it again; then stays up so that any XMPP client can join.
Prosody and redis-server have to be installed; nothing that runs already is touched.`
}

// Run plays until the script is over or a signal comes.
func (c *demoCmd) Run(ctx context.Context, io *console) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return demo.Run(ctx, demo.Config{
		Dir: c.Dir, Exe: exe, Once: c.Once, Platform: c.Platform, DropWebhooks: c.DropWebhooks, Out: io.out, Color: terminal(io.out) && os.Getenv("NO_COLOR") == "",
	})
}
