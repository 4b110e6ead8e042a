package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// folded is the key of a user-visible id within a partner.
func folded(value string) string { return strings.ToLower(value) }

// activeUser finds the enlisted subject of the assertion, and lapses it when it was away for too long.
func (s *Server) activeUser(c *call) *user {
	u := c.partner.users[folded(c.subject)]
	if u == nil {
		return nil
	}
	if u.state == "active" && !c.now.Before(u.expires) {
		u.state = "lapsed"
		u.version++
		s.emit(u.partner, "enlistment.lapsed", u, nil, map[string]any{"enlistment": u.view()})
	}
	if u.state == "lapsed" || u.state == "withdrawn" {
		return nil
	}
	u.expires = c.now.Add(inactivityDays * 24 * time.Hour)
	return u
}

type enlistmentView struct {
	ID         string        `json:"id"`
	InternalID string        `json:"internal_id"`
	Identifier Identifier    `json:"identifier"`
	Display    string        `json:"display,omitempty"`
	State      string        `json:"state"`
	Mode       string        `json:"mode"`
	Settings   settings      `json:"settings"`
	Terms      termsAccepted `json:"terms"`
	CreatedAt  string        `json:"created_at"`
	ExpiresAt  string        `json:"expires_at"`
}

func (u *user) view() enlistmentView {
	return enlistmentView{
		ID: u.enlistment, InternalID: u.internalID, Identifier: u.identifier, Display: u.display, State: u.state, Mode: "plaintext",
		Settings: u.settings, Terms: u.terms, CreatedAt: stamp(u.created), ExpiresAt: stamp(u.expires),
	}
}

func (u *user) answer(status int) answer {
	return answer{status: status, body: u.view(), etag: `"v` + strconv.Itoa(u.version) + `"`}
}

// matches checks If-Match (RFC 9110 section 13.1.1).
func (u *user) matches(r *http.Request) *problem {
	want := r.Header.Get("If-Match")
	if want == "" || want == "*" || want == `"v`+strconv.Itoa(u.version)+`"` {
		return nil
	}
	p := fail("stale_version", "the enlistment was changed since")
	p.Param = "If-Match"
	return p
}

func createEnlistment(c *call) (answer, *problem) {
	var in struct {
		Identifier Identifier
		Display    string
		Mode       string
		Terms      termsAccepted
		Settings   settings
		Proof      *codeProof
	}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	how := identifierProofs()[in.Identifier.Type]
	switch {
	case how == "":
		return answer{}, invalid("/identifier/type", "the directory says by what users are enlisted")
	case in.Proof != nil && how != "code":
		return answer{}, invalid("/proof", "nothing was sent to that")
	case folded(in.Identifier.Value) != folded(c.subject):
		p := fail("assertion_invalid", "sub is not the identifier to be enlisted")
		p.Param = "/identifier/value"
		return answer{}, p
	case in.Mode != "plaintext":
		p := fail("mode_not_allowed", "only plaintext is offered")
		p.Param = "/mode"
		return answer{}, p
	case in.Terms != c.terms:
		p := fail("terms_outdated", "the terms in force are version "+c.terms.Version)
		p.Param = "/terms"
		return answer{}, p
	}
	if how == "code" {
		if in.Proof == nil {
			return c.sendCode(in.Identifier)
		}
		if p := c.checkCode(in.Identifier, *in.Proof); p != nil {
			return answer{}, p
		}
	}
	if c.user != nil {
		return c.user.answer(http.StatusOK), nil
	}
	if len(c.users) >= c.cfg.Limits.Users {
		return answer{}, fail("rate_limited", "the sandbox holds no more users").withRetry("backoff", 0)
	}
	if old := c.partner.users[folded(c.subject)]; old != nil { // lapsed: begins anew
		c.forget(old)
	}
	u := &user{
		partner: c.partner, enlistment: newID("enl"), internalID: derivedID("usr", c.partner.ClientID, folded(c.subject)),
		identifier: in.Identifier, display: in.Display, state: "active", settings: in.Settings, terms: in.Terms, version: 1,
		created: c.now, expires: c.now.Add(inactivityDays * 24 * time.Hour), blocks: map[string]time.Time{},
	}
	c.users[u.internalID], c.enlistments[u.enlistment], c.partner.users[folded(c.subject)] = u, u, u
	c.touch()
	return u.answer(http.StatusCreated), nil
}

// own finds the enlistment of the path, which has to be the user's own: another's is as unknown as one that never was.
func (c *call) own() (*user, *problem) {
	if c.param("enlistment_id") != c.user.enlistment {
		return nil, fail("not_found", "no such enlistment")
	}
	return c.user, nil
}

func readEnlistment(c *call) (answer, *problem) {
	u, p := c.own()
	if p != nil {
		return answer{}, p
	}
	return u.answer(http.StatusOK), nil
}

func changeEnlistment(c *call) (answer, *problem) {
	u, p := c.own()
	if p == nil {
		p = u.matches(c.r)
	}
	var in struct {
		Display  *string
		Settings settings
	}
	if p == nil {
		p = c.decode(&in)
	}
	if p != nil {
		return answer{}, p
	}
	if in.Display != nil {
		u.display = *in.Display
	}
	if in.Settings.ReadReceipts != nil {
		u.settings.ReadReceipts = in.Settings.ReadReceipts
	}
	if in.Settings.Typing != nil {
		u.settings.Typing = in.Settings.Typing
	}
	u.version++
	c.touch()
	return u.answer(http.StatusOK), nil
}

func refreshEnlistment(c *call) (answer, *problem) {
	u, p := c.own()
	var in struct{ Terms *termsAccepted }
	if p == nil {
		p = c.decode(&in)
	}
	if p != nil {
		return answer{}, p
	}
	if in.Terms != nil {
		if *in.Terms != c.terms {
			return answer{}, fail("terms_outdated", "the terms in force are version "+c.terms.Version)
		}
		u.terms = *in.Terms
	}
	u.version++
	c.touch()
	return u.answer(http.StatusOK), nil
}

func withdrawEnlistment(c *call) (answer, *problem) {
	u, p := c.own()
	if p != nil {
		return answer{}, p
	}
	return c.erase(u)
}

func lookupPeople(c *call) (answer, *problem) {
	var in struct{ Items []Identifier }
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	found := make([]any, 0, len(in.Items))
	for _, item := range in.Items {
		p := c.personNamed(item)
		if !reachable(p, c.user) {
			found = append(found, map[string]string{"result": "unavailable"})
			continue
		}
		found = append(found, map[string]string{
			"result": "found", "internal_id": p.internalID(), "display": p.Display, "mode": "plaintext", "accepts": string(p.Accepts),
		})
	}
	return answer{status: http.StatusOK, body: map[string]any{"items": found}}, nil
}

func (s *Server) personNamed(i Identifier) *person {
	for _, id := range s.personOrder {
		for _, have := range s.people[id].Identifiers {
			if have.fold() == i.fold() {
				return s.people[id]
			}
		}
	}
	return nil
}
