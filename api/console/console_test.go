package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"postern/gateway"
)

// inhabited is a rig with some dead letters.
func inhabited(t *testing.T) *rig {
	t.Helper()
	g := newRig(t)
	g.world.letters = []gateway.Letter{
		letter(1, "telegram", "out", "message", "chat_not_found", "chat not found"), letter(2, "whatsapp", "in", "message", "odd", hostile), letter(3, "telegram", "out", "message", "chat_not_found", "chat not found"),
	}
	return g
}

const one = "s01/1764400000001-0"

// Each page is there for the roles that it is for, and has what belongs on it.
func TestPages(t *testing.T) {
	tests := []struct {
		path string
		role gateway.Role
		want string
	}{
		{"/console", gateway.RoleViewer, "telegram.example.org"},
		{"/console/adapters/telegram", gateway.RoleViewer, "As a table"},
		{"/console/adapters/telegram", gateway.RoleViewer, "<small>has not come back in time"},
		{"/console/queues", gateway.RoleViewer, "the contact has to write first"},
		{"/console/dead-letters", gateway.RoleViewer, "chat_not_found"},
		{"/console/dead-letters?code=odd", gateway.RoleViewer, "1 on this page"},
		{"/console/dead-letters?code=nothing", gateway.RoleViewer, "No dead letter is like that"},
		{"/console/fidelity", gateway.RoleViewer, "there is no end-to-end encryption"},
		{"/console/dead-letters/confirm?do=replay&id=" + url.QueryEscape(one), gateway.RoleOperator, "Replay one dead letter?"},
		{"/console/dead-letters/confirm?do=drop&adapter=telegram", gateway.RoleOperator, "Drop 2 dead letters?"},
		{"/console/users", gateway.RoleOperator, "has to sign in again: 2"},
		{"/console/users?jid=romeo@example.org", gateway.RoleOperator, "01JB"},
		{"/console/users?jid=eve@example.org", gateway.RoleOperator, "has no account here"},
		{"/console/audit", gateway.RoleAdmin, "Nothing was changed so far"},
		{"/console/audit/verify", gateway.RoleAdmin, "There is no line to check"},
	}
	g := inhabited(t)
	for _, role := range gateway.Roles() {
		v := g.visit(role)
		for _, tt := range tests {
			w := v.get(tt.path)
			switch body := w.Body.String(); {
			case !role.May(tt.role) && (w.Code != http.StatusForbidden || !strings.Contains(body, "This needs the role "+string(tt.role))):
				t.Errorf("%s as %s: got %d, want 403 that says why", tt.path, role, w.Code)
			case role.May(tt.role) && (w.Code != http.StatusOK || !strings.Contains(body, tt.want)):
				t.Errorf("%s as %s: got %d, want %q on it:\n%s", tt.path, role, w.Code, tt.want, body)
			}
			shown(t, tt.path, w.Body.String())
		}
	}
}

var (
	postForm = regexp.MustCompile(`<form[^>]*method="post"[^>]*action="([^"]+)"`)
	href     = regexp.MustCompile(`(?:href|action|src)="([^"]*)"`)
)

// shown holds a page against what is true of all.
func shown(t *testing.T, path, body string) {
	t.Helper()
	for _, not := range []string{"<img", "<script>", "onerror=\"", "style=\"", "hush", "+39 333"} {
		if strings.Contains(body, not) {
			t.Errorf("%s: the page has %q", path, not)
		}
	}
	for _, m := range href.FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(m[1], "/console") && !strings.HasPrefix(m[1], "/v1/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("%s: the page leads to %q", path, m[1])
		}
	}
	if !strings.Contains(body, `<html lang="en">`) || strings.Count(body, "<h1>") != 1 || !strings.Contains(body, "<title>") {
		t.Errorf("%s: got no language, title, or not one heading:\n%s", path, body)
	}
}

// A viewer finds nothing that changes anything, and cannot do it unasked either.
func TestViewerChangesNothing(t *testing.T) {
	g := inhabited(t)
	v := g.visit(gateway.RoleViewer)
	for _, path := range []string{"/console", "/console/adapters/telegram", "/console/queues", "/console/dead-letters", "/console/fidelity"} {
		body := v.get(path).Body.String()
		for _, m := range postForm.FindAllStringSubmatch(body, -1) {
			if m[1] != "/console/sign-out" {
				t.Errorf("%s: a viewer sees a form for %s", path, m[1])
			}
		}
		if strings.Contains(body, "confirm") || strings.Contains(body, "/console/users") || strings.Contains(body, "/console/audit") {
			t.Errorf("%s: a viewer sees a way to what is not theirs:\n%s", path, body)
		}
	}
	for role, posts := range map[gateway.Role][]string{
		gateway.RoleViewer: {"/console/dead-letters"}, gateway.RoleOperator: {"/console/users/export", "/console/users/erase"},
	} {
		for _, path := range posts {
			w := g.visit(role).post(path, url.Values{"do": {"drop"}, "jid": {romeo}, "again": {romeo}})
			if w.Code != http.StatusForbidden {
				t.Errorf("%s as %s: got %d, want 403", path, role, w.Code)
			}
		}
	}
	if len(g.world.did) > 0 || g.audited() != "" {
		t.Errorf("did %q, audited %q", g.world.did, g.audited())
	}
}

// What is changed is written down under the token's name, and said on the next page, once.
func TestLettersChanged(t *testing.T) {
	tests := []struct {
		form          url.Values
		did, audited  string
		said, to      string
		status, count int
	}{
		{url.Values{"do": {"replay"}, "id": {one}}, "replay " + one, "operator dead-letter.replay " + one, "One dead letter is tried once more.", "/console/dead-letters", 303, 2},
		{url.Values{"do": {"drop"}, "id": {one}, "code": {"chat_not_found"}}, "drop " + one, "operator dead-letter.drop " + one, "One dead letter is forgotten.", "/console/dead-letters?code=chat_not_found", 303, 2},
		{url.Values{"do": {"replay"}, "adapter": {"telegram"}, "where": {"out"}}, "replay " + one + ", replay s03/1764400000003-0", "operator dead-letters.replay adapter=telegram&where=out", "2 dead letters are tried once more.", "/console/dead-letters?adapter=telegram&where=out", 303, 1},
		{url.Values{"do": {"drop"}}, "drop " + one + ", drop s02/1764400000002-0, drop s03/1764400000003-0", "operator dead-letters.drop all", "3 dead letters are forgotten.", "/console/dead-letters", 303, 0},
		{form: url.Values{"do": {"drop"}, "id": {"s01/9-9"}}, did: "drop s01/9-9", audited: "operator dead-letter.drop s01/9-9", said: "not there any more", status: 404, count: 3},
		{form: url.Values{"do": {"burn"}}, said: "It is replay or drop.", status: 422, count: 3},
		{form: url.Values{"do": {"drop"}, "where": {"nowhere"}}, said: "in, out, outbox or webhook", status: 422, count: 3},
		{form: url.Values{"do": {"drop"}, "adapter": {"x"}}, said: "No adapter has this name", status: 422, count: 3},
		{form: url.Values{"do": {"drop"}, "id": {"../../../etc"}}, said: "no id of a dead letter", status: 422, count: 3},
	}
	for _, tt := range tests {
		t.Run(tt.form.Encode(), func(t *testing.T) {
			g := inhabited(t)
			v := g.visit(gateway.RoleOperator)
			w := v.post("/console/dead-letters", tt.form)
			if w.Code != tt.status || w.Header().Get("Location") != tt.to {
				t.Errorf("got %d to %q, want %d to %q", w.Code, w.Header().Get("Location"), tt.status, tt.to)
			}
			page, again := w.Body.String(), ""
			if tt.to != "" {
				page, again = v.get(tt.to).Body.String(), v.get(tt.to).Body.String()
			}
			if !strings.Contains(page, tt.said) || strings.Contains(again, tt.said) {
				t.Errorf("want %q said once, got\n%s", tt.said, page)
			}
			if got := strings.Join(g.world.did, ", "); got != tt.did || g.audited() != tt.audited || len(g.world.letters) != tt.count {
				t.Errorf("did %q and left %d, audited %q; want %q, %d, %q", got, len(g.world.letters), g.audited(), tt.did, tt.count, tt.audited)
			}
		})
	}
}

// Long lists come page by page, each letter once.
func TestLettersPaged(t *testing.T) {
	g := newRig(t)
	for n := range 120 {
		l := letter(n%60, "telegram", "out", "message", "c", "")
		l.ID = gateway.LetterID(fmt.Sprintf("s01/%04d-0", n))
		g.world.letters = append(g.world.letters, l)
	}
	v := g.visit(gateway.RoleViewer)
	next := regexp.MustCompile(`<a class="button" href="([^"]+)">Next page`)
	seen, pages := map[string]int{}, 0
	for path := "/console/dead-letters?where=out"; path != ""; pages++ {
		body := v.get(path).Body.String()
		for _, id := range regexp.MustCompile(`s01/\d{4}-0`).FindAllString(body, -1) {
			seen[id]++
		}
		path = ""
		if m := next.FindStringSubmatch(body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != 120 || pages != 3 {
		t.Errorf("got %d letters on %d pages, want 120 on 3", len(seen), pages)
	}
}

func TestExportAndErase(t *testing.T) {
	g := newRig(t)
	v := g.visit(gateway.RoleAdmin)
	for _, do := range []string{"export", "erase"} {
		for again, status := range map[string]int{"": 422, "romeo@example.com": 422, "eve@example.org": 422} {
			w := v.post("/console/users/"+do, url.Values{"jid": {romeo}, "again": {again}})
			if w.Code != status || !strings.Contains(w.Body.String(), "Nothing was done") {
				t.Errorf("%s with %q typed: got %d, want %d", do, again, w.Code, status)
			}
		}
		if w := v.post("/console/users/"+do, url.Values{"jid": {"eve@example.org"}, "again": {"eve@example.org"}}); w.Code != http.StatusNotFound {
			t.Errorf("%s of nobody: got %d, want 404", do, w.Code)
		}
		if w := v.post("/console/users/"+do, url.Values{"jid": {hostile}, "again": {hostile}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s of what is no JID: got %d, want 422", do, w.Code)
		}
	}
	if len(g.world.did) > 0 || g.audited() != "" {
		t.Fatalf("did %q, audited %q before anything was confirmed", g.world.did, g.audited())
	}
	w := v.post("/console/users/export", url.Values{"jid": {romeo}, "again": {" Romeo@example.org "}})
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	var head struct{ Schema, User string }
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Schema != gateway.ExportSchema || head.User != romeo || len(lines) != 3 || !strings.Contains(lines[2], "anna") {
		t.Errorf("export: got %v and\n%s", err, w.Body)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="postern-export.jsonl"` {
		t.Errorf("export: got Content-Disposition %q", got)
	}
	w = v.post("/console/users/erase", url.Values{"jid": {romeo}, "again": {romeo}})
	salt := regexp.MustCompile(`<code>([a-z2-7]{26})</code>`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || salt == nil || strings.Join(g.world.did, "") != "erase "+romeo || !strings.Contains(w.Body.String(), "1 platform has not confirmed") {
		t.Fatalf("erase: got %d, did %q\n%s", w.Code, g.world.did, w.Body)
	}
	log, err := g.audit.Lines(t.Context(), 0, 10)
	if err != nil || g.audited() != "admin user.export, admin user.erase" || log[1].Subject != gateway.Commitment(salt[1], romeo) {
		t.Errorf("audited %q, %v: the salt %s does not open the line", g.audited(), err, salt[1])
	}
}

func TestAuditLog(t *testing.T) {
	g := newRig(t)
	v := g.visit(gateway.RoleAdmin)
	for n := range 120 {
		if _, err := g.audit.Add(t.Context(), "cli", "token.create", fmt.Sprint("robot-", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	rows := regexp.MustCompile(`<code>robot-(\d+)</code>`)
	got := ""
	for path := "/console/audit"; path != ""; {
		body := v.get(path).Body.String()
		all := rows.FindAllStringSubmatch(body, -1)
		got += fmt.Sprintf("%s-%s ", all[0][1], all[len(all)-1][1])
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)">Older`).FindStringSubmatch(body); m != nil {
			path = m[1]
		}
	}
	if want := "120-71 70-21 20-1 "; got != want {
		t.Errorf("got lines %q, want %q", got, want)
	}
	if body := v.get("/console/audit/verify").Body.String(); !strings.Contains(body, "up to 120 hold together") {
		t.Errorf("verified: got\n%s", body)
	}
	for _, path := range []string{"/console/audit?until=x", "/console/audit?until=-1", "/console/audit/verify?after=x"} {
		if w := v.get(path); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422", path, w.Code)
		}
	}
	if err := g.store.Save(t.Context(), "audit", gateway.Change{Kind: gateway.RecordAudit, Name: fmt.Sprintf("%012d", 90), Value: []byte("forged")}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/console/audit", "/console/audit/verify"} {
		if body := v.get(path).Body.String(); !strings.Contains(body, "does not hold together") || !strings.Contains(body, "000000000090") {
			t.Errorf("%s of a forged log: got\n%s", path, body)
		}
	}
	if body := v.get("/console/audit?until=80").Body.String(); strings.Contains(body, "does not hold") {
		t.Error("lines before the forged one are said not to hold together")
	}
}

// When the store is down pages say so, tell nothing of why, and nothing is done that cannot be written down.
func TestStoreDown(t *testing.T) {
	g := inhabited(t)
	v := g.visit(gateway.RoleAdmin)
	g.world.fail(errors.New("redis: secret detail"))
	for _, path := range []string{"/console/queues", "/console/dead-letters", "/console/users?jid=" + romeo, "/console/dead-letters/confirm?do=drop"} {
		w := v.get(path)
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret detail") || !strings.Contains(w.Body.String(), "postern doctor") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: got %d\n%s", path, w.Code, w.Body)
		}
	}
	if w := v.get("/console"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "The store does not answer") || strings.Contains(w.Body.String(), "secret detail") {
		t.Errorf("overview: got %d\n%s", w.Code, w.Body)
	}
	g.world.fail(nil)
	g.world.did, g.store.down = nil, true
	for path, form := range map[string]url.Values{"/console/dead-letters": {"do": {"drop"}}, "/console/users/erase": {"jid": {romeo}, "again": {romeo}}} {
		if w := v.post(path, form); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d, want 503", path, w.Code)
		}
	}
	if w := g.visit("").post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleAdmin]}}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("sign in: got %d, want 503", w.Code)
	}
	if len(g.world.did) > 0 {
		t.Errorf("did %q, want nothing", g.world.did)
	}
}

// What pages ask for is there, and nothing else is.
func TestFiles(t *testing.T) {
	g := newRig(t)
	v := g.visit("")
	for path, kind := range map[string]string{"/console/style.css": "text/css; charset=utf-8", "/console/live.js": "text/javascript; charset=utf-8", "/console/icon.svg": "image/svg+xml", "/v1/docs/style.css": "text/css; charset=utf-8"} {
		if w := v.get(path); w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind || w.Body.Len() == 0 {
			t.Errorf("%s: got %d %q", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	entries, err := os.ReadDir("../internal/page/files")
	if err != nil || len(entries) != 3 {
		t.Errorf("got files %v, %v, want three", entries, err)
	}
}
