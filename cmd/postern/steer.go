package main

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

type adaptersCmd struct{ remote }

// Run lists the adapters of a running gateway.
func (c *adaptersCmd) Run(ctx context.Context, io *console) error {
	var got struct {
		Items []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Platform string `json:"platform"`
			JID      string `json:"jid"`
		} `json:"items"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/adapters", nil, &got); err != nil {
		return err
	}
	t := table{{"ID", "PLATFORM", "JID", "NAME"}}
	for _, a := range got.Items {
		t = append(t, []string{a.ID, a.Platform, a.JID, a.Name})
	}
	return c.print(io, got.Items, t)
}

type queuesCmd struct{ remote }

// Run says what waits.
func (c *queuesCmd) Run(ctx context.Context, io *console) error {
	var got struct {
		Queues []struct {
			Where   string    `json:"where"`
			Adapter string    `json:"adapter,omitempty"`
			Entries int       `json:"entries"`
			Oldest  time.Time `json:"oldest,omitzero"`
		} `json:"queues"`
		Parked []struct {
			Where  string    `json:"where"`
			Reason string    `json:"reason"`
			Chats  int       `json:"chats"`
			Next   time.Time `json:"next"`
		} `json:"parked"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/queues", nil, &got); err != nil {
		return err
	}
	t := table{{"WHERE", "ADAPTER", "WAITING", "OLDEST"}}
	for _, q := range got.Queues {
		t = append(t, []string{q.Where, dash(q.Adapter), strconv.Itoa(q.Entries), moment(q.Oldest)})
	}
	if len(got.Parked) > 0 {
		t = append(t, []string{}, []string{"PARKED", "FOR", "CHATS", "NEXT TRY"})
	}
	for _, p := range got.Parked {
		t = append(t, []string{p.Where, p.Reason, strconv.Itoa(p.Chats), moment(p.Next)})
	}
	return c.print(io, got, t)
}
