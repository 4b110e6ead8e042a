package gateway

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"
)

// ChatState is a chat of a user as an operator sees it: no name, no number, and nothing of what is said.
type ChatState struct {
	Adapter AdapterID
	Account AccountID
	Alias   Alias
	// Chat is an HMAC, as in the log and in Letter.Chat.
	Chat string
	// LastInbound is when the contact last wrote; zero where nobody keeps that (Contact.LastInbound).
	LastInbound time.Time
	// Waiting is what is parked, by direction; what is on its way is not counted.
	Waiting []ChatWaiting
}

// ChatWaiting is what waits in one direction of a chat, and for what.
type ChatWaiting struct {
	Where   string // in or out
	Reason  ParkReason
	Entries int
	// Oldest is when the oldest of them was taken, Next when they are looked at again.
	Oldest, Next time.Time
}

// chatCursor is a place in the list of a user's chats.
type chatCursor struct {
	Account AccountID `json:"a"`
	Page    string    `json:"p,omitempty"`
}

// Chats returns a page of a user's chats, about n of them, account by account; of one account alone unless that is empty. An empty next ends
// it, a page may be empty before the end, and a chat may come twice. What is asked of the store for a page is one page of contacts, the parks
// of their shards, and the depth of what is parked of them. ErrCursor for a place that is none.
func (d *Desk) Chats(ctx context.Context, user UserID, only AccountID, after string, n int) (page []ChatState, next string, err error) {
	accounts, err := d.holdings(ctx, user)
	if err != nil {
		return nil, "", err
	}
	if only != "" {
		accounts = slices.DeleteFunc(accounts, func(a *Account) bool { return a.ID != only })
	}
	var c chatCursor
	at := 0
	if after != "" {
		raw, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil || json.Unmarshal(raw, &c) != nil {
			return nil, "", ErrCursor
		}
		if at = slices.IndexFunc(accounts, func(a *Account) bool { return a.ID == c.Account }); at < 0 {
			return nil, "", ErrCursor
		}
	}
	if len(accounts) == 0 {
		return nil, "", nil
	}
	a := accounts[at]
	more, err := d.cfg.Identity.contactPage(ctx, a, c.Page, n, func(k *Contact) error {
		s := ChatState{Adapter: a.Adapter, Account: a.ID, Alias: k.Alias, Chat: d.cfg.Keyring.Lane(a.Lane(k.Alias)), LastInbound: seconds(k.LastInbound)}
		page = append(page, s)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(page, func(x, y ChatState) int { return cmp.Compare(x.Alias, y.Alias) })
	if err := d.waiting(ctx, page); err != nil {
		return nil, "", err
	}
	switch {
	case more != "":
		next = chatCursor{a.ID, more}.String()
	case at+1 < len(accounts):
		next = chatCursor{Account: accounts[at+1].ID}.String()
	}
	return page, next, nil
}

func (c chatCursor) String() string {
	plain, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings
	}
	return base64.RawURLEncoding.EncodeToString(plain)
}

// waiting fills in what is parked of the chats of a page.
func (d *Desk) waiting(ctx context.Context, page []ChatState) error {
	shards := map[Partition]map[string]int{} // lanes to places in the page
	for i, s := range page {
		p := LaneKey{s.Adapter, s.Alias}.Shard()
		if shards[p] == nil {
			shards[p] = map[string]int{}
		}
		shards[p][s.Chat] = i
	}
	for p, lanes := range shards {
		parked, err := d.cfg.Store.Parked(ctx, p)
		if err != nil {
			return err
		}
		for _, l := range parked {
			i, ours := lanes[l.Lane]
			if !ours {
				continue
			}
			n, oldest, err := d.cfg.Store.Depth(ctx, p, ParkQueue(l.From, l.Lane))
			if err != nil {
				return err
			}
			page[i].Waiting = append(page[i].Waiting, ChatWaiting{direction(l.From), l.Reason, n, oldest, l.Until.UTC().Truncate(time.Millisecond)})
		}
	}
	for _, s := range page {
		slices.SortFunc(s.Waiting, func(a, b ChatWaiting) int { return cmp.Compare(a.Where, b.Where) })
	}
	return nil
}
