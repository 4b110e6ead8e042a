package gateway

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxSessions is how many dialogues a user may have open; a new one pushes the oldest out. maxPast is how many steps a
// dialogue can go back.
const (
	maxSessions = 5
	maxPast     = 8
)

// session is an unfinished dialogue. Its record is sealed with the operator key, expires by itself, and stands under its
// user, so that no id opens another user's.
type session struct {
	ID      string    `json:"id"`
	Node    string    `json:"node"`
	Adapter AdapterID `json:"adapter"`
	Lang    string    `json:"lang,omitempty"`
	Step    step      `json:"step"`
	Past    []step    `json:"past,omitempty"`
	// Account is what a registration will make or renew.
	Account AccountID `json:"account,omitempty"`
	// Adding is true when it is to be one more account.
	Adding bool `json:"adding,omitempty"`
	// Consent is the receipt of the agreement that was given in this dialogue.
	Consent string       `json:"consent,omitempty"`
	Chat    chatProgress `json:"chat"`
}

// chatProgress is how far a chat, which asks one question at a time, got within a step.
type chatProgress struct {
	At  int               `json:"at,omitempty"`
	Got map[string]string `json:"got,omitempty"`
}

// sessionID returns the public name of a dialogue: a ULID and a MAC that binds it to its user and component. The MAC tells
// a dialogue that is over from one that never was without keeping anything.
func (d *Desk) sessionID(v Visitor, id string) string {
	return id + "-" + d.cfg.Keyring.Name("session", string(v.Adapter), string(v.User), id)
}

// openSession stores a new dialogue.
func (d *Desk) openSession(ctx context.Context, v Visitor, s *session) error {
	open, err := d.sessionIndex(ctx, v)
	if err != nil {
		return err
	}
	name := strings.ToLower(newULID())
	s.ID = d.sessionID(v, name)
	set, err := d.sessionChange(v, s)
	if err != nil {
		return err
	}
	changes := []Change{set}
	for open = append(open, name); len(open) > maxSessions; open = open[1:] {
		changes = append(changes, Change{Kind: RecordSession, Name: open[0]})
	}
	index, err := json.Marshal(open)
	if err != nil {
		return err
	}
	changes = append(changes, d.sealSession(v, sessionIndexName, index))
	if err := d.cfg.Store.Save(ctx, d.userOwner(v), changes...); err != nil {
		return fmt.Errorf("gateway: desk: save dialogue: %w", err)
	}
	return nil
}

// loadSession returns the dialogue that an id names. The refusal is session-expired for one that ended, ran out or was
// pushed out, and bad-sessionid for anything else, another user's included.
func (d *Desk) loadSession(ctx context.Context, v Visitor, id string) (*session, error) {
	name, _, ok := strings.Cut(id, "-")
	if !ok || !hmac.Equal([]byte(d.sessionID(v, name)), []byte(id)) {
		return nil, d.sessionError(v, BadSessionID, BadRequest, textBadSession)
	}
	plain, err := d.loadSealed(ctx, v, name)
	if err != nil {
		return nil, err
	}
	if plain == nil {
		return nil, d.sessionError(v, SessionExpired, NotAllowed, textSessionExpired)
	}
	s := &session{}
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, fmt.Errorf("gateway: desk: dialogue: %w", err)
	}
	return s, nil
}

// saveSession stores a dialogue's progress and gives it its full time again.
func (d *Desk) saveSession(ctx context.Context, v Visitor, s *session) error {
	set, err := d.sessionChange(v, s)
	if err != nil {
		return err
	}
	if err := d.cfg.Store.Save(ctx, d.userOwner(v), set); err != nil {
		return fmt.Errorf("gateway: desk: save dialogue: %w", err)
	}
	return nil
}

// closeSession forgets a dialogue.
func (d *Desk) closeSession(ctx context.Context, v Visitor, s *session) error {
	name, _, _ := strings.Cut(s.ID, "-")
	open, err := d.sessionIndex(ctx, v)
	if err != nil {
		return err
	}
	index, err := json.Marshal(slices.DeleteFunc(open, func(n string) bool { return n == name }))
	if err != nil {
		return err
	}
	err = d.cfg.Store.Save(ctx, d.userOwner(v), Change{Kind: RecordSession, Name: name}, d.sealSession(v, sessionIndexName, index))
	if err != nil {
		return fmt.Errorf("gateway: desk: close dialogue: %w", err)
	}
	return nil
}

// chatSession returns the dialogue that a visitor's chat is in, nil when there is none.
func (d *Desk) chatSession(ctx context.Context, v Visitor) (*session, error) {
	id, err := d.loadSealed(ctx, v, d.chatName(v))
	if err != nil || id == nil {
		return nil, err
	}
	s, err := d.loadSession(ctx, v, string(id))
	if isRefusal(err) {
		return nil, nil // it ended elsewhere, or ran out
	}
	return s, err
}

// setChatSession makes a dialogue the one that the visitor's chat is in; the empty id ends that.
func (d *Desk) setChatSession(ctx context.Context, v Visitor, id string) error {
	set := Change{Kind: RecordSession, Name: d.chatName(v)}
	if id != "" {
		set = d.sealSession(v, set.Name, []byte(id))
	}
	if err := d.cfg.Store.Save(ctx, d.userOwner(v), set); err != nil {
		return fmt.Errorf("gateway: desk: save chat: %w", err)
	}
	return nil
}

// sessionIndexName is the record that lists a user's open dialogues, oldest first: expiring records are not listed.
const sessionIndexName = "open"

func (d *Desk) sessionIndex(ctx context.Context, v Visitor) ([]string, error) {
	plain, err := d.loadSealed(ctx, v, sessionIndexName)
	if err != nil || plain == nil {
		return nil, err
	}
	var open []string
	if err := json.Unmarshal(plain, &open); err != nil {
		return nil, fmt.Errorf("gateway: desk: dialogue index: %w", err)
	}
	return open, nil
}

func (d *Desk) sessionChange(v Visitor, s *session) (Change, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return Change{}, err
	}
	name, _, _ := strings.Cut(s.ID, "-")
	return d.sealSession(v, name, plain), nil
}

func (d *Desk) sealSession(v Visitor, name string, plain []byte) Change {
	return Change{
		Kind: RecordSession, Name: name, TTL: SessionTTL,
		Value: d.cfg.Keyring.operator.Seal(d.sessionPlace(v, name), plain),
	}
}

func (d *Desk) loadSealed(ctx context.Context, v Visitor, name string) ([]byte, error) {
	got, err := d.cfg.Store.Load(ctx, RecordKey{d.userOwner(v), RecordSession, name})
	if err != nil {
		return nil, fmt.Errorf("gateway: desk: load dialogue: %w", err)
	}
	if got[0] == nil {
		return nil, nil
	}
	return d.cfg.Keyring.operator.Open(d.sessionPlace(v, name), got[0])
}

func (d *Desk) sessionPlace(v Visitor, name string) string {
	return string(d.userOwner(v)) + "/session/" + name
}

func (d *Desk) chatName(v Visitor) string { return d.cfg.Keyring.Name("chat", string(v.Adapter)) }

func (d *Desk) userOwner(v Visitor) Owner { return d.cfg.Keyring.userOwner(v.User) }
