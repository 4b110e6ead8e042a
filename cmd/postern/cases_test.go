package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/api"
	"postern/gateway"
)

// answering is a gateway that answers what is written here, and notes what it was asked.
func answering(t *testing.T, answers map[string]any) (asked *[]string) {
	t.Helper()
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		_ = json.NewEncoder(w).Encode(answers[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	t.Setenv("POSTERN_URL", s.URL)
	t.Setenv("POSTERN_TOKEN", "t")
	return asked
}

// prints runs a command and returns what it prints, with times as T.
func prints(t *testing.T, at time.Time, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(args, strings.NewReader(""), &stdout, &stderr)
	return strings.ReplaceAll(stdout.String(), moment(at), "2026-11-29 T      ") + stderr.String(), code
}

// The tables of cases, and what is asked for them. What strangers wrote cannot steer a terminal.
func TestCasesPrinted(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	k := api.CaseView{
		ID: "01c", State: gateway.CaseAppealed, Adapter: "wall", Reason: gateway.ReportAbuse, Platform: gateway.CaseTold, Opened: at, User: "romeo@example.org",
		Contact: &api.CaseContactView{ID: "id-tybalt", Address: "abc@wall.example.org", Name: "Tybalt\x1b[2J"}, Statement: "He bit\nhis thumb.",
		Decisions: []api.DecisionView{{Decision: gateway.NoAction, Reasons: "A gesture.", By: "anna", At: at}}, Appeal: &api.AppealView{Text: "At us!", At: at},
	}
	viewed := api.CaseView{ID: "01b", State: gateway.CaseOpen, Adapter: "wall", Reason: gateway.ReportSpam, Platform: gateway.CaseUntold, Opened: at, Decisions: []api.DecisionView{}}
	asked := answering(t, map[string]any{"/v1/cases": api.CasesView{Items: []api.CaseView{k, viewed}}, "/v1/cases/01c": k, "/v1/cases/01c/decision": k})
	const shown = `CASE       01c
STATE      appealed
OPENED     2026-11-29 T      
ADAPTER    wall
USER       romeo@example.org
ABOUT      Tybalt [2J abc@wall.example.org
REASON     abuse
PLATFORM   told
STATEMENT  He bit his thumb.
DECISION   2026-11-29 T       no_action by anna A gesture.
APPEAL     2026-11-29 T       At us!
`
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"cases"}, `ID   STATE     OPENED               ADAPTER  REASON  USER               ABOUT       DECIDED
01c  appealed  2026-11-29 T        wall     abuse   romeo@example.org  Tybalt [2J  no_action
01b  open      2026-11-29 T        wall     spam    -                  -           -
`},
		{[]string{"cases", "--state", "waiting", "--max", "1"}, `ID   STATE     OPENED               ADAPTER  REASON  USER               ABOUT       DECIDED
01c  appealed  2026-11-29 T        wall     abuse   romeo@example.org  Tybalt [2J  no_action
`},
		{[]string{"cases", "show", "01c"}, shown},
		{[]string{"cases", "decide", "01c", "--decision", "forwarded", "--reasons", "So."}, shown},
	} {
		got, code := prints(t, at, tt.args...)
		if diff := cmp.Diff(tt.want, got); diff != "" || code != exitOK {
			t.Errorf("postern %s: exit %d (-want +got):\n%s", strings.Join(tt.args, " "), code, diff)
		}
	}
	var read []api.CaseView
	out, _ := prints(t, at, "cases", "list", "--json")
	if err := json.Unmarshal([]byte(out), &read); err != nil || len(read) != 2 || read[0].Statement != k.Statement {
		t.Errorf("as JSON: got %v and\n%s", err, out)
	}
	want := []string{"GET /v1/cases?", "GET /v1/cases?state=waiting", "GET /v1/cases/01c", `POST /v1/cases/01c/decision {"decision":"forwarded","reasons":"So."}`, "GET /v1/cases?"}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	k.Decisions[0].Due = true
	if last := caseTable(k); !strings.Contains(strings.Join(last[len(last)-2], " "), "A gesture. (not carried out yet") {
		t.Errorf("got %v, want that the decision is due", last)
	}
	for _, args := range [][]string{{"cases", "decide", "01c", "--decision", "hang", "--reasons", "x"}, {"cases", "decide", "01c", "--decision", "forwarded"}, {"cases", "--state", "lost"}} {
		if out, code := prints(t, at, args...); code != exitUsage {
			t.Errorf("postern %s: got exit %d and %s", strings.Join(args, " "), code, out)
		}
	}
}

// Lines about a user are printed when they prove to be, and nothing is when one does not.
func TestAuditAboutPrinted(t *testing.T) {
	const romeo, salt = "romeo@example.org", "s4lt"
	// The hash of this line as the gateway makes it.
	e := gateway.AuditEntry{Seq: 7, At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Actor: gateway.ActorUser, Action: "contact.block", Object: "wall", Subject: gateway.Commitment(salt, romeo)}
	e.Hash = hashOf(e)
	answering(t, map[string]any{"/v1/users/" + romeo + "/deeds": api.DeedsView{Items: []gateway.Deed{{AuditEntry: e, Salt: salt}}}, "/v1/users/eve@example.org/deeds": api.DeedsView{Items: []gateway.Deed{{AuditEntry: e, Salt: salt}}}})
	got, code := prints(t, e.At, "audit", "about", romeo)
	want := "LINE  AT                   ACTOR  ACTION         OBJECT  SALT\n7     2026-11-29 T        user   contact.block  wall    s4lt\n"
	if diff := cmp.Diff(want, got); diff != "" || code != exitOK {
		t.Errorf("exit %d (-want +got):\n%s", code, diff)
	}
	if got, code := prints(t, e.At, "audit", "about", "eve@example.org"); code != exitFailed || !strings.Contains(got, "line 7 is not about eve@example.org") {
		t.Errorf("another's line: got exit %d, %s", code, got)
	}
}

// hashOf is the SHA-256 of a line with an empty hash, as its documentation says.
func hashOf(e gateway.AuditEntry) string {
	e.Hash = ""
	plain, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(plain))
}
