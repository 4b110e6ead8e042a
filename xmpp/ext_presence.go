package xmpp

import (
	"encoding/xml"

	fluux "gosrc.io/xmpp/stanza"
)

// Namespaces of presence payloads.
const (
	nsNick        = "http://jabber.org/protocol/nick" // XEP-0172
	nsCaps        = "http://jabber.org/protocol/caps" // XEP-0115
	nsVCardUpdate = "vcard-temp:x:update"             // XEP-0153
)

// Nick is the name its owner goes by (XEP-0172 §3).
type Nick struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/nick nick"`
	Name    string   `xml:",chardata"`
}

// Caps advertises a set of features by hash (XEP-0115 §6).
type Caps struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/caps c"`
	Hash    string   `xml:"hash,attr"`
	Node    string   `xml:"node,attr"`
	Ver     string   `xml:"ver,attr"`
}

// VCardUpdate advertises an avatar by the SHA-1 of its bytes, in hex (XEP-0153
// §4.1). A nil Photo says "not yet known", an empty one "no avatar".
type VCardUpdate struct {
	XMLName xml.Name `xml:"vcard-temp:x:update x"`
	Photo   *string  `xml:"photo"`
}

// Ping is the payload of XEP-0199.
type Ping struct {
	XMLName xml.Name `xml:"urn:xmpp:ping ping"`
}

// Namespace makes Ping an IQ payload.
func (p *Ping) Namespace() string { return nsPing }

// GetSet makes Ping an IQ payload.
func (p *Ping) GetSet() *fluux.ResultSet { return nil }
