package telegram

import (
	"context"

	"postern/gateway"
)

// Awaited reports whether an event is a button that somebody pressed: "Telegram clients will display a progress bar until you call
// answerCallbackQuery".
func (a *Adapter) Awaited(ev gateway.Event) bool {
	_, ok := queryOf(ev)
	return ok
}

// Acknowledge ends the progress bar, without a word to the person.
func (a *Adapter) Acknowledge(ctx context.Context, account gateway.Credentials, ev gateway.Event) error {
	query, ok := queryOf(ev)
	if !ok {
		return nil
	}
	who, err := parseSecret(account)
	if err != nil {
		return sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.client.do(ctx, who.Token, "answerCallbackQuery", params{"callback_query_id": query}, nil); err != nil {
		return readError(err)
	}
	return nil
}
