package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

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
