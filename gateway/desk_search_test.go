package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/gateway"
)

func TestSearch(t *testing.T) {
	c := newCounter(t)
	_, err := c.desk.Search(t.Context(), c.romeo, "anna", "")
	c.refused(err, gateway.RegistrationRequired, "")
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	a := c.account(c.romeo)
	anna := c.befriend(a, "id-1", "Anna")
	c.befriend(c.account(c.juliet), "id-2", "Annabel")

	for _, q := range []struct {
		name, identifier string
		want             int
	}{{"ann", "", 1}, {"ANNA", "", 1}, {string(anna.Alias), "", 1}, {"annabel", "", 0}, {"", "", 0}, {"  ", " ", 0}, {"nobody", "", 0}} {
		found, err := c.desk.Search(t.Context(), c.romeo, q.name, q.identifier)
		if err != nil || len(found) != q.want {
			t.Errorf("%q %q: got %v, %v, want %d", q.name, q.identifier, found, err, q.want)
		}
	}
	if slices.ContainsFunc(c.platform.Calls(), func(l string) bool { return strings.HasPrefix(l, "resolve") }) {
		t.Errorf("a search by name asked the platform: %q", c.platform.Calls())
	}
	found, err := c.desk.Search(t.Context(), c.romeo, "", "+49 30 1")
	if err != nil || len(found) != 1 || found[0].Local != a.Keys.Alias("id-+49 30 1") {
		t.Errorf("by identifier: got %v, %v", found, err)
	}
	// Who answers to both is one person.
	c.platform.Play(script{Resolve: func(string) (gateway.Person, error) { return gateway.Person{ID: "id-1", Name: "Anna"}, nil }})
	if found, err := c.desk.Search(t.Context(), c.romeo, "anna", "+49 30 3"); err != nil || len(found) != 1 || found[0].Name != "Anna" {
		t.Errorf("by name and identifier: got %v, %v, want Anna once", found, err)
	}
	c.platform.Play(script{Resolve: func(string) (gateway.Person, error) { return gateway.Person{}, gateway.ErrNoPerson }})
	if found, err := c.desk.Search(t.Context(), c.romeo, "", "+49 30 2"); err != nil || len(found) != 0 {
		t.Errorf("nobody: got %v, %v, want none", found, err)
	}
	if r := c.say(c.romeo, "search ann"); !strings.Contains(r.Text, "Anna "+string(anna.Alias)+"@wall.example.org") || strings.Contains(r.Text, "Annabel") {
		t.Errorf("by chat: got %q", r.Text)
	}
	if r := c.say(c.romeo, "search annabel"); !strings.Contains(r.Text, "None of your contacts") {
		t.Errorf("by chat: got %q", r.Text)
	}
}

func TestImport(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	for n := range 120 {
		c.befriend(a, gateway.ContactID(fmt.Sprint("id-", n)), fmt.Sprint("n", n))
	}
	r := c.say(c.romeo, "import")
	if !strings.Contains(r.Text, "120 contacts") {
		t.Errorf("got %q", r.Text)
	}
	seen := map[gateway.Alias]bool{}
	for _, show := range r.After {
		list, ok := show.What.(gateway.ShowContacts)
		if !ok || show.From != "" || show.To != c.romeo.User || len(list.Items) > 50 || list.ID == "" {
			t.Fatalf("got %+v, want lists of at most 50 from the gateway", show)
		}
		for _, i := range list.Items {
			seen[i.Local] = true
		}
	}
	if len(seen) != 120 || len(r.After) != 3 {
		t.Errorf("got %d contacts in %d lists, want 120 in 3", len(seen), len(r.After))
	}
	c.rostered = true
	if r := c.say(c.romeo, "import"); len(r.After) != 0 || !strings.Contains(r.Text, "already") {
		t.Errorf("with the roster kept by the gateway: got %q and %d lists", r.Text, len(r.After))
	}
}

func TestWhatWorks(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.befriend(c.account(c.romeo), "id-1", "Anna")
	r := c.say(c.romeo, "what works")
	for _, want := range []string{"What works with Wall", "Works: texts, files and pictures", "Works differently: replies", "Does not work: ", "texts up to 4096 characters"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("got %q, want %q in it", r.Text, want)
		}
	}
	c.moderates()
	r = c.say(c.romeo, "features anna")
	if !strings.Contains(r.Text, "What works with Anna") || !strings.Contains(r.Text, "Works: texts, blocking on the platform") {
		t.Errorf("got %q, want what works with Anna", r.Text)
	}
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeWorks), map[string]string{})
	if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "What works with Wall") {
		t.Errorf("by command: got %+v", r)
	}
}
