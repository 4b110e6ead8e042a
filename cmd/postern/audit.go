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
	t := table{{"LINE", "AT", "ACTOR", "ACTION", "OBJECT"}}
	lines := json.NewEncoder(io.out)
	for after := int64(0); ; {
		var page api.AuditView
		if err := c.call(ctx, http.MethodGet, "/v1/audit?limit=1000&after="+strconv.FormatInt(after, 10), nil, &page); err != nil {
			return err
		}
		for _, e := range page.Items {
			if c.JSON {
				if err := lines.Encode(e); err != nil {
					return err
				}
			}
			t = append(t, []string{strconv.FormatInt(e.Seq, 10), moment(e.At), e.Actor, e.Action, dash(e.Object)})
		}
		if after = page.Next; after == 0 {
			break
		}
	}
	if c.JSON {
		return nil
	}
	return c.print(io, nil, t)
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
