package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMappedRoundTrip(t *testing.T) {
	for _, want := range []mapped{
		{},
		{Stanza: "9a4e6d3c-5a51-4b4e-9a0c-0f6f6e7d8c9b", Mine: true, Receipt: true, Markable: true, Resource: "Conversations.aB3"},
		{Stanza: "9A4E6D3C-5A51-4B4E-9A0C-0F6F6E7D8C9B"}, // upper case comes back as it was
		{Stanza: "purple1f2e", IDs: []MessageID{"m1", "", "m3"}},
		{IDs: []MessageID{"msg_01JC5Q3Z8V9K2W4X6Y7A8B9C0D"}, Mine: true, At: mapEpoch.Add(1_000_000 * time.Minute)},
	} {
		got, ok := decodeMapped(want.encode())
		if d := cmp.Diff(want, got); d != "" || !ok {
			t.Errorf("ok %v (-want +got):\n%s", ok, d)
		}
	}
}

// TestMappedIsSmall: with sealing (29 bytes) the common lines stay within the 64 bytes that Redis packs.
func TestMappedIsSmall(t *testing.T) {
	for name, m := range map[string]mapped{
		"uuid to native": {IDs: []MessageID{"msg_01JC5Q3Z8V9K2W4X6Y7A8B9C0D"}, Mine: true, At: mapEpoch.Add(1_000_000 * time.Minute)},
		"native to uuid": {Stanza: "9a4e6d3c-5a51-4b4e-9a0c-0f6f6e7d8c9b", Mine: true, Receipt: true, Resource: "phone"},
	} {
		if n := len(m.encode()) + 29; n > 64 {
			t.Errorf("%s: got %d bytes sealed, want at most 64", name, n)
		}
	}
}

func FuzzMapped(f *testing.F) {
	f.Add(mapped{Stanza: "s", IDs: []MessageID{"a"}, Mine: true}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := decodeMapped(b)
		if !ok {
			return
		}
		again, ok := decodeMapped(m.encode())
		if d := cmp.Diff(m, again); d != "" || !ok {
			t.Errorf("ok %v:\n%s", ok, d)
		}
	})
}
