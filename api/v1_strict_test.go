package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
		{name: "a long id", method: "DELETE", path: "/v1/dead-letters/s07/" + long, role: gateway.RoleOperator, status: 404},
		{name: "null", method: "POST", path: "/v1/dead-letters/drop", body: `null`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "a member of null", method: "POST", path: "/v1/dead-letters/drop", body: `{"adapter":"one","all":null}`, role: gateway.RoleOperator, status: 400, want: `"field":"all"`},
		{name: "a member in capitals", method: "POST", path: "/v1/dead-letters/drop", body: `{"ALL":true}`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "what is no JSON behind it", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":true}]`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
	}.hold(t)
}

// What chooses dead letters stands in the audit log: nothing long comes there, nor what is no filter, also not from who brings it past /v1, as
// operators do by chat.
func TestLettersAuditIsBounded(t *testing.T) {
	c := newControl(t)
	steer := Control{Operations: c.ops, Audit: c.audit, Instances: []gateway.Instance{{ID: "one"}}}
	long := strings.Repeat("x", maxFiltered+1)
	for _, f := range []gateway.LetterFilter{{Code: long}, {Chat: long}, {Account: gateway.AccountID(long)}, {Where: long}, {Adapter: gateway.AdapterID(long)}} {
		for what, do := range map[string]func(context.Context, string, gateway.LetterFilter) (int, error){"replay": steer.ReplayLetters, "drop": steer.DropLetters} {
			var in gateway.InputError
			if _, err := do(t.Context(), "chat-operator", f); !errors.As(err, &in) {
				t.Errorf("%s: got %v, want to hear what is wrong", what, err)
			}
		}
	}
	for what, do := range map[string]func(context.Context, string, gateway.LetterID) error{"replay": steer.ReplayLetter, "drop": steer.DropLetter} {
		if err := do(t.Context(), "chat-operator", gateway.LetterID("s07/"+long)); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s of a long id: got %v, want ErrNotFound", what, err)
		}
	}
	if page, err := c.audit.Lines(t.Context(), 0, 10); err != nil || len(page) > 0 {
		t.Errorf("got %d lines in the audit log, %v, want none", len(page), err)
	}
	if len(c.ops.did) > 0 {
		t.Errorf("did %v, want nothing", c.ops.did)
	}
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

// Who is blocked comes page by page; one who is taken back in between loses nobody else.
func TestBlocksPaged(t *testing.T) {
	c := newControl(t)
	for n := range gateway.MaxBlocks {
		c.ops.blocks = append(c.ops.blocks, gateway.Block{Who: fmt.Sprintf("user%05d@example.org", n), Reason: "No.", By: "anna"})
	}
	seen := map[string]int{}
	for after := ""; ; {
		var page BlocksView
		w := c.ask(c.secret[gateway.RoleAdmin], http.MethodGet, "/v1/blocks?limit=1000&after="+url.QueryEscape(after), "")
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Items) > 1000 {
			t.Fatalf("got %d, %v", len(page.Items), err)
		}
		for _, b := range page.Items {
			seen[b.JID]++
		}
		if after = page.Next; after == "" {
			break
		}
		c.ops.blocks = slices.DeleteFunc(c.ops.blocks, func(b gateway.Block) bool { return b.Who == after })
	}
	if len(seen) != gateway.MaxBlocks {
		t.Errorf("got %d, want %d", len(seen), gateway.MaxBlocks)
	}
	if w := c.ask(c.secret[gateway.RoleAdmin], http.MethodGet, "/v1/blocks", ""); strings.Count(w.Body.String(), "jid") != defaultPage {
		t.Errorf("without a limit: got %d, want %d", strings.Count(w.Body.String(), "jid"), defaultPage)
	}
	if w := c.ask(c.secret[gateway.RoleAdmin], http.MethodGet, "/v1/blocks?limit=0", ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("limit of nothing: got %d, want 422", w.Code)
	}
}
