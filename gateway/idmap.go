package gateway

import (
	"context"
	"encoding/json"
)

// mapped is what an id map's line says of a message; it is sealed with the account's key.
type mapped struct {
	// Stanza is the XMPP id, IDs are the platform's.
	Stanza StanzaID    `json:"s,omitempty"`
	IDs    []MessageID `json:"n,omitempty"`
	// Mine is true when our user wrote it. Resource is the client that did.
	Mine     bool   `json:"m,omitempty"`
	Resource string `json:"r,omitempty"`
	// Receipt and Markable are what the client asked for.
	Receipt  bool `json:"a,omitempty"`
	Markable bool `json:"k,omitempty"`
}

// Kinds of field in an id map.
const (
	byStanza = "s" // XMPP id to platform ids
	byNative = "n" // platform id to XMPP id
	byRef    = "r" // our op id, as the platform echoes it, to XMPP id
	byStep   = "p" // what a split op has sent already
)

// mapPlace authenticates a line with its lane and field.
func mapPlace(lane, field string) string { return "map/" + lane + "/" + field }

// mapEntry seals one line.
func (g *Gateway) mapEntry(a *Account, lane, kind, id string, m mapped) MapEntry {
	field := g.keys.MapField(kind, id)
	plain, _ := json.Marshal(m) // strings and bools always marshal
	return MapEntry{Lane: lane, Field: field, Value: a.Keys.Data.Seal(mapPlace(lane, field), plain)}
}

// lookup reads lines by kind and id; what is absent or does not open is absent.
func (o *ownership) lookup(ctx context.Context, a *Account, lane, kind string, ids ...string) (map[string]mapped, error) {
	fields := make([]string, len(ids))
	for i, id := range ids {
		fields[i] = o.g.keys.MapField(kind, id)
	}
	got, err := o.g.store.Lookup(ctx, o.part, lane, fields)
	if err != nil {
		return nil, err
	}
	out := make(map[string]mapped, len(got))
	for i, id := range ids {
		plain, err := a.Keys.Data.Open(mapPlace(lane, fields[i]), got[fields[i]])
		if err != nil {
			continue
		}
		var m mapped
		if json.Unmarshal(plain, &m) == nil {
			out[id] = m
		}
	}
	return out, nil
}
