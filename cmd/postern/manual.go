package main

import (
	"github.com/alecthomas/kong"

	"postern/cmd/internal/manual"
)

type manCmd struct{}

// Help is what postern man --help adds.
func (manCmd) Help() string { return "To read it: postern man | man -l -. Packages have it installed." }

// Run prints the page.
func (manCmd) Run(io *console, app *kong.Kong) error { return manual.Page(io.out, app.Model) }

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what postern completion --help adds.
func (completionCmd) Help() string {
	return "Packages have it installed. Else, for this shell alone: source <(postern completion bash)"
}

// Run prints what the shell reads.
func (c *completionCmd) Run(io *console, app *kong.Kong) error {
	return manual.Completion(io.out, app.Model, c.Shell)
}
