package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"postern/api"
	"postern/gateway"
)

type policyCmd struct {
	Test policyTestCmd `cmd:"" help:"Say what a user may do on each adapter, which rule or answer decides it, and what is left; nothing is spent."`
}

type policyTestCmd struct {
	remote
	JID     string `arg:"" name:"jid" help:"Bare JID of the user."`
	Adapter string `help:"On this adapter alone." placeholder:"NAME"`
}

// Run asks and prints a line for each limit.
func (c *policyTestCmd) Run(ctx context.Context, at *console) error {
	q := url.Values{"user": {c.JID}}
	if c.Adapter != "" {
		q.Set("adapter", c.Adapter)
	}
	var got api.PolicyView
	if err := c.call(ctx, http.MethodGet, "/v1/policy?"+q.Encode(), nil, &got); err != nil {
		return err
	}
	t := table{{"ADAPTER", "ALLOWED", "BY", "PLAN", "LIMIT", "LEFT", "OF", "FULL IN", "TOLD"}}
	for _, a := range got.Items {
		by := string(a.By)
		if a.Rule > 0 {
			by += " " + strconv.Itoa(a.Rule)
		}
		head := []string{string(a.Adapter), map[bool]string{true: "yes", false: "no"}[a.Allowed], by, dash(a.Plan)}
		if len(a.Limits) == 0 || !a.Allowed {
			t = append(t, append(head, "-", "-", "-", "-", dash(a.Reason)))
			continue
		}
		for _, l := range a.Limits {
			unit := ""
			if l.Scope == gateway.LimitPlanMedia {
				unit = " KiB"
			}
			of := fmt.Sprintf("%d%s/%s", l.Most, unit, time.Duration(l.Per)*time.Second)
			t = append(t, append(slices.Clip(head), string(l.Scope), fmt.Sprint(l.Left, unit), of, (time.Duration(l.Full)*time.Second).String(), "-"))
		}
	}
	return c.print(at, got.Items, t)
}

type blockCmd struct {
	remote
	JID    string `arg:"" name:"jid" help:"Bare JID of the user, or a domain."`
	Reason string `required:"" help:"What they are told." placeholder:"TEXT"`
}

// Run blocks a user or a domain.
func (c *blockCmd) Run(ctx context.Context, at *console) error {
	var got api.ProvedView
	if err := c.call(ctx, http.MethodPost, "/v1/blocks", api.BlockOrder{JID: c.JID, Reason: c.Reason}, &got); err != nil {
		return err
	}
	return c.print(at, got, written(got))
}

// written is where an order stands in the audit log.
func written(got api.ProvedView) table {
	return table{{"AUDIT LINE", "SALT OF THE AUDIT LINE"}, {fmt.Sprint(got.Line), got.Salt}}
}

type unblockCmd struct {
	remote
	JID string `arg:"" name:"jid" help:"Bare JID of the user, or a domain."`
}

// Run takes a block back.
func (c *unblockCmd) Run(ctx context.Context, at *console) error {
	var got api.ProvedView
	if err := c.call(ctx, http.MethodDelete, "/v1/blocks/"+url.PathEscape(c.JID), nil, &got); err != nil {
		return err
	}
	return c.print(at, got, written(got))
}

type blocksCmd struct{ remote }

// Run lists who is blocked.
func (c *blocksCmd) Run(ctx context.Context, at *console) error {
	all := []api.BlockView{}
	for q := (url.Values{"limit": {"1000"}}); ; {
		var page api.BlocksView
		if err := c.call(ctx, http.MethodGet, "/v1/blocks?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}
	t := table{{"WHO", "SINCE", "BY", "TOLD"}}
	for _, b := range all {
		t = append(t, []string{b.JID, moment(b.At), b.By, b.Reason})
	}
	return c.print(at, all, t)
}
