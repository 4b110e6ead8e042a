package app

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "4096": 4096, "512B": 512, "64KiB": 64 << 10, "100MiB": 100 << 20, "100 MiB": 100 << 20, "10GiB": 10 << 30, "1TiB": 1 << 40,
	} {
		got, ok := parseSize(text)
		if !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, ok, want)
		}
		back, ok := parseSize(got.String())
		if !ok || back != want {
			t.Errorf("%q written as %q: got %d, %v", text, got, back, ok)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "10MB", "10mib", "99999999999999TiB", "1e3", " 1"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q: got %d, want none", text, got)
		}
	}
}
