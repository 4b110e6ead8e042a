package sandbox

import (
	"time"

	"postern/adapters/control"
)

// Rule is a documented limit: a token bucket for each key of its scope.
type Rule struct {
	Name  string
	Scope string // chat, account, app, pair, group: in the platform's word
	// Every is the time that one request costs; it is not scaled. Burst is how many there may be at once.
	Every time.Duration
	Burst float64
}

type limiter struct {
	enforce bool
	rules   []*ruleState
}

type ruleState struct {
	Rule
	max     int
	buckets map[string]bucket
	seen    control.Limit
}

// bucket is what was taken and not given back yet, at a moment.
type bucket struct {
	level float64
	at    time.Time
}

func newLimiter(rules []Rule, size int, enforce bool) limiter {
	l := limiter{enforce: enforce}
	for _, r := range rules {
		l.rules = append(l.rules, &ruleState{Rule: r, max: size, buckets: map[string]bucket{}, seen: control.Limit{
			Name: r.Name, Scope: r.Scope, Rate: float64(time.Second) / float64(max(r.Every, 1)), Burst: r.Burst,
		}})
	}
	return l
}

// Spend takes a request from the bucket of a key under a rule. What finds it empty is a violation: it is counted, and refused is set, with
// the time after which there is room, when limits are enforced. What is refused takes nothing.
func (st *State) Spend(rule, key string) (refused bool, retryAfter time.Duration) {
	for _, r := range st.limiter.rules {
		if r.Name == rule {
			return r.spend(key, st.Now(), st.limiter.enforce)
		}
	}
	return false, 0
}

func (r *ruleState) spend(key string, now time.Time, enforce bool) (bool, time.Duration) {
	b := r.buckets[key]
	b.level = max(0, b.level-float64(now.Sub(b.at))/float64(max(r.Every, 1)))
	b.at = now
	r.seen.Taken++
	over := b.level + 1 - r.Burst
	if over > 1e-9 {
		r.seen.Violations++
		if over > r.seen.Worst {
			r.seen.Worst, r.seen.WorstKey = over, key
		}
		if enforce {
			r.put(key, b, now)
			return true, time.Duration(over * float64(r.Every))
		}
	}
	b.level++
	r.put(key, b, now)
	return false, 0
}

// put keeps a bucket. When there are too many, those that are full again go, and then whichever comes.
func (r *ruleState) put(key string, b bucket, now time.Time) {
	if _, there := r.buckets[key]; !there && len(r.buckets) >= r.max {
		for k, old := range r.buckets {
			if float64(now.Sub(old.at))/float64(max(r.Every, 1)) >= old.level {
				delete(r.buckets, k)
			}
		}
		for k := range r.buckets {
			if len(r.buckets) < r.max {
				break
			}
			delete(r.buckets, k)
		}
	}
	r.buckets[key] = b
}

func (l limiter) view() control.Limits {
	out := control.Limits{Enforce: l.enforce, Rules: []control.Limit{}}
	for _, r := range l.rules {
		out.Rules = append(out.Rules, r.seen)
	}
	return out
}

func (l limiter) violations() (n int64) {
	for _, r := range l.rules {
		n += r.seen.Violations
	}
	return n
}
