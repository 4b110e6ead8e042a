package adaptertest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func (h Harness) registration(t *testing.T) {
	t.Run("configuration", func(t *testing.T) {
		if h.Type.Name == "" || h.Type.Name != strings.ToLower(h.Type.Name) {
			t.Errorf("name: got %q, want a lower-case word", h.Type.Name)
		}
		a, b := h.Type.Config(), h.Type.Config()
		if a == b {
			t.Error("Config gave the same pointer twice: one instance would change another")
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("Config gave two different defaults:\n%s", diff)
		}
		raw, err := yaml.Marshal(a)
		if err != nil {
			t.Fatalf("marshal the defaults: %v", err)
		}
		c := h.Type.Config()
		if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(c); err != nil {
			t.Errorf("decode the defaults strictly: %v", err)
		}
		if diff := cmp.Diff(a, c); diff != "" {
			t.Errorf("defaults changed on their way through YAML:\n%s", diff)
		}
		if err := yaml.NewDecoder(strings.NewReader("no_such_key: 1\n"), yaml.Strict()).Decode(h.Type.Config()); err == nil {
			t.Error("an unknown key was taken, want an error")
		}
		for _, key := range []string{"type:", "jid:", "name:"} {
			if strings.Contains("\n"+string(raw), "\n"+key) {
				t.Errorf("configuration has %q, which is decoded for every adapter alike", key)
			}
		}
	})
	t.Run("adapter", func(t *testing.T) {
		b := h.open(t)
		before := b.wire.Total()
		again := b.Reopen()
		if n := b.wire.Total() - before; n != 0 {
			t.Errorf("New made %d requests, want none", n)
		}
		d := b.Adapter.Descriptor()
		if diff := cmp.Diff(d, again.Descriptor()); diff != "" {
			t.Errorf("Descriptor differs after a restart:\n%s", diff)
		}
		if diff := cmp.Diff(d, b.Adapter.Descriptor()); diff != "" {
			t.Errorf("Descriptor differs when asked again:\n%s", diff)
		}
		if d.Type != h.Type.Name {
			t.Errorf("Descriptor.Type: got %q, want %q", d.Type, h.Type.Name)
		}
		for name, empty := range map[string]bool{
			"Platform": d.Platform == "", "DiscoType": d.DiscoType == "", "Out": d.Out == "", "In": d.In == "", "Media": d.Media == "", "Reveals": d.Reveals == "",
			"MetadataSeenBy": len(d.MetadataSeenBy) == 0, "API": d.API == "", "Addressing": len(d.Addressing) == 0, "Version": d.Version == 0,
		} {
			if empty {
				t.Errorf("Descriptor.%s is empty: users are told what it says", name)
			}
		}
		known := map[gateway.Feature]bool{}
		for _, f := range gateway.Features() {
			known[f] = true
		}
		caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
		for f, level := range caps.Levels {
			if !known[f] {
				t.Errorf("Caps names feature %q, which is none", f)
			}
			without := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect, Without: []gateway.Feature{f}})
			if level > gateway.None && without.Has(f) {
				t.Errorf("Caps offers %s although the chat's facts say that it was refused", f)
			}
		}
		if n := b.wire.Total() - before; n != 0 {
			t.Errorf("Descriptor and Caps made %d requests, want none", n)
		}
	})
}
