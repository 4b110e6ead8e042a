package api

import (
	"net/http"
	"time"

	"postern/gateway"
)

// PolicyView is what a user may do, for each adapter that was asked about.
type PolicyView struct {
	Items []AllowanceView `json:"items"`
}

// AllowanceView is what they may do on one.
type AllowanceView struct {
	Adapter gateway.AdapterID `json:"adapter"`
	Allowed bool              `json:"allowed"`
	// Reason is what a user is told who may not.
	Reason string `json:"reason,omitempty"`
	Plan   string `json:"plan,omitempty"`
	// By is what decides, Rule which of policy.rules, from 1.
	By     gateway.TermsBy `json:"by"`
	Rule   int             `json:"rule,omitempty"`
	Limits []LimitView     `json:"limits"`
}

// LimitView is a limit that holds for the user alone, with what is left of it; of files it counts KiB.
type LimitView struct {
	Scope gateway.LimitScope `json:"scope"`
	Most  int                `json:"most"`
	Per   int                `json:"per_s"`
	Left  int                `json:"left"`
	Full  int                `json:"full_in_s"`
}

func (v v1) policy(r *http.Request) (any, error) {
	q, err := query(r, "user", "adapter")
	if err != nil {
		return nil, err
	}
	user, err := v.ParseUser(q.Get("user"))
	if err != nil {
		return nil, &wrong{"user", "It is no bare JID, such as romeo@example.org.", false}
	}
	out := PolicyView{[]AllowanceView{}}
	for _, i := range v.Instances {
		if q.Get("adapter") != "" && q.Get("adapter") != string(i.ID) {
			continue
		}
		got, err := v.Operations.Allowance(r.Context(), user, i.ID)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, allowanceView(got))
	}
	if len(out.Items) == 0 {
		return nil, &wrong{"adapter", "No adapter has this name.", false}
	}
	return out, nil
}

func allowanceView(a gateway.Allowance) AllowanceView {
	out := AllowanceView{a.Adapter, !a.Terms.Refused, a.Terms.Reason, a.Terms.Plan, a.Terms.By, a.Terms.Rule, []LimitView{}}
	for _, l := range a.Limits {
		seconds := func(d time.Duration) int { return int((d + time.Second/2) / time.Second) }
		out.Limits = append(out.Limits, LimitView{l.Scope, l.Burst, seconds(time.Duration(l.Burst) * l.Every), l.Left, int((l.Full + time.Second - 1) / time.Second)})
	}
	return out
}
