package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ConsentReceipt proves what a user agreed to, and when. It is stored before the platform hears of the user, and sent to
// them when they are registered.
type ConsentReceipt struct {
	// ID is a ULID.
	ID      string    `json:"id"`
	User    UserID    `json:"user"`
	Adapter AdapterID `json:"adapter"`
	Account AccountID `json:"account"`
	// Version is Descriptor.Version, Terms the platform's Descriptor.TermsVersion at that time.
	Version int    `json:"version"`
	Terms   string `json:"terms,omitempty"`
	// Lang is the language of the text, Hash its SHA-256.
	Lang string    `json:"lang,omitempty"`
	Hash []byte    `json:"hash"`
	At   time.Time `json:"at"`
	// Text is what the user read: the exact bytes that Hash is of. It is the same for many users and stored once.
	Text string `json:"-"`
}

// Verify reports whether Text is what the user agreed to.
func (c ConsentReceipt) Verify() bool {
	sum := sha256.Sum256([]byte(c.Text))
	return bytes.Equal(sum[:], c.Hash)
}

// Consents returns a user's consent receipts, oldest first, with their texts.
func (d *Desk) Consents(ctx context.Context, user UserID) ([]ConsentReceipt, error) {
	owner := d.cfg.Keyring.userOwner(user)
	var out []ConsentReceipt
	for cursor := ""; ; {
		page, next, err := d.cfg.Store.List(ctx, owner, RecordConsent, cursor, 200)
		if err != nil {
			return nil, fmt.Errorf("gateway: desk: list consents: %w", err)
		}
		for name, sealed := range page {
			c, err := d.openConsent(ctx, owner, name, sealed)
			if err != nil {
				return nil, err
			}
			out = append(out, *c)
		}
		if next == "" {
			break
		}
		cursor = next
	}
	slices.SortFunc(out, func(a, b ConsentReceipt) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b ConsentReceipt) bool { return a.ID == b.ID }), nil
}

// agree stores that a visitor agreed to a disclosure, in the course of a dialogue.
func (d *Desk) agree(ctx context.Context, t *turn, text Disclosure) (*ConsentReceipt, error) {
	desc := t.inst.Adapter.Descriptor()
	c := &ConsentReceipt{
		ID: newULID(), User: t.User, Adapter: t.Adapter, Account: t.s.Account, Version: desc.Version, Terms: desc.TermsVersion,
		Lang: t.Lang, Hash: text.Hash(), At: time.Now().UTC().Truncate(time.Second), Text: text.String(),
	}
	if err := d.deedOften(ctx, t.Visitor, deedConsent); err != nil { // a dialogue can be begun anew again and again
		return nil, err
	}
	// The text goes first: a receipt without its text could not be verified.
	xo, hash := d.cfg.Keyring.adapterOwner(t.Adapter), hex.EncodeToString(c.Hash)
	sealed := d.cfg.Keyring.operator.Seal(consentPlace(xo, hash), []byte(c.Text))
	if err := d.cfg.Store.Save(ctx, xo, Change{Kind: RecordConsent, Name: hash, Value: sealed}); err != nil {
		return nil, fmt.Errorf("gateway: desk: save disclosure: %w", err)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	owner := d.userOwner(t.Visitor)
	sealed = d.cfg.Keyring.operator.Seal(consentPlace(owner, c.ID), plain)
	if err := d.cfg.Store.Save(ctx, owner, Change{Kind: RecordConsent, Name: c.ID, Value: sealed}); err != nil {
		return nil, fmt.Errorf("gateway: desk: save consent: %w", err)
	}
	return c, nil
}

// consent loads a receipt by its id, nil when it is gone.
func (d *Desk) consent(ctx context.Context, v Visitor, id string) (*ConsentReceipt, error) {
	owner := d.userOwner(v)
	got, err := d.cfg.Store.Load(ctx, RecordKey{owner, RecordConsent, id})
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: load consent: %w", err)
	}
	if got[0] == nil {
		return nil, nil
	}
	return d.openConsent(ctx, owner, id, got[0])
}

// disagree forgets a consent that led to nothing.
func (d *Desk) disagree(ctx context.Context, v Visitor, id string) error {
	if err := d.cfg.Store.Save(ctx, d.userOwner(v), Change{Kind: RecordConsent, Name: id}); err != nil {
		return fmt.Errorf("gateway: desk: drop consent: %w", err)
	}
	return nil
}

func (d *Desk) openConsent(ctx context.Context, owner Owner, name string, sealed []byte) (*ConsentReceipt, error) {
	plain, err := d.cfg.Keyring.operator.Open(consentPlace(owner, name), sealed)
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: consent: %w", err)
	}
	c := &ConsentReceipt{}
	if err := json.Unmarshal(plain, c); err != nil {
		return nil, fmt.Errorf("gateway: desk: consent: %w", err)
	}
	xo, hash := d.cfg.Keyring.adapterOwner(c.Adapter), hex.EncodeToString(c.Hash)
	got, err := d.cfg.Store.Load(ctx, RecordKey{xo, RecordConsent, hash})
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: load disclosure: %w", err)
	}
	if got[0] == nil {
		return c, nil // Verify says so
	}
	text, err := d.cfg.Keyring.operator.Open(consentPlace(xo, hash), got[0])
	c.Text = string(text)
	return c, err
}

func consentPlace(owner Owner, name string) string { return string(owner) + "/consent/" + name }
