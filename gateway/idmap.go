package gateway

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// mapped is what an id map's line says of a message; it is sealed with the account's key.
type mapped struct {
	// Stanza is the XMPP id, IDs are the platform's.
	Stanza StanzaID
	IDs    []MessageID
	// Mine is true when our user wrote it. Resource is the client that did, where a line keeps it.
	Mine     bool
	Resource string
	// Receipt and Markable are what the client asked for.
	Receipt, Markable bool
	// At is when the message was sent, to the minute; zero where a line does not keep it.
	At time.Time
}

// Kinds of field in an id map.
const (
	byStanza = "s" // XMPP id to platform ids
	byNative = "n" // platform id to XMPP id
	byRef    = "r" // our op id, as the platform echoes it, to XMPP id
	byStep   = "p" // what a split op has sent already
)

// Bits of a line's first byte.
const (
	mapMine byte = 1 << iota
	mapReceipt
	mapMarkable
	mapUUID     // the XMPP id is a UUID, written as 16 bytes
	mapStanza   // an XMPP id follows
	mapResource // a resource follows
	mapAt       // minutes since mapEpoch follow, in 3 bytes
)

// mapEpoch is where a line's minutes begin; 3 bytes reach until 2056.
var mapEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// encode writes a line as flags, then what they announce, then platform ids, each with its length. Lines are the bulk of what a
// store holds: a chat of a hundred messages has hundreds, and Redis packs values of up to 64 bytes.
func (m mapped) encode() []byte {
	var flags byte
	for _, f := range []struct {
		on  bool
		bit byte
	}{{m.Mine, mapMine}, {m.Receipt, mapReceipt}, {m.Markable, mapMarkable}, {m.Stanza != "", mapStanza}, {m.Resource != "", mapResource}, {!m.At.IsZero(), mapAt}} {
		if f.on {
			flags |= f.bit
		}
	}
	id := []byte(m.Stanza)
	if raw, ok := parseUUID(string(m.Stanza)); ok {
		flags, id = flags|mapUUID, raw
	}
	out := []byte{flags}
	if m.Stanza != "" {
		out = appendField(out, id)
	}
	if m.Resource != "" {
		out = appendField(out, []byte(m.Resource))
	}
	if !m.At.IsZero() {
		n := uint32(max(m.At.Sub(mapEpoch), 0) / time.Minute)
		out = append(out, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, n := range m.IDs {
		out = appendField(out, []byte(n))
	}
	return out
}

// decodeMapped reads what encode wrote; ok is false for anything else.
func decodeMapped(b []byte) (m mapped, ok bool) {
	if len(b) == 0 {
		return m, false
	}
	flags, b := b[0], b[1:]
	m.Mine, m.Receipt, m.Markable = flags&mapMine != 0, flags&mapReceipt != 0, flags&mapMarkable != 0
	ok = true
	if flags&mapStanza != 0 {
		var id []byte
		if id, b, ok = cutField(b); flags&mapUUID != 0 {
			m.Stanza = StanzaID(formatUUID(id))
		} else {
			m.Stanza = StanzaID(id)
		}
	}
	if ok && flags&mapResource != 0 {
		var resource []byte
		resource, b, ok = cutField(b)
		m.Resource = string(resource)
	}
	if ok && flags&mapAt != 0 {
		if len(b) < 3 {
			return m, false
		}
		m.At = mapEpoch.Add(time.Duration(uint32(b[0])<<16|uint32(b[1])<<8|uint32(b[2])) * time.Minute)
		b = b[3:]
	}
	for ok && len(b) > 0 {
		var n []byte
		if n, b, ok = cutField(b); ok {
			m.IDs = append(m.IDs, MessageID(n))
		}
	}
	return m, ok
}

func appendField(out, field []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(field))), field...)
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}

// parseUUID reads the form that clients use for message ids, lower case with dashes (RFC 9562 §4).
func parseUUID(s string) ([]byte, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, false
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	return raw, err == nil && formatUUID(raw) == s
}

func formatUUID(raw []byte) string {
	s := hex.EncodeToString(raw)
	if len(s) != 32 {
		return s
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// mapPlace authenticates a line with its lane and field.
func mapPlace(lane, field string) string { return "map/" + lane + "/" + field }

// mapEntry seals one line.
func (g *Gateway) mapEntry(a *Account, lane, kind, id string, m mapped) MapEntry {
	field := g.keys.MapField(kind, id)
	return MapEntry{Lane: lane, Field: field, Value: a.Keys.Data.Seal(mapPlace(lane, field), m.encode())}
}

// lookup reads lines by kind and id; what is absent or does not open is absent.
func (o *ownership) lookup(ctx context.Context, a *Account, lane, kind string, ids ...string) (map[string]mapped, error) {
	return o.g.lookup(ctx, o.part, a, lane, kind, ids...)
}

func (g *Gateway) lookup(ctx context.Context, p Partition, a *Account, lane, kind string, ids ...string) (map[string]mapped, error) {
	fields := make([]string, len(ids))
	for i, id := range ids {
		fields[i] = g.keys.MapField(kind, id)
	}
	got, err := g.store.Lookup(ctx, p, lane, fields)
	if err != nil {
		return nil, err
	}
	out := make(map[string]mapped, len(got))
	for i, id := range ids {
		plain, err := a.Keys.Data.Open(mapPlace(lane, fields[i]), got[fields[i]])
		if err != nil {
			continue
		}
		if m, ok := decodeMapped(plain); ok {
			out[id] = m
		}
	}
	return out, nil
}
