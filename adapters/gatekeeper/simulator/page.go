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
func pageRoutes(r chi.Router) error {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	return sandbox.MountPage(r, files)
}
