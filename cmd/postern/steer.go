package main

import (
	"context"
	"net/http"
	"strconv"

	"postern/api"
)

type adaptersCmd struct{ remote }

// Run lists the adapters of a running gateway.
func (c *adaptersCmd) Run(ctx context.Context, io *console) error {
	var got api.AdaptersView
	if err := c.call(ctx, http.MethodGet, "/v1/adapters", nil, &got); err != nil {
		return err
	}
	t := table{{"ID", "PLATFORM", "JID", "NAME"}}
	for _, a := range got.Items {
		t = append(t, []string{string(a.ID), a.Platform, a.JID, a.Name})
	}
	return c.print(io, got.Items, t)
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
