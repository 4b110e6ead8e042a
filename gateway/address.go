package gateway

import (
	"context"
	"errors"
	"strings"
)

// Inside the gateway a contact is its Alias, always. Where an operator wants it (contact_jids: readable), an account's
// clients see the platform's own id as the localpart instead, escaped as XEP-0106 has it, for ids that survive what servers
// do to a localpart. The way back is computed too: there is no table of addresses.

// Shows returns the localpart under which an account's user sees a contact, unescaped.
func (a *Account) Shows(c *Contact) Alias {
	if a.Readable && readable(c.ID) {
		return Alias(EscapeLocal(string(c.ID)))
	}
	return c.Alias
}

// readableMost bounds a readable localpart well below the limit of RFC 7622 §3.3, escapes included.
const readableMost = 200

// readable reports whether an id can be a localpart and be told from it again: servers fold case and normalise what is not
// ASCII, no localpart begins or ends with a space (XEP-0106 §3.2), and none may look like an alias of somebody else.
func readable(id ContactID) bool {
	s := string(id)
	if s == "" || len(s) > readableMost || s[0] == ' ' || s[len(s)-1] == ' ' || looksOpaque(s) {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

// looksOpaque reports whether a text has the form of an Alias.
func looksOpaque(s string) bool {
	return len(s) == 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// byAddress returns the contact that one of a user's accounts shows under a localpart. ErrNoContact when none does.
func (i *Identity) byAddress(ctx context.Context, accounts []*Account, local Alias) (*Account, *Contact, error) {
	id := ContactID(UnescapeLocal(string(local)))
	if !readable(id) {
		return nil, nil, ErrNoContact
	}
	for _, a := range accounts {
		if !a.Readable {
			continue
		}
		c, err := i.Contact(ctx, a, a.Keys.Alias(id))
		if errors.Is(err, ErrNoContact) {
			continue
		}
		return a, c, err
	}
	return nil, nil, ErrNoContact
}

// mayRead reports whether an account gets readable addresses: where they are wanted, the first of a user's accounts does.
// It stays so for the account's life, since an address that changes is a contact lost.
func (i *Identity) mayRead(ctx context.Context, wanted bool, a Account) (bool, error) {
	if !wanted {
		return false, nil
	}
	others, err := i.Of(ctx, a.Adapter, a.User)
	if errors.Is(err, ErrNoAccount) {
		return true, nil
	}
	for _, o := range others {
		if o.Readable && o.ID != a.ID {
			return false, nil
		}
	}
	return true, err
}

// addressed fills in the localpart that a Rendering's contact is shown under. The account may be nil where it is not at hand.
func (g *Gateway) addressed(ctx context.Context, adapter AdapterID, account *Account, r Rendering) Rendering {
	if r.From == "" || r.Local != "" || account != nil && !account.Readable {
		return r
	}
	if a, c, err := g.identity.Find(ctx, adapter, r.To, r.From); err == nil {
		r.Local = a.Shows(c)
	}
	return r
}

// localEscapes are the characters that XEP-0106 §2 escapes.
const localEscapes = " \"&'/:<>@\\"

// EscapeLocal makes a localpart of an identifier (XEP-0106 §4.2). A backslash is escaped only where it would otherwise read
// as the beginning of an escape.
func EscapeLocal(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		_, escape := unescaped(s[i:])
		if strings.IndexByte(localEscapes, c) < 0 || c == '\\' && !escape {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'\\', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// UnescapeLocal undoes EscapeLocal; any other backslash stays (XEP-0106 §4.3).
func UnescapeLocal(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := unescaped(s[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescaped reads one escape at the start of s: two lower-case hexadecimal digits of a character that is escaped.
func unescaped(s string) (byte, bool) {
	const hex = "0123456789abcdef"
	if len(s) < 3 || s[0] != '\\' {
		return 0, false
	}
	hi, lo := strings.IndexByte(hex, s[1]), strings.IndexByte(hex, s[2])
	if hi < 0 || lo < 0 || strings.IndexByte(localEscapes, byte(hi<<4|lo)) < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}
