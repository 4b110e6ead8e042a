package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// problem is an error as RFC 9457 writes it. Type stays "about:blank": the status says all that a caller can act on, so
// that Title is the status's phrase (RFC 9457 §4.2.1).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field names the parameter or member that is wrong; a member of ours (RFC 9457 §3.2).
	Field string `json:"field,omitempty"`
}

// refuse writes a problem. Detail is a fixed text of ours, never a part of the request.
func refuse(w http.ResponseWriter, status int, detail string) {
	tell(w, problem{Status: status, Detail: detail})
}

func tell(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	body, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a caller that is gone hears nothing
}

// refuseForNow asks the caller to come again (RFC 9110 §10.2.3).
func refuseForNow(w http.ResponseWriter, after time.Duration, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(after.Round(time.Second)/time.Second)))
	refuse(w, http.StatusServiceUnavailable, detail)
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "There is nothing at this address.")
}

// wrongMethod names the methods that an address takes (RFC 9110 §15.5.6). One that takes none is no address, whatever the method.
func wrongMethod(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	if routed := chi.RouteContext(r.Context()); routed != nil && routed.Routes != nil {
		path := cmp.Or(r.URL.RawPath, r.URL.Path) // as the router has it
		for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost} {
			if routed.Routes.Match(chi.NewRouteContext(), m, path) {
				allowed = append(allowed, m)
			}
		}
	}
	if len(allowed) == 0 {
		notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refuse(w, http.StatusMethodNotAllowed, "This address does not take that method.")
}
