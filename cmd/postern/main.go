// Command postern is an XMPP gateway: it lets the users of an XMPP server talk with people on other messengers.
//
// Exit codes: 0 done; 1 the command failed, and standard error says why; 2 the command line is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9"

	"postern/adapters/simulators"
	"postern/cmd/internal/setup"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// cli is the command line; kong reads it from the tags.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the gateway."`
	Check   checkCmd   `cmd:"" help:"Say what is wrong with a configuration, without calling anybody."`
	Doctor  doctorCmd  `cmd:"" help:"Look at all that a configuration names, and say what users will not have."`
	Init    initCmd    `cmd:"" help:"Write a configuration, its secrets and the lines for the XMPP server."`
	Demo    demoCmd    `cmd:"" help:"Play a conversation on real servers, then stay up to join in."`
	Sandbox sandboxCmd `cmd:"" help:"Run a make-believe platform with a web page, to try the gateway with."`

	Ready       readyCmd       `cmd:"" help:"Say whether a running gateway is ready, for health checks."`
	Token       tokenCmd       `cmd:"" help:"Make, list and end the tokens of the operator's tools."`
	Adapters    adaptersCmd    `cmd:"" help:"List the adapters of a running gateway, stop one and start it again."`
	Queues      queuesCmd      `cmd:"" help:"Say what waits in a running gateway, and for what."`
	DeadLetters deadLettersCmd `cmd:"" help:"List, replay and drop messages that were given up on."`
	Policy      policyCmd      `cmd:"" help:"Say what a user may do, and what decides it."`
	Block       blockCmd       `cmd:"" help:"Let a user, or all of a domain, not use the gateway."`
	Unblock     unblockCmd     `cmd:"" help:"Take a block back."`
	Blocks      blocksCmd      `cmd:"" help:"List who is blocked."`
	Cases       casesCmd       `cmd:"" help:"List what users reported, and decide it."`
	Accounts    accountsCmd    `cmd:"" help:"List a user's accounts."`
	Chats       chatsCmd       `cmd:"" help:"List a user's chats and what waits in them, without names and content."`
	Invites     invitesCmd     `cmd:"" help:"List and revoke the invites that a user has given out."`
	Export      exportCmd      `cmd:"" help:"Print all that is held of a user."`
	Erase       eraseCmd       `cmd:"" help:"Destroy all that is held of a user."`
	Audit       auditCmd       `cmd:"" help:"Print and check the log of what operators did."`
	Evidence    evidenceCmd    `cmd:"" help:"Write and check signed evidence of what platforms did with what they were asked."`
	Keys        keysCmd        `cmd:"" help:"Change the key that opens the store."`
	Version     versionCmd     `cmd:"" help:"Say which build this is."`

	Man        manCmd        `cmd:"" help:"Print the manual page."`
	Completion completionCmd `cmd:"" help:"Print what a shell reads to complete this command line."`
}

const description = `Postern lets the users of an XMPP server talk with people on other messengers.

A first start:
  postern init                   asks a few questions and writes postern.yaml
  postern check -c postern.yaml  says what is wrong with it
  postern serve -c postern.yaml  runs the gateway
  postern doctor -c postern.yaml looks at everything around it: Redis, server, platforms

Exit codes: 0 done, 1 failed (standard error says why), 2 wrong command line.`

// exited carries kong's wish to end the process out of its parser.
type exited int

// run is main without the process. SIGINT and SIGTERM end a command in order; a second one ends the process at once.
func run(args []string, in io.Reader, out, errs io.Writer) (code int) {
	defer func() {
		p := recover()
		if c, ok := p.(exited); ok {
			code = int(c)
		} else if p != nil {
			panic(p)
		}
	}()
	redis.SetLogger(silent{})
	var c cli
	parser, err := kong.New(&c, kong.Name("postern"), kong.Description(description), kong.UsageOnError(), kong.Vars{"platforms": strings.Join(simulators.Names(), ", "), "types": strings.Join(setup.Types(), ", ")}, kong.Writers(out, errs),
		kong.Exit(func(n int) { panic(exited(n)) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		fmt.Fprintln(errs, "postern:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its usual effect
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errs, "postern: %v\nTry postern --help.\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&console{in, out, errs}); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(errs, "postern:", err)
		}
		return exitFailed
	}
	return exitOK
}

// errSaid is a failure that the command has explained itself.
var errSaid = errors.New("said")

// silent keeps the Redis library from writing to standard error by itself: what it has to say comes back as errors too.
type silent struct{}

// Printf implements the library's logger.
func (silent) Printf(context.Context, string, ...any) {}
