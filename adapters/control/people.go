package control

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

func person(id, rest string) string { return "/people/" + url.PathEscape(id) + rest }

func user(id, rest string) string {
	if id == "" {
		id = "-"
	}
	return "/users/" + url.PathEscape(id) + rest
}

func message(id, rest string) string { return "/messages/" + url.PathEscape(id) + rest }

// PutPerson adds or replaces a person.
func (c *Client) PutPerson(ctx context.Context, p Person) error {
	return c.Do(ctx, http.MethodPut, person(p.ID, ""), p, nil)
}

// ChangePerson changes parts of a person, by their names in JSON.
func (c *Client) ChangePerson(ctx context.Context, id string, parts map[string]any) (Person, error) {
	return get[Person](ctx, c, http.MethodPatch, person(id, ""), parts)
}

// Say lets a person write a text to an account or into a chat.
func (c *Client) Say(ctx context.Context, who, to, text string) (Said, error) {
	return c.SayContent(ctx, who, SayIn{To: to, Text: text})
}

// SayContent lets a person send anything.
func (c *Client) SayContent(ctx context.Context, who string, in SayIn) (Said, error) {
	return get[Said](ctx, c, http.MethodPost, person(who, "/messages"), in)
}

// Open begins the chat of a person with an account, with an invite token or without.
func (c *Client) Open(ctx context.Context, who, to, token string) (Opened, error) {
	return get[Opened](ctx, c, http.MethodPost, person(who, "/open"), OpenIn{To: to, Token: token})
}

// OpenLink follows an invite link; what the link says is said.
func (c *Client) OpenLink(ctx context.Context, who, link string) (Opened, error) {
	return get[Opened](ctx, c, http.MethodPost, person(who, "/open"), OpenIn{URL: link})
}

// Type shows a person as typing or not.
func (c *Client) Type(ctx context.Context, who, to string, on bool) error {
	state := "paused"
	if on {
		state = "composing"
	}
	return c.Do(ctx, http.MethodPost, person(who, "/typing"), map[string]string{"to": to, "state": state}, nil)
}

// Read lets a person read everything that an account wrote.
func (c *Client) Read(ctx context.Context, who, to string) error {
	return c.Do(ctx, http.MethodPost, person(who, "/read"), ReadIn{To: to}, nil)
}

// Block lets a person block an account or not any more.
func (c *Client) Block(ctx context.Context, who, to string, on bool) error {
	return c.Do(ctx, http.MethodPut, person(who, "/block"), map[string]any{"to": to, "blocked": on}, nil)
}

// Call is a call of a person; the result is its id.
func (c *Client) Call(ctx context.Context, who string, in CallIn) (string, error) {
	out, err := get[struct {
		CallID string `json:"call_id"`
	}](ctx, c, http.MethodPost, person(who, "/calls"), in)
	return out.CallID, err
}

// Edit changes the text of what a person said.
func (c *Client) Edit(ctx context.Context, id, text string) error {
	return c.Do(ctx, http.MethodPatch, message(id, ""), map[string]string{"text": text}, nil)
}

// Retract takes back what a person said.
func (c *Client) Retract(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, message(id, ""), nil, nil)
}

// React sets all reactions of the person of a chat on a message; none takes them back.
func (c *Client) React(ctx context.Context, id string, emojis ...string) error {
	return c.Do(ctx, http.MethodPut, message(id, "/reactions"), map[string]any{"emojis": append([]string{}, emojis...)}, nil)
}

// Fail makes an account's message fail after it was accepted.
func (c *Client) Fail(ctx context.Context, id, code string) error {
	return c.Do(ctx, http.MethodPost, message(id, "/fail"), map[string]string{"code": code}, nil)
}

// SetStatus moves an account's message to delivered, read or failed and tells that alone.
func (c *Client) SetStatus(ctx context.Context, id, status, code string) error {
	return c.Do(ctx, http.MethodPut, message(id, "/status"), map[string]string{"status": status, "code": code}, nil)
}

// PutAccount adds or replaces an account.
func (c *Client) PutAccount(ctx context.Context, a Account) error {
	return c.Do(ctx, http.MethodPut, user(a.ID, ""), a, nil)
}

// SetAccountState makes an account active, revoked, subscribed or unsubscribed.
func (c *Client) SetAccountState(ctx context.Context, id, state string) error {
	return c.Do(ctx, http.MethodPut, user(id, "/state"), map[string]string{"state": state}, nil)
}

// SayByHand lets an account's owner write to a person in the platform's own app.
func (c *Client) SayByHand(ctx context.Context, account string, in SayIn) (Said, error) {
	return get[Said](ctx, c, http.MethodPost, user(account, "/messages"), in)
}

// Tell tells an account something as it is.
func (c *Client) Tell(ctx context.Context, account, typ string, body any) error {
	return c.Do(ctx, http.MethodPost, user(account, "/updates"), map[string]any{"type": typ, "body": body}, nil)
}

// PutGroup makes a group.
func (c *Client) PutGroup(ctx context.Context, in GroupIn) (Chat, error) {
	return get[Chat](ctx, c, http.MethodPost, "/groups", in)
}

// Join brings a person into a group or out of it; an empty person is the account.
func (c *Client) Join(ctx context.Context, chat, who string, in bool) error {
	return c.Do(ctx, http.MethodPut, "/groups/"+url.PathEscape(chat)+"/members", map[string]any{"person": who, "in": in}, nil)
}

// Make makes a file for a person to send.
func (c *Client) Make(ctx context.Context, in MediaIn) (MediaPart, error) {
	return get[MediaPart](ctx, c, http.MethodPost, "/media", in)
}

// Upload is Make with bytes.
func (c *Client) Upload(ctx context.Context, r io.Reader, typ, name string) (MediaPart, error) {
	var out MediaPart
	err := c.send(ctx, http.MethodPost, "/media?"+url.Values{"name": {name}}.Encode(), typ, r, &out)
	return out, err
}
