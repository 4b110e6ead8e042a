package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// operations is a gateway with one dead letter in s07; what is done to it is noted.
type operations struct {
	did    []string
	err    error
	blocks []gateway.Block
}

var letter = gateway.Letter{
	ID: "s07/1-0", Adapter: "one", Account: "01A", Where: "out", What: "message", Chat: "abc",
	Why: gateway.DeadReason{Class: gateway.Permanent, Code: "teapot", Text: "it is one"}, At: time.Unix(1, 0), Died: time.Unix(2, 0),
}

func (o *operations) Queues(context.Context) ([]gateway.QueueState, []gateway.ParkedLanes, error) {
	return []gateway.QueueState{{Where: "in"}, {Where: "out", Entries: 3, Oldest: time.Unix(5, 0).UTC()}, {Where: "outbox", Adapter: "one"}},
		[]gateway.ParkedLanes{{Where: "out", Reason: gateway.ParkLimit, Lanes: 2, Next: time.Unix(9, 0).UTC()}}, o.err
}

func (o *operations) Letters(_ context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) ([]gateway.Letter, gateway.LetterID, error) {
	if after == "nowhere" {
		return nil, "", gateway.ErrCursor
	}
	o.did = append(o.did, fmt.Sprintf("list %+v %s %d", f, after, n))
	return []gateway.Letter{letter}, "s08/0-0", o.err
}

func (o *operations) one(what string, id gateway.LetterID) error {
	o.did = append(o.did, what+" "+string(id))
	if id != letter.ID && o.err == nil {
		return gateway.ErrNotFound
	}
	return o.err
}

func (o *operations) ReplayLetter(_ context.Context, id gateway.LetterID) error {
	return o.one("replay", id)
}

func (o *operations) DropLetter(_ context.Context, id gateway.LetterID) error {
	return o.one("drop", id)
}

func (o *operations) ReplayLetters(_ context.Context, f gateway.LetterFilter) (int, error) {
	o.did = append(o.did, fmt.Sprintf("replay %+v", f))
	return 4, o.err
}

func (o *operations) DropLetters(_ context.Context, f gateway.LetterFilter) (int, error) {
	o.did = append(o.did, fmt.Sprintf("drop %+v", f))
	return 5, o.err
}

// users are a desk that holds something of romeo alone.
type users struct {
	*operations
	audit *gateway.Audit
}

const romeo gateway.UserID = "romeo@example.org"

func (u users) Holdings(_ context.Context, user gateway.UserID) ([]gateway.Holding, error) {
	if user != romeo {
		return nil, u.err
	}
	a := &gateway.Account{ID: "01A", Adapter: "one", User: user, Secret: []byte("hush"), Shown: "+39 333", Standing: gateway.AccountActive}
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	return []gateway.Holding{{Account: a, Health: gateway.Health{Standing: gateway.AccountReauthNeeded, Why: gateway.CauseRefused, Code: "401", Since: at, LastEvent: at.Add(-time.Hour)}}}, u.err
}

func (u users) Export(_ context.Context, user gateway.UserID, after string) ([]gateway.Exported, string, error) {
	switch {
	case user != romeo:
		return nil, "", gateway.ErrNoAccount
	case after == "":
		return []gateway.Exported{{Kind: "account", Account: &gateway.ExportedAccount{ID: "01A"}}}, "more", u.err
	case after == "more":
		return []gateway.Exported{{Kind: "contact", Contact: &gateway.ExportedContact{ID: "anna"}}}, "", u.err
	}
	return nil, "", gateway.ErrCursor
}

func (u users) Erase(_ context.Context, user gateway.UserID) (gateway.Erased, error) {
	u.did = append(u.did, "erase "+string(user))
	return gateway.Erased{Accounts: 2, Pending: 1}, u.err
}

func (u users) Invites(_ context.Context, user gateway.UserID, after string, n int) ([]gateway.Invite, string, error) {
	if after == "nowhere" {
		return nil, "", gateway.ErrCursor
	}
	if user != romeo {
		return nil, "", u.err
	}
	made := time.Unix(5, 0).UTC()
	return []gateway.Invite{{ID: "abc", Adapter: "one", Account: "01A", Made: made, Until: made.Add(time.Hour), Taken: true}}, "5.abc", u.err
}

func (u users) RevokeInvite(_ context.Context, user gateway.UserID, id gateway.InviteID) error {
	u.did = append(u.did, "revoke "+string(id)+" of "+string(user))
	if user != romeo || id != "abc" {
		return gateway.ErrNotFound
	}
	return u.err
}

func (u users) Chats(_ context.Context, user gateway.UserID, only gateway.AccountID, after string, n int) ([]gateway.ChatState, string, error) {
	u.did = append(u.did, fmt.Sprintf("chats of %s, %s %s %d", user, only, after, n))
	if after == "nowhere" {
		return nil, "", gateway.ErrCursor
	}
	at := time.Unix(5, 0).UTC()
	return []gateway.ChatState{
		{Adapter: "one", Account: "01A", Alias: "x7", Chat: "abc", LastInbound: at, Waiting: []gateway.ChatWaiting{{Where: "out", Reason: gateway.ParkWindow, Entries: 3, Oldest: at, Next: at}}},
		{Adapter: "one", Account: "01A", Alias: "x8", Chat: "abd"},
	}, "", u.err
}

func (u users) WriteDeed(ctx context.Context, actor, action, object string, user gateway.UserID) error {
	_, _, err := u.audit.AddAbout(ctx, actor, action, object, user)
	return err
}

func (u users) Deeds(_ context.Context, user gateway.UserID) ([]gateway.Deed, error) {
	if user != romeo {
		return nil, u.err
	}
	return []gateway.Deed{{AuditEntry: gateway.AuditEntry{Seq: 3, Actor: gateway.ActorUser, Action: "contact.block", Object: "one", Subject: "c0"}, Salt: "s4lt"}}, u.err
}

// control is the operator's side over a store in memory, with a token of each role.
type control struct {
	*testing.T
	http.Handler
	ops    *operations
	store  *fragile
	tokens *gateway.Tokens
	audit  *gateway.Audit
	secret map[gateway.Role]string
	check  validator.Validator
}

// fragile is a store that can be down.
type fragile struct {
	gateway.Store
	down bool
}

func (f *fragile) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	if f.down {
		return nil, errors.New("no route to the store")
	}
	return f.Store.Load(ctx, keys...)
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{T: t, ops: &operations{}, store: &fragile{Store: memstore.New()}, secret: map[gateway.Role]string{}}
	keys, err := gateway.OpenKeyring(t.Context(), c.store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	c.tokens, c.audit = gateway.NewTokens(c.store, keys), gateway.NewAudit(c.store, keys)
	for _, role := range gateway.Roles() {
		if c.secret[role], err = c.tokens.Create(t.Context(), string(role), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	c.Handler = Admin(AdminConfig{
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Control: &Control{Guard: NewGuard(c.tokens, trusted, slog.New(slog.DiscardHandler)), Operations: c.ops, Users: users{c.ops, c.audit}, Cases: users{c.ops, c.audit}, Audit: c.audit, Orders: c.ops, ParseUser: parseUser, ParseDomain: parseDomain, Instances: []gateway.Instance{
			{ID: "one", Name: "One", Component: "one.example.org", Adapter: &gatewaytest.Adapter{}, Canary: gateway.Canary{User: romeo, To: "abc", Every: 5 * time.Minute}},
		}},
	})
	doc, err := libopenapi.NewDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	check, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c.check = check
	return c
}

func parseUser(s string) (gateway.UserID, error) {
	if strings.Count(s, "@") != 1 {
		return "", errors.New("no JID")
	}
	return gateway.UserID(strings.ToLower(s)), nil
}

// ask sends a request and holds the answer against the document.
func (c *control) ask(secret, method, path, body string) *httptest.ResponseRecorder {
	c.Helper()
	r := httptest.NewRequestWithContext(c.Context(), method, "http://127.0.0.1:8480"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		c.Errorf("%s %s: Cache-Control: got %q, want no-store", method, path, got)
	}
	if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		if ok, errs := c.check.ValidateHttpResponse(r, w.Result()); !ok {
			for _, err := range errs {
				c.Errorf("%s %s: status %d is not as openapi.yaml says: %s: %s", method, path, w.Code, err.Message, err.Reason)
			}
		}
	}
	if w.Code >= 400 {
		wantProblem(c.T, w, w.Code)
	}
	return w
}

func TestControlAnswers(t *testing.T) {
	orders{
		{name: "whoami", path: "/v1/whoami", role: gateway.RoleViewer, status: 200, want: `{"name":"viewer","role":"viewer"}`},
		{name: "adapters", path: "/v1/adapters", role: gateway.RoleViewer, status: 200, want: `"id":"one","name":"One"`},
		{
			name: "canary", path: "/v1/adapters", role: gateway.RoleViewer, status: 200,
			want: `"canary":{"every_seconds":300,"result":"no_answer","at":"1970-01-01T00:05:00Z","last_success":"1970-01-01T00:03:20Z","last_success_seconds":1.5}`,
		},
		{name: "queues", path: "/v1/queues", role: gateway.RoleViewer, status: 200, want: `{"where":"out","entries":3,"oldest":"1970-01-01T00:00:05Z"}`},
		{
			name: "dead letters", path: "/v1/dead-letters?adapter=one&where=out&limit=7&after=s01/2-0", role: gateway.RoleViewer, status: 200, want: `"next":"s08/0-0"`,
			did: "list {Adapter:one Account: Where:out Chat: Code:} s01/2-0 7",
		},
		{name: "replay one", method: "POST", path: "/v1/dead-letters/s07/1-0/replay", role: gateway.RoleOperator, status: 204, did: "replay s07/1-0", audited: "operator dead-letter.replay s07/1-0"},
		{name: "replay one, escaped", method: "POST", path: "/v1/dead-letters/s%307/1-0/replay", role: gateway.RoleOperator, status: 204, did: "replay s07/1-0", audited: "operator dead-letter.replay s07/1-0"},
		{name: "drop one", method: "DELETE", path: "/v1/dead-letters/s07/1-0", role: gateway.RoleAdmin, status: 204, did: "drop s07/1-0", audited: "admin dead-letter.drop s07/1-0"},
		{name: "drop what is gone", method: "DELETE", path: "/v1/dead-letters/s07/9-0", role: gateway.RoleOperator, status: 404, did: "drop s07/9-0", audited: "operator dead-letter.drop s07/9-0"},
		{
			name: "replay of an adapter", method: "POST", path: "/v1/dead-letters/replay", body: `{"adapter":"one","code":"teapot"}`, role: gateway.RoleOperator, status: 200, want: `{"count":4}`,
			did: "replay {Adapter:one Account: Where: Chat: Code:teapot}", audited: "operator dead-letters.replay adapter=one&code=teapot",
		},
		{
			name: "drop all", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":true}`, role: gateway.RoleOperator, status: 200, want: `{"count":5}`,
			did: "drop {Adapter: Account: Where: Chat: Code:}", audited: "operator dead-letters.drop all",
		},
		{name: "accounts", path: "/v1/users/Romeo%40example.org/accounts", role: gateway.RoleOperator, status: 200, want: `"id":"01A","adapter":"one","standing":"reauth_needed","standing_reason":"credentials","standing_code":"401","standing_since":"2026-05-04T03:02:01Z","last_event":"2026-05-04T02:02:01Z","created":`},
		{name: "accounts of nobody", path: "/v1/users/eve@example.org/accounts", role: gateway.RoleOperator, status: 200, want: `{"items":[]}`},
		{name: "export", path: "/v1/users/romeo@example.org/export", role: gateway.RoleAdmin, status: 200, want: `"next":"more"`, audited: "admin user.export "},
		{name: "more of it", path: "/v1/users/romeo@example.org/export?after=more", role: gateway.RoleAdmin, status: 200, want: `"anna"`},
		{name: "export of nobody", path: "/v1/users/eve@example.org/export", role: gateway.RoleAdmin, status: 404},
		{name: "export from nowhere", path: "/v1/users/romeo@example.org/export?after=x", role: gateway.RoleAdmin, status: 422, want: `"field":"after"`},
		{name: "erase", method: "DELETE", path: "/v1/users/romeo@example.org", role: gateway.RoleAdmin, status: 200, want: `{"accounts":2,"pending":1,"line":1,"salt":"`, did: "erase romeo@example.org", audited: "admin user.erase "},
		{name: "erase nobody", method: "DELETE", path: "/v1/users/eve@example.org", role: gateway.RoleAdmin, status: 404},
		{name: "erase nonsense", method: "DELETE", path: "/v1/users/eve", role: gateway.RoleAdmin, status: 422, want: `"field":"jid"`},
		{name: "deeds", path: "/v1/users/romeo@example.org/deeds", role: gateway.RoleAdmin, status: 200, want: `"actor":"user","action":"contact.block","object":"one","subject":"c0","prev":"","hash":"","salt":"s4lt"`},
		{name: "deeds of nobody", path: "/v1/users/eve@example.org/deeds", role: gateway.RoleAdmin, status: 200, want: `{"items":[]}`},
		{name: "deeds of nonsense", path: "/v1/users/eve/deeds", role: gateway.RoleAdmin, status: 422, want: `"field":"jid"`},
		{name: "operator asks for deeds", path: "/v1/users/romeo@example.org/deeds", role: gateway.RoleOperator, status: 403},
		{name: "operator erases", method: "DELETE", path: "/v1/users/romeo@example.org", role: gateway.RoleOperator, status: 403},
		{name: "operator exports", path: "/v1/users/romeo@example.org/export", role: gateway.RoleOperator, status: 403},
		{name: "viewer looks at a user", path: "/v1/users/romeo@example.org/accounts", role: gateway.RoleViewer, status: 403},
		{name: "audit", path: "/v1/audit?limit=10", role: gateway.RoleAdmin, status: 200, want: `{"items":[]}`},
		{name: "document", path: "/v1/openapi.yaml", status: 200, want: "openapi: 3.1.0"},

		{name: "viewer replays", method: "POST", path: "/v1/dead-letters/s07/1-0/replay", role: gateway.RoleViewer, status: 403, want: "operator"},
		{name: "viewer drops", method: "DELETE", path: "/v1/dead-letters/s07/1-0", role: gateway.RoleViewer, status: 403},
		{name: "operator audits", path: "/v1/audit", role: gateway.RoleOperator, status: 403, want: "admin"},
		{name: "nobody looks", path: "/v1/queues", status: 401},
		{name: "limit of nothing", path: "/v1/dead-letters?limit=0", role: gateway.RoleViewer, status: 422, want: `"field":"limit"`},
		{name: "limit too high", path: "/v1/dead-letters?limit=1001", role: gateway.RoleViewer, status: 422, want: `"field":"limit"`},
		{name: "limit of words", path: "/v1/audit?limit=all", role: gateway.RoleAdmin, status: 422, want: `"field":"limit"`},
		{name: "after a word", path: "/v1/audit?after=x", role: gateway.RoleAdmin, status: 422, want: `"field":"after"`},
		{name: "limit twice", path: "/v1/dead-letters?limit=1&limit=2", role: gateway.RoleViewer, status: 422, want: `"field":"limit"`},
		{name: "unknown parameter", path: "/v1/dead-letters?adaptor=one", role: gateway.RoleViewer, status: 422, want: `"field":"query"`},
		{name: "broken query", path: "/v1/dead-letters?limit=%zz", role: gateway.RoleViewer, status: 400, want: `"field":"query"`},
		{name: "unknown adapter", path: "/v1/dead-letters?adapter=two", role: gateway.RoleViewer, status: 422, want: `"field":"adapter"`},
		{name: "unknown place", path: "/v1/dead-letters?where=nowhere", role: gateway.RoleViewer, status: 422, want: `"field":"where"`},
		{name: "no body", method: "POST", path: "/v1/dead-letters/replay", role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "no order", method: "POST", path: "/v1/dead-letters/replay", body: `{}`, role: gateway.RoleOperator, status: 422, want: `"field":"all"`},
		{name: "all and a filter", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":true,"where":"in"}`, role: gateway.RoleOperator, status: 422, want: `"field":"all"`},
		{name: "a member too many", method: "POST", path: "/v1/dead-letters/drop", body: `{"every":true}`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "a member of another type", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":"yes"}`, role: gateway.RoleOperator, status: 400, want: `"field":"all"`},
		{name: "two bodies", method: "POST", path: "/v1/dead-letters/drop", body: `{"all":true} {}`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "a body too long", method: "POST", path: "/v1/dead-letters/drop", body: `{"code":"` + strings.Repeat("x", maxAsked) + `"}`, role: gateway.RoleOperator, status: 400, want: `"field":"body"`},
		{name: "outside of its room", method: "DELETE", path: "/v1/dead-letters/..%2f..%2fkey/1-0", role: gateway.RoleOperator, status: 404, did: "drop ../../key/1-0", audited: "operator dead-letter.drop ../../key/1-0"},
		{name: "nothing there", path: "/v1/nothing", role: gateway.RoleAdmin, status: 404},
		{name: "another method", method: "PUT", path: "/v1/queues", role: gateway.RoleAdmin, status: 405},
	}.hold(t)
}

func TestControlPages(t *testing.T) {
	c := newControl(t)
	for n := range 5 {
		if _, err := c.audit.Add(t.Context(), "cli", "token.create", fmt.Sprint("robot-", n)); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for after := int64(0); ; {
		var page struct {
			Items []gateway.AuditEntry `json:"items"`
			Next  int64                `json:"next"`
		}
		w := c.ask(c.secret[gateway.RoleAdmin], http.MethodGet, fmt.Sprint("/v1/audit?limit=2&after=", after), "")
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			got = append(got, e.Seq)
		}
		if after = page.Next; after == 0 {
			break
		}
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// The audit log proves an erasure to who has its salt, and names nobody.
func TestControlErasureProved(t *testing.T) {
	c := newControl(t)
	w := c.ask(c.secret[gateway.RoleAdmin], http.MethodDelete, "/v1/users/romeo@example.org", "")
	var got ErasedView
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	lines, err := c.audit.Lines(t.Context(), got.Line-1, 1)
	if err != nil || len(lines) != 1 {
		t.Fatalf("line %d: got %v, %v", got.Line, lines, err)
	}
	if lines[0].Subject != gateway.Commitment(got.Salt, romeo) || strings.Contains(fmt.Sprint(lines), "romeo") {
		t.Errorf("got %+v, which the salt %s does not open", lines[0], got.Salt)
	}
}

// Who tries tokens is stopped, and nobody else.
func TestControlWrongTokens(t *testing.T) {
	c := newControl(t)
	if err := c.tokens.Revoke(t.Context(), "viewer"); err != nil {
		t.Fatal(err)
	}
	wrong := []string{c.secret[gateway.RoleViewer], "x", "postern_admin_" + strings.Repeat("a", 52), strings.Replace(c.secret[gateway.RoleOperator], "operator", "admin", 1)}
	for n := range wrongBurst {
		w := c.ask(wrong[n%len(wrong)], http.MethodGet, "/v1/whoami", "")
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Header().Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("wrong token %d: got %d, want 401", n, w.Code)
		}
	}
	for _, secret := range []string{"x", c.secret[gateway.RoleAdmin]} {
		if w := c.ask(secret, http.MethodGet, "/v1/whoami", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("after %d wrong ones: got %d, want 429 with Retry-After", wrongBurst, w.Code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/whoami", nil)
	r.RemoteAddr = "192.0.2.77:1"
	r.Header.Set("Authorization", "bearer "+c.secret[gateway.RoleAdmin])
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("from another address: got %d, want 200", w.Code)
	}
}

// What cannot be written down is not done, and what cannot be known is no error of the caller.
func TestControlStoreDown(t *testing.T) {
	c := newControl(t)
	c.ops.err = errors.New("redis: secret detail")
	w := c.ask(c.secret[gateway.RoleViewer], http.MethodGet, "/v1/queues", "")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret detail") {
		t.Errorf("queues: got %d %s, want 503 without details", w.Code, w.Body)
	}
	c.ops.did = nil
	c.store.down = true
	for _, path := range []string{"/v1/dead-letters/s07/1-0/replay", "/v1/dead-letters/drop"} {
		if w := c.ask(c.secret[gateway.RoleOperator], http.MethodPost, path, `{"all":true}`); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d, want 503", path, w.Code)
		}
	}
	if len(c.ops.did) > 0 {
		t.Errorf("did %q, want nothing", c.ops.did)
	}
}
