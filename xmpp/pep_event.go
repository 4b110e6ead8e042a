package xmpp

import (
	"strconv"

	"postern/gateway"
)

// Nodes of a contact's personal eventing (XEP-0163).
const (
	nsPubSubEvent    = "http://jabber.org/protocol/pubsub#event" // XEP-0060 §7.1.2
	nsAvatarMetadata = "urn:xmpp:avatar:metadata"                // XEP-0084 §4.2
	nsAvatarData     = "urn:xmpp:avatar:data"                    // XEP-0084 §4.1
)

// currentItem names the one item of a node that holds one (XEP-0060 §12.20).
const currentItem = "current"

// pepEvent is a contact's news, from the bare address as that is the node's
// (XEP-0163 §4.3). A headline goes to every client that is there, and none is
// kept for one that is not: it fetches what it lacks when it comes.
func pepEvent(s speaker, node, id string, payload *Element) *Element {
	item := NewElement(nsPubSubEvent, "item", "id", id).Add(payload)
	items := NewElement(nsPubSubEvent, "items", "node", node).Add(item)
	return NewElement(nsClient, "message", "from", s.bare.String(), "to", s.to.String(), "type", "headline").
		Add(NewElement(nsPubSubEvent, "event").Add(items))
}

func avatarEvent(s speaker, a gateway.Avatar) *Element {
	return pepEvent(s, nsAvatarMetadata, avatarItem(a), avatarMetadata(a))
}

func nickEvent(s speaker, name string) *Element {
	return pepEvent(s, nsNick, currentItem, nickElement(name))
}

// avatarItem names the item of the metadata node: the hash (XEP-0084 §4.2).
func avatarItem(a gateway.Avatar) string {
	if a.SHA1 == "" {
		return currentItem
	}
	return a.SHA1
}

// avatarMetadata describes the picture; empty where there is none (XEP-0084 §4.2.1).
func avatarMetadata(a gateway.Avatar) *Element {
	el := NewElement(nsAvatarMetadata, "metadata")
	if a.SHA1 == "" {
		return el
	}
	info := NewElement(nsAvatarMetadata, "info", "bytes", strconv.Itoa(a.Size), "id", a.SHA1, "type", a.MIME)
	if a.Width > 0 && a.Height > 0 {
		info.SetAttr("width", strconv.Itoa(a.Width)).SetAttr("height", strconv.Itoa(a.Height))
	}
	return el.Add(info)
}

func nickElement(name string) *Element {
	return NewElement(nsNick, "nick").AddText(shortened(name, maxNick))
}
