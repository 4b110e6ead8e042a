package xmpp

import (
	"encoding/xml"
	"time"
)

// Namespaces of message payloads. Those of XEP-0085, 0184 and 0333 have their
// types in gosrc.io/xmpp/stanza.
const (
	nsChatStates  = "http://jabber.org/protocol/chatstates" // XEP-0085
	nsReceipts    = "urn:xmpp:receipts"                     // XEP-0184
	nsChatMarkers = "urn:xmpp:chat-markers:0"               // XEP-0333
	nsSID         = "urn:xmpp:sid:0"                        // XEP-0359
	nsHints       = "urn:xmpp:hints"                        // XEP-0334
	nsDelay       = "urn:xmpp:delay"                        // XEP-0203
	nsEME         = "urn:xmpp:eme:0"                        // XEP-0380
	nsCorrect     = "urn:xmpp:message-correct:0"            // XEP-0308
	nsForward     = "urn:xmpp:forward:0"                    // XEP-0297
)

// OriginID is the id that the sender gave the message (XEP-0359 §3.2).
type OriginID struct {
	XMLName xml.Name `xml:"urn:xmpp:sid:0 origin-id"`
	ID      string   `xml:"id,attr"`
}

// StanzaID is the id that the entity By gave the message (XEP-0359 §3.1).
// It is worth something only if By is trusted to have added it (§5).
type StanzaID struct {
	XMLName xml.Name `xml:"urn:xmpp:sid:0 stanza-id"`
	ID      string   `xml:"id,attr"`
	By      string   `xml:"by,attr"`
}

// HintStore asks for archiving, body or not (XEP-0334 §4.4).
type HintStore struct {
	XMLName xml.Name `xml:"urn:xmpp:hints store"`
}

// HintNoStore asks that no archive or offline store keep it (XEP-0334 §4.2).
type HintNoStore struct {
	XMLName xml.Name `xml:"urn:xmpp:hints no-store"`
}

// HintNoPermanentStore allows offline storage only (XEP-0334 §4.1).
type HintNoPermanentStore struct {
	XMLName xml.Name `xml:"urn:xmpp:hints no-permanent-store"`
}

// HintNoCopy asks that no carbon be made (XEP-0334 §4.3).
type HintNoCopy struct {
	XMLName xml.Name `xml:"urn:xmpp:hints no-copy"`
}

// Delay says when a stanza was first sent (XEP-0203 §4).
type Delay struct {
	XMLName xml.Name `xml:"urn:xmpp:delay delay"`
	From    string   `xml:"from,attr,omitempty"`
	Stamp   string   `xml:"stamp,attr"`
	Reason  string   `xml:",chardata"`
}

// Time returns the stamp, and false if it is not a time.
func (d *Delay) Time() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, d.Stamp)
	return t, err == nil
}

// FormatTime gives a time the form of XEP-0082 §3.2: UTC, milliseconds, Z.
func FormatTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Encryption names the mechanism of an encrypted message (XEP-0380 §3).
type Encryption struct {
	XMLName   xml.Name `xml:"urn:xmpp:eme:0 encryption"`
	Namespace string   `xml:"namespace,attr"`
	Name      string   `xml:"name,attr,omitempty"`
}

// Replace marks a message as the correction of that with ID (XEP-0308 §3).
type Replace struct {
	XMLName xml.Name `xml:"urn:xmpp:message-correct:0 replace"`
	ID      string   `xml:"id,attr"`
}
