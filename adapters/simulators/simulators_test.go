package simulators_test

import (
	"slices"
	"testing"

	"postern/adapters"
	"postern/adapters/simulators"
)

// TestEveryPlatformIsPlayed: what an operator can configure, they can try.
func TestEveryPlatformIsPlayed(t *testing.T) {
	var types []string
	for _, a := range adapters.All() {
		if a.Name != "gatekeeper" { // its simulator came first and has a configuration of its own
			types = append(types, a.Name)
		}
	}
	var played []string
	for _, s := range simulators.All() {
		if !slices.Contains(played, s.Type) {
			played = append(played, s.Type)
		}
	}
	if names := simulators.Names(); !slices.Equal(played, types) || !slices.IsSorted(names) {
		t.Errorf("simulators: got %v of types %v, want them sorted and all of %v", names, played, types)
	}
	for _, s := range simulators.All() {
		server, err := s.New(simulators.Config{})
		if err != nil || server == nil {
			t.Errorf("%s: got %v, %v, want a server", s.Name, server, err)
		}
		if len(s.Accounts()) == 0 {
			t.Errorf("%s: no account to begin with", s.Name)
		}
	}
	if s, ok := simulators.Named("telegram"); !ok || s.Title != "Telegram" {
		t.Errorf("telegram: got %+v, %t", s, ok)
	}
	if _, ok := simulators.Named("pigeon"); ok {
		t.Error("pigeon: got a simulator")
	}
}

func TestBlock(t *testing.T) {
	yaml, files := simulators.Block("telegram", "telegram.localhost", []simulators.Key{{Name: "base_url", Value: "http://127.0.0.1:1"}, {Name: "token_file", Value: "7:x", File: true}})
	want := `  telegram:
    type: telegram
    jid: telegram.localhost
    secret_file: telegram.secret # as in the XMPP server's configuration
    base_url: "http://127.0.0.1:1"
    token_file: "telegram.token"
`
	if yaml != want || len(files) != 1 || files["telegram.token"] != "7:x\n" {
		t.Errorf("got\n%s%v, want\n%s", yaml, files, want)
	}
}
