package gateway

import "fmt"

// pack is the payload of an entry in an `out` queue.
func (o *Outbound) pack() ([]byte, error) {
	p := packer(make([]byte, 1, 512))
	p[0] = packVersion
	p.text(string(o.Adapter))
	p.text(string(o.Account))
	p.text(string(o.Alias))
	p.text(string(o.User))
	p.text(o.Resource)
	p.text(string(o.Stanza))
	p.text(string(o.Origin))
	p.flags(o.Receipt, o.Markable)
	p.text(string(o.Op.ID))
	p.chat(o.Op.Chat)
	p.moment(o.Op.At)
	p.text(o.Op.Lang)
	p.moment(o.Op.LastInbound)
	err := p.opBody(o.Op.Body)
	p.moment(o.Sent)
	p.text(string(o.Trace))
	return p, err
}

func (o *Outbound) unpack(u *unpacker) {
	o.Adapter, o.Account, o.Alias = AdapterID(u.text()), AccountID(u.text()), Alias(u.text())
	o.User, o.Resource = UserID(u.text()), u.text()
	o.Stanza, o.Origin = StanzaID(u.text()), StanzaID(u.text())
	u.flags(&o.Receipt, &o.Markable)
	o.Op.ID, o.Op.Chat = OpID(u.text()), u.chat()
	o.Op.At, o.Op.Lang, o.Op.LastInbound = u.moment(), u.text(), u.moment()
	o.Op.Body = u.opBody()
	o.Sent, o.Trace = u.moment(), TraceContext(u.text()).bounded()
}

// pack is the payload of an entry in an `in` queue.
func (i *Inbound) pack() ([]byte, error) {
	ev := &i.Event
	p := packer(make([]byte, 1, 512))
	p[0] = packVersion
	p.text(string(i.Adapter))
	p.text(string(i.Account))
	p.text(string(i.Alias))
	p.text(ev.Dedupe)
	p.text(string(ev.Endpoint))
	p.chat(ev.Chat)
	p.text(string(ev.From))
	packTexts(&p, ev.Also)
	p.text(ev.Invite)
	p.flags(ev.FromMe)
	p.moment(ev.At)
	p.number(ev.Seq)
	p.text(ev.Lang)
	err := p.eventBody(ev.Body)
	p.text(string(i.Trace))
	return p, err
}

func (i *Inbound) unpack(u *unpacker) {
	ev := &i.Event
	i.Adapter, i.Account, i.Alias = AdapterID(u.text()), AccountID(u.text()), Alias(u.text())
	ev.Dedupe, ev.Endpoint, ev.Chat = u.text(), Endpoint(u.text()), u.chat()
	ev.From, ev.Also, ev.Invite = ContactID(u.text()), unpackTexts[ContactID](u), u.text()
	u.flags(&ev.FromMe)
	ev.At, ev.Seq, ev.Lang = u.moment(), u.number(), u.text()
	ev.Body = u.eventBody()
	i.Trace = TraceContext(u.text()).bounded()
}

func (p *packer) chat(c Chat) {
	p.text(string(c.ID))
	p.text(string(c.Kind))
	p.text(string(c.Contact))
}

func (u *unpacker) chat() Chat {
	return Chat{ID: ChatID(u.text()), Kind: ChatKind(u.text()), Contact: ContactID(u.text())}
}

// opBody writes a message in a form of its own, and anything else as JSON.
func (p *packer) opBody(b OpBody) error {
	kind := OpKind(b)
	if kind == "" {
		return fmt.Errorf("gateway: encode: %T is not of the closed set", b)
	}
	p.text(kind)
	m, ok := b.(OpMessage)
	if !ok {
		return p.json(b)
	}
	p.target(m.ReplyTo)
	return p.content(m.Content)
}

func (u *unpacker) opBody() OpBody {
	kind := u.text()
	if kind != "message" {
		return oneOf(u, opKinds, kind)
	}
	return OpMessage{ReplyTo: u.target(), Content: u.content()}
}

// eventBody writes messages and statuses, which are most of what comes, in a form of their own.
func (p *packer) eventBody(b EventBody) error {
	kind := EventKind(b)
	if kind == "" {
		return fmt.Errorf("gateway: encode: %T is not of the closed set", b)
	}
	p.text(kind)
	switch b := b.(type) {
	case Message:
		p.text(string(b.ID))
		p.text(b.Name)
		p.target(b.ReplyTo)
		return p.content(b.Content)
	case Status:
		packTexts(p, b.IDs)
		p.text(string(b.Ref))
		p.text(string(b.State))
		p.moment(b.Through)
		p.flags(b.Failure != nil)
		if b.Failure == nil {
			return nil
		}
		return p.json(b.Failure)
	case Edited, Retracted, Reacted, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return p.json(b)
}

func (u *unpacker) eventBody() EventBody {
	switch kind := u.text(); kind {
	case "message":
		return Message{ID: MessageID(u.text()), Name: u.text(), ReplyTo: u.target(), Content: u.content()}
	case "status":
		s := Status{IDs: unpackTexts[MessageID](u), Ref: OpID(u.text()), State: StatusState(u.text()), Through: u.moment()}
		var failed bool
		if u.flags(&failed); failed {
			s.Failure = new(Failure)
			u.json(s.Failure)
		}
		return s
	default:
		return oneOf(u, eventKinds, kind)
	}
}

func (p *packer) target(t *Target) {
	p.flags(t != nil, t != nil && t.Mine)
	if t == nil {
		return
	}
	packTexts(p, t.IDs)
	p.text(string(t.Stanza))
	p.moment(t.At)
	p.text(t.Excerpt)
}

func (u *unpacker) target() *Target {
	var there, mine bool
	if u.flags(&there, &mine); !there {
		return nil
	}
	return &Target{Mine: mine, IDs: unpackTexts[MessageID](u), Stanza: StanzaID(u.text()), At: u.moment(), Excerpt: u.text()}
}

// plainKind is the kind of a Text that is nothing but its words, which stand there as they are.
const plainKind = "plain"

func (p *packer) content(c Content) error {
	p.number(int64(len(c.Parts)))
	for _, part := range c.Parts {
		if t, ok := part.(Text); ok && len(t.Spans) == 0 && len(t.Previews) == 0 {
			p.text(plainKind)
			p.text(t.Text)
			continue
		}
		kind := PartKind(part)
		if kind == "" {
			return fmt.Errorf("gateway: encode: %T is not of the closed set", part)
		}
		p.text(kind)
		if err := p.json(part); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) content() Content {
	parts := make([]Part, u.count())
	for i := range parts {
		if kind := u.text(); kind == plainKind {
			parts[i] = Text{Text: u.text()}
		} else {
			parts[i] = oneOf(u, partKinds, kind)
		}
	}
	return Content{Parts: parts}
}

func packTexts[T ~string](p *packer, list []T) {
	p.number(int64(len(list)))
	for _, s := range list {
		p.text(string(s))
	}
}

func unpackTexts[T ~string](u *unpacker) []T {
	n := u.count()
	if n == 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = T(u.text())
	}
	return list
}
