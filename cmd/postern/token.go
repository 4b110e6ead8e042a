package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/api"
	"postern/cmd/internal/app"
	"postern/gateway"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token and print it; it is shown this once."`
	List   tokenListCmd   `cmd:"" help:"List tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token at once."`
}

// Help is what postern token --help adds.
func (tokenCmd) Help() string {
	return `Tokens are for the operator's tools: dead-letters, queues and the like, and anything else that calls /v1. These
commands open the store themselves, so that they need the configuration and the store's key. Roles:

  viewer    looks
  operator  steers traffic: dead letters, what is stuck
  admin     decides over people, and reads the audit log`
}

// cliActor is how the audit log calls the command line.
const cliActor = "cli"

// vault opens the store of a configuration.
func (f configFlag) vault(ctx context.Context, io *console) (*app.Vault, error) {
	cfg, err := f.load(io)
	if err != nil {
		return nil, err
	}
	return app.OpenVault(ctx, cfg)
}

type tokenCreateCmd struct {
	configFlag
	Name  string        `arg:"" help:"Whose it is: a-z, 0-9 and -."`
	Role  gateway.Role  `default:"viewer" enum:"viewer,operator,admin" help:"viewer, operator or admin (default: ${default})." placeholder:"ROLE"`
	Lasts time.Duration `help:"How long it lasts, such as 720h (default: until -)." placeholder:"TIME"`
}

// Run prints the token alone, so that it can go to a file.
func (c *tokenCreateCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err := v.Audit.Add(ctx, cliActor, "token.create", c.Name); err != nil {
		return err
	}
	secret, err := v.Tokens.Create(ctx, c.Name, c.Role, c.Lasts)
	if errors.Is(err, gateway.ErrExists) {
		return fmt.Errorf("there is a token %s already: postern token revoke %[1]s ends it", c.Name)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, secret)
	return err
}

type tokenListCmd struct {
	configFlag
	jsonFlag
}

// Run prints a line for each token.
func (c *tokenListCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	tokens, err := v.Tokens.List(ctx)
	if err != nil {
		return err
	}
	views := []api.TokenView{}
	t := table{{"NAME", "ROLE", "MADE", "UNTIL"}}
	for _, k := range tokens {
		until := "-"
		switch {
		case !k.Until.IsZero() && time.Now().After(k.Until):
			until = "over"
		case !k.Until.IsZero():
			until = moment(k.Until)
		}
		views = append(views, api.TokenView{Name: k.Name, Role: k.Role, Until: k.Until})
		t = append(t, []string{k.Name, string(k.Role), moment(k.Made), until})
	}
	return c.print(io, views, t)
}

type tokenRevokeCmd struct {
	configFlag
	Name string `arg:"" help:"Whose it was."`
}

// Run ends a token.
func (c *tokenRevokeCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err := v.Audit.Add(ctx, cliActor, "token.revoke", c.Name); err != nil {
		return err
	}
	err = v.Tokens.Revoke(ctx, c.Name)
	if errors.Is(err, gateway.ErrNotFound) {
		return fmt.Errorf("there is no token %s: postern token list says which there are", c.Name)
	}
	return err
}
