package gateway_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// chats returns all of a user's, about so many at a time.
func (c *counter) chats(user gateway.UserID, only gateway.AccountID, n int) (all []gateway.ChatState) {
	c.t.Helper()
	for after := ""; ; {
		page, next, err := c.desk.Chats(c.t.Context(), user, only, after, n)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, page...)
		if after = next; after == "" {
			return all
		}
	}
}

// An operator sees which chats a user has and what waits in them, and not with whom.
func TestChats(t *testing.T) {
	c := newCounter(t)
	if got := c.chats(c.romeo.User, "", 10); len(got) != 0 {
		t.Errorf("of nobody: got %+v", got)
	}
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	now := time.Now().UTC().Truncate(time.Second)
	var waits gateway.Alias
	for n := range 25 {
		k, err := c.identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("+39-", n)), Name: "Secret", LastInbound: now.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		waits = k.Alias
	}
	key := a.Lane(waits)
	lane, p := c.keys.Lane(key), key.Shard()
	lease, err := c.store.Acquire(t.Context(), p, "me", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var ids []gateway.EntryID
	for range 3 {
		id, _, err := c.store.Ingest(t.Context(), p, gateway.QueueOut, gateway.Entry{Lane: lane, Kind: gateway.EntryOp, At: now}, gateway.IngestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := c.store.Park(t.Context(), lease, gateway.QueueOut, lane, ids, time.Hour, gateway.ParkWindow); err != nil {
		t.Fatal(err)
	}
	all := c.chats(c.romeo.User, a.ID, 10)
	if text := fmt.Sprintf("%+v", all); len(all) != 25 || strings.Contains(text, "Secret") || strings.Contains(text, "+39-") {
		t.Errorf("got %d chats:\n%s", len(all), text)
	}
	for _, s := range all {
		if s.Alias != waits {
			if len(s.Waiting) > 0 {
				t.Errorf("got %+v, want nothing waiting", s)
			}
			continue
		}
		next := s.Waiting[0].Next
		diff(t, "what waits", s, gateway.ChatState{
			Adapter: "wall", Account: a.ID, Alias: waits, Chat: lane, LastInbound: now,
			Waiting: []gateway.ChatWaiting{{Where: "out", Reason: gateway.ParkWindow, Entries: 3, Oldest: now, Next: next}},
		})
		if left := time.Until(next); left < 50*time.Minute || left > time.Hour {
			t.Errorf("looked at again in %s, want an hour", left)
		}
	}
	if got := c.chats(c.romeo.User, "01OTHER", 10); len(got) != 0 {
		t.Errorf("of another account: got %d", len(got))
	}
	for _, after := range []string{"x", "!", "e30"} {
		if _, _, err := c.desk.Chats(t.Context(), c.romeo.User, "", after, 10); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("behind %q: got %v, want ErrCursor", after, err)
		}
	}
}
