package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
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

func wrongMethod(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusMethodNotAllowed, "This address does not take that method.")
}
