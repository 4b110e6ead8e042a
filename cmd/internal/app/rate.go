package app

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"postern/gateway"
)

// Rate is so many at once and so many more in each stretch of time, written as 300/1m; the zero Rate is no limit, written as off.
type Rate struct {
	N   int
	Per time.Duration
}

// maxRate is the most that a Rate allows in a stretch; limits beyond it are none.
const maxRate = 1_000_000

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,6})/([0-9a-zµ.]+)$`)

// parseRate reads a rate; ok is false for anything else.
func parseRate(s string) (Rate, bool) {
	if s == "" || s == "off" {
		return Rate{}, true
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return Rate{}, false
	}
	n, err := strconv.Atoi(m[1])
	per, bad := time.ParseDuration(m[2])
	if err != nil || bad != nil || n > maxRate || per < time.Second || per > 31*24*time.Hour {
		return Rate{}, false
	}
	return Rate{N: n, Per: per}, true
}

// String writes the rate as it is read.
func (r Rate) String() string {
	if r.N == 0 {
		return "off"
	}
	return fmt.Sprintf("%d/%s", r.N, r.Per)
}

// limit is the rate as the gateway keeps it: a token bucket.
func (r Rate) limit(scope gateway.LimitScope) gateway.Limit {
	return gateway.Limit{Scope: scope, Every: r.Per / time.Duration(r.N), Burst: r.N}
}

// Limits are the operator's, of one adapter.
type Limits struct {
	// User bounds what one user asks for, Chat what of it in one chat: messages, corrections, reactions.
	User Rate `yaml:"user"`
	Chat Rate `yaml:"chat"`
	// FirstContact bounds to how many people one user writes first.
	FirstContact Rate `yaml:"first_contact"`
	// Account and App bound what is sent by one account there, and by all of the adapter, besides what it keeps to by itself.
	// Users who share them get their turns one after another.
	Account Rate `yaml:"account"`
	App     Rate `yaml:"app"`
}

// defaultLimits are wide enough for people, and narrow enough that a script that has gone wild is one user's trouble.
func defaultLimits() Limits {
	return Limits{User: Rate{300, time.Minute}, Chat: Rate{120, time.Minute}, FirstContact: Rate{100, 24 * time.Hour}}
}

// all are the limits as the gateway keeps them.
func (l Limits) all() []gateway.Limit {
	var out []gateway.Limit
	for _, r := range []struct {
		scope gateway.LimitScope
		rate  Rate
	}{
		{gateway.LimitUser, l.User}, {gateway.LimitUserChat, l.Chat}, {gateway.LimitFirst, l.FirstContact},
		{gateway.LimitAccount, l.Account}, {gateway.LimitApp, l.App},
	} {
		if r.rate.N > 0 {
			out = append(out, r.rate.limit(r.scope))
		}
	}
	return out
}
