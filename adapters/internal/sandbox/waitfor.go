package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/adapters/control"
)

// maxWait bounds one long poll.
const maxWait = 2 * time.Minute

func (s *Server) serveWait(w http.ResponseWriter, r *http.Request) {
	var c Condition
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		WriteControl(w, http.StatusBadRequest, map[string]string{"error": "body: " + err.Error()})
		return
	}
	or(&c.Min, 1)
	var raw []byte
	var err error
	known := true
	s.Wait(r.Context(), min(time.Duration(c.TimeoutMS)*time.Millisecond, maxWait), func(st *State) bool {
		var out control.Waited
		out, known = st.evaluate(c)
		raw, err = json.Marshal(out)
		return out.OK || !known || err != nil
	})
	switch {
	case !known || err != nil:
		WriteControl(w, http.StatusBadRequest, map[string]string{"error": "kind: want message, typing, opened, blocked, account, posts, webhooks, violations or idle"})
	case r.Context().Err() == nil:
		WriteControl(w, http.StatusOK, json.RawMessage(raw))
	}
}

// evaluate looks whether the condition holds now.
func (st *State) evaluate(c Condition) (control.Waited, bool) {
	out := control.Waited{Items: []json.RawMessage{}}
	add := func(item any) {
		out.Count++
		if raw, err := json.Marshal(item); err == nil && len(out.Items) < 100 {
			out.Items = append(out.Items, raw)
		}
	}
	switch c.Kind {
	case "message", "typing", "opened", "blocked":
		st.eachChat(c, func(chat *Chat) {
			switch {
			case c.Kind == "typing" && st.Now().Before(chat.typingUntil), c.Kind == "opened" && chat.opened > 0, c.Kind == "blocked" && chat.Blocked:
				add(chat.view(st.Now(), false, ""))
			case c.Kind == "message":
				for _, m := range chat.messages {
					if matches(c, m) {
						add(m.view())
					}
				}
			}
		})
	case "account":
		for _, a := range st.Accounts() {
			if namesAccount(st, c, a) && inState(a, c.State) {
				add(a.Account)
			}
		}
	case "posts":
		out.Count = st.posts.Total
	case "violations":
		out.Count = st.limiter.violations()
	case "webhooks":
		for typ, n := range st.taken {
			if c.Type == "" || c.Type == typ {
				out.Count += n
			}
		}
	case "idle":
		for _, a := range st.accounts {
			out.Count += int64(a.waiting)
		}
		out.OK = out.Count == 0
		return out, true
	default:
		return out, false
	}
	out.OK = out.Count >= c.Min
	return out, true
}

func inState(a *Account, state string) bool {
	switch state {
	case "subscribed":
		return a.listening()
	case "unsubscribed":
		return !a.Subscribed
	case "disabled":
		return a.Hook.Disabled
	case "revoked":
		return a.Revoked
	}
	return state == ""
}

func namesAccount(st *State, c Condition, a *Account) bool {
	return c.User == "" || st.AccountNamed(c.User) == a
}

func (st *State) eachChat(c Condition, visit func(*Chat)) {
	p := st.PersonNamed(c.Person)
	for _, a := range st.Accounts() {
		if !namesAccount(st, c, a) {
			continue
		}
		for _, chat := range a.chats {
			if c.Person == "" || p != nil && (chat.Person == p || slices.Contains(chat.Members, p)) {
				visit(chat)
			}
		}
	}
}

func matches(c Condition, m *Message) bool {
	switch {
	case c.Direction == "to_person" && !m.FromUser, c.Direction == "to_user" && m.FromUser,
		c.Edited && m.Revision == 0, c.Retracted && !m.Retracted,
		c.Status == StatusFailed && m.Status != StatusFailed, c.Status != "" && statusRank(m.Status) < statusRank(c.Status):
		return false
	case c.Reaction != "" && !strings.Contains(strings.Join(m.Reactions[m.Chat.Account.ID], " "), c.Reaction),
		c.Has != "" && m.Content.Kind() != c.Has:
		return false
	}
	return (c.Text == "" || m.Content.Text == c.Text) && strings.Contains(m.Content.Text, c.Contains)
}
