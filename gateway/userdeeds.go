package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ActorUser is the Actor of a line about what a user did themselves.
const ActorUser = "user"

// What users do, as the audit log calls it. The Object is the adapter, or a case.
const (
	deedConsent  = "consent.give"
	deedAdd      = "account.add"
	deedRenew    = "account.renew"
	deedWithdraw = "account.withdraw"
	deedPause    = "account.pause"
	deedResume   = "account.resume"
	deedMove     = "account.move"  // a code that gives the account away was asked for
	deedClaim    = "account.claim" // by the new user
	deedGiven    = "account.given" // about the old one
	deedBlock    = "contact.block"
	deedUnblock  = "contact.unblock"
)

// Deed is a line of the audit log about a user, with the salt that shows that it is. Salts are kept sealed under the user's own key and
// go with it: then nobody can tell any more whom the lines are about.
type Deed struct {
	AuditEntry
	Salt string `json:"salt"`
}

// Proves reports whether the line is whole and about a user.
func (d Deed) Proves(user UserID) bool {
	return d.Hash == d.sum() && d.Subject != "" && d.Subject == Commitment(d.Salt, user)
}

// WriteDeed writes down what is about to be done by a user, or by somebody about them. What it cannot write down must not be done. That
// it breaks off between the line and its salt leaves a line about what was not done, which is of nobody.
func (d *Desk) WriteDeed(ctx context.Context, actor, action, object string, user UserID) error {
	owner := d.cfg.Keyring.userOwner(user)
	key, err := d.cfg.Identity.userKey(ctx, owner)
	if err != nil {
		return err
	}
	e, salt, err := d.audit.AddAbout(ctx, actor, action, object, user)
	if err != nil {
		return err
	}
	name := auditName(e.Seq)
	err = d.cfg.Store.Save(ctx, owner, Change{Kind: RecordDeed, Name: name, Value: key.Seal(deedPlace(owner, name), []byte(salt))})
	if err != nil {
		return fmt.Errorf("gateway: desk: save deed: %w", err)
	}
	return nil
}

// deed writes down what a visitor is about to do.
func (d *Desk) deed(ctx context.Context, v Visitor, action string) error {
	return d.WriteDeed(ctx, ActorUser, action, string(v.Adapter), v.User)
}

// deedOften is deed for what a visitor can do again and again, and undo: it refuses who does so all day, since the log keeps every line.
func (d *Desk) deedOften(ctx context.Context, v Visitor, action string) error {
	ok, err := d.budget(ctx, v, "deed")
	if err == nil && !ok {
		err = &Refusal{ResourceConstraint, d.say(v, textRegisterOften)}
	}
	if err != nil {
		return err
	}
	return d.deed(ctx, v, action)
}

// Deeds returns the lines of the audit log that are about a user and whose salts are kept with them, oldest first. A line that a failover of
// the store has lost, and one that has its number since, are not among them.
func (d *Desk) Deeds(ctx context.Context, user UserID) ([]Deed, error) {
	owner := d.cfg.Keyring.userOwner(user)
	salts := map[string][]byte{}
	for cursor := ""; ; {
		page, next, err := d.cfg.Store.List(ctx, owner, RecordDeed, cursor, 200)
		if err != nil {
			return nil, fmt.Errorf("gateway: desk: list deeds: %w", err)
		}
		maps.Copy(salts, page)
		if cursor = next; next == "" {
			break
		}
	}
	if len(salts) == 0 {
		return nil, nil
	}
	key, err := d.cfg.Identity.wrapper(ctx, owner)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(salts))
	for name := range salts {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []Deed
	for part := range slices.Chunk(names, 200) {
		lines, err := d.audit.pick(ctx, part)
		if err != nil {
			return nil, err
		}
		for i, name := range part {
			salt, err := key.Open(deedPlace(owner, name), salts[name])
			if err != nil {
				return nil, fmt.Errorf("gateway: desk: deed: %w", err)
			}
			if deed := (Deed{lines[i], string(salt)}); deed.Proves(user) {
				out = append(out, deed)
			}
		}
	}
	return out, nil
}

func deedPlace(owner Owner, name string) string { return string(owner) + "/deed/" + name }

// pick returns lines by their names, each whole, and the zero line for one that is not there. Whether they follow each other is Lines'
// business.
func (a *Audit) pick(ctx context.Context, names []string) ([]AuditEntry, error) {
	keys := make([]RecordKey, len(names))
	for i, name := range names {
		keys[i] = RecordKey{ownerAudit, RecordAudit, name}
	}
	got, err := a.store.Load(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("gateway: audit: %w", err)
	}
	out := make([]AuditEntry, len(names))
	for i, sealed := range got {
		name := names[i]
		if sealed == nil {
			continue
		}
		plain, err := a.keys.operator.Open("audit/"+name, sealed)
		if err == nil {
			err = json.Unmarshal(plain, &out[i])
		}
		if err != nil || out[i].Hash != out[i].sum() {
			return nil, fmt.Errorf("%w: line %s is not what was written", ErrAudit, strings.TrimLeft(name, "0"))
		}
	}
	return out, nil
}
