package xmpp

import (
	"encoding/xml"
	"errors"
	"sync"

	fluux "gosrc.io/xmpp/stanza"
)

// errNoPayloadType is what DecodePayload returns for an element nobody has registered.
var errNoPayloadType = errors.New("xmpp: payload: no type registered")

// registerOnce guards the library's own global registry, the one global this
// package writes to.
var registerOnce sync.Once

// registerPayloads enters the payload types of this package into the registry of
// gosrc.io/xmpp/stanza, beside the library's own. New calls it.
func registerPayloads() {
	registerOnce.Do(func() {
		add := func(kind fluux.PacketType, space, local string, v any) {
			fluux.TypeRegistry.MapExtension(kind, xml.Name{Space: space, Local: local}, v)
		}
		add(fluux.PKTIQ, nsRegister, "query", Register{})
		add(fluux.PKTIQ, nsGateway, "query", GatewayPrompt{})
		add(fluux.PKTIQ, nsPing, "ping", Ping{})
		add(fluux.PKTMessage, nsSID, "origin-id", OriginID{})
		add(fluux.PKTMessage, nsSID, "stanza-id", StanzaID{})
		add(fluux.PKTMessage, nsHints, "store", HintStore{})
		add(fluux.PKTMessage, nsHints, "no-store", HintNoStore{})
		add(fluux.PKTMessage, nsHints, "no-permanent-store", HintNoPermanentStore{})
		add(fluux.PKTMessage, nsHints, "no-copy", HintNoCopy{})
		add(fluux.PKTMessage, nsDelay, "delay", Delay{})
		add(fluux.PKTMessage, nsEME, "encryption", Encryption{})
		add(fluux.PKTMessage, nsCorrect, "replace", Replace{})
		add(fluux.PKTMessage, nsNick, "nick", Nick{})
		add(fluux.PKTPresence, nsDelay, "delay", Delay{})
		add(fluux.PKTPresence, nsNick, "nick", Nick{})
		add(fluux.PKTPresence, nsCaps, "c", Caps{})
		add(fluux.PKTPresence, nsVCardUpdate, "x", VCardUpdate{})
	})
}

// DecodePayload decodes a child of a stanza into the type registered for it,
// which comes back as a pointer. It is meant for children a handler asks about;
// everything else stays in the tree undecoded.
func DecodePayload(stanza, child *Element) (any, error) {
	registerPayloads()
	var v any
	switch {
	case child == nil:
	case stanza.Is(nsClient, "message"):
		v = fluux.TypeRegistry.GetMsgExtension(child.Name)
	case stanza.Is(nsClient, "presence"):
		v = fluux.TypeRegistry.GetPresExtension(child.Name)
	case stanza.Is(nsClient, "iq"):
		if p := fluux.TypeRegistry.GetIQExtension(child.Name); p != nil {
			v = p
		}
	}
	if v == nil {
		return nil, errNoPayloadType
	}
	if err := child.Decode(v); err != nil {
		return nil, err
	}
	return v, nil
}
