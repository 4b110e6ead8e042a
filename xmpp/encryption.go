package xmpp

import (
	"regexp"
	"strings"
)

// cipherState is what the guard finds in a message.
type cipherState uint8

const (
	cipherNone    cipherState = iota
	cipherPayload             // encrypted content: it is refused and its fallback body goes nowhere
	cipherKeys                // key transport without content: ignored
)

// guard tells whether a message is encrypted (XEP-0380, XEP-0384, XEP-0373,
// XEP-0027, OTR). The body beside an encrypted payload is a notice for clients
// that cannot read it, never what the user wrote.
func guard(el *Element) cipherState {
	state := cipherNone
	for _, c := range el.Children() {
		switch {
		case c.Name.Local == "encrypted" && (c.Name.Space == nsOMEMOOld || strings.HasPrefix(c.Name.Space, "urn:xmpp:omemo:")):
			if c.Child(c.Name.Space, "payload") != nil {
				return cipherPayload
			}
			state = cipherKeys
		case c.Is(nsOpenPGP, "openpgp"), c.Is(nsPGPOld, "x"):
			return cipherPayload
		}
	}
	for _, b := range el.Bodies() {
		text := strings.TrimSpace(b.Text)
		// Clients put a body beside content alone: who wrote something hears that it did not pass.
		if state == cipherKeys && text != "" || strings.HasPrefix(text, "?OTR") || strings.HasPrefix(text, "-----BEGIN PGP MESSAGE") || isEncryptedURL(text) {
			return cipherPayload
		}
	}
	if state == cipherKeys {
		return state // XEP-0384 §5.4.2: an empty message carries keys only
	}
	if el.Child(nsEME, "encryption") != nil {
		return cipherPayload
	}
	for _, x := range el.ChildrenNamed(nsOOB, "x") {
		if isEncryptedURL(x.Child(nsOOB, "url").Text()) {
			return cipherPayload
		}
	}
	return guardFiles(el)
}

// guardFiles finds a file of which only an encrypted copy is offered (XEP-0448
// §3, XEP-0454): nobody behind the gateway has its key.
func guardFiles(el *Element) cipherState {
	offers := []*Element{el.Child(nsSFS, "sources")}
	for _, share := range el.ChildrenNamed(nsSFS, "file-sharing") {
		offers = append(offers, share.Child(nsSFS, "sources"))
	}
	for _, o := range offers {
		for _, u := range o.ChildrenNamed(nsURLData, "url-data") {
			if isEncryptedURL(u.Attr("target")) {
				return cipherPayload
			}
		}
		if o.Child(nsESFS, "encrypted") != nil && sourceOf(o) == "" {
			return cipherPayload
		}
	}
	for _, ref := range el.ChildrenNamed(nsReference, "reference") {
		for _, src := range ref.Child(nsSIMS, "media-sharing").Child(nsSIMS, "sources").ChildrenNamed(nsReference, "reference") {
			if isEncryptedURL(src.Attr("uri")) {
				return cipherPayload
			}
		}
	}
	return cipherNone
}

var encryptedURL = regexp.MustCompile(`(?i)aesgcm://[^\s]`)

// isEncryptedURL tells whether a file's key stands in its address, or in one that
// a text has somewhere in it, as behind a quote (XEP-0454).
func isEncryptedURL(s string) bool {
	// Every body is asked: nearly none has an address in it, and to look for that costs a tenth.
	return strings.Contains(s, "://") && encryptedURL.MatchString(s)
}
