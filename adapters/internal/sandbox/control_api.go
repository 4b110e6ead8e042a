package sandbox

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// controlRoutes are the control API and the page. doc.go describes them.
func (s *Server) controlRoutes() http.Handler {
	return chi.NewRouter()
}
