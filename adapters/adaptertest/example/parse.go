package example

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"postern/gateway"
)

// headerSignature is the HMAC-SHA256 of the body under the webhook secret, in hex.
const headerSignature = "X-Pigeon-Signature"

// Challenge reports that Pigeon checks no address.
func (a *Adapter) Challenge(gateway.Request) ([]byte, bool) { return nil, false }

// Verify checks the signature. It holds no time: what is posted again later is known by its id.
func (a *Adapter) Verify(r gateway.Request) error {
	if !hmac.Equal([]byte(r.Header.Get(headerSignature)), []byte(sign(a.secret, r.Body))) {
		return errors.New("pigeon: verify: the signature is not of this secret")
	}
	return nil
}

func sign(secret, body []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write(body) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

// Parse turns a webhook into its event.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	var in hook
	if json.Unmarshal(r.Body, &in) != nil || in.ID == "" || in.To == "" || in.From == "" || in.At <= 0 || in.At > maxTime {
		return nil, errors.New("pigeon: parse: the body is no event")
	}
	ev := gateway.Event{
		Dedupe: in.ID, Endpoint: in.To, From: in.From, At: time.Unix(in.At, 0).UTC(),
		Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: in.From},
	}
	switch {
	case in.Type == "message" && in.Text != "":
		ev.Body = gateway.Message{ID: gateway.MessageID(in.ID), Content: gateway.PlainText(in.Text)}
	case in.Type == "arrived":
		ev.Body = gateway.Status{IDs: in.Messages, State: gateway.StatusDelivered}
	case in.Type == "read":
		ev.Body = gateway.Status{IDs: in.Messages, State: gateway.StatusRead}
	default: // what has no name here is carried as such, never dropped
		ev.Body = gateway.Message{ID: gateway.MessageID(in.ID), Content: gateway.Content{Parts: []gateway.Part{gateway.UnsupportedPart{Type: in.Type}}}}
	}
	return []gateway.Event{ev}, nil
}

// maxTime is the last second that a time in JSON can have (RFC 3339 years have four digits).
const maxTime = 253402300799
