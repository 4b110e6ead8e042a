package user

import "time"

// Namespaces, each with the specification it is from.
const (
	nsClient    = "jabber:client"                          // RFC 6120
	nsStanzas   = "urn:ietf:params:xml:ns:xmpp-stanzas"    // RFC 6120
	nsBind      = "urn:ietf:params:xml:ns:xmpp-bind"       // RFC 6120
	nsXML       = "http://www.w3.org/XML/1998/namespace"   // Namespaces in XML
	nsRoster    = "jabber:iq:roster"                       // RFC 6121
	nsDiscoInfo = "http://jabber.org/protocol/disco#info"  // XEP-0030
	nsDiscoItem = "http://jabber.org/protocol/disco#items" // XEP-0030
	nsForm      = "jabber:x:data"                          // XEP-0004
	nsCommand   = "http://jabber.org/protocol/commands"    // XEP-0050
	nsRSM       = "http://jabber.org/protocol/rsm"         // XEP-0059
	nsRegister  = "jabber:iq:register"                     // XEP-0077
	nsStates    = "http://jabber.org/protocol/chatstates"  // XEP-0085
	nsCaps      = "http://jabber.org/protocol/caps"        // XEP-0115
	nsReceipts  = "urn:xmpp:receipts"                      // XEP-0184
	nsPing      = "urn:xmpp:ping"                          // XEP-0199
	nsDelay     = "urn:xmpp:delay"                         // XEP-0203
	nsCarbons   = "urn:xmpp:carbons:2"                     // XEP-0280
	nsForward   = "urn:xmpp:forward:0"                     // XEP-0297
	nsArchive   = "urn:xmpp:mam:2"                         // XEP-0313
	nsMarkers   = "urn:xmpp:chat-markers:0"                // XEP-0333
	nsIDs       = "urn:xmpp:sid:0"                         // XEP-0359
)

// Kinds of stanzas.
const (
	Message  = "message"
	Presence = "presence"
	IQ       = "iq"
)

// Stanza is one stanza that came in. What it does not hold is empty.
type Stanza struct {
	// N counts what the client has read, from 1, over all its connections; stanzas from the archive have 0.
	N int
	// At is when it was read.
	At time.Time
	// Kind is Message, Presence or IQ; the four attributes are those of RFC 6120 §8.1.
	Kind, From, To, ID, Type string
	Body, Subject            string
	// OriginID and StanzaIDs are of XEP-0359; StanzaIDs maps the entity that set an id to it.
	OriginID  string
	StanzaIDs map[string]string
	// WantsReceipt and Received are of XEP-0184: the request, and the id of the message that a receipt is for.
	WantsReceipt bool
	Received     string
	// Markable and Displayed are of XEP-0333: the wish, and the id of the message that was displayed.
	Markable  bool
	Displayed string
	// State is a chat state of XEP-0085, such as "composing".
	State string
	// Delay is the time of XEP-0203.
	Delay time.Time
	// Condition and ErrorText are of an error stanza (RFC 6120 §8.3).
	Condition, ErrorText string
	// Carbon is "sent" or "received" for a copy of XEP-0280; all other fields are then of the copied message.
	Carbon string
	// ArchiveID is the id in the archive that a stanza from there has (XEP-0313).
	ArchiveID string
	// Element is the whole stanza.
	Element *Element
}

// XML returns the stanza as XML, with its namespaces declared anew.
func (s *Stanza) XML() string { return s.Element.String() }

// newStanza reads the values of a stanza, a carbon's from inside it when self is who sends carbons.
func newStanza(e *Element, self string) *Stanza {
	if e.Name.Local == Message && e.Attr("from") == self { // XEP-0280 §11: only our own server may send copies
		for _, way := range []string{"sent", "received"} {
			if inner := e.Child(nsCarbons, way).Child(nsForward, "forwarded").Child(nsClient, Message); inner != nil {
				s := parseStanza(inner)
				s.Carbon = way
				return s
			}
		}
	}
	return parseStanza(e)
}

func parseStanza(e *Element) *Stanza {
	s := &Stanza{
		Kind: e.Name.Local, From: e.Attr("from"), To: e.Attr("to"), ID: e.Attr("id"), Type: e.Attr("type"), Element: e,
	}
	for _, n := range e.Nodes {
		if n.Element != nil {
			s.read(n.Element)
		}
	}
	return s
}

func (s *Stanza) read(c *Element) {
	switch c.Name.Space {
	case nsClient:
		switch c.Name.Local {
		case "body":
			s.Body = c.Text()
		case "subject":
			s.Subject = c.Text()
		case "error":
			s.readError(c)
		}
	case nsReceipts:
		switch c.Name.Local {
		case "request":
			s.WantsReceipt = true
		case "received":
			s.Received = c.Attr("id")
		}
	case nsMarkers:
		switch c.Name.Local {
		case "markable":
			s.Markable = true
		case "displayed":
			s.Displayed = c.Attr("id")
		}
	case nsStates:
		s.State = c.Name.Local
	case nsIDs:
		switch c.Name.Local {
		case "origin-id":
			s.OriginID = c.Attr("id")
		case "stanza-id":
			if s.StanzaIDs == nil {
				s.StanzaIDs = map[string]string{}
			}
			s.StanzaIDs[c.Attr("by")] = c.Attr("id")
		}
	case nsDelay:
		if t, err := time.Parse(time.RFC3339, c.Attr("stamp")); err == nil {
			s.Delay = t
		}
	}
}

func (s *Stanza) readError(e *Element) {
	for _, c := range e.Children("") {
		switch {
		case c.Name.Space != nsStanzas:
		case c.Name.Local == "text":
			s.ErrorText = c.Text()
		default:
			s.Condition = c.Name.Local
		}
	}
}
