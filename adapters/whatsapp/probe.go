package whatsapp

import (
	"context"
)

// Probe asks whether the app's id and secret belong together, and how the line's number stands.
func (a *Adapter) Probe(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	found := ""
	if a.cfg.AppID != "" {
		if err := a.client.graph.CheckApp(ctx, a.cfg.AppID); err != nil {
			return "", readError(err)
		}
		found = "the app " + a.cfg.AppID
	}
	if a.line.Token == "" {
		return found, nil
	}
	// How it is written is left out: a phone number is nobody else's business.
	if _, err := a.client.number(ctx, a.line.Token, a.cfg.PhoneNumberID); err != nil {
		return "", readError(err)
	}
	return "the number " + a.cfg.PhoneNumberID, nil
}
