package xmpp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"postern/gateway"
)

// contactResource is the one resource that every contact speaks from. Clients
// match corrections on the full JID and read caps from it, so it never changes.
const contactResource = "gateway"

var _ gateway.Renderer = Renderer{}

// errNoStanzaID is a Rendering of a message without the id it must have.
var errNoStanzaID = errors.New("no stanza id")

// Renderer implements gateway.Renderer: the same Rendering gives the same bytes.
// The zero value speaks English and announces no caps.
type Renderer struct {
	texts    *gateway.Texts
	profiles map[string]*profile // by component domain
}

// NewRenderer returns a renderer that speaks from a catalogue and announces in
// presence (XEP-0115) what the given instances' chats support.
func NewRenderer(texts *gateway.Texts, instances ...gateway.Instance) Renderer {
	r := Renderer{texts: texts, profiles: make(map[string]*profile, len(instances))}
	for _, i := range instances {
		r.profiles[i.Component] = newProfile(i.Component, i.Name, i.Adapter.Descriptor(), i.Contacts)
	}
	return r
}

// SetContacts changes the operator's addresses in what a component announces (XEP-0115) from now on.
func (r Renderer) SetContacts(component string, contacts map[string][]string) {
	if p := r.profiles[component]; p != nil {
		p.setContacts(contacts)
	}
}

// stanzaRoom is what a message of a line or two takes, in bytes.
const stanzaRoom = 512

// Render returns the stanzas that show r, in order. An error means that r names
// an address that is none or a message without an id.
func (r Renderer) Render(g gateway.Rendering) ([][]byte, error) {
	els, err := r.elements(g)
	if err != nil {
		return nil, fmt.Errorf("xmpp: render: %w", err)
	}
	out := make([][]byte, len(els))
	for i, el := range els {
		out[i] = el.AppendTo(make([]byte, 0, stanzaRoom))
	}
	return out, nil
}

// speaker holds the addresses of one Rendering.
type speaker struct {
	full, bare    JID // of who speaks: the contact, or the component for the gateway itself
	to            JID
	user, contact JID // whoever of them speaks
}

// author is who wrote an earlier message.
func (s speaker) author(mine bool) JID {
	if mine {
		return s.user
	}
	return s.contact
}

func speakerOf(g gateway.Rendering) (speaker, error) {
	var s speaker
	var err error
	if s.to, err = ParseJID(string(g.To)); err != nil {
		return s, err
	}
	if g.Resource != "" {
		if s.to, err = s.to.WithResource(g.Resource); err != nil {
			return s, err
		}
	}
	if g.From == "" {
		s.bare, err = ParseJID(g.Component)
		s.full, s.user, s.contact = s.bare, s.to.Bare(), s.bare
		return s, err
	}
	local := g.From
	if g.Local != "" {
		local = g.Local
	}
	if s.bare, err = NewJID(string(local), g.Component, ""); err != nil {
		return s, err
	}
	s.full, err = s.bare.WithResource(contactResource)
	s.user, s.contact = s.to.Bare(), s.full
	if g.Own {
		// XEP-0356 §6.2: from the user's bare address. To the contact's, so that clients file it in the right chat.
		s.full, s.bare, s.to = s.user, s.user, s.contact.Bare()
	}
	return s, err
}

// ownable tells whether a user does such a thing in the platform's own app.
func ownable(g gateway.Rendering) bool {
	switch g.What.(type) {
	case gateway.ShowMessage, gateway.ShowEdit, gateway.ShowRetract, gateway.ShowReact, gateway.ShowDisplayed:
		return g.From != ""
	case gateway.ShowAvatar, gateway.ShowContacts, gateway.ShowError, gateway.ShowNick, gateway.ShowPresence, gateway.ShowProbe,
		gateway.ShowReceipt, gateway.ShowRoster, gateway.ShowSubscription, gateway.ShowTyping:
	}
	return false
}

func (r Renderer) elements(g gateway.Rendering) ([]*Element, error) {
	if g.Own && !ownable(g) {
		return nil, fmt.Errorf("%T is nothing that a user says", g.What)
	}
	s, err := speakerOf(g)
	if err != nil {
		return nil, err
	}
	one := func(el *Element, err error) ([]*Element, error) { return []*Element{el}, err }
	switch w := g.What.(type) {
	case gateway.ShowMessage:
		return r.messages(g, s, w)
	case gateway.ShowEdit:
		return r.edit(g, s, w)
	case gateway.ShowRetract:
		return one(r.retraction(g, s, w))
	case gateway.ShowReact:
		return r.reactions(g, s, w)
	case gateway.ShowReceipt:
		return one(stored(s, w.ID, NewElement(nsReceipts, "received", "id", string(w.Of))))
	case gateway.ShowDisplayed:
		return one(stored(s, w.ID, NewElement(nsChatMarkers, "displayed", "id", string(w.Of))))
	case gateway.ShowTyping:
		return one(typing(s, w), nil)
	case gateway.ShowError:
		return one(r.failure(g, s, w), nil)
	case gateway.ShowSubscription:
		return one(subscription(s, w), nil)
	case gateway.ShowPresence:
		return one(r.presence(g, s, w), nil)
	case gateway.ShowAvatar:
		return one(avatarEvent(s, w.Avatar), nil)
	case gateway.ShowNick:
		return one(nickEvent(s, w.Name), nil)
	case gateway.ShowContacts:
		return one(contactList(g, s, w))
	case gateway.ShowRoster:
		return one(rosterEntry(g, s, w), nil)
	case gateway.ShowProbe:
		// RFC 6121 §4.3: the user's server answers with every resource that is there.
		return one(NewElement(nsClient, "presence", "from", s.bare.String(), "to", s.to.Bare().String(), "type", "probe"), nil)
	}
	return nil, fmt.Errorf("unknown rendering %T", g.What)
}

// spoken is the xml:lang of what say says, where the user's language is known.
func (r Renderer) spoken(lang string) string {
	switch {
	case lang == "":
		return ""
	case r.texts == nil:
		return gateway.NewTexts().Spoken(lang)
	}
	return r.texts.Spoken(lang)
}

func (r Renderer) say(lang string, key gateway.TextKey, args ...any) string {
	if r.texts == nil {
		return gateway.NewTexts().Say(lang, key, args...)
	}
	return r.texts.Say(lang, key, args...)
}

// envelopeOf returns a chat message whose id and origin-id are the same
// (XEP-0359 §3.2): clients refer to a message by either.
func envelopeOf(s speaker, id gateway.StanzaID) (*Element, error) {
	if id == "" {
		return nil, errNoStanzaID
	}
	return NewMessage(s.full, s.to, "chat", string(id)), nil
}

func originID(id gateway.StanzaID) *Element { return NewElement(nsSID, "origin-id", "id", string(id)) }

// hint is a processing hint (XEP-0334).
func hint(name string) *Element { return NewElement(nsHints, name) }

// derivedID names the nth further stanza that one id became, the same at every replay.
func derivedID(id gateway.StanzaID, n int) gateway.StanzaID {
	if n == 0 || id == "" {
		return id
	}
	return id + "." + gateway.StanzaID(strconv.Itoa(n))
}

// cleaned returns s with the characters that may stand in XML, as the serialiser
// would leave it: whoever counts code points (XEP-0426) counts these.
func cleaned(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r':
			return '\n'
		case r < 0x20:
			return -1
		case !isXMLChar(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// shortened returns s cleaned, on one line and at most max code points long.
func shortened(s string, max int) string {
	s = strings.Join(strings.Fields(cleaned(s)), " ")
	if r := []rune(s); len(r) > max {
		return string(r[:max-1]) + "…"
	}
	return s
}
