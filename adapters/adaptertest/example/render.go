package example

import (
	"unicode/utf8"

	"postern/gateway"
)

// render makes the request of an op. What Caps does not offer is refused here: the core may be older than what it learned.
func render(op gateway.Op) (message, error) {
	m, ok := op.Body.(gateway.OpMessage)
	if !ok || op.Chat.Kind != gateway.ChatDirect || m.ReplyTo != nil || len(m.Content.Parts) != 1 {
		return message{}, refuse("op")
	}
	text, ok := m.Content.Parts[0].(gateway.Text)
	if !ok || utf8.RuneCountInString(text.Text) > maxText {
		return message{}, refuse("content")
	}
	return message{To: string(op.Chat.Contact), Text: text.Text}, nil
}
