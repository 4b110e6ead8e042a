package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

func (o *operations) CanaryState(context.Context, gateway.AdapterID) (gateway.CanaryState, error) {
	return gateway.CanaryState{At: time.Unix(300, 0).UTC(), Result: gateway.CanaryNoAnswer, OK: time.Unix(200, 0).UTC(), Took: 1500 * time.Millisecond}, o.err
}

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
	want                     string // in the body
	did, audited             string
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

func (o *operations) Stop(_ context.Context, s gateway.Stop) error {
	o.did = append(o.did, "stop "+string(s.Adapter)+" by "+s.By+": "+s.Reason)
	return o.err
}

func (o *operations) Start(_ context.Context, a gateway.AdapterID) error {
	o.did = append(o.did, "start "+string(a))
	return gateway.ErrNotFound
}

func (o *operations) Stopped(gateway.AdapterID) (gateway.Stop, bool) {
	return gateway.Stop{Reason: "Noon.", By: "anna", At: time.Unix(5, 0).UTC()}, true
}

func (o *operations) Block(_ context.Context, b gateway.Block) error {
	o.did = append(o.did, "block "+b.Who+" by "+b.By+": "+b.Reason)
	if b.Who == "full.example.org" {
		return gateway.ErrFull
	}
	return o.err
}

func (o *operations) Unblock(_ context.Context, who string) error {
	o.did = append(o.did, "unblock "+who)
	if who != "example.org" {
		return gateway.ErrNotFound
	}
	return o.err
}

func (o *operations) Blocks() []gateway.Block {
	if o.blocks != nil {
		return o.blocks
	}
	return []gateway.Block{{Who: "example.org", Reason: "No.", By: "anna", At: time.Unix(5, 0).UTC()}}
}

func parseDomain(s string) (string, error) {
	if strings.ContainsAny(s, "/ ") || s == "" {
		return "", errors.New("no domain")
	}
	return strings.ToLower(s), nil
}

func TestOrderAnswers(t *testing.T) {
	orders{
		{name: "stop", method: "POST", path: "/v1/adapters/one/stop", body: `{"reason":" Back at noon. "}`, role: gateway.RoleOperator, status: 204, did: "stop one by operator: Back at noon.", audited: "operator adapter.stop one"},
		{name: "stop without a reason", method: "POST", path: "/v1/adapters/one/stop", body: `{"reason":" "}`, role: gateway.RoleOperator, status: 422, want: `"field":"reason"`},
		{name: "stop with two lines", method: "POST", path: "/v1/adapters/one/stop", body: `{"reason":"a\nb"}`, role: gateway.RoleOperator, status: 422, want: `"field":"reason"`},
		{name: "stop what is none", method: "POST", path: "/v1/adapters/two/stop", body: `{"reason":"x"}`, role: gateway.RoleOperator, status: 404},
		{name: "stop by a viewer", method: "POST", path: "/v1/adapters/one/stop", body: `{"reason":"x"}`, role: gateway.RoleViewer, status: 403},
		{name: "start what is not stopped", method: "POST", path: "/v1/adapters/one/start", role: gateway.RoleOperator, status: 404, did: "start one", audited: "operator adapter.start one"},
		{name: "adapters", path: "/v1/adapters", role: gateway.RoleViewer, status: 200, want: `"stopped":{"reason":"Noon.","by":"anna","at":"1970-01-01T00:00:05Z"}`},
		{name: "block a user", method: "POST", path: "/v1/blocks", body: `{"jid":"Romeo@example.org","reason":"For a week."}`, role: gateway.RoleAdmin, status: 200, want: `{"line":1,"salt":"`, did: "block romeo@example.org by admin: For a week.", audited: "admin user.block "},
		{name: "block a domain", method: "POST", path: "/v1/blocks", body: `{"jid":"Example.org","reason":"No."}`, role: gateway.RoleAdmin, status: 200, want: `"salt"`, did: "block example.org by admin: No.", audited: "admin user.block "},
		{name: "block one too many", method: "POST", path: "/v1/blocks", body: `{"jid":"full.example.org","reason":"No."}`, role: gateway.RoleAdmin, status: 409, did: "block full.example.org by admin: No.", audited: "admin user.block "},
		{name: "block nonsense", method: "POST", path: "/v1/blocks", body: `{"jid":"a b","reason":"No."}`, role: gateway.RoleAdmin, status: 422, want: `"field":"jid"`},
		{name: "block a client", method: "POST", path: "/v1/blocks", body: `{"jid":"a@b@c","reason":"No."}`, role: gateway.RoleAdmin, status: 422, want: `"field":"jid"`},
		{name: "block without a reason", method: "POST", path: "/v1/blocks", body: `{"jid":"example.org"}`, role: gateway.RoleAdmin, status: 422, want: `"field":"reason"`},
		{name: "block by an operator", method: "POST", path: "/v1/blocks", body: `{"jid":"example.org","reason":"No."}`, role: gateway.RoleOperator, status: 403, want: "admin"},
		{name: "unblock", method: "DELETE", path: "/v1/blocks/EXAMPLE.org", role: gateway.RoleAdmin, status: 200, want: `"salt"`, did: "unblock example.org", audited: "admin user.unblock "},
		{name: "unblock nobody", method: "DELETE", path: "/v1/blocks/eve%40example.org", role: gateway.RoleAdmin, status: 404, did: "unblock eve@example.org", audited: "admin user.unblock "},
		{name: "blocks", path: "/v1/blocks", role: gateway.RoleAdmin, status: 200, want: `{"items":[{"jid":"example.org","reason":"No.","by":"anna","at":"1970-01-01T00:00:05Z"}]}`},
	}.hold(t)
}
