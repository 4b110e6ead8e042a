package sandbox

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"

	"github.com/go-chi/chi/v5"
)

//go:embed page
var pageFiles embed.FS

// MountPage serves a page on which one is a person: index.html at /, its files and those that all pages share below /page/. Nothing in it
// comes from elsewhere, and nothing inline is run.
func MountPage(r chi.Router, own fs.FS) {
	shared, err := fs.Sub(pageFiles, "page")
	if err != nil { // the folder is embedded above
		return
	}
	files := layers{own, shared}
	r.Group(func(r chi.Router) {
		r.Use(guardPage)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "index.html") })
		r.Handle("/page/*", http.StripPrefix("/page/", http.FileServerFS(files)))
	})
}

// layers looks for a file in one folder after the other.
type layers []fs.FS

// Open implements fs.FS.
func (l layers) Open(name string) (fs.File, error) {
	for _, dir := range l {
		f, err := dir.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// guardPage gives a page the headers that keep what strangers write from being run.
func guardPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
