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

	"postern/api"
	"postern/gateway"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"Print the audit log, oldest first."`
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

type auditVerifyCmd struct {
	File string `arg:"" help:"What postern audit list --json printed; - is standard input."`
}

// Run says how far the log holds together.
func (c *auditVerifyCmd) Run(at *console) error {
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
	}
	if last.Seq == 0 {
		return fmt.Errorf("%s: there is no line", c.File)
	}
	_, err := fmt.Fprintf(at.out, "%d lines hold together; the last one's hash is %s\n", last.Seq, last.Hash)
	return err
}
