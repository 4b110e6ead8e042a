package telegram

import (
	"encoding/json"
	"strconv"

	"postern/gateway"
)

// parseMyMember: in private a person blocks the bot ("kicked") or lets it again ("member"); elsewhere the bot comes or goes.
func parseMyMember(raw json.RawMessage, bot gateway.Endpoint) ([]gateway.Event, error) {
	u, e, err := readMember(raw)
	if err != nil {
		return nil, err
	}
	if e.Chat.Kind == gateway.ChatGroup {
		u.New.User.ID, u.Old.User.ID = 0, 0
		if n, err := strconv.ParseInt(string(bot), 10, 64); err == nil {
			u.New.User.ID = n
		}
		return moved(u, e), nil
	}
	e.From = e.Chat.Contact
	consent := gateway.ConsentDeclined
	if u.New.in() {
		consent = gateway.ConsentAccepted
	}
	update := gateway.ContactUpdate{Consent: consent}
	if name := fullName(u.From.FirstName, u.From.LastName); name != "" {
		update.Name = &name
	}
	e.Body = update
	return []gateway.Event{e}, nil
}

func parseMember(raw json.RawMessage, _ gateway.Endpoint) ([]gateway.Event, error) {
	u, e, err := readMember(raw)
	if err != nil || e.Chat.Kind == gateway.ChatDirect {
		return nil, err
	}
	return moved(u, e), nil
}

func readMember(raw json.RawMessage) (memberUpdated, gateway.Event, error) {
	var u memberUpdated
	if json.Unmarshal(raw, &u) != nil || u.Chat.ID == 0 || u.New.Status == "" {
		return u, gateway.Event{}, errBadJSON
	}
	return u, gateway.Event{Chat: chatOf(u.Chat), From: contactID(u.From.ID), At: unix(u.Date)}, nil
}

// moved makes a MemberUpdate where somebody came or went; another change of rights is none.
func moved(u memberUpdated, e gateway.Event) []gateway.Event {
	who := []gateway.ContactID{contactID(u.New.User.ID)}
	switch {
	case u.New.in() == u.Old.in() || u.New.User.ID == 0:
		return nil
	case u.New.in():
		e.Body = gateway.MemberUpdate{Joined: who}
	default:
		e.Body = gateway.MemberUpdate{Left: who}
	}
	return []gateway.Event{e}
}

// in says whether a status is a member's.
func (s memberStatus) in() bool {
	switch s.Status {
	case "creator", "administrator", "member":
		return true
	case "restricted":
		return s.IsMember
	}
	return false
}

// membership reads the service messages of a group that change who is in it or what it is called.
func membership(m message) (gateway.MemberUpdate, bool) {
	var u gateway.MemberUpdate
	for _, p := range m.NewMembers {
		u.Joined = append(u.Joined, contactID(p.ID))
	}
	if m.LeftMember != nil {
		u.Left = append(u.Left, contactID(m.LeftMember.ID))
	}
	if m.NewTitle != "" {
		u.Name = &m.NewTitle
	}
	return u, len(u.Joined)+len(u.Left) > 0 || u.Name != nil
}
