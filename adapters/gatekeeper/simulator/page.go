package simulator

import (
	"embed"
	"io/fs"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/sandbox"
)

//go:embed page
var pageFiles embed.FS

// pageRoutes serve the page on which one is a person.
func (s *Server) pageRoutes(r chi.Router) {
	if files, err := fs.Sub(pageFiles, "page"); err == nil {
		sandbox.MountPage(r, files)
	}
}
