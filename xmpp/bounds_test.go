package xmpp

import (
	"fmt"
	"testing"
)

// TestRostersAreBounded: what is remembered of users on one stream, however many there are.
func TestRostersAreBounded(t *testing.T) {
	all := newRosters()
	user := func(n int) JID {
		j, err := ParseJID(fmt.Sprintf("u%d@example", n))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	last := user(10_000)
	for n := range 10_000 {
		all.get(user(n))
		all.refuse(user(n).String())
	}
	mine := all.get(last)
	all.refuse(last.String())
	if len(all.of) > rostersKept || all.get(last) != mine {
		t.Errorf("got %d rosters, want %d at most, and the newest among them", len(all.of), rostersKept)
	}
	if len(all.refused) > refusalsKept || all.usable(last) {
		t.Errorf("got %d refusals, want %d at most, and the newest among them", len(all.refused), refusalsKept)
	}
	for n := range healedKept {
		if !all.heals(fmt.Sprint("u", n)) {
			t.Fatalf("user %d is not looked after", n)
		}
	}
	if all.heals("u7") || all.heals("one too many") || len(all.healed) != healedKept {
		t.Errorf("got %d users looked after, want %d, each once", len(all.healed), healedKept)
	}
}

// TestUploadHostsAreBounded: also where all of them are asked at once.
func TestUploadHostsAreBounded(t *testing.T) {
	var u uploads
	s := &stream{}
	asked := map[string]*uploadQuestion{}
	host := func(n int) string { return fmt.Sprintf("h%d.example", n) }
	const hosts = 3 * maxUploadHosts
	for n := range hosts {
		_, asked[host(n)], _ = u.look(s, host(n))
	}
	for n := range hosts {
		u.learn(s, host(n), asked[host(n)])
	}
	if known, q, _ := u.look(s, host(hosts-1)); len(u.hosts) > maxUploadHosts || q != nil || known.until.IsZero() {
		t.Errorf("got %d hosts, want %d at most, and the newest among them", len(u.hosts), maxUploadHosts)
	}
	if len(u.asking) != 0 {
		t.Errorf("got %d questions left", len(u.asking))
	}
}
