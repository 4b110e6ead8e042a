package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Inside the gateway a contact is its Alias, always. Where an operator wants it (contact_jids: readable), an account's
// clients see the platform's own id as the localpart instead, escaped as XEP-0106 has it, for ids that survive what servers
// do to a localpart. The way back is computed too: there is no table of addresses.

// Shows returns the localpart under which an account's user sees a contact, unescaped.
func (a *Account) Shows(c *Contact) Alias {
	if a.Readable && readable(c.ID) {
		if local, err := EscapeLocal(string(c.ID)); err == nil {
			return Alias(local)
		}
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
// It stays so for as long as the account is theirs, since an address that changes is a contact lost.
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

// addressed fills in the localpart that a Rendering's contact is shown under. The account may be nil where it is not at hand. It fails
// where the store does not tell: from another address the stanza would be somebody else's.
func (g *Gateway) addressed(ctx context.Context, adapter AdapterID, account *Account, r Rendering) (Rendering, error) {
	if r.From == "" || r.Local != "" || account != nil && !account.Readable {
		return r, nil
	}
	var c *Contact
	var err error
	if account != nil {
		c, err = g.identity.Contact(ctx, account, r.From)
	} else {
		account, c, err = g.identity.Find(ctx, adapter, r.To, r.From)
	}
	switch {
	case err == nil:
		r.Local = account.Shows(c)
	case !errors.Is(err, ErrNoAccount) && !errors.Is(err, ErrNoContact):
		return r, fmt.Errorf("gateway: address: %w", err)
	}
	return r, nil
}

// localEscapes are the ten sequences of XEP-0106 §2, in its own order.
const localEscapes = ` "&'/:<>@\`

// errEscape: XEP-0106 §3.2 allows no space at either end of a localpart.
var errEscape = errors.New("gateway: escape localpart: empty, or space at an end")

// EscapeLocal makes a localpart of a foreign identifier (XEP-0106 §4.2). A
// backslash is escaped only where the source would otherwise read as one of the
// ten sequences. It fails when the result would begin or end with \20; such
// identifiers need another encoding.
func EscapeLocal(s string) (string, error) {
	if s == "" || s[0] == ' ' || s[len(s)-1] == ' ' {
		return "", errEscape
	}
	if !strings.ContainsAny(s, localEscapes) {
		return s, nil
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if strings.IndexByte(localEscapes, c) < 0 {
			b = append(b, c)
			continue
		}
		if _, known := escapedByte(s[i:]); c == '\\' && !known {
			b = append(b, c)
			continue
		}
		b = append(b, '\\', hex[c>>4], hex[c&15])
	}
	return string(b), nil
}

// UnescapeLocal undoes EscapeLocal; other backslashes stay (XEP-0106 §4.3).
func UnescapeLocal(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c, ok := escapedByte(s[i:])
		// §3.2: \20 at an end is not an escape, since a localpart cannot begin or end with a space.
		if ok && (c != ' ' || i > 0 && i+3 < len(s)) {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// escapedByte reads one of the ten sequences, exactly lower case, at the start of s.
func escapedByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '\\' {
		return 0, false
	}
	switch s[1:3] {
	case "20":
		return ' ', true
	case "22":
		return '"', true
	case "26":
		return '&', true
	case "27":
		return '\'', true
	case "2f":
		return '/', true
	case "3a":
		return ':', true
	case "3c":
		return '<', true
	case "3e":
		return '>', true
	case "40":
		return '@', true
	case "5c":
		return '\\', true
	}
	return 0, false
}
