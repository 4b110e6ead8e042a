package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"postern/gateway"
	"postern/gateway/memstore"
)

// XEP-0106 §5 and its implementation notes.
func TestEscapeLocal(t *testing.T) {
	tests := []struct{ plain, escaped string }{
		{"anna@mail.it", `anna\40mail.it`},
		{`c:\5commas`, `c\3a\5c5commas`},
		{`d'art`, `d\27art`},
		{`foo\bar`, `foo\bar`},
		{`space cadet`, `space\20cadet`},
		{`call me "ishmael"`, `call\20me\20\22ishmael\22`},
		{`at&t guy`, `at\26t\20guy`},
		{`d'artagnan`, `d\27artagnan`},
		{`/.fanboy`, `\2f.fanboy`},
		{`::foo::`, `\3a\3afoo\3a\3a`},
		{`<foo>`, `\3cfoo\3e`},
		{`user@host`, `user\40host`},
		{`c:\net`, `c\3a\net`},
		{`c:\\net`, `c\3a\\net`},
		{`c:\cool stuff`, `c\3a\cool\20stuff`},
		{`\3and\2is\5cool`, `\5c3and\2is\5c5cool`},
		{`\2F`, `\2F`},
		{`a\`, `a\`},
	}
	for _, tt := range tests {
		got, err := gateway.EscapeLocal(tt.plain)
		if err != nil || got != tt.escaped {
			t.Errorf("escape %s: got %s (%v), want %s", tt.plain, got, err, tt.escaped)
		}
		if got := gateway.UnescapeLocal(tt.escaped); got != tt.plain {
			t.Errorf("unescape %s: got %s, want %s", tt.escaped, got, tt.plain)
		}
	}
	for _, s := range []string{"", " lead", "trail ", " "} {
		if got, err := gateway.EscapeLocal(s); err == nil {
			t.Errorf("escape %q: got %q, want an error", s, got)
		}
	}
	for _, s := range []string{`\20lead`, `trail\20`, `\20`} {
		if got := gateway.UnescapeLocal(s); got != s {
			t.Errorf("unescape %s: got %q, want it unchanged", s, got)
		}
	}
}

// TestReadableAddresses: ten thousand ids of every kind, each shown under an address that comes back to it after what a
// server does to one, whether readable or opaque.
func TestReadableAddresses(t *testing.T) {
	store := memstore.New()
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	identity := gateway.NewIdentity(store, keys)
	a, err := identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep1", User: romeo, Readable: true})
	if err != nil {
		t.Fatal(err)
	}
	second, err := identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep2", User: romeo})
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep3", User: "benvolio@example.org", Readable: true})
	if err != nil {
		t.Fatal(err)
	}
	letters := []rune(`abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 "&'/:<>@\.-_+%~äßİſΣé中🙂` + "\u00a0\u200d")
	random := rand.New(rand.NewPCG(1, 106))
	seen, readable := map[gateway.Alias]string{}, 0
	for n := range 10_000 {
		id := make([]rune, 1+random.IntN(24))
		for i := range id {
			id[i] = letters[random.IntN(len(letters))]
		}
		if n%3 == 0 { // such as a platform really has
			id = []rune(strings.ToLower(fmt.Sprintf("%s@capulet%d.example", []string{"nurse", "+3933312", `c:\5commas`, "juliet c"}[n%4], n)))
		}
		c, err := identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(id)})
		if err != nil {
			t.Fatal(err)
		}
		local := a.Shows(c)
		folded := gateway.Alias(strings.ToLower(string(local)))
		if was, taken := seen[folded]; taken && was != string(id) {
			t.Fatalf("%q and %q share the address %q", was, string(id), folded)
		}
		seen[folded] = string(id)
		if local != c.Alias {
			readable++
		}
		if strings.HasPrefix(string(local), `\20`) || strings.HasSuffix(string(local), `\20`) {
			t.Errorf("%q: address %q begins or ends with a space", string(id), local)
		}
		_, back, err := identity.Find(t.Context(), wall, romeo, folded)
		if err != nil || back.ID != c.ID {
			t.Fatalf("%q shown as %q: got %+v, %v", string(id), local, back, err)
		}
		// Nobody else reaches the person under this address.
		if _, _, err := identity.Find(t.Context(), wall, other.User, folded); !errors.Is(err, gateway.ErrNoContact) {
			t.Fatalf("%q for another user: got %v, want no contact", local, err)
		}
	}
	if readable < 3000 || readable > 9000 {
		t.Errorf("%d of 10000 ids are readable, want those that survive, and not those that do not", readable)
	}
	// The user's second account never shares an address with the first.
	c, err := identity.PutContact(t.Context(), second, gateway.Contact{ID: "nurse@capulet.example"})
	if err != nil || second.Shows(c) != c.Alias {
		t.Errorf("second account: got %q, %v, want %q", second.Shows(c), err, c.Alias)
	}
	// An id that looks like an alias could take somebody else's mail.
	victim, err := identity.PutContact(t.Context(), second, gateway.Contact{ID: "victim"})
	if err != nil {
		t.Fatal(err)
	}
	thief, err := identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(victim.Alias)})
	if err != nil || a.Shows(thief) != thief.Alias {
		t.Errorf("an id in the form of an alias is shown as %q, %v, want %q", a.Shows(thief), err, thief.Alias)
	}
	if _, got, err := identity.Find(t.Context(), wall, romeo, victim.Alias); err != nil || got.ID != "victim" {
		t.Errorf("alias of the victim: got %+v, %v", got, err)
	}
}

// contactLoads counts how often a store is asked for a contact.
type contactLoads struct {
	gateway.Store
	n int
}

func (l *contactLoads) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	for _, k := range keys {
		if k.Kind == gateway.RecordContact {
			l.n++
		}
	}
	return l.Store.Load(ctx, keys...)
}

// TestFindInUse: a contact in use costs the store nothing, under whatever address and in whichever of the user's accounts.
func TestFindInUse(t *testing.T) {
	store := &contactLoads{Store: memstore.New()}
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	identity := gateway.NewIdentity(store, keys)
	var where []gateway.Alias
	for n, readable := range []bool{false, true} {
		a, err := identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: gateway.Endpoint(fmt.Sprint("ep", n)), User: romeo, Readable: readable})
		if err != nil {
			t.Fatal(err)
		}
		c, err := identity.PutContact(t.Context(), a, gateway.Contact{ID: "nurse@capulet.example"})
		if err != nil {
			t.Fatal(err)
		}
		where = append(where, c.Alias, a.Shows(c))
	}
	for _, local := range where {
		if _, c, err := identity.Find(t.Context(), wall, romeo, local); err != nil || c.ID != "nurse@capulet.example" {
			t.Errorf("%s: got %+v, %v", local, c, err)
		}
	}
	if store.n != 0 {
		t.Errorf("the store was asked %d times for contacts that were just written, want never", store.n)
	}
}
