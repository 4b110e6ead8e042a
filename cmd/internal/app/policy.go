package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"postern/gateway"
)

// Policy is who may use which adapter, and how much.
type Policy struct {
	// Plans by name: how much a user may do.
	Plans map[string]Plan `yaml:"plans"`
	// Rules are looked through in order: the first that fits a user and an adapter counts. Where none does, the service at URL is
	// asked; without one all is allowed within the limits of the adapter.
	Rules []Rule `yaml:"rules"`
	// URL is a service of the operator's that is asked about each user: POST {"user","domain","adapter"}, answered with
	// {"allow","reason","plan","keep_for_s"}. It is https, or http on this machine. TokenFile holds a bearer token for it, on one line.
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
	// Timeout bounds one question.
	Timeout time.Duration `yaml:"timeout"`
	// Unreachable is what counts without an answer: last (the user's last answer, and where there was none they are let in),
	// refuse or allow.
	Unreachable string `yaml:"unreachable"`
}

// Plan is how much a user may do, on each adapter for itself; what is off or missing the plan leaves open.
type Plan struct {
	// Messages are what the user asks for: messages, corrections, reactions.
	Messages Rate `yaml:"messages"`
	// Media is how much all files may have, both ways.
	Media Volume `yaml:"media"`
	// NewContacts are people whom the user writes to before they have written.
	NewContacts Rate `yaml:"new_contacts"`
}

// Rule is about the users that it fits; what it does not name it fits all of. One that neither refuses nor names a plan lets them
// in without one.
type Rule struct {
	// User is a bare JID, Domain all users of a server, Adapter the name of an adapter.
	User    string `yaml:"user"`
	Domain  string `yaml:"domain"`
	Adapter string `yaml:"adapter"`
	// Refuse lets them not in: it is what they are told.
	Refuse string `yaml:"refuse"`
	// Plan is one of policy.plans.
	Plan string `yaml:"plan"`
}

// Volume is so many bytes at once and so many more in each stretch of time, written as 500MiB/24h; the zero Volume is no limit,
// written as off.
type Volume struct {
	Size Size
	Per  time.Duration
}

var volumeForm = regexp.MustCompile(`^([0-9A-Za-z]+)/([0-9a-zµ.]+)$`)

// parseVolume reads a volume; ok is false for anything else. It is counted in KiB, and no faster than the store's clock.
func parseVolume(s string) (Volume, bool) {
	if s == "" || s == "off" {
		return Volume{}, true
	}
	m := volumeForm.FindStringSubmatch(s)
	if m == nil {
		return Volume{}, false
	}
	size, ok := parseSize(m[1])
	per, err := time.ParseDuration(m[2])
	v := Volume{size, per}
	if !ok || err != nil || size < 1<<10 || size > 1<<50 || per < time.Second || per > 31*24*time.Hour || v.limit().Every < 10*time.Microsecond {
		return Volume{}, false
	}
	return v, true
}

// String writes the volume as it is read.
func (v Volume) String() string {
	if v.Size == 0 {
		return "off"
	}
	return fmt.Sprintf("%s/%s", v.Size, v.Per)
}

func (v Volume) limit() gateway.Limit {
	kib := v.Size >> 10
	return gateway.Limit{Scope: gateway.LimitPlanMedia, Every: v.Per / time.Duration(kib), Burst: int(kib)}
}

// limits are the plan's as the gateway keeps them.
func (p Plan) limits() []gateway.Limit {
	var out []gateway.Limit
	if p.Messages.N > 0 {
		out = append(out, p.Messages.limit(gateway.LimitPlan))
	}
	if p.NewContacts.N > 0 {
		out = append(out, p.NewContacts.limit(gateway.LimitPlanNew))
	}
	if p.Media.Size > 0 {
		out = append(out, p.Media.limit())
	}
	return out
}

// judgePolicy holds rules against the plans and adapters that there are.
func (c *Config) judgePolicy(j *judge) {
	p := c.Policy
	plans, instances := slices.Collect(maps.Keys(p.Plans)), slices.Collect(maps.Keys(c.Adapters))
	for name := range p.Plans {
		j.want(instanceName.MatchString(name), "policy.plans."+name, "a name has 1 to 40 of a-z, 0-9, - and _")
	}
	for i, r := range p.Rules {
		at := fmt.Sprintf("policy.rules.%d", i)
		if r.User != "" {
			_, err := parseUser(r.User)
			j.want(err == nil, at+".user", "%q is no user's address, such as romeo@example.org", r.User)
			j.want(r.Domain == "", at+".domain", "and user are alternatives: remove one")
		}
		if r.Domain != "" {
			j.domain(at+".domain", r.Domain, "example.org")
		}
		j.want(r.Adapter == "" || slices.Contains(instances, r.Adapter), at+".adapter", "there is no adapter %q%s", r.Adapter, nearest(r.Adapter, instances))
		j.want(r.Plan == "" || slices.Contains(plans, r.Plan), at+".plan", "there is no plan %q%s", r.Plan, nearest(r.Plan, plans))
		_, refuses := c.at.keys[at+".refuse"]
		j.want(!refuses || strings.TrimSpace(r.Refuse) != "", at+".refuse", "wants the text that the user is told")
		j.want(r.Refuse == "" || r.Plan == "", at+".plan", "and refuse are alternatives: remove one")
	}
	if p.URL != "" {
		u, err := url.Parse(p.URL)
		ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
		j.want(ok, "policy.url", "want an address such as https://accounts.example.org/postern")
		j.want(!ok || u.Scheme == "https" || loopback(u.Hostname()), "policy.url",
			"plain http goes to this machine alone, such as http://127.0.0.1:8080: on a network whoever is in between would read policy.token_file and decide for users; want https")
	}
	j.want(p.TokenFile == "" || p.URL != "", "policy.token_file", "has no effect without policy.url")
	// A message waits for the answer at most four seconds, of which the store needs some.
	j.want(p.Timeout >= 100*time.Millisecond && p.Timeout <= 3*time.Second, "policy.timeout", "got %s, want 100ms to 3s", p.Timeout)
	j.want(slices.Contains([]string{"last", "refuse", "allow"}, p.Unreachable), "policy.unreachable", "got %q, want last, refuse or allow", p.Unreachable)
}

// loopback reports whether a host is this machine, whoever answers for names.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// rulebook is the policy at work; it is replaced as a whole when the configuration is read again.
type rulebook struct {
	now atomic.Pointer[ruling]
}

// ruling is one policy, ready to be asked.
type ruling struct {
	rules []ruled
	plans map[string][]gateway.Limit
	asker *asker // nil where nobody is asked
}

// ruled is a rule with its addresses as they are compared.
type ruled struct {
	user, domain string
	adapter      gateway.AdapterID
	terms        gateway.Terms
}

// newRuling prepares a policy that was judged.
func newRuling(p Policy, a *asker) *ruling {
	r := &ruling{plans: map[string][]gateway.Limit{}, asker: a}
	for name, plan := range p.Plans {
		r.plans[name] = plan.limits()
	}
	for i, rule := range p.Rules {
		f := ruled{adapter: gateway.AdapterID(rule.Adapter), terms: gateway.Terms{By: gateway.ByRule, Rule: i + 1, Refused: rule.Refuse != "", Reason: rule.Refuse, Plan: rule.Plan, Limits: r.plans[rule.Plan]}}
		if u, err := parseUser(rule.User); err == nil {
			f.user = string(u)
		}
		if d, err := jid.Parse(rule.Domain); err == nil {
			f.domain = d.String()
		}
		r.rules = append(r.rules, f)
	}
	return r
}

// policy puts the configured policy to work.
func (b *builder) policy(a *App) error {
	a.policy, a.asked = &rulebook{}, newAskMetrics(b.registry)
	asks, err := newAsker(b.cfg.Policy, a.asked, b.o.Log)
	if err != nil {
		return b.cfg.at.problem("policy.token_file", "%v", err)
	}
	a.policy.now.Store(newRuling(b.cfg.Policy, asks))
	return nil
}

// Terms implements gateway.Policy.
func (b *rulebook) Terms(ctx context.Context, user gateway.UserID, a gateway.AdapterID) gateway.Terms {
	r := b.now.Load()
	domain := domainOf(user)
	for _, f := range r.rules {
		if (f.user == "" || f.user == string(user)) && (f.domain == "" || f.domain == domain) && (f.adapter == "" || f.adapter == a) {
			return f.terms
		}
	}
	if r.asker == nil {
		return gateway.Terms{By: gateway.ByNothing}
	}
	said := r.asker.about(ctx, user, a)
	limits, known := r.plans[said.Plan]
	if said.Plan != "" && !known { // it was, before the configuration was read again
		return gateway.Terms{By: gateway.ByUnreachable, Refused: r.asker.unreachable == "refuse"}
	}
	return gateway.Terms{By: said.by, Refused: !said.Allow, Reason: said.Reason, Plan: said.Plan, Limits: limits}
}

// knows reports whether there is a plan; the empty one is none.
func (p Policy) knows(plan string) bool {
	_, ok := p.Plans[plan]
	return ok || plan == ""
}

func domainOf(user gateway.UserID) string {
	_, domain, found := strings.Cut(string(user), "@")
	return cmp.Or(map[bool]string{true: domain}[found], string(user))
}
