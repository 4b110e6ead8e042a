package gatekeeper

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Missing returns a conversation's events after a sequence number (GET /v1/events: "`conversation` with `after_seq` fills a
// gap of one conversation"). Those of other users of ours in it are left out, and so are those that cannot be read: their webhook is
// a dead letter, and they shall not keep what can be read away.
func (a *Adapter) Missing(ctx context.Context, account gateway.Credentials, chat gateway.Chat, after int64) ([]gateway.Event, error) {
	if chat.ID == "" {
		return nil, nil
	}
	raw, err := a.client.listEvents(ctx, string(chat.ID), after)
	if err != nil {
		return nil, sendError(err)
	}
	var out []gateway.Event
	for _, body := range raw {
		events, err := parse(body)
		if err != nil {
			continue
		}
		for _, e := range events {
			if e.Endpoint == account.Endpoint {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// listEvents reads the first page of a conversation's backlog.
func (c *client) listEvents(ctx context.Context, conversation string, after int64) ([][]byte, error) {
	q := url.Values{"conversation": {conversation}, "after_seq": {strconv.FormatInt(after, 10)}, "limit": {"100"}}
	var page eventPage
	if err := c.do(ctx, nil, rest.Call{Name: "listEvents", Method: http.MethodGet, Path: "/v1/events", Query: q}, &page); err != nil {
		return nil, err
	}
	out := make([][]byte, len(page.Events))
	for i, e := range page.Events {
		out[i] = e
	}
	return out, nil
}
