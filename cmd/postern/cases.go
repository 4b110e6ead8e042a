package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"postern/api"
	"postern/gateway"
)

type casesCmd struct {
	List   casesListCmd   `cmd:"" default:"withargs" help:"List what users reported, newest first."`
	Show   casesShowCmd   `cmd:"" help:"Print one case."`
	Decide casesDecideCmd `cmd:"" help:"Decide a case; its user is told, with the reasons."`
}

// casePath is where a case is, as /v1 has it.
func casePath(id, suffix string) string { return "/v1/cases/" + url.PathEscape(id) + suffix }

type casesListCmd struct {
	remote
	State string `enum:",open,decided,appealed,closed,waiting" default:"" help:"In this state: open, decided, appealed, closed; waiting is open or appealed." placeholder:"STATE"`
	Max   int    `default:"1000" help:"At most so many (default: ${default})." placeholder:"N"`
}

// Run lists cases.
func (c *casesListCmd) Run(ctx context.Context, io *console) error {
	q := url.Values{}
	if c.State != "" {
		q.Set("state", c.State)
	}
	all, err := listed[api.CaseView](ctx, c.remote, "/v1/cases", q, c.Max)
	if err != nil {
		return err
	}
	t := table{{"ID", "STATE", "OPENED", "ADAPTER", "REASON", "USER", "ABOUT", "DECIDED"}}
	for _, k := range all {
		about, decided := "", ""
		if k.Contact != nil {
			about = plain(k.Contact.Name)
			if about == "" {
				about = k.Contact.Address
			}
		}
		if n := len(k.Decisions); n > 0 {
			decided = string(k.Decisions[n-1].Decision)
		}
		t = append(t, []string{string(k.ID), string(k.State), moment(k.Opened), string(k.Adapter), string(k.Reason), dash(string(k.User)), dash(about), dash(decided)})
	}
	return c.print(io, all, t)
}

// plain is what a stranger wrote, on one line and without what a terminal obeys.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }), " ")
}

type casesShowCmd struct {
	remote
	ID string `arg:"" name:"id" help:"As postern cases shows it."`
}

// Run prints all of a case that the token's role may see.
func (c *casesShowCmd) Run(ctx context.Context, io *console) error {
	var k api.CaseView
	if err := c.call(ctx, http.MethodGet, casePath(c.ID, ""), nil, &k); err != nil {
		return err
	}
	return c.print(io, k, caseTable(k))
}

// caseTable is a case in lines of two columns.
func caseTable(k api.CaseView) table {
	t := table{{"CASE", string(k.ID)}, {"STATE", string(k.State)}, {"OPENED", moment(k.Opened)}, {"ADAPTER", string(k.Adapter)}}
	if k.Contact != nil {
		t = append(t, []string{"USER", string(k.User)}, []string{"ABOUT", strings.TrimSpace(plain(k.Contact.Name) + " " + k.Contact.Address)})
	}
	t = append(t, []string{"REASON", string(k.Reason)}, []string{"PLATFORM", string(k.Platform)})
	if k.Statement != "" {
		t = append(t, []string{"STATEMENT", plain(k.Statement)})
	}
	for n, d := range k.Decisions {
		if n == 1 && k.Appeal != nil {
			t = append(t, []string{"APPEAL", strings.TrimSpace(moment(k.Appeal.At) + " " + plain(k.Appeal.Text))})
		}
		due := ""
		if d.Due {
			due = " (not carried out yet: decide the very same once more)"
		}
		t = append(t, []string{"DECISION", strings.TrimSpace(fmt.Sprintf("%s %s by %s %s", moment(d.At), d.Decision, d.By, plain(d.Reasons)+due))})
	}
	if len(k.Decisions) == 1 && k.Appeal != nil {
		t = append(t, []string{"APPEAL", strings.TrimSpace(moment(k.Appeal.At) + " " + plain(k.Appeal.Text))})
	}
	if !k.AppealUntil.IsZero() {
		t = append(t, []string{"APPEAL UNTIL", moment(k.AppealUntil)})
	}
	return t
}

type casesDecideCmd struct {
	remote
	ID       string `arg:"" name:"id" help:"As postern cases shows it."`
	Decision string `required:"" enum:"no_action,contact_blocked,forwarded" help:"no_action, contact_blocked (the gateway blocks the contact for this user) or forwarded (you went on with it elsewhere)." placeholder:"DECISION"`
	Reasons  string `required:"" help:"The statement of reasons, as the user reads it." placeholder:"TEXT"`
}

// Help is what postern cases decide --help adds.
func (casesDecideCmd) Help() string {
	return `The user is told the decision in their language, and the reasons as they stand here. They may appeal once, for 30 days; then
the case waits again, and is decided once more.`
}

// Run decides, and prints the case as it is then.
func (c *casesDecideCmd) Run(ctx context.Context, io *console) error {
	var k api.CaseView
	in := api.CaseOrder{Decision: gateway.Decision(c.Decision), Reasons: c.Reasons}
	if err := c.call(ctx, http.MethodPost, casePath(c.ID, "/decision"), in, &k); err != nil {
		return err
	}
	return c.print(io, k, caseTable(k))
}
