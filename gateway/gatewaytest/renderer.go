package gatewaytest

import (
	"fmt"
	"strings"

	"postern/gateway"
)

// Renderer renders what a user is shown as one readable line per stanza, so that tests of the delivery path can compare it.
type Renderer struct{}

// Render implements gateway.Renderer.
func (Renderer) Render(r gateway.Rendering) ([][]byte, error) {
	head := fmt.Sprintf("%s@%s -> %s", r.From, r.Component, r.To)
	if r.From == "" {
		head = fmt.Sprintf("%s -> %s", r.Component, r.To)
	}
	if r.Own {
		head = fmt.Sprintf("%s -> %s@%s", r.To, r.From, r.Component)
	}
	if r.Resource != "" {
		head += "/" + r.Resource
	}
	line := func(format string, args ...any) [][]byte {
		return [][]byte{[]byte(head + ": " + fmt.Sprintf(format, args...))}
	}
	switch w := r.What.(type) {
	case gateway.ShowMessage:
		return line("message %s %q", w.IDs[0], text(w.Content)), nil
	case gateway.ShowEdit:
		return line("edit of %s %q", w.Of, text(w.Content)), nil
	case gateway.ShowRetract:
		return line("retract %s", w.Of), nil
	case gateway.ShowReact:
		return line("react to %s %s", w.Of, strings.Join(w.Emojis, " ")), nil
	case gateway.ShowReceipt:
		return line("receipt for %s", w.Of), nil
	case gateway.ShowDisplayed:
		return line("displayed %s", w.Of), nil
	case gateway.ShowTyping:
		return line("typing %v", w.On), nil
	case gateway.ShowError:
		return line("error %s for %s", w.Refusal.Condition, w.Of), nil
	case gateway.ShowSubscription:
		return line("%s %s", w.Verb, w.Name), nil
	case gateway.ShowPresence:
		if w.Avatar != "" {
			return line("presence available=%v away=%v avatar=%s", w.Available, w.Away, w.Avatar), nil
		}
		return line("presence available=%v away=%v", w.Available, w.Away), nil
	case gateway.ShowAvatar:
		return line("avatar %s", w.Avatar.SHA1), nil
	case gateway.ShowNick:
		return line("nick %s", w.Name), nil
	case gateway.ShowContacts:
		return line("contacts %d", len(w.Items)), nil
	case gateway.ShowRoster:
		return line("roster add=%v", w.Add), nil
	case gateway.ShowProbe:
		return line("probe"), nil
	}
	return nil, fmt.Errorf("gatewaytest: nothing renders %T", r.What)
}

func text(c gateway.Content) string {
	var parts []string
	for _, p := range c.Parts {
		if t, ok := p.(gateway.Text); ok {
			parts = append(parts, t.Text)
			continue
		}
		parts = append(parts, "["+gateway.PartKind(p)+"]")
	}
	return strings.Join(parts, "|")
}
