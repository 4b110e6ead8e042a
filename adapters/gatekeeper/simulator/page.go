package simulator

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/go-chi/chi/v5"
)

//go:embed page
var pageFiles embed.FS

// pageRoutes serve the page on which one is a person. Nothing in it comes from elsewhere, and nothing inline is run.
func (s *Server) pageRoutes(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(guardPage)
		r.Get("/", servePageFile("page/index.html"))
		if files, err := fs.Sub(pageFiles, "page"); err == nil {
			r.Handle("/page/*", http.StripPrefix("/page/", http.FileServerFS(files)))
		}
	})
}

func servePageFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pageFiles, name) }
}

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
