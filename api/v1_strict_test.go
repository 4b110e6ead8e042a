package api

import (
	"strings"
	"testing"

	"postern/gateway"
)

// What the description does not allow is refused, also where Go's own JSON would let it pass.
func TestControlStrict(t *testing.T) {
	long := strings.Repeat("x", maxFiltered+1)
	orders{
		{name: "behind nowhere", path: "/v1/dead-letters?after=nowhere", role: gateway.RoleViewer, status: 422, want: `"field":"after"`},
		{name: "from nowhere", path: "/v1/dead-letters?where=", role: gateway.RoleViewer, status: 422, want: `"field":"where"`},
		{name: "a long code", path: "/v1/dead-letters?code=" + long, role: gateway.RoleViewer, status: 422, want: `"field":"code"`},
		{name: "a long chat", method: "POST", path: "/v1/dead-letters/drop", body: `{"chat":"` + long + `"}`, role: gateway.RoleOperator, status: 422, want: `"field":"chat"`},
		{name: "null", method: "POST", path: "/v1/dead-letters/drop", body: `null`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "a member of null", method: "POST", path: "/v1/dead-letters/drop", body: `{"adapter":"one","all":null}`, role: gateway.RoleOperator, status: 400, want: `"field":"all"`},
		{name: "a member in capitals", method: "POST", path: "/v1/dead-letters/drop", body: `{"ALL":true}`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "what is no JSON behind it", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":true}]`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
	}.hold(t)
}

// A method that an address does not take is answered with those that it does; an address that is none is none for every method.
func TestControlMethods(t *testing.T) {
	c := newControl(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"PUT", "/v1/queues", 405, "GET"},
		{"FOO", "/v1/queues", 405, "GET"},
		{"PATCH", "/v1/blocks", 405, "GET, POST"},
		{"GET", "/v1/users/romeo@example.org", 405, "DELETE"},
		{"GET", "/v1/users/romeo%2forchard", 405, "DELETE"},
		{"POST", "/healthz", 405, "GET"},
		{"FOO", "/v1/nothing", 404, ""},
		{"PUT", "/v1/nothing", 404, ""},
	} {
		w := c.ask(c.secret[gateway.RoleAdmin], tt.method, tt.path, "")
		if got := w.Header().Get("Allow"); w.Code != tt.status || got != tt.allow {
			t.Errorf("%s %s: got %d with Allow %q, want %d with %q", tt.method, tt.path, w.Code, got, tt.status, tt.allow)
		}
	}
}
