package gatekeeper_test

import (
	"net/http"
	"testing"

	"postern/adapters/adaptertest"
	"postern/adapters/gatekeeper"
	"postern/gateway"
)

// FuzzParse wants any body to give events that a queue can hold, the same each time, or an error.
func FuzzParse(f *testing.F) {
	a, err := gatekeeper.New(*config(f, "https://gatekeeper.example"), http.DefaultClient)
	if err != nil {
		f.Fatal(err)
	}
	adaptertest.FuzzParse(f, []string{"testdata/parse/*.txtar"}, nil, func(*testing.T, []gateway.Event) {}, a)
}
