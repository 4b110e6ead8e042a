package gatekeeper

import (
	"context"

	"postern/gateway"
)

// Probe reads the directory and asks for a token, by which the gatekeeper shows that it knows our key and name, and that the terms are
// those of the configuration.
func (a *Adapter) Probe(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	dir, err := a.client.readDirectory(ctx)
	if err != nil {
		return "", sendError(unsent(err))
	}
	if v := a.cfg.TermsVersion; v != "" && v != dir.Terms.Version {
		return "", refuse(gateway.Permanent, "terms_outdated", "terms_version is not the gatekeeper's: users cannot register until you have read its terms and changed that")
	}
	if _, err := a.client.tokens.Token(ctx); err != nil {
		return "", sendError(unsent(err))
	}
	return "the partner " + a.cfg.ClientID, nil
}
