package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/api"
	"postern/gateway"
)

// usersView is how accounts stand, and what one user has.
type usersView struct {
	Standings []adapterStandings
	JID       string
	User      gateway.UserID
	Wrong     string
	Accounts  []gateway.Holding
	// Again is what was typed into the form of the same name that was refused.
	Refused string

	Invites []gateway.Invite
	Chats   []gateway.ChatState
	// MoreInvites and MoreChats are the addresses of the next pages, First that of the first ones, where this is another.
	MoreInvites, MoreChats, First string
}

// usersPage is how many chats, about, and how many invites a page shows.
const usersPage = 50

// look fills in a page of a user's invites and one of their chats.
func (v *usersView) look(r *http.Request, from api.Users) (err error) {
	q := r.URL.Query()
	at := func(invites, chats string) string {
		q := url.Values{"jid": {string(v.User)}}
		for name, value := range map[string]string{"invites": invites, "chats": chats} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return "/console/users?" + q.Encode()
	}
	var invites, chats string
	if v.Invites, invites, err = from.Invites(r.Context(), v.User, q.Get("invites"), usersPage); err != nil {
		return err
	}
	if v.Chats, chats, err = from.Chats(r.Context(), v.User, "", q.Get("chats"), usersPage); err != nil {
		return err
	}
	if invites != "" {
		v.MoreInvites = at(invites, q.Get("chats"))
	}
	if chats != "" {
		v.MoreChats = at(q.Get("invites"), chats)
	}
	if q.Get("invites") != "" || q.Get("chats") != "" {
		v.First = at("", "")
	}
	return nil
}

// revoke ends an invite.
func (c *Console) revoke(w http.ResponseWriter, r *http.Request) {
	user, err := c.Control.ParseUser(r.PostForm.Get("jid"))
	if err != nil {
		c.showUser(w, r, http.StatusUnprocessableEntity, r.PostForm.Get("jid"), "")
		return
	}
	v := visitOf(r)
	if _, err := c.Control.RevokeInvite(r.Context(), v.token.Name, user, gateway.InviteID(r.PostForm.Get("id"))); err != nil {
		c.refuse(w, r, err)
		return
	}
	c.sessions.say(v.id, "The invite opens nothing any more.")
	http.Redirect(w, r, "/console/users?"+url.Values{"jid": {string(user)}}.Encode(), http.StatusSeeOther)
}

type adapterStandings struct {
	ID        gateway.AdapterID
	Standings []standingView
}

func (c *Console) users(w http.ResponseWriter, r *http.Request) {
	c.showUser(w, r, http.StatusOK, r.URL.Query().Get("jid"), "")
}

// showUser shows the page, of one user where a JID is given; refused is what was wrong with a form on it.
func (c *Console) showUser(w http.ResponseWriter, r *http.Request, status int, jid, refused string) {
	v := usersView{JID: strings.TrimSpace(jid), Refused: refused}
	if now, err := c.history.present(); err == nil {
		for _, id := range c.history.order {
			s := adapterStandings{ID: id}
			if of := now.adapters[id]; of != nil {
				s.Standings = standings(of.accounts)
			}
			v.Standings = append(v.Standings, s)
		}
	}
	if v.JID != "" {
		user, err := c.Control.ParseUser(v.JID)
		if err != nil {
			v.Wrong, status = "This is no bare JID, such as romeo@example.org.", http.StatusUnprocessableEntity
		} else if v.Accounts, err = c.Control.Users.Holdings(r.Context(), user); err != nil {
			c.refuse(w, r, err)
			return
		}
		if v.User = user; user != "" {
			if err := v.look(r, c.Control.Users); err != nil {
				c.refuse(w, r, err)
				return
			}
		}
	}
	c.show(w, r, status, "users", "Users", v)
}

// typed is whom a form is about: the JID is typed once more, so that nobody is met by a slip of the hand. It reports false after it has
// answered.
func (c *Console) typed(w http.ResponseWriter, r *http.Request) (gateway.UserID, bool) {
	user, err := c.Control.ParseUser(r.PostForm.Get("jid"))
	if err != nil {
		c.showUser(w, r, http.StatusUnprocessableEntity, r.PostForm.Get("jid"), "")
		return "", false
	}
	if again, err := c.Control.ParseUser(strings.TrimSpace(r.PostForm.Get("again"))); err != nil || again != user {
		c.showUser(w, r, http.StatusUnprocessableEntity, string(user), "What was typed is not this user's JID. Nothing was done.")
		return "", false
	}
	return user, true
}

// export writes what postern export does: a line of JSON for each thing that is held, the schema in the first.
func (c *Console) export(w http.ResponseWriter, r *http.Request) {
	user, ok := c.typed(w, r)
	if !ok {
		return
	}
	actor := visitOf(r).token.Name
	page, next, err := c.Control.ExportUser(r.Context(), actor, user, "")
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Content-Disposition", `attachment; filename="postern-export.jsonl"`)
	lines := json.NewEncoder(w)
	_ = lines.Encode(gateway.ExportHead(user)) // a browser that is gone hears nothing
	control := http.NewResponseController(w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(15 * time.Second)) // each page has its time; not every writer has deadlines
		for _, item := range page {
			if lines.Encode(item) != nil {
				return
			}
		}
		if next == "" {
			return
		}
		if page, next, err = c.Control.ExportUser(r.Context(), actor, user, next); err != nil {
			c.Log.Warn("export broken off", "err", err)
			panic(http.ErrAbortHandler) // so that the browser knows that the file is not whole
		}
	}
}

// erasedView is what an erasure came to.
type erasedView struct {
	User gateway.UserID
	api.ErasedView
}

func (c *Console) erase(w http.ResponseWriter, r *http.Request) {
	user, ok := c.typed(w, r)
	if !ok {
		return
	}
	got, err := c.Control.EraseUser(r.Context(), visitOf(r).token.Name, user)
	if errors.Is(err, gateway.ErrNoAccount) {
		err = gateway.ErrNotFound
	}
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	c.forget()
	c.show(w, r, http.StatusOK, "erased", "Erased", erasedView{user, got}) // shown once: the salt is kept nowhere
}
