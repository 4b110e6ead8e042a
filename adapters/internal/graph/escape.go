package graph

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape writes JSON as Meta's webhooks have it: what is not ASCII as \uXXXX and a slash as \/. The signature counts those bytes, so
// that a receiver which parses first and signs what it wrote anew fails. Simulators use it.
func Escape(json []byte) []byte {
	out := make([]byte, 0, len(json)+len(json)/8)
	for i := 0; i < len(json); {
		c := json[i]
		switch {
		case c == '\\' && i+1 < len(json): // an escape that is there already
			out = append(out, c, json[i+1])
			i += 2
			continue
		case c == '/':
			out = append(out, '\\', '/')
		case c < utf8.RuneSelf:
			out = append(out, c)
		default:
			r, size := utf8.DecodeRune(json[i:])
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			i += size
			continue
		}
		i++
	}
	return out
}
