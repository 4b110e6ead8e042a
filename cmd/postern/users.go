package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"postern/api"
	"postern/gateway"
)

// userPath is where a user is, as /v1 has it.
func userPath(jid, suffix string) string { return "/v1/users/" + url.PathEscape(jid) + suffix }

type accountsCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user."`
}

// Run lists a user's accounts.
func (c *accountsCmd) Run(ctx context.Context, io *console) error {
	var got api.AccountsView
	if err := c.call(ctx, http.MethodGet, userPath(c.JID, "/accounts"), nil, &got); err != nil {
		return err
	}
	t := table{{"ID", "ADAPTER", "STANDING", "WHY", "SINCE", "LAST EVENT", "LAST SEND", "CREATED", "PAUSED UNTIL"}}
	for _, a := range got.Items {
		why := dash(string(a.Why))
		if a.Code != "" {
			why += " (" + a.Code + ")"
		}
		t = append(t, []string{
			string(a.ID), string(a.Adapter), string(a.Standing), why, moment(a.Since), moment(a.LastEvent), moment(a.LastSend), moment(a.Created), moment(a.Paused),
		})
	}
	return c.print(io, got.Items, t)
}

type exportCmd struct {
	URL       string `name:"url" env:"POSTERN_URL" default:"http://127.0.0.1:8480" help:"Where http.admin of the gateway is (default: ${default})." placeholder:"URL"`
	TokenFile string `env:"POSTERN_TOKEN_FILE" help:"File with the token, which may stand in $$POSTERN_TOKEN instead." placeholder:"FILE"`
	Out       string `short:"o" help:"Write to this file, for its owner alone (default: standard output). One that was interrupted goes on." placeholder:"FILE"`
	JID       string `arg:"" name:"jid" help:"Bare JID of the user."`
}

// Help is what postern export --help adds.
func (exportCmd) Help() string {
	return `Prints a line of JSON for each thing that is held of the user: accounts, consents with their texts, contacts; the
first line names the schema. Messages are not among them: none is kept once it is delivered.`
}

// Run writes the export. While a file is under way it has the suffix .part, and its last line says where to go on.
func (c *exportCmd) Run(ctx context.Context, at *console) error {
	r := remote{URL: c.URL, TokenFile: c.TokenFile}
	if c.Out == "" {
		_, err := c.pages(ctx, r, "", at.out)
		return err
	}
	part := c.Out + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	after, err := resume(f)
	if err != nil {
		return fmt.Errorf("%s: %w: delete it to begin anew", part, err)
	}
	if next, err := c.pages(ctx, r, after, f); err != nil {
		if next != "" {
			fmt.Fprintf(at.err, "%s holds what there is so far; the same command goes on.\n", part)
		}
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(part, c.Out)
}

// place is the last line of an export that is under way.
type place struct {
	Next string `json:"next"`
}

// resume cuts the last line off, and returns where it says to go on; a new file starts.
func resume(f *os.File) (after string, err error) {
	raw, err := io.ReadAll(f)
	if err != nil || len(raw) == 0 {
		return "", err
	}
	text := strings.TrimSuffix(string(raw), "\n")
	start := strings.LastIndexByte(text, '\n') + 1
	var p place
	if err := json.Unmarshal([]byte(text[start:]), &p); err != nil || p.Next == "" {
		return "", errors.New("its last line does not say where to go on")
	}
	if err := f.Truncate(int64(start)); err != nil {
		return "", err
	}
	_, err = f.Seek(int64(start), io.SeekStart)
	return p.Next, err
}

// pages writes all pages behind a place. Where it breaks off it writes where, and returns that too.
func (c *exportCmd) pages(ctx context.Context, r remote, after string, out io.Writer) (next string, err error) {
	lines := json.NewEncoder(out)
	for next = after; ; {
		var page api.ExportView
		if err := r.call(ctx, http.MethodGet, userPath(c.JID, "/export?after="+url.QueryEscape(next)), nil, &page); err != nil {
			if c.Out != "" && next != "" {
				return next, errors.Join(err, lines.Encode(place{next}))
			}
			return next, err
		}
		if next == "" {
			if err := lines.Encode(gateway.ExportHead(gateway.UserID(c.JID))); err != nil {
				return next, err
			}
		}
		for _, item := range page.Items {
			if err := lines.Encode(item); err != nil {
				return next, err
			}
		}
		if next = page.Next; next == "" {
			return "", nil
		}
	}
}

type eraseCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user."`
	Yes bool   `help:"Do not ask."`
}

// Help is what postern erase --help adds.
func (eraseCmd) Help() string {
	return `Ends all of the user's registrations, tells the platforms, takes their contacts out of the roster, and destroys
their keys and all that is held of them. It cannot be undone. Interrupted, the same command goes on.`
}

// Run asks, erases, and says what came of it.
func (c *eraseCmd) Run(ctx context.Context, at *console) error {
	if !c.Yes {
		fmt.Fprintf(at.err, "All that is held of %s will be destroyed. Type the address again to go on: ", c.JID)
		var again string
		if _, err := fmt.Fscanln(at.in, &again); err != nil || again != c.JID {
			return errors.New("nothing was erased")
		}
	}
	var got api.ErasedView
	if err := c.call(ctx, http.MethodDelete, userPath(c.JID, ""), nil, &got); err != nil {
		return err
	}
	t := table{{"ACCOUNTS", "NOT CONFIRMED YET", "AUDIT LINE", "SALT OF THE AUDIT LINE"}, {fmt.Sprint(got.Accounts), fmt.Sprint(got.Pending), fmt.Sprint(got.Line), got.Salt}}
	return c.print(at, got, t)
}
