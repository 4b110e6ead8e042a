package app

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"postern/gateway"
)

// announce tells a platform where its webhooks go, again and again until it has taken it: once for the instance, or, where each
// account has a webhook of its own, for each of them.
func (a *App) announce(ctx context.Context, id gateway.AdapterID, r gateway.Registrar) {
	each, _ := r.(gateway.EachRegistrar)
	if each != nil && !each.RegistersEach() {
		return
	}
	if a.cfg.HTTP.PublicURL == "" {
		a.log.Warn("http.public_url is not set: the platform is not told where its webhooks go", "adapter", string(id), "path", "/hooks/"+string(id))
		return
	}
	url := strings.TrimSuffix(a.cfg.HTTP.PublicURL, "/") + "/hooks/" + string(id)
	told := map[gateway.AccountID]bool{}
	for wait := announceFirst; ; wait = min(2*wait, announceLimit) {
		left, err := 0, error(nil)
		if each != nil {
			left, err = a.announceEach(ctx, id, each, url, told)
		} else {
			err = a.announceOnce(ctx, id, r, url)
		}
		if err == nil {
			a.log.Info("webhook address told to the platform", "adapter", string(id), "url", url)
			return
		}
		if ctx.Err() != nil {
			return
		}
		pause := wait/2 + rand.N(wait/2)
		a.log.Warn("webhook address not taken by the platform", "adapter", string(id), "url", url, "accounts", left, "retry_in", pause.Round(time.Millisecond), "err", err)
		if !sleep(ctx, pause) {
			return
		}
	}
}

func (a *App) announceOnce(ctx context.Context, id gateway.AdapterID, r gateway.Registrar, url string) error {
	line, err := a.gateway.LineCredentials(ctx, id)
	if err != nil {
		return err
	}
	try, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	return r.Register(try, line, url)
}

// announceEach tells the platform for every account that it has not told it for yet. Whose credentials are refused is no reason to
// try again: their user is asked for new ones when they are needed, and the link that renews them tells the platform.
func (a *App) announceEach(ctx context.Context, id gateway.AdapterID, r gateway.EachRegistrar, url string, told map[gateway.AccountID]bool) (left int, last error) {
	err := a.gateway.EachAccount(ctx, id, func(c gateway.Credentials) error {
		if told[c.Account] {
			return nil
		}
		try, cancel := context.WithTimeout(ctx, announceTimeout)
		defer cancel()
		err := r.Register(try, c, url)
		switch {
		case err == nil, gateway.ClassOf(err) == gateway.ReauthNeeded, gateway.ClassOf(err) == gateway.Permanent:
			told[c.Account] = true
			return ctx.Err()
		}
		left, last = left+1, err
		return ctx.Err()
	})
	if err != nil {
		last = err
	}
	return left, last
}
