package gatekeeper_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/adapters"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/parse/*.txtar")
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
	a, err := adapters.All()[0].New(config(f, "https://gatekeeper.example"), adapters.Deps{HTTP: http.DefaultClient})
	if err != nil {
		f.Fatal(err)
	}
	w, ok := a.(gateway.Webhook)
	if !ok {
		f.Fatal("gatekeeper takes no webhooks")
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := w.Parse(gateway.Request{Body: bytes.Clone(body)})
		again, err2 := w.Parse(gateway.Request{Body: body})
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
		}
	})
}
