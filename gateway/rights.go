package gateway

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

// ExportSchema is the version of what an export says and how.
const ExportSchema = "postern-export/1"

// Exported is one thing that the gateway holds of a user (GDPR articles 15 and 20). Exactly one field but Kind is set.
type Exported struct {
	// Kind is account, contact, consent, deed or case. Whoever reads an export skips kinds that they do not know.
	Kind    string           `json:"kind"`
	Account *ExportedAccount `json:"account,omitempty"`
	Contact *ExportedContact `json:"contact,omitempty"`
	Consent *ExportedConsent `json:"consent,omitempty"`
	// Deed is a line of the audit log about the user, with the salt that shows it.
	Deed *Deed `json:"deed,omitempty"`
	Case *Case `json:"case,omitempty"`
}

// ExportedAccount is a registration. Credentials are left out: they open the platform, not what is held here.
type ExportedAccount struct {
	ID       AccountID       `json:"id"`
	Adapter  AdapterID       `json:"adapter"`
	Shown    string          `json:"shown,omitempty"`
	Called   string          `json:"called,omitempty"`
	Standing AccountStanding `json:"standing"`
	Why      StandingCause   `json:"standing_reason,omitempty"`
	Code     string          `json:"standing_code,omitempty"`
	Since    time.Time       `json:"standing_since,omitzero"`
	Agreed   int             `json:"agreed_version"`
	Lang     string          `json:"lang,omitempty"`
	Created  time.Time       `json:"created"`
	Paused   time.Time       `json:"paused_until,omitzero"`
	Shared   bool            `json:"shared,omitempty"`
	// LastEvent is when the platform last sent something for it, LastSend when it last took something of it.
	LastEvent time.Time `json:"last_event,omitzero"`
	LastSend  time.Time `json:"last_send,omitzero"`
}

// ExportedContact is a person as one account knows them.
type ExportedContact struct {
	Account     AccountID `json:"account"`
	Address     Alias     `json:"address"` // the local part
	ID          ContactID `json:"id"`
	Name        string    `json:"name,omitempty"`
	Subscribed  bool      `json:"subscribed,omitempty"`
	Follows     bool      `json:"follows,omitempty"`
	Blocked     bool      `json:"blocked,omitempty"`
	MutedUntil  time.Time `json:"muted_until,omitzero"`
	LastInbound time.Time `json:"last_inbound,omitzero"`
}

// ExportedConsent is a consent receipt with the text that it is about.
type ExportedConsent struct {
	ConsentReceipt
	Text string `json:"text"`
}

// exportCursor is a place in an export: of the accounts, oldest first, one whose contacts are under way.
type exportCursor struct {
	Account AccountID `json:"a"`
	Page    string    `json:"p,omitempty"`
}

// ErrCursor: a page's next that none has given out.
var ErrCursor = errors.New("gateway: no such place in the list")

// Holdings returns a user's accounts on all adapters, oldest first, with how they do.
func (d *Desk) Holdings(ctx context.Context, user UserID) ([]Holding, error) {
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return nil, err
	}
	return d.healths(ctx, accounts)
}

func (d *Desk) holdings(ctx context.Context, user UserID) ([]*Account, error) {
	var all []*Account
	for _, id := range slices.Sorted(maps.Keys(d.instances)) {
		accounts, err := d.cfg.Identity.Of(ctx, id, user)
		if err != nil && !errors.Is(err, ErrNoAccount) {
			return nil, err
		}
		all = append(all, accounts...)
	}
	slices.SortFunc(all, func(a, b *Account) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Export returns a page of what is held of a user: first accounts, consents, deeds and cases, then contacts. An empty next ends it; whoever is
// interrupted goes on from the last next, and may see a contact twice. ErrNoAccount when nothing is held.
func (d *Desk) Export(ctx context.Context, user UserID, after string) (page []Exported, next string, err error) {
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		return d.exportContacts(ctx, accounts, after)
	}
	held, err := d.healths(ctx, accounts)
	if err != nil {
		return nil, "", err
	}
	for _, a := range held {
		page = append(page, Exported{Kind: "account", Account: &ExportedAccount{
			a.ID, a.Adapter, a.Shown, a.Called, a.Health.Standing, a.Health.Why, a.Health.Code, a.Health.Since, a.Agreed, a.Lang, a.CreatedAt, a.Paused, a.Shared,
			a.Health.LastEvent, a.Health.LastSend,
		}})
	}
	consents, err := d.Consents(ctx, user)
	if err != nil {
		return nil, "", err
	}
	for _, c := range consents {
		page = append(page, Exported{Kind: "consent", Consent: &ExportedConsent{c, c.Text}})
	}
	deeds, err := d.Deeds(ctx, user)
	if err != nil {
		return nil, "", err
	}
	for _, e := range deeds {
		page = append(page, Exported{Kind: "deed", Deed: &e})
	}
	cases, err := d.casesOf(ctx, user)
	if err != nil {
		return nil, "", err
	}
	for _, c := range cases {
		page = append(page, Exported{Kind: "case", Case: c})
	}
	if len(page) == 0 {
		return nil, "", ErrNoAccount
	}
	if len(accounts) > 0 {
		next = exportCursor{Account: accounts[0].ID}.String()
	}
	return page, next, nil
}

func (d *Desk) exportContacts(ctx context.Context, accounts []*Account, after string) (page []Exported, next string, err error) {
	c, err := parseExportCursor(after)
	if err != nil {
		return nil, "", err
	}
	at := slices.IndexFunc(accounts, func(a *Account) bool { return a.ID == c.Account })
	if at < 0 {
		return nil, "", ErrCursor
	}
	a := accounts[at]
	got, more, err := d.cfg.Store.List(ctx, accountOwner(a.ID), RecordContact, c.Page, 200)
	if err != nil {
		return nil, "", err
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		k, err := openContact(a, Alias(name), got[name])
		if err != nil {
			return nil, "", err
		}
		page = append(page, Exported{Kind: "contact", Contact: &ExportedContact{
			a.ID, a.Shows(k), k.ID, k.Name, k.Subscribed, k.Follows, k.Blocked, seconds(k.Muted), seconds(k.LastInbound),
		}})
	}
	switch {
	case more != "":
		next = exportCursor{a.ID, more}.String()
	case at+1 < len(accounts):
		next = exportCursor{Account: accounts[at+1].ID}.String()
	}
	return page, next, nil
}

// seconds is a time of a record, zero where there is none.
func seconds(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

func (c exportCursor) String() string {
	plain, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings
	}
	return base64.RawURLEncoding.EncodeToString(plain)
}

func parseExportCursor(s string) (c exportCursor, err error) {
	plain, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return c, ErrCursor
	}
	return c, nil
}

// Erased is what an erasure came to.
type Erased struct {
	// Accounts is how many were ended; Pending how many of them their platform has not confirmed: it is asked again, and until then
	// what that needs is kept, sealed.
	Accounts, Pending int
	// Show is what takes contacts and gateways out of the user's roster, by adapter.
	Show map[AdapterID][]Rendering
}

// knows reports whether anything is held of a user: an account, or what stays when the last one ends.
func (d *Desk) knows(ctx context.Context, user UserID, accounts []*Account) (bool, error) {
	if len(accounts) > 0 {
		return true, nil
	}
	got, err := d.cfg.Store.Load(ctx, RecordKey{d.cfg.Keyring.userOwner(user), RecordDataKey, "key"})
	return err == nil && got[0] != nil, err
}

// Erase ends all of a user's registrations and destroys all that is held of them (GDPR article 17): with their keys go the payloads
// that still lie in queues, dead letters and id maps. Interrupted, it goes on when it is called again. ErrNoAccount when nothing is held.
func (d *Desk) Erase(ctx context.Context, user UserID) (Erased, error) {
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return Erased{}, err
	}
	owner := d.cfg.Keyring.userOwner(user)
	if known, err := d.knows(ctx, user, accounts); err != nil {
		return Erased{}, err
	} else if !known {
		return Erased{}, ErrNoAccount
	}
	out := Erased{Accounts: len(accounts), Show: map[AdapterID][]Rendering{}}
	for len(accounts) > 0 {
		v := Visitor{Adapter: accounts[0].Adapter, User: user, Lang: accounts[0].Lang}
		accounts = slices.DeleteFunc(accounts, func(a *Account) bool { return a.Adapter == v.Adapter })
		_, t, err := d.enter(ctx, v, NodeUnregister)
		if err != nil {
			return out, err
		}
		ended, err := d.end(ctx, t, t.accounts)
		if err != nil {
			return out, err
		}
		out.Show[v.Adapter] = ended.after
		pending, err := d.leaving(ctx, v)
		if err != nil {
			return out, err
		}
		if pending {
			out.Pending++
		}
	}
	if err := d.forgetCases(ctx, owner); err != nil {
		return out, err
	}
	return out, d.cfg.Store.Erase(ctx, owner)
}
