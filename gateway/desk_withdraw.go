package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// unlinkTimeout bounds how long a user waits for the platform to confirm that they left.
const unlinkTimeout = 20 * time.Second

// withdrawal is an account that its user gave up and the platform has not confirmed. It holds what Unlink needs, so that
// everything else of the account is erased at once.
type withdrawal struct {
	Adapter  AdapterID `json:"adapter"`
	Account  AccountID `json:"account"`
	Endpoint Endpoint  `json:"endpoint"`
	User     UserID    `json:"user"`
	Secret   []byte    `json:"secret,omitempty"`
	Lang     string    `json:"lang,omitempty"`
	Since    time.Time `json:"since"`
}

func (w *withdrawal) credentials() Credentials {
	return Credentials{Account: w.Account, Endpoint: w.Endpoint, User: w.User, Secret: w.Secret}
}

// withdraw ends some of a visitor's accounts; with the last the gateway leaves their roster. The intent is written first: whatever happens later, the platform is told in
// the end. The note is set when the platform has not confirmed.
func (d *Desk) withdraw(ctx context.Context, t *turn, accounts []*Account) (outcome, error) {
	if err := d.deed(ctx, t.Visitor, deedWithdraw); err != nil {
		return outcome{}, err
	}
	return d.end(ctx, t, accounts)
}

// end is withdraw at whosever wish.
func (d *Desk) end(ctx context.Context, t *turn, accounts []*Account) (outcome, error) {
	out := outcome{text: d.say(t.Visitor, textLeft, d.platform(t.Visitor))}
	for _, a := range accounts {
		gone, err := d.farewells(ctx, t, a)
		if err != nil {
			return outcome{}, err
		}
		out.after = append(out.after, gone...)
		if a.Shared { // the line stays
			if err := d.cfg.Identity.Remove(ctx, a); err != nil {
				return outcome{}, err
			}
			d.announce(ctx, a.ID)
			continue
		}
		w := &withdrawal{
			Adapter: a.Adapter, Account: a.ID, Endpoint: a.Endpoint, User: a.User, Secret: a.Secret, Lang: a.Lang, Since: time.Now().UTC(),
		}
		if err := d.saveWithdrawal(ctx, w); err != nil {
			return outcome{}, err
		}
		if err := d.cfg.Identity.Remove(ctx, a); err != nil {
			return outcome{}, err
		}
		d.announce(ctx, a.ID)
		done, err := d.unlink(ctx, t.linker(), w)
		if err != nil {
			return outcome{}, err
		}
		if !done {
			out.note = d.say(t.Visitor, textLeavePending, d.platform(t.Visitor))
		}
	}
	if len(accounts) == len(t.accounts) {
		out.after = append(out.after, t.parting("")...)
	}
	d.log.Info("unregistered", "adapter", t.Adapter, "accounts", len(accounts), "pending", out.note != "")
	return out, nil
}

// farewells ends the presence subscriptions with an account's contacts (XEP-0077 §3.2 by way of XEP-0100 §4.3).
func (d *Desk) farewells(ctx context.Context, t *turn, a *Account) ([]Rendering, error) {
	var out []Rendering
	err := d.cfg.Identity.Contacts(ctx, a, func(c *Contact) error {
		for _, r := range t.parting(c.Alias) {
			r.Local = a.Shows(c) // soon nobody can tell any more
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// parting is how a contact, or with an empty alias the gateway, leaves a user's roster.
func (t *turn) parting(from Alias) []Rendering {
	return []Rendering{
		t.show(from, ShowSubscription{Verb: Unsubscribe}),
		t.show(from, ShowSubscription{Verb: Unsubscribed}),
		t.show(from, ShowPresence{}),
	}
}

// show addresses something to the visitor's bare JID.
func (t *turn) show(from Alias, what Shown) Rendering {
	return Rendering{Component: t.inst.Component, From: from, To: t.User, Lang: t.Lang, What: what}
}

// tell is a chat message from the gateway. Its id derives from what it is about, so that a repetition is recognised.
func (t *turn) tell(about, text string) Rendering {
	return t.show("", ShowMessage{IDs: []StanzaID{StanzaID(about)}, Content: Content{Parts: []Part{Text{Text: text}}}})
}

// unlink tells the platform, and forgets the withdrawal when there is nothing more to try. It reports false when the
// platform did not take it and is to be asked again.
func (d *Desk) unlink(ctx context.Context, l Linker, w *withdrawal) (done bool, err error) {
	if l != nil {
		// A user who registered anew got the same endpoint: ending it now would end the new account.
		holder, err := d.cfg.Identity.ByEndpoint(ctx, w.Adapter, w.Endpoint)
		if err != nil && !errors.Is(err, ErrNoAccount) {
			return false, err
		}
		if holder == nil || holder.ID == w.Account {
			try, stop := context.WithTimeout(ctx, unlinkTimeout)
			err = l.Unlink(try, w.credentials())
			stop()
			if err != nil && d.again(w, err) {
				return false, nil
			}
		}
	}
	return true, d.dropWithdrawal(ctx, w)
}

// again reports whether a failed withdrawal is worth another try. A platform that refuses for good, or no longer knows the
// credentials, has nothing left to end.
func (d *Desk) again(w *withdrawal, err error) bool {
	class := ClassOf(err)
	d.log.Warn("withdrawal not confirmed", "adapter", w.Adapter, "account", w.Account, "class", class, "age", time.Since(w.Since).Round(time.Second), "error", err)
	switch class {
	case Uncertain, Retryable, RateLimited:
		return true
	case ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent:
		return false
	}
	return false
}

// RetryUnlinks tells platforms again of withdrawals that they have not confirmed, and returns what to tell the users whose
// withdrawal went through. Running it on several replicas at once does no harm.
func (d *Desk) RetryUnlinks(ctx context.Context) ([]Rendering, error) {
	var out []Rendering
	var errs []error
	for _, inst := range d.instances {
		told, err := d.retryUnlinks(ctx, inst)
		out = append(out, told...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}

// maxUnlinkFailures is after how many failures a round leaves a platform alone until the next: it is probably down.
const maxUnlinkFailures = 3

func (d *Desk) retryUnlinks(ctx context.Context, inst Instance) ([]Rendering, error) {
	l, _ := inst.Adapter.(Linker)
	var out []Rendering
	failures := 0
	err := d.withdrawals(ctx, inst.ID, func(w *withdrawal) (bool, error) {
		done, err := d.unlink(ctx, l, w)
		if err != nil {
			return false, err
		}
		if !done {
			failures++
			return failures < maxUnlinkFailures, nil
		}
		v := Visitor{Adapter: inst.ID, User: w.User, Lang: w.Lang}
		t := &turn{Visitor: v, inst: inst}
		out = append(out, t.tell("left-"+strings.ToLower(string(w.Account)), d.say(v, textLeaveConfirmed, d.platform(v))))
		return true, nil
	})
	return out, err
}

// leaving reports whether the platform has yet to confirm that a visitor left.
func (d *Desk) leaving(ctx context.Context, v Visitor) (pending bool, err error) {
	err = d.withdrawals(ctx, v.Adapter, func(w *withdrawal) (bool, error) {
		pending = pending || w.User == v.User
		return !pending, nil
	})
	return pending, err
}

// withdrawals calls f for each unconfirmed withdrawal of an instance until f says stop.
func (d *Desk) withdrawals(ctx context.Context, adapter AdapterID, f func(*withdrawal) (more bool, err error)) error {
	xo := d.cfg.Keyring.adapterOwner(adapter)
	for cursor := ""; ; {
		page, next, err := d.cfg.Store.List(ctx, xo, RecordUnlink, cursor, 200)
		if err != nil {
			return fmt.Errorf("gateway: desk: list withdrawals: %w", err)
		}
		for name, sealed := range page {
			plain, err := d.cfg.Keyring.operator.Open(string(xo)+"/unlink/"+name, sealed)
			if err != nil {
				return fmt.Errorf("gateway: desk: withdrawal: %w", err)
			}
			w := &withdrawal{}
			if err := json.Unmarshal(plain, w); err != nil {
				return fmt.Errorf("gateway: desk: withdrawal: %w", err)
			}
			if more, err := f(w); err != nil || !more {
				return err
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}

func (d *Desk) saveWithdrawal(ctx context.Context, w *withdrawal) error {
	plain, err := json.Marshal(w)
	if err != nil {
		return err
	}
	xo, name := d.cfg.Keyring.adapterOwner(w.Adapter), string(w.Account)
	sealed := d.cfg.Keyring.operator.Seal(string(xo)+"/unlink/"+name, plain)
	if err := d.cfg.Store.Save(ctx, xo, Change{Kind: RecordUnlink, Name: name, Value: sealed}); err != nil {
		return fmt.Errorf("gateway: desk: save withdrawal: %w", err)
	}
	return nil
}

func (d *Desk) dropWithdrawal(ctx context.Context, w *withdrawal) error {
	xo := d.cfg.Keyring.adapterOwner(w.Adapter)
	if err := d.cfg.Store.Save(ctx, xo, Change{Kind: RecordUnlink, Name: string(w.Account)}); err != nil {
		return fmt.Errorf("gateway: desk: drop withdrawal: %w", err)
	}
	return nil
}
