package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"text/template"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:embed page
var pageFiles embed.FS

// MountPage serves a page on which one is a person: index.tmpl at /, with the parts that a parts.tmpl of its own fills in otherwise, its
// files and those that all pages share below /page/. Nothing in it comes from elsewhere, and nothing inline is run.
func MountPage(r chi.Router, own fs.FS) error {
	shared, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	index, err := indexOf(shared, own)
	if err != nil {
		return err
	}
	r.Group(func(r chi.Router) {
		r.Use(guardPage)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(index))
		})
		r.Handle("/page/*", http.StripPrefix("/page/", http.FileServerFS(layers{own, shared})))
	})
	return nil
}

// indexOf puts a page together. Nothing in it is anybody's word: the parts are in the program.
func indexOf(shared, own fs.FS) ([]byte, error) {
	page, err := template.ParseFS(shared, "index.tmpl")
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(own, "parts.tmpl"); err == nil {
		if page, err = page.ParseFS(own, "parts.tmpl"); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err = page.Execute(&out, nil)
	return out.Bytes(), err
}

// layers looks for a file in one folder after the other. It has neither folders nor what pages are made of.
type layers []fs.FS

// Open implements fs.FS.
func (l layers) Open(name string) (fs.File, error) {
	if path.Ext(name) == ".tmpl" || name == "." {
		l = nil
	}
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
