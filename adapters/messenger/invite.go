package messenger

import (
	"context"
	"net/url"

	"postern/gateway"
)

// Line returns the operator's page or account.
func (a *Adapter) Line() (gateway.Linked, bool) {
	line := a.line.Load()
	if line == nil {
		return gateway.Linked{}, false
	}
	shown := "page " + a.cfg.lineID()
	if a.cfg.Platform == Instagram {
		shown = "account " + a.cfg.lineID()
	}
	if a.cfg.Username != "" {
		shown = "@" + a.cfg.Username
	}
	return gateway.Linked{Endpoint: gateway.Endpoint(a.cfg.lineID()), Secret: line.seal(), Shown: shown}, true
}

// InviteURL is a link that opens a chat and brings a ref along: https://m.me/<page>?ref=, https://ig.me/m/<account>?ref=.
func (a *Adapter) InviteURL(ctx context.Context, account gateway.Credentials, token string) (string, error) {
	who, err := a.parseSecret(account)
	if err != nil {
		return "", a.sendError(err)
	}
	if token != "" && !inviteForm.MatchString(token) {
		return "", a.refuse(gateway.Permanent, "bad_token", "this is no token of an invite")
	}
	link := url.URL{Scheme: "https", Host: "m.me"}
	if link.Path, err = a.chatPath(ctx, who, account.Endpoint); err != nil {
		return "", err
	}
	if a.cfg.Platform == Instagram {
		link.Host = "ig.me"
	}
	if token != "" {
		link.RawQuery = url.Values{"ref": {token}}.Encode()
	}
	return link.String(), nil
}

// chatPath is where such a link leads: m.me takes a page's id too, ig.me wants a name, which is asked for where it is not configured.
func (a *Adapter) chatPath(ctx context.Context, who secret, account gateway.Endpoint) (string, error) {
	line := string(account) == a.cfg.lineID()
	name := ""
	if line {
		name = a.cfg.Username
	}
	if a.cfg.Platform == Messenger {
		return "/" + first(name, string(account)), nil
	}
	if known := a.username.Load(); name == "" && line && known != nil {
		name = *known
	}
	if name == "" {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
		defer cancel()
		node := string(account)
		if a.cfg.own() {
			node = "me"
		}
		var p page
		if err := a.client.read(ctx, "readAccount", who.Token, node, "username", &p); err != nil {
			return "", a.readError(err)
		}
		if name = p.Username; line {
			a.username.Store(&name)
		}
	}
	if !usernameForm.MatchString(name) {
		return "", a.refuse(gateway.Permanent, "no_username", "the account has no name")
	}
	return "/m/" + name, nil
}
