package main

import (
	"os"
	"strings"
	"testing"

	"postern/cmd/internal/setup"
)

// TestScriptHasEveryType: the session of postern init with the platforms leaves none out.
func TestScriptHasEveryType(t *testing.T) {
	raw, err := os.ReadFile("testdata/init_types.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range setup.Types() {
		if !strings.Contains(string(raw), "--adapter "+name+" ") || !strings.Contains(string(raw), "-- "+name+".golden --\n") {
			t.Errorf("testdata/init_types.txtar: %s is not there", name)
		}
	}
}
