package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxInvites is how many invites of one account may be open at once; a further one takes the place of the oldest.
	maxInvites = 200
	// openInvites is the record that lists them: invites expire, and what expires is not listed.
	openInvites = "open"
)

// InviteID names an invite among those of its account. It opens nothing.
type InviteID string

// Invite is one that a user gave out, as an operator sees it: without the token by which it opens a chat.
type Invite struct {
	ID      InviteID
	Adapter AdapterID
	Account AccountID
	Made    time.Time
	// Until is when it opens nothing any more, unless somebody has come with it: Taken.
	Until time.Time
	Taken bool
}

// givenInvite is an invite in the list of its account: its record's name, and when it was made, Unix seconds.
type givenInvite struct {
	Name string `json:"n"`
	Made int64  `json:"m"`
}

// noteInvite lists an invite that is about to be made, and returns those that it pushes out. It is listed first: none opens a chat that
// an operator cannot find.
func (i *Identity) noteInvite(ctx context.Context, a *Account, name string) (out []givenInvite, err error) {
	err = i.reviseInvites(ctx, a, func(all []givenInvite) []givenInvite {
		all = append(all, givenInvite{name, time.Now().Unix()})
		over := max(0, len(all)-maxInvites)
		out = slices.Clone(all[:over])
		return all[over:]
	})
	return out, err
}

// reviseInvites changes the list of an account's open invites. Of two changes none is lost.
func (i *Identity) reviseInvites(ctx context.Context, a *Account, change func([]givenInvite) []givenInvite) error {
	owner := accountOwner(a.ID)
	defer i.alone(string(owner) + "/invites")()
	return settled(func() error {
		all, was, err := i.givenInvites(ctx, a)
		if err != nil {
			return err
		}
		plain, err := json.Marshal(change(all))
		if err != nil {
			return err
		}
		set := Change{
			Kind: RecordInvites, Name: openInvites, TTL: InviteTTL, Value: a.Keys.Data.Seal(string(owner)+"/invites", plain), Was: was, IfAbsent: was == nil,
		}
		if err := i.store.Save(ctx, owner, set); err != nil {
			return fmt.Errorf("gateway: identity: save invites: %w", err)
		}
		return nil
	})
}

// givenInvites reads the list, oldest first and without those that are over by their age, and the record that it stands in.
func (i *Identity) givenInvites(ctx context.Context, a *Account) (all []givenInvite, sealed []byte, err error) {
	owner := accountOwner(a.ID)
	got, err := i.store.Load(ctx, RecordKey{owner, RecordInvites, openInvites})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: load invites: %w", err)
	}
	if got[0] == nil {
		return nil, nil, nil
	}
	plain, err := a.Keys.Data.Open(string(owner)+"/invites", got[0])
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(plain, &all); err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: invites: %w", err)
	}
	oldest := time.Now().Add(-InviteTTL).Unix()
	return slices.DeleteFunc(all, func(g givenInvite) bool { return g.Made <= oldest }), got[0], nil
}

// dropInvites makes invites open nothing any more.
func (i *Identity) dropInvites(ctx context.Context, adapter AdapterID, names ...string) error {
	var changes []Change
	for _, name := range names {
		changes = append(changes, Change{Kind: RecordInvite, Name: name})
	}
	if len(changes) == 0 {
		return nil
	}
	if err := i.store.Save(ctx, i.keys.adapterOwner(adapter), changes...); err != nil {
		return fmt.Errorf("gateway: identity: drop invites: %w", err)
	}
	return nil
}

// Invites lists what an account has given out and is not over, oldest first: two questions to the store, however many they are.
func (i *Identity) Invites(ctx context.Context, a *Account) ([]Invite, error) {
	all, _, err := i.givenInvites(ctx, a)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	owner := i.keys.adapterOwner(a.Adapter)
	keys := make([]RecordKey, len(all))
	for n, g := range all {
		keys[n] = RecordKey{owner, RecordInvite, g.Name}
	}
	got, err := i.store.Load(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: load invites: %w", err)
	}
	var out []Invite
	for n, g := range all {
		if got[n] == nil { // it was never given out, since the store failed in between
			continue
		}
		in, err := i.openInvite(keys[n], got[n])
		if err != nil {
			return nil, err
		}
		made := time.Unix(g.Made, 0).UTC()
		out = append(out, Invite{InviteID(g.Name), a.Adapter, a.ID, made, made.Add(InviteTTL), in.Guest != ""})
	}
	return out, nil
}

// RevokeInvite makes an invite open nothing any more; who has come with it stays. ErrNotFound when the account has none of that name.
func (i *Identity) RevokeInvite(ctx context.Context, a *Account, id InviteID) error {
	all, _, err := i.givenInvites(ctx, a)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(g givenInvite) bool { return g.Name == string(id) }) {
		return ErrNotFound
	}
	if err := i.dropInvites(ctx, a.Adapter, string(id)); err != nil {
		return err
	}
	return i.reviseInvites(ctx, a, func(all []givenInvite) []givenInvite {
		return slices.DeleteFunc(all, func(g givenInvite) bool { return g.Name == string(id) })
	})
}

// Invites returns a page of what a user has given out on all adapters, oldest first. ErrCursor for a place that is none.
func (d *Desk) Invites(ctx context.Context, user UserID, after string, n int) (page []Invite, next string, err error) {
	from, err := parseInvitePlace(after)
	if err != nil {
		return nil, "", err
	}
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return nil, "", err
	}
	for _, a := range accounts {
		if !a.Shared { // only a line's invites bring a token
			continue
		}
		all, err := d.cfg.Identity.Invites(ctx, a)
		if err != nil {
			return nil, "", err
		}
		page = append(page, all...)
	}
	page = slices.DeleteFunc(page, func(i Invite) bool { return i.place().compare(from) <= 0 })
	slices.SortFunc(page, func(a, b Invite) int { return a.place().compare(b.place()) })
	if len(page) > n {
		page = page[:n]
		next = page[n-1].place().String()
	}
	return page, next, nil
}

// RevokeInvite ends one of a user's invites. ErrNotFound when they have none of that name.
func (d *Desk) RevokeInvite(ctx context.Context, user UserID, id InviteID) error {
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if err := d.cfg.Identity.RevokeInvite(ctx, a, id); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return ErrNotFound
}

// invitePlace is where an invite stands in a user's list; one that is over meanwhile has left its place behind.
type invitePlace struct {
	made int64
	id   InviteID
}

func (i Invite) place() invitePlace { return invitePlace{i.Made.Unix(), i.ID} }

func (p invitePlace) compare(o invitePlace) int {
	return cmp.Or(cmp.Compare(p.made, o.made), cmp.Compare(p.id, o.id))
}

func (p invitePlace) String() string { return strconv.FormatInt(p.made, 10) + "." + string(p.id) }

func parseInvitePlace(s string) (invitePlace, error) {
	if s == "" {
		return invitePlace{}, nil
	}
	made, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(made, 10, 64)
	if !ok || err != nil {
		return invitePlace{}, ErrCursor
	}
	return invitePlace{n, InviteID(id)}, nil
}
