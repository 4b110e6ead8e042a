package app

import (
	"context"

	"postern/gateway"
)

// linking is the desk for the public listener: what a registration in a browser has to tell its user goes to their clients.
type linking struct {
	*gateway.Desk
	app *App
}

// Returned implements api.Linking.
func (l linking) Returned(ctx context.Context, a gateway.AdapterID, token string, answers map[string]string) (gateway.Page, error) {
	page, err := l.Desk.Returned(ctx, a, token, answers)
	if len(page.Show) == 0 {
		return page, err
	}
	return page, l.app.gateway.Show(context.WithoutCancel(ctx), a, page.Show...)
}
