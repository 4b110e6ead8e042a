package example

import (
	"context"
	"errors"
	"net/http"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// client has one method for each call in use.
type client struct{ rest *rest.Client }

func bearer(token []byte) http.Header {
	return http.Header{"Authorization": {"Bearer " + string(token)}}
}

// send is POST /v2/messages.
func (c *client) send(ctx context.Context, account gateway.Credentials, key gateway.OpID, m message) (gateway.MessageID, error) {
	h := bearer(account.Secret)
	h.Set("Idempotency-Key", string(key))
	var out struct{ ID gateway.MessageID }
	_, err := c.rest.Do(ctx, rest.Call{Name: "messages", Method: http.MethodPost, Path: "/v2/messages", Header: h, Body: m}, &out)
	return out.ID, named("messages", string(out.ID), err)
}

// me is GET /v2/me.
func (c *client) me(ctx context.Context, token string) (who struct{ ID, Name string }, err error) {
	_, err = c.rest.Do(ctx, rest.Call{Name: "me", Path: "/v2/me", Header: bearer([]byte(token))}, &who)
	return who, named("me", who.ID, err)
}

// named wants an answer that succeeded to hold an id.
func named(call, id string, err error) error {
	if err == nil && id == "" {
		return &rest.Error{Call: call, Status: http.StatusOK, Written: true, Err: errors.New("answer has no id")}
	}
	return err
}
