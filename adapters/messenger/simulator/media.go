package simulator

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/sandbox"
)

// link is a signed address of a file, good for a time and for everybody.
func link(st *sandbox.State, m *sandbox.Media, name string) string {
	return st.Base() + downloads + st.Link(m, linkLife) + "/" + url.PathEscape(name) + "?oh=00_sandbox&oe=7FFFFFFF"
}

// download answers an address; one that has ended is a page of text.
func download(s *sandbox.Server, w http.ResponseWriter, r *http.Request) {
	var m *sandbox.Media
	s.Do(func(st *sandbox.State) { m = st.Linked(chi.URLParam(r, "link")) })
	if m == nil {
		http.Error(w, "URL signature expired", http.StatusForbidden)
		return
	}
	m.Serve(w, r, "")
}
