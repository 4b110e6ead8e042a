package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"postern/cmd/internal/app"
	"postern/gateway"
)

type evidenceCmd struct {
	Make   evidenceMakeCmd   `cmd:"" default:"withargs" help:"Write a signed file of what platforms did with what they were asked, day by day."`
	Key    evidenceKeyCmd    `cmd:"" help:"Make the key that signs, and print its public half."`
	Verify evidenceVerifyCmd `cmd:"" help:"Check a file that was signed, and print what it says; needs no gateway."`
}

// Help is what postern evidence --help adds.
func (evidenceCmd) Help() string {
	return `What a provider shows an authority about a platform (Digital Markets Act, article 7): requests, refusals by class, limits met,
times and outages, of each adapter and kind of call. It has no user, contact or message in it.

  postern evidence key evidence.key                                       once; publish what it prints
  postern evidence --from 2026-11-01 --to 2026-11-30 --key evidence.key --out november.jsonl
  postern evidence verify november.jsonl --key PUBLIC                     whoever gets the file`
}

type evidenceMakeCmd struct {
	configFlag
	From time.Time `required:"" format:"2006-01-02" help:"The first day, in UTC." placeholder:"DATE"`
	To   time.Time `required:"" format:"2006-01-02" help:"The last day." placeholder:"DATE"`
	Key  string    `required:"" help:"The file with the key that signs." placeholder:"FILE"`
	Out  string    `required:"" short:"o" help:"Write to this file." placeholder:"FILE"`
}

// Run writes the file, whole or not at all.
func (c *evidenceMakeCmd) Run(ctx context.Context, io *console) error {
	key, err := app.EvidenceKey(c.Key)
	if err != nil {
		return err
	}
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	e, err := v.Evidence(ctx, c.From, c.To)
	if err != nil {
		return err
	}
	file, err := e.Sign(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out+".part", file, 0o644); err != nil { //nolint:gosec // it is made to be handed on
		return err
	}
	if err := os.Rename(c.Out+".part", c.Out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s: %d lines of adapters and days, from %s to %s\n", c.Out, len(e.Days), e.From, e.To)
	return err
}

type evidenceKeyCmd struct {
	File string `arg:"" help:"Where the key goes, for its owner alone. One that is there stays as it is." placeholder:"FILE"`
}

// Run prints the public key.
func (c *evidenceKeyCmd) Run(io *console) error {
	public, err := app.NewEvidenceKey(c.File)
	if err == nil {
		_, err = fmt.Fprintln(io.out, public)
	}
	return err
}

type evidenceVerifyCmd struct {
	jsonFlag
	File string `arg:"" help:"What postern evidence has written."`
	Key  string `required:"" help:"The public key, or a file that holds it." placeholder:"PUBLIC"`
}

// Run says that the file is as it was signed, and what is in it.
func (c *evidenceVerifyCmd) Run(io *console) error {
	key, err := app.PublicKey(c.Key)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	e, err := gateway.VerifyEvidence(raw, key)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if !c.JSON {
		fmt.Fprintf(io.out, "Signed by this key. From %s to %s, made %s by Postern %s.\n", e.From, e.To, e.Made.Format(time.RFC3339), e.Version)
	}
	t := table{{"DAY", "ADAPTER", "METHOD", "REQUESTS", "REFUSED", "P50 MS", "P95 MS", "P99 MS", "LIMITS", "OUTAGES", "MINUTES OUT"}}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	for _, d := range e.Days {
		var limits int64
		for _, met := range d.Limits {
			limits += met
		}
		for _, m := range d.Methods {
			var refused int64
			for _, of := range m.Refused {
				refused += of
			}
			t = append(t, []string{
				d.Day, string(d.Adapter), m.Method, n(m.Requests), n(refused), n(m.P50), n(m.P95), n(m.P99), n(limits), strconv.Itoa(len(d.Outages)), strconv.Itoa(d.Minutes.Unanswered),
			})
		}
	}
	return c.print(io, e, t)
}
