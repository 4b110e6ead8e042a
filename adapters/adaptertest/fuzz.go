package adaptertest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error. It begins with the inputs of goldens,
// by their patterns; each parser gets every body with the query of calls, and check says what else holds for what comes of one.
func FuzzParse(f *testing.F, patterns []string, query map[string][]string, check func(*testing.T, []gateway.Event), parsers ...gateway.Webhook) {
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("fixtures: got %v and %d files", err, len(paths))
		}
		for _, p := range paths {
			a, err := txtar.ParseFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(bytes.TrimSpace(a.Files[0].Data))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, w := range parsers {
			check(t, parseTwice(t, w, query, body))
		}
	})
}

// parseTwice parses a body and checks what holds for every platform.
func parseTwice(t *testing.T, w gateway.Webhook, query map[string][]string, body []byte) []gateway.Event {
	t.Helper()
	events, err := w.Parse(gateway.Request{Query: query, Body: bytes.Clone(body)})
	again, err2 := w.Parse(gateway.Request{Query: query, Body: body})
	if (err == nil) != (err2 == nil) || !cmp.Equal(events, again) {
		t.Fatalf("got %v and %v, then %v and %v", events, err, again, err2)
	}
	raw, err := json.Marshal(events)
	if err != nil {
		t.Fatalf("events do not encode: %v", err)
	}
	var back []gateway.Event
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatalf("events do not decode: %v", err)
	}
	for _, e := range events {
		if e.Dedupe == "" || e.Endpoint == "" {
			t.Errorf("got dedupe %q, endpoint %q; want both", e.Dedupe, e.Endpoint)
		}
		if m, ok := e.Body.(gateway.Message); ok && (m.ID == "" || len(m.Content.Parts) == 0) {
			t.Errorf("got message %q with %d parts", m.ID, len(m.Content.Parts))
		}
	}
	return events
}
