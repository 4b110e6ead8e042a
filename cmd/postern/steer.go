package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"postern/api"
)

type adaptersCmd struct {
	List  adaptersListCmd  `cmd:"" default:"withargs" help:"List them (also without a further word)."`
	Stop  adaptersStopCmd  `cmd:"" help:"Take nothing from users and platforms, send nothing; what waits is kept."`
	Start adaptersStartCmd `cmd:"" help:"Go on: what waits is sent, in order."`
}

type adaptersListCmd struct{ remote }

// Run lists the adapters of a running gateway.
func (c *adaptersListCmd) Run(ctx context.Context, io *console) error {
	var got api.AdaptersView
	if err := c.call(ctx, http.MethodGet, "/v1/adapters", nil, &got); err != nil {
		return err
	}
	t := table{{"ID", "PLATFORM", "JID", "NAME", "STOPPED"}}
	for _, a := range got.Items {
		stopped := "-"
		if a.Stopped != nil {
			stopped = fmt.Sprintf("%s by %s: %s", moment(a.Stopped.At), a.Stopped.By, a.Stopped.Reason)
		}
		t = append(t, []string{string(a.ID), a.Platform, a.JID, a.Name, stopped})
	}
	return c.print(io, got.Items, t)
}

type adaptersStopCmd struct {
	remote
	Name   string `arg:"" help:"Name of the adapter, as postern adapters lists it."`
	Reason string `required:"" help:"What users are told." placeholder:"TEXT"`
}

// Run stops an adapter.
func (c *adaptersStopCmd) Run(ctx context.Context, io *console) error {
	if err := c.call(ctx, http.MethodPost, "/v1/adapters/"+url.PathEscape(c.Name)+"/stop", api.StopOrder{Reason: c.Reason}, nil); err != nil {
		return err
	}
	return c.print(io, struct{}{}, table{{c.Name + " is stopped; postern adapters start " + c.Name + " lets it go on."}})
}

type adaptersStartCmd struct {
	remote
	Name string `arg:"" help:"Name of the adapter, as postern adapters lists it."`
}

// Run starts an adapter again.
func (c *adaptersStartCmd) Run(ctx context.Context, io *console) error {
	if err := c.call(ctx, http.MethodPost, "/v1/adapters/"+url.PathEscape(c.Name)+"/start", nil, nil); err != nil {
		return err
	}
	return c.print(io, struct{}{}, table{{c.Name + " goes on."}})
}

type queuesCmd struct{ remote }

// Run says what waits.
func (c *queuesCmd) Run(ctx context.Context, io *console) error {
	var got api.QueuesView
	if err := c.call(ctx, http.MethodGet, "/v1/queues", nil, &got); err != nil {
		return err
	}
	t := table{{"WHERE", "ADAPTER", "WAITING", "OLDEST"}}
	for _, q := range got.Queues {
		t = append(t, []string{q.Where, dash(string(q.Adapter)), strconv.Itoa(q.Entries), moment(q.Oldest)})
	}
	if len(got.Parked) > 0 {
		t = append(t, []string{}, []string{"PARKED", "FOR", "CHATS", "NEXT TRY"})
	}
	for _, p := range got.Parked {
		t = append(t, []string{p.Where, string(p.Reason), strconv.Itoa(p.Chats), moment(p.Next)})
	}
	return c.print(io, got, t)
}
