package simulator

import (
	"net/http"
	"time"

	"postern/adapters/internal/sandbox"
)

type profileView struct {
	InternalID string     `json:"internal_id"`
	Display    string     `json:"display,omitempty"`
	Avatar     *mediaView `json:"avatar,omitempty"`
}

func (s *Server) profileView(p *person) profileView {
	v := profileView{InternalID: p.internalID(), Display: p.Display}
	if m := s.media[p.Avatar]; m != nil {
		avatar := m.view()
		v.Avatar = &avatar
	}
	return v
}

// knows says whether a person shows their name and picture to a user: who takes messages from everybody does, others to contacts.
func (s *Server) knows(u *user, p *person) bool {
	if !reachable(p, u) {
		return false
	}
	c := s.chats[derivedID("cnv", u.internalID, p.internalID())]
	return p.Accepts == AccessOpen || c != nil && c.granted
}

func readProfile(c *call) (answer, *problem) {
	p := c.personBy(c.param("internal_id"))
	if p == nil || !c.knows(c.user, p) {
		return answer{}, fail("unavailable", "the person cannot be reached")
	}
	return answer{status: http.StatusOK, body: c.profileView(p)}, nil
}

// tellProfile says to every user who knows a person how they look now.
func (s *Server) tellProfile(p *person) {
	for _, c := range p.chats {
		if s.knows(c.user, p) && c.heard() {
			s.emit(c.user.partner, "profile.updated", c.user, c, map[string]any{"profile": s.profileView(p), "at": stamp(s.cfg.Now())})
		}
	}
}

// presence is whether a person is there.
type presence struct {
	Available bool       `json:"available"`
	LastSeen  *time.Time `json:"last_seen,omitempty"`
}

// putPresence lets a person come or go; who goes was last seen now, unless it is said when.
func putPresence(c *controlCall) (any, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	var in presence
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if now := c.cfg.Now(); !in.Available && in.LastSeen == nil {
		in.LastSeen = &now
	}
	p.presence = &in
	for _, chat := range p.chats {
		c.tellPresence(chat)
	}
	c.touch()
	return in, nil
}

// tellPresence says to one user whether a person is there, where that person was ever told to be.
func (s *Server) tellPresence(c *chat) {
	p := c.person
	if p.presence == nil || !s.knows(c.user, p) || !c.heard() {
		return
	}
	data := map[string]any{"from": p.internalID(), "available": p.presence.Available}
	if p.presence.LastSeen != nil {
		data["last_seen"] = stamp(*p.presence.LastSeen)
	}
	s.emit(c.user.partner, "presence.changed", c.user, c, data)
}

// postCall tells a user of a call: without call_id a new one.
func postCall(c *controlCall) (any, error) {
	var in struct {
		To        string `json:"to"`
		CallID    string `json:"call_id"`
		State     string `json:"state"`
		Video     bool   `json:"video"`
		DurationS int    `json:"duration_s"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	if in.State != "ringing" && in.State != "missed" && in.State != "ended" {
		return nil, sandbox.Wrong("state: want ringing, missed or ended")
	}
	or(&in.CallID, newID("call"))
	data := map[string]any{
		"call_id": in.CallID, "conversation": chat.id, "from": chat.person.internalID(), "state": in.State, "video": in.Video, "at": stamp(c.cfg.Now()),
	}
	if in.State == "ended" {
		data["duration_s"] = in.DurationS
	}
	if chat.heard() {
		c.emit(chat.user.partner, "call.changed", chat.user, chat, data)
	}
	return map[string]string{"call_id": in.CallID}, nil
}
