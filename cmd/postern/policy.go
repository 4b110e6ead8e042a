package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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
			t = append(t, append(head[:len(head):len(head)], string(l.Scope), fmt.Sprint(l.Left, unit), of, (time.Duration(l.Full)*time.Second).String(), "-"))
		}
	}
	return c.print(at, got.Items, t)
}
