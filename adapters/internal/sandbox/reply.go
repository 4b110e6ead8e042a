package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
)

// refusal is an error of the control API with its status.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// Missing refuses with 404.
func Missing(what, id string) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf("no %s %q", what, id)}
}

// Wrong refuses with 400.
func Wrong(text string) error { return &refusal{http.StatusBadRequest, text} }

// Reply answers a request to the control API with a result or an error.
func Reply(w http.ResponseWriter, out any, err error) {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		WriteControl(w, refused.status, map[string]string{"error": refused.text})
	case err != nil:
		WriteControl(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	default:
		WriteControl(w, http.StatusOK, out)
	}
}

// WriteControl writes an answer of the control API.
func WriteControl(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // a client that left is its own loss
}

// LedgerPage is a part of a ledger, as ?after= and ?limit= say.
func LedgerPage[T any](r *http.Request, ring *Ring[T]) (any, error) {
	after, limit := int64(0), 1000
	var err error
	if v := r.URL.Query().Get("after"); v != "" {
		if after, err = strconv.ParseInt(v, 10, 64); err != nil || after < 0 {
			return nil, Wrong("after: want a number")
		}
	}
	if v := r.URL.Query().Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > 10_000 {
			return nil, Wrong("limit: want 1 to 10000")
		}
	}
	items, next := ring.After(after, limit)
	return control.Ledger[T]{Items: items, Next: next, Total: ring.Total, Forgotten: ring.Total - int64(len(ring.Items))}, nil
}

// ReadControl reads the body of a request to the control API; false after it was refused.
func ReadControl(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		WriteControl(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "the body is too large"})
	}
	return body, err == nil
}

// DecodeControl decodes the body of a request to the control API, in which nothing may stand that has no meaning. Without one everything
// stays as it is.
func DecodeControl(body []byte, into any) error {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Wrong("body: " + err.Error())
	}
	return nil
}

// Param is a path parameter, decoded.
func Param(r *http.Request, name string) string {
	v := chi.URLParam(r, name)
	if plain, err := url.PathUnescape(v); err == nil && r.URL.RawPath != "" { // then chi matched the escaped path
		return plain
	}
	return v
}
