package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// Users is what may be asked about one user; *gateway.Desk is one, with what it shows sent on.
type Users interface {
	// Holdings returns a user's accounts on all adapters, with how they do.
	Holdings(ctx context.Context, user gateway.UserID) ([]gateway.Holding, error)
	// Export and Erase return gateway.ErrNoAccount where nothing is held, Export gateway.ErrCursor for a place that is none.
	Export(ctx context.Context, user gateway.UserID, after string) (page []gateway.Exported, next string, err error)
	Erase(ctx context.Context, user gateway.UserID) (gateway.Erased, error)
	// Invites and Chats return a page of about n, and gateway.ErrCursor for a place that is none. Chats are those of one account unless
	// that is empty.
	Invites(ctx context.Context, user gateway.UserID, after string, n int) (page []gateway.Invite, next string, err error)
	Chats(ctx context.Context, user gateway.UserID, only gateway.AccountID, after string, n int) (page []gateway.ChatState, next string, err error)
	// RevokeInvite returns gateway.ErrNotFound for what is no invite of the user's.
	RevokeInvite(ctx context.Context, user gateway.UserID, id gateway.InviteID) error
	// WriteDeed writes down what is about to be done about a user, and keeps with them what shows that the line is about them; Deeds
	// returns those lines.
	WriteDeed(ctx context.Context, actor, action, object string, user gateway.UserID) error
	Deeds(ctx context.Context, user gateway.UserID) ([]gateway.Deed, error)
}

// user is whom the address names.
func (v v1) user(r *http.Request) (gateway.UserID, error) {
	raw, err := url.PathUnescape(chi.URLParam(r, "jid"))
	if err != nil {
		return "", &wrong{"jid", "It is not percent-encoded as it should be.", true}
	}
	user, err := v.ParseUser(raw)
	if err != nil {
		return "", &wrong{"jid", "It is no bare JID, such as romeo@example.org.", false}
	}
	return user, nil
}

func (v v1) accounts(r *http.Request) (any, error) {
	user, err := v.user(r)
	if err != nil {
		return nil, err
	}
	held, err := v.Users.Holdings(r.Context(), user)
	if err != nil {
		return nil, err
	}
	out := AccountsView{[]AccountView{}}
	for _, a := range held {
		h := a.Health
		out.Items = append(out.Items, AccountView{
			a.ID, a.Adapter, h.Standing, h.Why, h.Code, h.Since, h.LastEvent, h.LastSend, a.Shared, a.CreatedAt.UTC(), a.Paused,
		})
	}
	return out, nil
}

func (v v1) export(r *http.Request) (any, error) {
	user, err := v.user(r)
	if err != nil {
		return nil, err
	}
	q, err := query(r, "after")
	if err != nil {
		return nil, err
	}
	page, next, err := v.ExportUser(r.Context(), token(r).Name, user, q.Get("after"))
	switch {
	case errors.Is(err, gateway.ErrNoAccount):
		return nil, gateway.ErrNotFound
	case errors.Is(err, gateway.ErrCursor):
		return nil, &wrong{"after", "It is not the next of a page of this user.", false}
	case err != nil:
		return nil, err
	}
	return ExportView{gateway.ExportSchema, page, next}, nil
}

func (v v1) deeds(r *http.Request) (any, error) {
	user, err := v.user(r)
	if err != nil {
		return nil, err
	}
	all, err := v.Users.Deeds(r.Context(), user)
	if err != nil {
		return nil, err
	}
	return DeedsView{append([]gateway.Deed{}, all...)}, nil
}

func (v v1) erase(r *http.Request) (any, error) {
	user, err := v.user(r)
	if err != nil {
		return nil, err
	}
	got, err := v.EraseUser(r.Context(), token(r).Name, user)
	if errors.Is(err, gateway.ErrNoAccount) {
		return nil, gateway.ErrNotFound
	}
	return got, err
}
