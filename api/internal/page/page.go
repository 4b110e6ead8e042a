// Package page is what all pages for the operator's eyes have in common: the headers that keep strangers out of them, the style and the
// script, both served from here and from nowhere else.
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed files
var files embed.FS

// policy lets a page load its style, script and icon from the address that it comes from, talk to that address alone, and be in nobody's
// frame. Nothing inline is run, and no string becomes markup by a script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"

// Guard gives a page its headers.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		next.ServeHTTP(w, r)
	})
}

// types are those of the files; a file of another type is not served.
var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// File answers with the file that the last element of the address names. It reports false when there is none.
func File(w http.ResponseWriter, r *http.Request) bool {
	name := path.Base(r.URL.Path)
	raw, err := fs.ReadFile(files, "files/"+name)
	kind := types[path.Ext(name)]
	if err != nil || kind == "" {
		return false
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(raw) // a browser that is gone hears nothing
	return true
}
