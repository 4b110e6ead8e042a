package example

import (
	"context"
	"strings"

	"postern/gateway"
)

// Link asks for the token, then checks it. Texts that users see belong into gateway/texts; plain text will do for an example.
func (a *Adapter) Link(ctx context.Context, in gateway.LinkInput) (gateway.LinkStep, error) {
	ask := gateway.LinkStep{
		Title: "Pigeon Post", Text: "Paste the token from Pigeon's settings.", State: []byte("asked"),
		Fields: []gateway.Field{{Name: "token", Label: "Token", Kind: gateway.FieldSecret, Required: true}},
	}
	token := strings.TrimSpace(in.Answers["token"])
	if len(in.State) == 0 || token == "" {
		return ask, nil
	}
	who, err := a.client.me(ctx, token)
	if err != nil {
		if se := sendError(err); se.Class != gateway.ReauthNeeded {
			return gateway.LinkStep{}, se
		}
		return ask, nil
	}
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: gateway.Endpoint(who.ID), Secret: []byte(token), Shown: who.Name}}, nil
}

// Unlink looks whether Pigeon is there, and leaves the token to its owner: no call takes one back.
func (a *Adapter) Unlink(ctx context.Context, account gateway.Credentials) error {
	_, err := a.client.me(ctx, string(account.Secret))
	if se := sendError(err); err != nil && se.Class != gateway.ReauthNeeded {
		return se
	}
	return nil
}
