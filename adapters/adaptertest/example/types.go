package example

import "postern/gateway"

// message is the body of POST /v2/messages.
type message struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// hook is the body of a webhook.
type hook struct {
	ID       string              `json:"id"`
	Type     string              `json:"type"`
	To       gateway.Endpoint    `json:"to"`
	From     gateway.ContactID   `json:"from"`
	At       int64               `json:"at"` // Unix seconds
	Text     string              `json:"text"`
	Messages []gateway.MessageID `json:"messages"`
}

// failure is the body of an error.
type failure struct {
	Error string `json:"error"`
}
