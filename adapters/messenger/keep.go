package messenger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// renewAfter is how old a token of Instagram Login becomes before it is renewed; it lives for sixty days, and has to be a day old.
const renewAfter = 7 * 24 * time.Hour

// announce makes the app hear of a page or account, and tells Meta once where the app's webhooks go. It may be repeated.
func (a *Adapter) announce(ctx context.Context, who secret, account gateway.Endpoint, hook string) error {
	if err := a.announceApp(ctx, hook); err != nil {
		return err
	}
	if err := a.client.subscribe(ctx, who, account); err != nil {
		return a.readError(err)
	}
	return nil
}

// announceApp tells Meta where the app's webhooks go. With Instagram Login only the app's dashboard can.
func (a *Adapter) announceApp(ctx context.Context, hook string) error {
	if told := a.announced.Load(); hook == "" || !a.cfg.RegisterApp || a.cfg.own() || a.cfg.AppID == "" || told != nil && *told == hook {
		return nil
	}
	if err := a.client.registerApp(ctx, a.cfg.AppID+"|"+a.client.secret, a.verifyToken, hook); err != nil {
		return a.readError(err)
	}
	a.announced.Store(&hook)
	return nil
}

// Register announces the webhook, and subscribes one page or account. The line's page gets the button by which a new chat begins, because
// without it an invite is lost on people who never wrote.
func (a *Adapter) Register(ctx context.Context, account gateway.Credentials, hook string) error {
	who, err := a.parseSecret(account)
	if err != nil {
		return a.sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.announce(ctx, who, account.Endpoint, hook); err != nil {
		return err
	}
	if a.cfg.Platform == Messenger && string(account.Endpoint) == a.cfg.lineID() {
		if err := a.client.getStarted(ctx, who, account.Endpoint); err != nil {
			return a.readError(err)
		}
	}
	return nil
}

// RegistersEach reports that each page is subscribed for itself.
func (a *Adapter) RegistersEach() bool { return true }

// Keep subscribes a page again, since Meta ends the subscription of who did not answer for an hour ("Webhooks Disabled"), and renews the
// token of an account that logged in at Instagram.
func (a *Adapter) Keep(ctx context.Context, account gateway.Credentials) ([]byte, error) {
	who, err := a.parseSecret(account)
	if err != nil {
		return nil, a.sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := a.client.subscribe(ctx, who, account.Endpoint); err != nil {
		return nil, a.readError(err)
	}
	if !a.cfg.own() || time.Since(time.Unix(who.Made, 0)) < renewAfter {
		return nil, nil
	}
	t, err := a.client.refresh(ctx, who.Token)
	if err != nil {
		return nil, a.readError(err)
	}
	next := who
	next.Token, next.Made, next.Until = t.AccessToken, time.Now().Unix(), 0
	if life := t.Life(); life > 0 {
		next.Until = time.Now().Add(life).Unix()
	}
	if string(account.Endpoint) == a.cfg.lineID() {
		return nil, a.keepLine(who, next)
	}
	return next.seal(), nil
}

// keepLine uses a new token for the line from now on, and writes it where the old one was read: the core keeps no secrets of lines.
func (a *Adapter) keepLine(old, next secret) error {
	a.line.Store(&next)
	if old.Token == next.Token {
		return nil
	}
	if err := replace(a.cfg.TokenFile, next.Token+"\n"); err != nil {
		// The old token ends some day, and is what the next start would read.
		return a.refuse(gateway.Permanent, "token_file", fmt.Sprintf("the renewed token could not be written: %v", err))
	}
	return nil
}

// replace writes a file as a whole or not at all.
func replace(file, content string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".token-*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what was not finished
	}
	return err
}

// Unlink ends the subscription. The token is the user's to revoke; one that is revoked, or a page that is gone, has nothing to end.
func (a *Adapter) Unlink(ctx context.Context, account gateway.Credentials) error {
	if line, ok := a.Line(); ok && line.Endpoint == account.Endpoint {
		return nil
	}
	who, err := a.parseSecret(account)
	if err != nil {
		return a.sendError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	err = a.client.unsubscribe(ctx, who, account.Endpoint)
	if err == nil {
		return nil
	}
	se := a.readError(err)
	re, answered := errors.AsType[*rest.Error](err)
	if se.Class == gateway.ReauthNeeded || answered && re.Status == http.StatusNotFound {
		return nil
	}
	return se
}
