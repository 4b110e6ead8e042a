package gateway

import (
	"context"
	"time"
)

// Allowance is what a user may do on an adapter, and how much of it is left.
type Allowance struct {
	Adapter AdapterID
	Terms   Terms
	// Limits are those that hold for the user alone: the plan's, then the adapter's. Of a limit for each chat there is none.
	Limits []LimitLeft
}

// LimitLeft is a limit with what is left of it.
type LimitLeft struct {
	Limit
	// Left is how many tokens there are now, Full how long it takes until there are Burst.
	Left int
	Full time.Duration
}

// Allowance says what a user may do on an adapter, by the same way as for what they ask for; nothing is spent. ErrNotFound for an
// adapter that is not configured.
func (g *Gateway) Allowance(ctx context.Context, user UserID, a AdapterID) (Allowance, error) {
	inst, ok := g.instance(a)
	if !ok {
		return Allowance{}, ErrNotFound
	}
	out := Allowance{Adapter: a, Terms: g.terms(ctx, user, a)}
	account := &Account{Adapter: a, User: user}
	var names []string
	for _, limits := range [][]Limit{out.Terms.Limits, inst.Limits} {
		for _, l := range limits {
			if l.Scope.ofUser() && l.Scope != LimitUserChat {
				out.Limits = append(out.Limits, LimitLeft{Limit: l})
				names = append(names, g.bucket(inst, account, &Contact{}, l).Name)
			}
		}
	}
	filling, err := g.store.Filling(ctx, a, names...)
	if err != nil {
		return Allowance{}, err
	}
	for i, full := range filling {
		l := &out.Limits[i]
		l.Full, l.Left = full, max(0, l.Burst-int((full+l.Every-1)/l.Every))
	}
	return out, nil
}
