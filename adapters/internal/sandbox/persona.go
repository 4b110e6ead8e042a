package sandbox

import "postern/adapters/control"

// perform lets the person act on a message of an account.
func (st *State) perform(m *Message) {
	p := m.Chat.Person
	switch {
	case p == nil: // a group
	case p.Absent:
		st.Fail(m, "absent")
	case p.Persona == control.PersonaEcho:
		st.ReadAll(m.Chat, m)
		st.echo(m)
	case p.Persona == control.PersonaSlow:
		step := st.s.cfg.SlowDelay
		st.After(step, func() { st.deliver(m.Chat, []*Message{m}) })
		st.After(2*step, func() {
			st.ReadAll(m.Chat, m)
			st.Type(m.Chat, p, true)
		})
		st.After(3*step, func() { st.echo(m) })
	case p.Persona == control.PersonaNone && !m.Chat.Blocked:
		st.deliver(m.Chat, []*Message{m})
	}
}

// echo says the same, and chooses the first of what is offered.
func (st *State) echo(m *Message) {
	if st.messages[m.ID] != m || m.Retracted || m.Chat.Blocked {
		return
	}
	say, replyTo := m.Content, ""
	switch {
	case say.Poll != nil && len(say.Poll.Options) > 0:
		say, replyTo = Content{Answer: &ChoiceAnswer{Choices: say.Poll.Options[:1]}}, m.ID
	case say.Interactive != nil && len(say.Interactive.Choices) > 0:
		say, replyTo = Content{Answer: &ChoiceAnswer{Choices: say.Interactive.Choices[:1]}}, m.ID
	}
	say.Raw = nil
	_, _ = st.Say(m.Chat, m.Chat.Person, say, replyTo) // only groups refuse, and a group has no persona
}
