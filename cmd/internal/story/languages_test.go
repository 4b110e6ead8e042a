//go:build servers

package story

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// words are what users of a language have to read, each a part of one text that stands in no other language's.
type words struct {
	code     string // of the client's xml:lang
	spoken   string // of the gateway's
	help     string // line of the help
	command  string // what it is called in a list of commands
	form     string // question of the registration form
	agree    string // refusal of a form without consent
	refused  string // refusal of a message to nobody
	degraded string // what became of a text with styles
	receipt  string // copy of the consent
}

// languages are the words as people read them, not as the catalogue would give them.
func languages() []words {
	english := words{"en", "en", "You can send me:", "Help", "Name that people there see", "needs your agreement", "There is no such contact here", "has no bold or other styles", "Receipt of your consent"}
	german := words{"de", "de", "Du kannst mir senden:", "Hilfe", "Name, den die Leute dort sehen", "ist deine Zustimmung hierzu nötig", "Diesen Kontakt gibt es hier nicht", "kennt keine Fettschrift", "Beleg deiner Zustimmung"}
	all := []words{
		english,
		german,
		{"fr", "fr", "Vous pouvez m'envoyer :", "Aide", "Nom que les gens y voient", "L'inscription demande votre accord", "Ce contact n'existe pas ici", "n'a ni gras ni autres styles", "Reçu de votre accord"},
		{"it", "it", "Puoi inviarmi:", "Aiuto", "Nome che le persone lì vedono", "serve il tuo consenso", "Qui non c'è un contatto così", "non ha grassetto", "Ricevuta del tuo consenso"},
		{"es", "es", "Puedes enviarme:", "Ayuda", "Nombre que la gente ve allí", "hace falta tu acuerdo", "Aquí no hay tal contacto", "no tiene negrita", "Recibo de tu acuerdo"},
		{"pl", "pl", "Możesz mi wysłać:", "Pomoc", "Nazwa, którą ludzie tam widzą", "Rejestracja wymaga twojej zgody", "Nie ma tu takiego kontaktu", "nie ma pogrubienia", "Potwierdzenie twojej zgody"},
	}
	german.code, english.code = "de-AT", "tlh" // RFC 4647 §3.4: a region falls back to its language; what is not spoken here, to English
	return append(all, german, english)
}

const nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"

// TestLanguages: what the gateway says in a form, a command, a chat, an error and a notice comes in the language of the client's
// stanzas (RFC 6120 §8.1.5), to each of many users of one gateway.
func TestLanguages(t *testing.T) {
	both(t, func(s *stage) {
		s.control(http.MethodPatch, "/capabilities", object{"spans": "unavailable"}, nil)
		for _, w := range languages() {
			s.act(w.code, func(s *stage) { s.speaks(w) })
		}
		c := s.loginAs(user.Config{JID: "silent", Accept: true})
		s.inWords(s.tell(c, "help").Body, languages()[0].help, "without a language")
	})
}

func (s *stage) speaks(w words) {
	c := s.loginAs(user.Config{JID: "user-" + strings.ToLower(w.code), Lang: w.code, Accept: true, Receipts: true})
	n := c.Count()
	help := s.tell(c, "help")
	s.inWords(help.Body, w.help, "help")
	s.labelled(help.Element, w.spoken)
	list, err := c.Items(s.ctx, s.gw, "http://jabber.org/protocol/commands")
	if err != nil {
		s.Fatal(err)
	}
	s.inWords(list.String(), "'"+w.command+"'", "list of commands")

	r, err := c.Registration(s.ctx, s.gw)
	if err != nil {
		s.Fatal(err)
	}
	s.inWords(r.Form.Text(), w.form, "registration form")
	var refused *user.Error
	if err := c.Register(s.ctx, s.gw, r, nil); !errors.As(err, &refused) {
		s.Fatalf("form without a consent: got %v, want an error", err)
	}
	s.inWords(refused.Text, w.agree, "refusal of a form")
	s.labelled(refused.Element.Child("jabber:client", "error").Child(nsStanzas, "text"), w.spoken)
	e, err := c.IQ(s.ctx, s.gw, "get", "<query xmlns='jabber:iq:register'/>")
	if err != nil {
		s.Fatal(err)
	}
	s.labelled(e, w.spoken)
	cmd, err := c.Command(s.ctx, s.gw, "jabber:iq:register")
	if err != nil {
		s.Fatal(err)
	}
	s.inWords(cmd.Text(), w.form, "command")
	if err := c.Register(s.ctx, s.gw, r, r.Form.Agree()); err != nil {
		s.Fatal(err)
	}
	s.labelled(s.see(c, n, "consent receipt", saysOf(s.gw, w.receipt)).Element, w.spoken)
	s.see(c, n, "presence of the gateway", presence(s.gw, ""))

	nurse := s.befriend(c, "nurse")
	id, err := c.Send(s.ctx, "nobody@"+s.gw, "is anybody there?")
	if err != nil {
		s.Fatal(err)
	}
	no := s.see(c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
	s.inWords(no.ErrorText, w.refused, "refusal of a message")
	s.labelled(no.Element.Child("jabber:client", "error").Child(nsStanzas, "text"), w.spoken)
	s.writes(c, nurse, "so *bold*", "")
	s.labelled(s.see(c, n, "notice: "+w.degraded, saysOf(nurse, w.degraded)).Element, w.spoken)
}

// labelled wants the language of a text declared as what it is: a server puts its own on what has none, and a reader for the blind
// reads by it.
func (s *stage) labelled(e *user.Element, want string) {
	s.Helper()
	if got := lang(e); got != want {
		s.Errorf("got xml:lang %q, want %q: %s", got, want, e)
	}
}

func lang(e *user.Element) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attrs {
		if a.Name.Local == "lang" && (a.Name.Space == "xml" || a.Name.Space == "http://www.w3.org/XML/1998/namespace") {
			return a.Value
		}
	}
	return ""
}

// inWords wants a text in one language.
func (s *stage) inWords(got, want, what string) {
	s.Helper()
	if !strings.Contains(got, want) {
		s.Errorf("%s: got %q, want %q in it", what, got, want)
	}
}
