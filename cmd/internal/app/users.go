package app

import (
	"context"
	"errors"

	"postern/gateway"
	"postern/xmpp"
)

// users is the desk for the operator's side: what an erasure takes out of a user's roster goes to their clients.
type users struct {
	*gateway.Desk
	app *App
}

// Erase implements api.Users.
func (u users) Erase(ctx context.Context, user gateway.UserID) (gateway.Erased, error) {
	got, err := u.Desk.Erase(ctx, user)
	errs := []error{err}
	for adapter, show := range got.Show {
		errs = append(errs, u.app.gateway.Show(context.WithoutCancel(ctx), adapter, show...))
	}
	return got, errors.Join(errs...)
}

// Decide implements api.Cases: what its user is shown goes to their clients.
func (u users) Decide(ctx context.Context, id gateway.CaseID, now gateway.CaseDecision) (*gateway.Case, error) {
	return u.Desk.Decide(context.WithoutCancel(ctx), id, now, u.app.gateway.Show)
}

// parseDomain reads a domain.
func parseDomain(s string) (string, error) {
	j, err := xmpp.ParseJID(s)
	switch {
	case err != nil:
		return "", err
	case j.String() != j.Domain():
		return "", errors.New("app: not a domain")
	}
	return j.Domain(), nil
}

// parseUser reads the bare JID of a user.
func parseUser(s string) (gateway.UserID, error) {
	j, err := xmpp.ParseJID(s)
	switch {
	case err != nil:
		return "", err
	case j.Local() == "" || j.Resource() != "":
		return "", errors.New("app: not a bare JID of a user")
	}
	return gateway.UserID(j.Bare().String()), nil
}
