package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// InvitesView is a page of what a user has given out.
type InvitesView struct {
	Items []InviteView `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// InviteView is one of them, without the token by which it opens a chat.
type InviteView struct {
	ID      gateway.InviteID  `json:"id"`
	Adapter gateway.AdapterID `json:"adapter"`
	Account gateway.AccountID `json:"account"`
	Made    time.Time         `json:"made"`
	Until   time.Time         `json:"until"`
	Taken   bool              `json:"taken"`
}

// ChatsView is a page of a user's chats.
type ChatsView struct {
	Items []ChatView `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// ChatView is one of them. It says with whom to nobody who does not know that already.
type ChatView struct {
	Adapter     gateway.AdapterID `json:"adapter"`
	Account     gateway.AccountID `json:"account"`
	Alias       gateway.Alias     `json:"alias"`
	Chat        string            `json:"chat"`
	LastInbound time.Time         `json:"last_inbound,omitzero"`
	Waiting     []WaitingView     `json:"waiting"`
}

// WaitingView is what is parked in one direction of a chat.
type WaitingView struct {
	Where   string             `json:"where"`
	Reason  gateway.ParkReason `json:"reason"`
	Entries int                `json:"entries"`
	Oldest  time.Time          `json:"oldest,omitzero"`
	Next    time.Time          `json:"next"`
}

// asked is whom a list is about, where it begins and how long a page is; more are the list's own parameters.
func (v v1) asked(r *http.Request, more ...string) (user gateway.UserID, q url.Values, n int, err error) {
	if user, err = v.user(r); err != nil {
		return "", nil, 0, err
	}
	if q, err = query(r, append(more, "after", "limit")...); err != nil {
		return "", nil, 0, err
	}
	n, err = pageSize(q)
	return user, q, n, err
}

// placed turns a place that is none into what is wrong with the request.
func placed(err error) error {
	if errors.Is(err, gateway.ErrCursor) {
		return &wrong{"after", "It is not the next of a page of this user.", false}
	}
	return err
}

func (v v1) invites(r *http.Request) (any, error) {
	user, q, n, err := v.asked(r)
	if err != nil {
		return nil, err
	}
	page, next, err := v.Users.Invites(r.Context(), user, q.Get("after"), n)
	if err != nil {
		return nil, placed(err)
	}
	out := InvitesView{[]InviteView{}, next}
	for _, i := range page {
		out.Items = append(out.Items, InviteView(i))
	}
	return out, nil
}

func (v v1) revokeInvite(r *http.Request) (any, error) {
	user, err := v.user(r)
	if err != nil {
		return nil, err
	}
	return answered(v.RevokeInvite(r.Context(), token(r).Name, user, gateway.InviteID(chi.URLParam(r, "invite"))))
}

func (v v1) chats(r *http.Request) (any, error) {
	user, q, n, err := v.asked(r, "account")
	if err != nil {
		return nil, err
	}
	if len(q.Get("account")) > maxFiltered {
		return nil, &wrong{"account", fmt.Sprintf("It has at most %d bytes.", maxFiltered), false}
	}
	page, next, err := v.Users.Chats(r.Context(), user, gateway.AccountID(q.Get("account")), q.Get("after"), n)
	if err != nil {
		return nil, placed(err)
	}
	out := ChatsView{[]ChatView{}, next}
	for _, c := range page {
		view := ChatView{c.Adapter, c.Account, c.Alias, c.Chat, c.LastInbound, []WaitingView{}}
		for _, w := range c.Waiting {
			view.Waiting = append(view.Waiting, WaitingView(w))
		}
		out.Items = append(out.Items, view)
	}
	return out, nil
}
