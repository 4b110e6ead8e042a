package xmpp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// isXMLChar is the production Char of XML 1.0 §2.2. A server closes the whole
// component stream over one character outside it.
func isXMLChar(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	case r < 0xE000:
		return false
	default:
		return r != 0xFFFE && r != 0xFFFF && r <= utf8.MaxRune
	}
}

// validName tells whether s is an NCName: a name without colon (XML 1.0 fifth
// edition §2.3, Namespaces in XML 1.0 §3).
func validName(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '.'):
		case c >= utf8.RuneSelf:
			return validNameRunes(s)
		default:
			return false
		}
	}
	return true
}

func validNameRunes(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			return false
		}
		start := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' ||
			0xC0 <= r && r <= 0x2FF && r != 0xD7 && r != 0xF7 ||
			0x370 <= r && r <= 0x1FFF && r != 0x37E ||
			r == 0x200C || r == 0x200D || 0x2070 <= r && r <= 0x218F ||
			0x2C00 <= r && r <= 0x2FEF || 0x3001 <= r && r <= 0xD7FF ||
			0xF900 <= r && r <= 0xFDCF || 0xFDF0 <= r && r <= 0xFFFD ||
			0x10000 <= r && r <= 0xEFFFF
		inner := '0' <= r && r <= '9' || r == '-' || r == '.' || r == 0xB7 ||
			0x300 <= r && r <= 0x36F || r == 0x203F || r == 0x2040
		if !start && (i == 0 || !inner) {
			return false
		}
	}
	return true
}

// decodeText resolves references and line ends of character data or an
// attribute value. Within CDATA there are no references.
func decodeText(s string, cdata bool) (string, error) {
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c == '&' || c == '\r' || c == '>' || c < 0x20 && c != '\n' && c != '\t' {
			plain = false
			break
		}
	}
	if plain {
		return s, nil
	}
	if !cdata && strings.Contains(s, "]]>") {
		return "", syntaxf("]]> in text")
	}
	copyFrom := 0
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return "", syntaxf("invalid UTF-8")
			}
		}
		switch {
		case !isXMLChar(r):
			return "", syntaxf("illegal character U+%04X", r)
		case r == '\r':
			// XML 1.0 §2.11: CR LF and lone CR read as LF.
			b.WriteString(s[copyFrom:i])
			if !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte('\n')
			}
			copyFrom = i + 1
		case r == '&' && !cdata:
			ref, width, err := decodeReference(s[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(s[copyFrom:i])
			b.WriteRune(ref)
			n = width
			copyFrom = i + n
		}
		i += n
	}
	if copyFrom == 0 {
		return s, nil
	}
	b.WriteString(s[copyFrom:])
	return b.String(), nil
}

// decodeReference reads &name; or &#n; at the start of s. Only the five
// predefined entities exist: RFC 6120 §11.1 forbids declaring others.
func decodeReference(s string) (rune, int, error) {
	end := strings.IndexByte(s[:min(len(s), 16)], ';')
	if end < 2 {
		return 0, 0, syntaxf("malformed reference")
	}
	name := s[1:end]
	switch name {
	case "amp":
		return '&', end + 1, nil
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	}
	if name[0] != '#' {
		return 0, 0, syntaxf("unknown entity")
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !isXMLChar(rune(n)) {
		return 0, 0, syntaxf("reference to an illegal character")
	}
	return rune(n), end + 1, nil
}
