package xmpp

import (
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

// JID is an XMPP address in canonical form (RFC 7622). It is comparable and
// fit for map keys; the zero value is no address.
type JID struct {
	full          string
	local, domain int // lengths
}

// maxJIDPart is the limit of each part in bytes (RFC 7622 §3).
const maxJIDPart = 1023

var errEmptyJID = errors.New("xmpp: jid: empty")

// ParseJID parses and canonicalises an address: PRECIS for localpart and
// resource, IDNA for the domain, at most 1023 bytes each.
func ParseJID(s string) (JID, error) {
	if j, ok := parsePlain(s); ok {
		return j, nil
	}
	if s == "" {
		return JID{}, errEmptyJID
	}
	if len(s) > 3*maxJIDPart+2 {
		return JID{}, fmt.Errorf("xmpp: jid: parse: longer than %d bytes", 3*maxJIDPart+2)
	}
	m, err := jid.Parse(s)
	if err != nil {
		return JID{}, fmt.Errorf("xmpp: jid: parse: %w", err)
	}
	return fromMellium(m)
}

// NewJID builds an address from its parts; local and resource may be empty.
// The localpart is expected to be escaped already, see gateway.EscapeLocal.
func NewJID(local, domain, resource string) (JID, error) {
	if j, ok := newPlain(local, domain, resource); ok {
		return j, nil
	}
	m, err := jid.New(local, domain, resource)
	if err != nil {
		return JID{}, fmt.Errorf("xmpp: jid: new: %w", err)
	}
	return fromMellium(m)
}

func fromMellium(m jid.JID) (JID, error) {
	d := m.Domainpart()
	if d == "" {
		return JID{}, errEmptyJID
	}
	// RFC 7622 §3.2 wants labels; the library lets empty ones pass.
	if d[0] == '.' || strings.Contains(d, "..") {
		return JID{}, errors.New("xmpp: jid: empty domain label")
	}
	return JID{full: m.String(), local: len(m.Localpart()), domain: len(d)}, nil
}

// parsePlain accepts addresses that canonicalisation leaves as they are, which
// is nearly all of them: lower-case ASCII before the slash, printable ASCII
// after it. Anything else goes the long way.
func parsePlain(s string) (JID, bool) {
	j := JID{full: s}
	rest := s
	if bare, res, ok := strings.Cut(s, "/"); ok {
		rest = bare
		if res == "" || len(res) > maxJIDPart {
			return JID{}, false
		}
		for k := 0; k < len(res); k++ {
			if res[k] <= ' ' || res[k] > '~' {
				return JID{}, false
			}
		}
	}
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		if i == 0 || i > maxJIDPart {
			return JID{}, false
		}
		for k := range i {
			c := rest[k]
			if !plainLabel(c) && c != '.' && c != '_' && c != '+' && c != '%' && c != '\\' {
				return JID{}, false
			}
		}
		j.local = i
		rest = rest[i+1:]
	}
	j.domain = len(rest)
	return j, plainDomain(rest)
}

// newPlain is parsePlain of an address in parts. What would be parsed into other parts goes the long way.
func newPlain(local, domain, resource string) (JID, bool) {
	s := domain
	if local != "" {
		s = local + "@" + domain
	}
	if resource != "" {
		s += "/" + resource
	}
	j, ok := parsePlain(s)
	return j, ok && j.local == len(local) && j.domain == len(domain)
}

func plainLabel(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
}

// plainDomain accepts dotted lower-case labels that IDNA does not touch.
func plainDomain(s string) bool {
	if s == "" || len(s) > 253 || strings.Contains(s, "--") {
		return false
	}
	label, letters := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 || s[i-1] == '-' {
				return false
			}
			label = 0
			continue
		case !plainLabel(c), c == '-' && label == 0:
			return false
		}
		letters = letters || 'a' <= c && c <= 'z'
		if label++; label > 63 {
			return false
		}
	}
	return letters && label > 0 && s[len(s)-1] != '-'
}

// IsZero tells whether j is no address at all.
func (j JID) IsZero() bool { return j.full == "" }

// Local returns the localpart as it goes on the wire, "" if there is none.
func (j JID) Local() string { return j.full[:j.local] }

// Domain returns the domainpart.
func (j JID) Domain() string {
	i := j.domainStart()
	return j.full[i : i+j.domain]
}

// Resource returns the resourcepart, "" for a bare JID.
func (j JID) Resource() string {
	if i := j.domainStart() + j.domain; i < len(j.full) {
		return j.full[i+1:]
	}
	return ""
}

// Bare returns j without its resource.
func (j JID) Bare() JID {
	j.full = j.full[:j.domainStart()+j.domain]
	return j
}

// IsBare tells whether j has no resource.
func (j JID) IsBare() bool { return len(j.full) == j.domainStart()+j.domain }

// WithResource returns the bare address of j with that resource.
func (j JID) WithResource(resource string) (JID, error) {
	return NewJID(j.Local(), j.Domain(), resource)
}

// String returns the address in canonical form, "" for the zero value.
func (j JID) String() string { return j.full }

func (j JID) domainStart() int {
	if j.local == 0 {
		return 0
	}
	return j.local + 1
}
