package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"postern/api"
	"postern/gateway"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"Print the audit log, oldest first."`
	About  auditAboutCmd  `cmd:"" help:"Print the lines that can be shown to be about a user, with the salts that show it."`
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in a printed audit log was changed; needs no gateway."`
}

type auditListCmd struct{ remote }

// Run prints a table, or with --json a line of JSON each, which verify reads.
func (c *auditListCmd) Run(ctx context.Context, io *console) error {
	lines := json.NewEncoder(io.out)
	// A page at a time, however long the log is: each has columns of its own.
	w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(w, "LINE\tAT\tACTOR\tACTION\tOBJECT")
	}
	for after := int64(0); ; {
		var page api.AuditView
		if err := c.call(ctx, http.MethodGet, "/v1/audit?limit=1000&after="+strconv.FormatInt(after, 10), nil, &page); err != nil {
			return err
		}
		for _, e := range page.Items {
			if !c.JSON {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.Seq, moment(e.At), e.Actor, e.Action, dash(e.Object))
			} else if err := lines.Encode(e); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if after = page.Next; after == 0 {
			return nil
		}
	}
}

type auditAboutCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user."`
}

// Help is what postern audit about --help adds.
func (auditAboutCmd) Help() string {
	return `What the user did (consent, accounts, blocks, reports), and what operators did to what is held of them. The lines name nobody:
each has a commitment to the user, which its salt opens. Every one is checked here. Salts go when the user is erased.`
}

// Run prints what holds, and fails on a line that does not.
func (c *auditAboutCmd) Run(ctx context.Context, at *console) error {
	var got api.DeedsView
	if err := c.call(ctx, http.MethodGet, userPath(c.JID, "/deeds"), nil, &got); err != nil {
		return err
	}
	t := table{{"LINE", "AT", "ACTOR", "ACTION", "OBJECT", "SALT"}}
	for _, d := range got.Items {
		if !d.Proves(gateway.UserID(c.JID)) {
			return fmt.Errorf("line %d is not about %s, or was changed; is this how the server writes the address?", d.Seq, c.JID)
		}
		t = append(t, []string{strconv.FormatInt(d.Seq, 10), moment(d.At), d.Actor, d.Action, dash(d.Object), d.Salt})
	}
	return c.print(at, got.Items, t)
}

type auditVerifyCmd struct {
	JID  string   `help:"Say which of the lines are about this user, by --salt." placeholder:"JID"`
	Salt []string `help:"Salt of a line, from erase, block, export or audit about; may stand there several times." placeholder:"SALT"`
	File string   `arg:"" help:"What postern audit list --json printed; - is standard input."`
}

// Run says how far the log holds together.
func (c *auditVerifyCmd) Run(at *console) error {
	if (c.JID == "") != (len(c.Salt) == 0) {
		return errors.New("--jid and --salt go together: neither says anything alone")
	}
	unproved := map[string]bool{}
	for _, salt := range c.Salt {
		unproved[salt] = true
	}
	var about []string
	in := at.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var last gateway.AuditEntry
	d := json.NewDecoder(bufio.NewReader(in))
	for {
		var e gateway.AuditEntry
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s: behind line %d: %w", c.File, last.Seq, err)
		}
		if err := gateway.VerifyAudit(last, e); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		last = e
		for salt := range unproved {
			if (gateway.Deed{AuditEntry: e, Salt: salt}).Proves(gateway.UserID(c.JID)) {
				about = append(about, fmt.Sprintf("line %d is about %s: %s %s %s", e.Seq, c.JID, e.At.Format(time.RFC3339), e.Actor, e.Action))
				delete(unproved, salt)
			}
		}
	}
	if last.Seq == 0 {
		return fmt.Errorf("%s: there is no line", c.File)
	}
	for _, line := range about {
		fmt.Fprintln(at.out, line)
	}
	_, err := fmt.Fprintf(at.out, "%d lines hold together; the last one's hash is %s\n", last.Seq, last.Hash)
	if len(unproved) > 0 {
		return errors.Join(err, fmt.Errorf("no line is about %s by %d of the salts", c.JID, len(unproved)))
	}
	return err
}
