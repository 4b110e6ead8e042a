package gatekeeper

import (
	"errors"
	"testing"
)

// TestParseShapes is about data of a shape that we do not know: it costs the event only where the type is one that we do.
func TestParseShapes(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		events     int
		bad        bool
	}{
		{"known", `{"id":"e","type":"message.received","data":{"message_id":"m","from":"gku_a","to":"usr_b","content":{"text":"x"}}}`, 1, false},
		{"data first", `{"data":{"message_id":"m","from":"gku_a","to":"usr_b","content":{"text":"x"}},"type":"message.received","id":"e"}`, 1, false},
		{"unknown type, data of another shape", `{"id":"e","type":"weather.changed","data":{"message_id":[1]}}`, 0, false},
		{"unknown type, data that is no object", `{"id":"e","type":"weather.changed","data":7}`, 0, false},
		{"known type, data of another shape", `{"id":"e","type":"message.received","data":{"message_id":[1]}}`, 0, true},
		{"known type, no data", `{"id":"e","type":"message.received"}`, 0, true},
		{"standing, data null", `{"id":"e","type":"enlistment.suspended","subject":{"to":"usr_b"},"data":null}`, 1, false},
		{"standing, no data", `{"id":"e","type":"enlistment.suspended","subject":{"to":"usr_b"}}`, 0, true},
		{"no event", `{"id":7,"type":"message.received","data":{}}`, 0, true},
		{"no JSON", `{"id":"e",`, 0, true},
	} {
		events, err := parse([]byte(tc.body))
		if len(events) != tc.events || errors.Is(err, errBadJSON) != tc.bad {
			t.Errorf("%s: got %d events and error %v, want %d, bad %v", tc.name, len(events), err, tc.events, tc.bad)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	body := []byte(`{"id":"evt_01JDVQ4Z9XK2T0F3N8B5R7M6WC","type":"message.received","api_version":"2026-11-01","occurred_at":"2026-11-01T10:00:00Z","seq":7,` +
		`"subject":{"conversation":"cnv_1","to":"usr_u1","peer":"gku_p1"},"data":{"message_id":"msg_01JDVQ4Z9XK2T0F3N8B5R7M6WD","from":"gku_p1",` +
		`"from_display":"Person","to":"usr_u1","sent_at":"2026-11-01T10:00:00Z","mode":"plaintext","content":{"text":"a message as people write them"},"conversation":"cnv_1"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
