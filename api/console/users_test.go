package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"postern/gateway"
)

// A user's invites and chats stand on their page, page by page; an operator revokes an invite there, and that is written down.
func TestUserChatsAndInvites(t *testing.T) {
	g := newRig(t)
	v := g.visit(gateway.RoleOperator)
	first := v.get("/console/users?jid=" + romeo).Body.String()
	for _, want := range []string{"k5w2yq7n3bdmx4ha", "3 to platforms: the contact has to write first", "/console/dead-letters?chat=4cf1a7d90b3e2281", `value="inv1"`} {
		if !strings.Contains(first, want) {
			t.Errorf("the page lacks %q:\n%s", want, first)
		}
	}
	for name, want := range map[string]string{"More chats": "zzzz", "More invites": `value="inv2"`} {
		m := regexp.MustCompile(`href="([^"]+)">` + name).FindStringSubmatch(first)
		if m == nil {
			t.Fatalf("no %q on\n%s", name, first)
		}
		if body := v.get(strings.ReplaceAll(m[1], "&amp;", "&")).Body.String(); !strings.Contains(body, want) || !strings.Contains(body, "First page") {
			t.Errorf("%s: no %q on\n%s", name, want, body)
		}
	}
	if w := v.get("/console/users?jid=" + romeo + "&chats=nowhere"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("from nowhere: got %d, want 422", w.Code)
	}
	for _, tt := range []struct {
		jid, id string
		status  int
	}{{romeo, "other", 404}, {"eve@example.org", "inv1", 404}, {"x", "inv1", 422}, {romeo, "inv1", 303}} {
		if w := v.post("/console/users/revoke", url.Values{"jid": {tt.jid}, "id": {tt.id}}); w.Code != tt.status {
			t.Errorf("revoke of %s of %s: got %d, want %d", tt.id, tt.jid, w.Code, tt.status)
		}
	}
	if body := v.get("/console/users?jid=" + romeo).Body.String(); !strings.Contains(body, "The invite opens nothing any more.") {
		t.Errorf("nothing said on\n%s", body)
	}
	if got := strings.Join(g.world.did, ", "); got != "revoke inv1 of "+romeo || !strings.Contains(g.audited(), "operator invite.revoke inv1") {
		t.Errorf("did %q, audited %q", got, g.audited())
	}
	if w := g.visit(gateway.RoleViewer).post("/console/users/revoke", url.Values{"jid": {romeo}, "id": {"inv1"}}); w.Code != http.StatusForbidden {
		t.Errorf("by a viewer: got %d, want 403", w.Code)
	}
}

// A filter that takes few of very many dead letters costs a page so many questions at most, and the page leads on.
func TestLettersLookedFor(t *testing.T) {
	g := newRig(t)
	for n := range 20_000 {
		l := letter(1, "telegram", "out", "message", "usual", "")
		l.ID = gateway.LetterID(fmt.Sprintf("s01/%06d-0", n))
		g.world.letters = append(g.world.letters, l)
	}
	g.world.letters[19_999].Why.Code = "rare"
	v := g.visit(gateway.RoleViewer)
	body := v.get("/console/dead-letters?code=rare").Body.String()
	if g.world.asked > gateway.MaxAsked+10 || !strings.Contains(body, "there are more") {
		t.Fatalf("asked %d times, want %d at most, and a way on:\n%s", g.world.asked, gateway.MaxAsked, body)
	}
	next := regexp.MustCompile(`<a class="button" href="([^"]+)">Next page`)
	for pages := 0; !strings.Contains(body, "s01/019999-0"); pages++ {
		m := next.FindStringSubmatch(body)
		if m == nil || pages > 20 {
			t.Fatalf("not found after %d pages:\n%s", pages, body)
		}
		body = v.get(strings.ReplaceAll(m[1], "&amp;", "&")).Body.String()
	}
}
