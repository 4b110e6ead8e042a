package simulator

import (
	"net/http"
	"slices"
	"time"
)

const requestLife = 30 * 24 * time.Hour

type requestView struct {
	ID           string `json:"id"`
	To           string `json:"to"`
	State        string `json:"state"`
	Conversation string `json:"conversation,omitempty"`
	CreatedAt    string `json:"created_at"`
	ExpiresAt    string `json:"expires_at"`
}

func (c *chat) requestView(now time.Time) requestView {
	r := c.request
	v := requestView{ID: r.ID, To: c.person.internalID(), State: r.State, CreatedAt: stamp(r.Created), ExpiresAt: stamp(r.Expires)}
	switch {
	case r.State == "declined" && !c.person.TellsDecline: // a silent decline is not told
		v.State = "pending"
	case r.State == "accepted":
		v.Conversation = c.id
	}
	if v.State == "pending" && !now.Before(r.Expires) {
		v.State = "expired"
	}
	return v
}

// createContactRequest answers the same for people who cannot be reached: a request that stays pending for ever.
func createContactRequest(c *call) (answer, *problem) {
	var in struct{ To, Message string }
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	p := c.personBy(in.To)
	if !reachable(p, c.user) {
		return answer{status: http.StatusCreated, body: requestView{
			ID: derivedID("req", c.user.internalID, in.To), To: in.To, State: "pending", CreatedAt: stamp(c.now), ExpiresAt: stamp(c.now.Add(requestLife)),
		}}, nil
	}
	chat := c.chatOf(c.user, p)
	if chat == nil {
		return answer{}, fail("quota_first_contact", "the sandbox holds no more conversations").withRetry("backoff", 0)
	}
	open := chat.request != nil && chat.request.State == "pending" && c.now.Before(chat.request.Expires)
	if !open && (chat.request == nil || chat.request.State != "accepted" || !chat.granted) {
		if chat.request != nil {
			delete(c.requests, chat.request.ID)
		}
		chat.request = &contactRequest{ID: newID("req"), Message: in.Message, State: "pending", Created: c.now, Expires: c.now.Add(requestLife)}
		c.requests[chat.request.ID] = chat
		chat.welcomed = true
	}
	if chat.request.State == "pending" && (p.Accepts == AccessOpen || chat.granted) {
		c.acceptRequest(chat)
	}
	c.touch()
	return answer{status: http.StatusCreated, body: chat.requestView(c.now)}, nil
}

// acceptRequest is the person's yes.
func (s *Server) acceptRequest(c *chat) {
	c.request.State, c.granted = "accepted", true
	s.emit(c.user.partner, "contact.accepted", c.user, c, map[string]any{
		"request_id": c.request.ID, "from": c.person.internalID(), "from_display": c.person.Display, "conversation": c.id, "at": stamp(s.cfg.Now()),
	})
	s.tellPresence(c)
}

// declineRequest is the person's no, told only when the person wants that.
func (s *Server) declineRequest(c *chat) {
	c.request.State = "declined"
	if c.person.TellsDecline {
		s.emit(c.user.partner, "contact.declined", c.user, c, map[string]any{
			"request_id": c.request.ID, "from": c.person.internalID(), "at": stamp(s.cfg.Now()),
		})
	}
	s.touch()
}

func listContactRequests(c *call) (answer, *problem) {
	all := []requestView{}
	for _, chat := range slices.Backward(c.user.chats) {
		if chat.request != nil {
			all = append(all, chat.requestView(c.now))
		}
	}
	body, p := page(c, all)
	return answer{status: http.StatusOK, body: body}, p
}

func (c *call) ownRequest() (*chat, *problem) {
	chat := c.requests[c.param("request_id")]
	if chat == nil || chat.user != c.user {
		return nil, fail("not_found", "no such request")
	}
	return chat, nil
}

func readContactRequest(c *call) (answer, *problem) {
	chat, p := c.ownRequest()
	if p != nil {
		return answer{}, p
	}
	return answer{status: http.StatusOK, body: chat.requestView(c.now)}, nil
}

func cancelContactRequest(c *call) (answer, *problem) {
	chat, p := c.ownRequest()
	if p != nil {
		return answer{}, p
	}
	if chat.request.State == "pending" {
		chat.request.State = "cancelled"
		c.touch()
	}
	return answer{status: http.StatusNoContent}, nil
}

type consentView struct {
	ID        string `json:"id"`
	Requester string `json:"requester"`
	Target    string `json:"target"`
	State     string `json:"state"`
	UpdatedAt string `json:"updated_at"`
}

// Sides of a chat's two consents.
const (
	byUser   = 0 // the user is the requester
	byPerson = 1
)

func (c *chat) consentView(side int) consentView {
	v := consentView{ID: c.consents[side].id, State: c.consents[side].state, UpdatedAt: stamp(c.consents[side].updated)}
	v.Requester, v.Target = c.user.internalID, c.person.internalID()
	if side == byPerson {
		v.Requester, v.Target = v.Target, v.Requester
	}
	return v
}

func (c *chat) setConsent(side int, state string, now time.Time) {
	if c.consents[side] == nil {
		c.consents[side] = &consent{id: newID("con")}
	}
	c.consents[side].state, c.consents[side].updated = state, now
}

// changeConsent: grant and revoke are said by the target, request and cancel by the requester.
func changeConsent(c *call) (answer, *problem) {
	var in struct{ Op, Requester, Target, Group string }
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	side, other := byUser, in.Target
	if in.Op == "grant" || in.Op == "revoke" {
		side, other = byPerson, in.Requester
	}
	self := in.Requester
	if side == byPerson {
		self = in.Target
	}
	if self != c.user.internalID {
		return answer{}, fail("not_permitted", "the user of the assertion cannot say that")
	}
	state := map[string]string{"request": "requested", "cancel": "cancelled", "grant": "granted", "revoke": "revoked"}[in.Op]
	p := c.personBy(other)
	if !reachable(p, c.user) {
		return answer{status: http.StatusCreated, body: consentView{
			ID: derivedID("con", in.Requester, in.Target), Requester: in.Requester, Target: in.Target, State: state, UpdatedAt: stamp(c.now),
		}}, nil
	}
	chat := c.chatOf(c.user, p)
	if chat == nil {
		return answer{}, fail("quota_first_contact", "the sandbox holds no more conversations").withRetry("backoff", 0)
	}
	if side == byPerson {
		chat.welcomed = in.Op == "grant"
		if chat.asked != nil {
			chat.asked.State = map[bool]string{true: "accepted", false: "declined"}[chat.welcomed]
		}
	} else if in.Op == "request" && (p.Accepts == AccessOpen || chat.granted) {
		state, chat.granted = "granted", true
	}
	chat.setConsent(side, state, c.now)
	c.touch()
	return answer{status: http.StatusCreated, body: chat.consentView(side)}, nil
}

func listConsents(c *call) (answer, *problem) {
	body, p := page(c, c.user.consentViews())
	return answer{status: http.StatusOK, body: body}, p
}

func (u *user) consentViews() []consentView {
	all := []consentView{}
	for _, chat := range u.chats {
		for side := range chat.consents {
			if chat.consents[side] != nil {
				all = append(all, chat.consentView(side))
			}
		}
	}
	return all
}

func revokeConsent(c *call) (answer, *problem) {
	for _, chat := range c.user.chats {
		for side, consent := range chat.consents {
			if consent == nil || consent.id != c.param("consent_id") {
				continue
			}
			if side == byPerson {
				chat.welcomed = false
			}
			chat.setConsent(side, map[int]string{byUser: "cancelled", byPerson: "revoked"}[side], c.now)
			c.touch()
			return answer{status: http.StatusNoContent}, nil
		}
	}
	return answer{}, fail("not_found", "no such consent")
}
