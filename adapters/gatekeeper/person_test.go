package gatekeeper

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

// Who a user is, is read once and kept, for an hour at most: a user who withdraws or is erased is forgotten here too. What is sealed
// elsewhere is no key here.
func TestPersonIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(nil, Config{}, keyRing{})
		ask := func(subject string) *person {
			t.Helper()
			who, err := c.person(gateway.Credentials{Secret: []byte(`{"enlistment":"enl_1","subject":"` + subject + `"}`)})
			if err != nil || who.Subject != subject {
				t.Fatalf("%s: got %+v, %v", subject, who, err)
			}
			return who
		}
		romeo := ask("romeo@example.org")
		<-time.After(time.Minute)
		if ask("romeo@example.org") != romeo {
			t.Error("got another one, want the one that was read before")
		}
		if keys := fmt.Sprintf("%s", slices.Collect(maps.Keys(c.people))); strings.Contains(keys, "romeo") {
			t.Errorf("got keys %s, want no secrets", keys)
		}
		c.assertions["romeo@example.org"] = signedAssertion{until: time.Now().Add(assertionUse)}
		<-time.After(time.Hour)
		ask("juliet@example.org")
		if len(c.people) != 1 || len(c.assertions) != 0 {
			t.Errorf("got %d people and %d assertions, want the one who still writes", len(c.people), len(c.assertions))
		}
	})
}

// However many users write within the hour: so many are kept, and the newest is among them.
func TestPeopleAreBounded(t *testing.T) {
	pem, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseKeys([]byte(pem))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(nil, Config{}, keys)
	c.dir.Store(know(directory{Issuer: "https://issuer.example"}, time.Now().Add(time.Hour)))
	var who *person
	for n := range assertionsKept + 1 {
		subject := fmt.Sprintf("u%d@example.org", n)
		if who, err = c.person(gateway.Credentials{Secret: []byte(`{"enlistment":"enl_1","subject":"` + subject + `"}`)}); err != nil {
			t.Fatal(err)
		}
		if n < assertionsKept { // to sign them all takes seconds
			c.assertions[subject] = signedAssertion{until: time.Now().Add(assertionUse)}
		}
	}
	raw, err := c.userAssertion(t.Context(), *who)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.people) > assertionsKept || len(c.assertions) > assertionsKept || c.assertions[who.Subject].jwt != raw {
		t.Errorf("got %d people and %d assertions, want %d at most, and the newest among them", len(c.people), len(c.assertions), assertionsKept)
	}
	if again, err := c.person(gateway.Credentials{Secret: []byte(`{"enlistment":"enl_1","subject":"` + who.Subject + `"}`)}); err != nil || again != who {
		t.Errorf("got %+v, %v, want the newest one, who was read before", again, err)
	}
}
