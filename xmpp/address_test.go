package xmpp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"postern/gateway"
	"postern/gateway/memstore"
	"postern/xmpp/conformance"
)

// TestAddressesComeBack: ten thousand ids of every kind become addresses which, after all that a server does to an address
// (RFC 7622 §3.3: case folded, normalised), lead to the same id and to no other.
func TestAddressesComeBack(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 25, 26)
	store := memstore.New()
	keys, err := gateway.OpenKeyring(t.Context(), store, make([]byte, gateway.KeySize))
	p.Must(err == nil, "keyring: %v", err)
	identity := gateway.NewIdentity(store, keys)
	for _, readable := range []bool{true, false} {
		user := gateway.UserID(fmt.Sprintf("romeo%t@example", readable))
		a, err := identity.Create(t.Context(), gateway.Account{Adapter: "castle", Endpoint: gateway.Endpoint(user), User: user, Readable: readable})
		p.Must(err == nil, "account: %v", err)
		letters := []rune(`abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 "&'/:<>@\.-_+%~#!$*()[]{}|^=?;,` + "`äßİſΣé中🙂\u00a0\u200d\u00ad")
		random := rand.New(rand.NewPCG(25, 26))
		seen := map[string]string{}
		for n := range 5000 {
			id := make([]rune, 1+random.IntN(30))
			for i := range id {
				id[i] = letters[random.IntN(len(letters))]
			}
			if n%2 == 0 {
				id = []rune(fmt.Sprintf("%s%d@capulet.example", []string{"nurse", "+3933312", `c:\5commas`, "Juliet", `\20a`, "a b/"}[n%6], n))
			}
			c, err := identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(id)})
			p.Must(err == nil, "%q: %v", string(id), err)
			sent, err := NewJID(string(a.Shows(c)), testDomain, "")
			p.Must(err == nil, "%q: address: %v", string(id), err)
			got, err := ParseJID(strings.ToUpper(sent.Local()) + "@" + testDomain)
			if strings.Contains(sent.Local(), `\`) { // XEP-0106 §2: escapes are lower-case
				got, err = ParseJID(sent.String() + "/any")
			}
			p.Must(err == nil, "%q: %s back from the server: %v", string(id), sent, err)
			local := got.Local()
			p.That(!strings.HasPrefix(local, `\20`) && !strings.HasSuffix(local, `\20`), "%q: %q begins or ends with a space", string(id), local)
			if was, taken := seen[local]; taken && was != string(id) {
				t.Errorf("%q and %q share %q", was, string(id), local)
			}
			seen[local] = string(id)
			_, back, err := identity.Find(t.Context(), "castle", user, gateway.Alias(local))
			p.Must(err == nil && back.ID == c.ID, "%q by %q: got %+v, %v", string(id), local, back, err)
		}
	}
	local, err := gateway.EscapeLocal(`c:\5commas`)
	p.That(err == nil && local == `c\3a\5c5commas`, "XEP-0106 §5: got %q, %v", local, err)
}
