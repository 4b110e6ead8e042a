package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"postern/adapters/internal/sandbox"
)

// condition is what POST /sandbox/v1/wait waits for. Empty fields match everything.
type condition struct {
	Kind      string `json:"kind"` // message, request, enlistment, code, typing, block, report, posts, webhooks, idle
	TimeoutMS int    `json:"timeout_ms"`
	Min       int64  `json:"min"` // how many; zero: 1
	Person    string `json:"person"`
	User      string `json:"user"`
	Direction string `json:"direction"` // of a message: to_person or to_user
	Text      string `json:"text"`      // the whole text of a message
	Contains  string `json:"contains"`  // a part of it
	Has       string `json:"has"`       // what a message is: text, media, sticker, location, contact, poll, interactive or answer
	Status    string `json:"status"`    // of a message: at least delivered or read; or failed
	Edited    bool   `json:"edited"`
	Retracted bool   `json:"retracted"`
	Reaction  string `json:"reaction"` // an emoji of the user
	State     string `json:"state"`    // of a request or enlistment
	Type      string `json:"type"`     // of a webhook that was taken
}

type waited struct {
	OK    bool  `json:"ok"`
	Count int64 `json:"count"`
	Items []any `json:"items"`
}

// maxWait bounds one long poll.
const maxWait = 2 * time.Minute

func (s *Server) serveWait(w http.ResponseWriter, r *http.Request) {
	var c condition
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		sandbox.WriteControl(w, http.StatusBadRequest, map[string]string{"error": "body: " + err.Error()})
		return
	}
	or(&c.Min, 1)
	timeout := min(time.Duration(c.TimeoutMS)*time.Millisecond, maxWait)
	deadline := time.NewTimer(max(timeout, 0))
	defer deadline.Stop()
	for {
		s.mu.Lock()
		out, known := s.evaluate(c)
		raw, err := json.Marshal(out)
		changed := s.changed
		s.mu.Unlock()
		if !known || err != nil {
			sandbox.WriteControl(w, http.StatusBadRequest, map[string]string{"error": "kind: want message, request, enlistment, code, typing, block, report, posts, webhooks or idle"})
			return
		}
		if out.OK {
			sandbox.WriteControl(w, http.StatusOK, json.RawMessage(raw))
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-deadline.C:
			sandbox.WriteControl(w, http.StatusOK, json.RawMessage(raw))
			return
		case <-changed:
		}
		if !sandbox.Pause(r.Context(), 5*time.Millisecond) { // under load many changes are looked at together
			return
		}
	}
}

// evaluate looks whether the condition holds now.
func (s *Server) evaluate(c condition) (waited, bool) {
	out := waited{Items: []any{}}
	add := func(item any) {
		out.Count++
		if len(out.Items) < 100 {
			out.Items = append(out.Items, item)
		}
	}
	switch c.Kind {
	case "message", "request", "typing":
		s.eachChat(c, func(chat *chat) {
			switch {
			case c.Kind == "request" && chat.request != nil && (c.State == "" || chat.request.State == c.State),
				c.Kind == "typing" && chat.typingNow(s.cfg.Now()):
				add(chat.view(s.cfg.Now(), false))
			case c.Kind == "message":
				for _, m := range chat.messages {
					if c.matches(m) {
						add(m.view())
					}
				}
			}
		})
	case "enlistment":
		for _, u := range s.users {
			if c.namesUser(u) && (c.State == "" || u.state == c.State) {
				add(u.view())
			}
		}
	case "code":
		for _, v := range s.codeViews() {
			if c.User == "" || strings.EqualFold(c.User, v.Identifier.Value) {
				add(v)
			}
		}
	case "block":
		for _, u := range s.users {
			for _, id := range u.blockedIDs() {
				if c.namesUser(u) && (c.Person == "" || id == "gku_"+strings.TrimPrefix(c.Person, "gku_")) {
					add(id)
				}
			}
		}
	case "report":
		for _, r := range s.reportEntries() {
			if c.Person == "" || r.Accused == "gku_"+strings.TrimPrefix(c.Person, "gku_") {
				add(r)
			}
		}
	case "posts":
		out.Count = s.posts.Total
	case "webhooks":
		for typ, n := range s.taken {
			if c.Type == "" || c.Type == typ {
				out.Count += n
			}
		}
	case "idle":
		waiting := 0
		for _, p := range s.partners {
			waiting += p.lanes.Waiting()
		}
		out.OK, out.Count = waiting == 0, int64(waiting)
		return out, true
	default:
		return out, false
	}
	out.OK = out.Count >= c.Min
	return out, true
}

func (s *Server) eachChat(c condition, visit func(*chat)) {
	for _, id := range s.personOrder {
		p := s.people[id]
		if c.Person != "" && s.personBy(c.Person) != p {
			continue
		}
		for _, chat := range p.chats {
			if c.namesUser(chat.user) {
				visit(chat)
			}
		}
	}
}

func (c condition) namesUser(u *user) bool {
	return c.User == "" || c.User == u.internalID || strings.EqualFold(c.User, u.identifier.Value)
}

func (c condition) matches(m *message) bool {
	switch {
	case c.Direction == "to_person" && !m.fromUser, c.Direction == "to_user" && m.fromUser,
		c.Edited && m.revision == 0, c.Retracted != m.retracted && c.Retracted,
		c.Status == "failed" && m.status != "failed", statusRank[m.status] < statusRank[c.Status]:
		return false
	}
	if c.Reaction != "" && !strings.Contains(strings.Join(m.reactions[m.chat.user.internalID], " "), c.Reaction) {
		return false
	}
	if c.Has != "" && kindOf(m.content) != c.Has {
		return false
	}
	if c.Text == "" && c.Contains == "" {
		return true
	}
	var in content
	if json.Unmarshal(m.content, &in) != nil {
		return false
	}
	return (c.Text == "" || in.Text == c.Text) && strings.Contains(in.Text, c.Contains)
}
