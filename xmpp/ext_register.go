package xmpp

import (
	"encoding/xml"

	fluux "gosrc.io/xmpp/stanza"
)

// Namespaces of onboarding.
const (
	nsRegister = "jabber:iq:register" // XEP-0077
	nsGateway  = "jabber:iq:gateway"  // XEP-0100
	nsForm     = "jabber:x:data"      // XEP-0004
	nsOOB      = "jabber:x:oob"       // XEP-0066
)

// Register is the payload of In-Band Registration (XEP-0077). A pointer that is
// set stands for an empty element that is present.
type Register struct {
	XMLName      xml.Name    `xml:"jabber:iq:register query"`
	Registered   *struct{}   `xml:"registered"`
	Remove       *struct{}   `xml:"remove"`
	Instructions string      `xml:"instructions,omitempty"`
	Username     *string     `xml:"username"`
	Nick         *string     `xml:"nick"`
	Password     *string     `xml:"password"`
	Name         *string     `xml:"name"`
	Email        *string     `xml:"email"`
	Phone        *string     `xml:"phone"`
	Key          *string     `xml:"key"`
	Form         *fluux.Form `xml:"jabber:x:data x"`
	Redirect     *OOB        `xml:"jabber:x:oob x"`
}

// OOB points a registering user to a page (XEP-0077 §5, XEP-0066 §3).
type OOB struct {
	XMLName xml.Name `xml:"jabber:x:oob x"`
	URL     string   `xml:"url"`
	Desc    string   `xml:"desc,omitempty"`
}

// Namespace makes Register an IQ payload.
func (r *Register) Namespace() string { return nsRegister }

// GetSet makes Register an IQ payload; registration is never paged.
func (r *Register) GetSet() *fluux.ResultSet { return nil }

// GatewayPrompt is the payload of jabber:iq:gateway, which turns a foreign
// address into a JID (XEP-0100 §6.3).
type GatewayPrompt struct {
	XMLName xml.Name `xml:"jabber:iq:gateway query"`
	Desc    string   `xml:"desc,omitempty"`
	Prompt  *string  `xml:"prompt"`
	JID     string   `xml:"jid,omitempty"`
}

// Namespace makes GatewayPrompt an IQ payload.
func (g *GatewayPrompt) Namespace() string { return nsGateway }

// GetSet makes GatewayPrompt an IQ payload.
func (g *GatewayPrompt) GetSet() *fluux.ResultSet { return nil }
