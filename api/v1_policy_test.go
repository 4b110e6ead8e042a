package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

func (o *operations) Allowance(_ context.Context, user gateway.UserID, a gateway.AdapterID) (gateway.Allowance, error) {
	if user != romeo {
		return gateway.Allowance{Adapter: a, Terms: gateway.Terms{By: gateway.ByRule, Rule: 1, Refused: true, Reason: "No."}}, o.err
	}
	return gateway.Allowance{Adapter: a, Terms: gateway.Terms{By: gateway.ByAnswer, Plan: "basic"}, Limits: []gateway.LimitLeft{
		{Limit: gateway.Limit{Scope: gateway.LimitPlan, Every: 86400 * time.Millisecond, Burst: 1000}, Left: 998, Full: 172_800 * time.Millisecond},
		{Limit: gateway.Limit{Scope: gateway.LimitFirst, Every: time.Minute, Burst: 5}, Left: 5},
	}}, o.err
}

// orders are requests with what has to come of them.
type orders []struct {
	name, method, path, body string
	role                     gateway.Role
	status                   int
	want, did, audited       string
}

func (all orders) hold(t *testing.T) {
	t.Helper()
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			c := newControl(t)
			if tt.method == "" {
				tt.method = http.MethodGet
			}
			w := c.ask(c.secret[tt.role], tt.method, tt.path, tt.body)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, want %d and %s in it", w.Code, w.Body, tt.status, tt.want)
			}
			if got := strings.Join(c.ops.did, ", "); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			lines, err := c.audit.Lines(t.Context(), 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			var audited []string
			for _, l := range lines {
				audited = append(audited, l.Actor+" "+l.Action+" "+l.Object)
			}
			if got := strings.Join(audited, ", "); got != tt.audited {
				t.Errorf("audited %q, want %q", got, tt.audited)
			}
		})
	}
}

func TestPolicyAnswers(t *testing.T) {
	const limits = `{"scope":"plan_messages","most":1000,"per_s":86400,"left":998,"full_in_s":173},{"scope":"first_contact","most":5,"per_s":300,"left":5,"full_in_s":0}`
	orders{
		{name: "of all adapters", path: "/v1/policy?user=romeo@example.org", role: gateway.RoleAdmin, status: 200, want: `{"items":[{"adapter":"one","allowed":true,"plan":"basic","by":"answer","limits":[` + limits + `]}]}`},
		{name: "of one", path: "/v1/policy?user=eve@example.org&adapter=one", role: gateway.RoleAdmin, status: 200, want: `{"adapter":"one","allowed":false,"reason":"No.","by":"rule","rule":1,"limits":[]}`},
		{name: "of none", path: "/v1/policy?user=romeo@example.org&adapter=two", role: gateway.RoleAdmin, status: 422, want: `"field":"adapter"`},
		{name: "of nobody", path: "/v1/policy?user=eve", role: gateway.RoleAdmin, status: 422, want: `"field":"user"`},
		{name: "without a user", path: "/v1/policy", role: gateway.RoleAdmin, status: 422, want: `"field":"user"`},
		{name: "by an operator", path: "/v1/policy?user=romeo@example.org", role: gateway.RoleOperator, status: 403, want: "admin"},
	}.hold(t)
}
