package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/xmpp/xmpptest"
)

// TestChanged: each key that differs is named, a secret's too, and nothing of what it holds.
func TestChanged(t *testing.T) {
	a, err := Parse("postern.yaml", []byte(someRules), env)
	if err != nil {
		t.Fatal(err)
	}
	if got := changed(*a, *a); len(got) > 0 {
		t.Errorf("of the same: got %q", got)
	}
	edit := strings.NewReplacer("secret: s", "secret: t", "basic: {messages: 1000/24h", "basic: {messages: 1001/24h", "    open: {}\n", "    open: {}\n    more: {}\n",
		"Your account is suspended.", "Gone.", "client_id: postern", "client_id: other")
	b, err := Parse("postern.yaml", []byte(edit.Replace(someRules)+"log: {level: debug}\nmedia: {max: 5MiB, keep: 2h}\nhttp: {trusted_proxies: [10.0.0.1]}\noperator: {name: x}\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"adapters.gatekeeper.client_id", "adapters.gatekeeper.secret", "http.trusted_proxies", "log.level", "media.keep", "media.max", "operator.name",
		"policy.plans.basic.messages", "policy.plans.more", "policy.plans.more.media", "policy.plans.more.messages", "policy.plans.more.new_contacts", "policy.rules.0.refuse",
	}
	if d := cmp.Diff(want, changed(*a, *b)); d != "" {
		t.Errorf("changed (-want +got):\n%s", d)
	}
}

// reloadable is a running App whose file a test edits.
type reloadable struct {
	*running
	dir   string
	level *slog.LevelVar
}

func (r *reloadable) edit(more string) *Config {
	cfg, err := Parse(filepath.Join(r.dir, "postern.yaml"), []byte(small+more), nil)
	if err != nil {
		panic(err)
	}
	return cfg
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	srv := xmpptest.NewServer()
	r := &reloadable{start(t, configured(t, dir), srv), dir, new(slog.LevelVar)}
	r.o.Level = r.level
	c := srv.Accept(t, domain)
	info := func(from string) string {
		c.Send(t, "<iq type='get' id='q1' from='"+from+"/orchard' to='"+domain+"'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
		return c.Expect(t, "id='q1'").Raw
	}
	if got := info("paris@guests.example.org"); !strings.Contains(got, "type='error'") {
		t.Errorf("a guest, before: got %s, want an error", got)
	}

	applied, restart, err := r.Reload(r.edit(`    limits: {user: 3/1m, chat: "off", first_contact: "off"}
access: {domains: [example.org, guests.example.org]}
operator: {name: Example, abuse: abuse@example.org}
log: {level: debug}
policy: {plans: {basic: {messages: 7/1h}}, rules: [{user: romeo@example.org, refuse: "No."}, {plan: basic}]}
media: {max: 5MiB}
`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"media.max"}, restart); d != "" {
		t.Errorf("needs a restart (-want +got):\n%s", d)
	}
	if len(applied) < 8 {
		t.Errorf("applied: got %q, want all that can be", applied)
	}
	if got := info("paris@guests.example.org"); strings.Contains(got, "type='error'") || !strings.Contains(got, "mailto:abuse@example.org") {
		t.Errorf("a guest, after: got %s, want an answer with the operator's address", got)
	}
	if r.level.Level() != slog.LevelDebug {
		t.Errorf("level: got %s, want debug", r.level.Level())
	}
	got, err := r.gateway.Allowance(t.Context(), "juliet@example.org", "gatekeeper")
	if err != nil {
		t.Fatal(err)
	}
	var limits []string
	for _, l := range got.Limits {
		limits = append(limits, string(l.Scope)+" "+Rate{l.Burst, l.Every}.String())
	}
	if d := cmp.Diff([]string{"plan_messages 7/8m34.285714285s", "user 3/20s"}, limits); d != "" || got.Terms.Plan != "basic" {
		t.Errorf("juliet's plan %q, limits (-want +got):\n%s", got.Terms.Plan, d)
	}
	if got := r.policy.Terms(t.Context(), "romeo@example.org", "gatekeeper"); !got.Refused || got.Reason != "No." {
		t.Errorf("romeo: got %+v, want the refusal", got)
	}
	if got := r.desk.Disclosure(gateway.Visitor{Adapter: "gatekeeper", User: "juliet@example.org"}); !strings.Contains(got.String(), "Example, abuse@example.org") {
		t.Errorf("disclosure: got %s, want the operator's name", got.String())
	}

	// What needs a restart is still different; what was applied is not.
	applied, restart, err = r.Reload(r.edit(""))
	if err != nil || len(restart) != 0 || len(applied) < 8 {
		t.Errorf("back again: got %q, %q, %v", applied, restart, err)
	}
	if got := info("paris@guests.example.org"); !strings.Contains(got, "type='error'") {
		t.Errorf("a guest, at the end: got %s, want an error", got)
	}

	// A file that cannot be read changes nothing.
	if err := os.Remove(filepath.Join(dir, "webhook.secret")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Reload(r.edit("policy: {rules: [{refuse: \"No.\"}]}\n")); err == nil || !strings.Contains(err.Error(), "webhook") {
		t.Errorf("a secret that is gone: got %v, want its name", err)
	}
	if got := r.policy.Terms(t.Context(), "romeo@example.org", "gatekeeper"); got.Refused {
		t.Errorf("romeo: got %+v, want what was before", got)
	}
}

// TestReloadKeepsAnswers: what the operator's service said is not forgotten with the rest of the policy.
func TestReloadKeepsAnswers(t *testing.T) {
	was := &asker{url: "https://a.example", answers: map[asking]remembered{{"romeo@example.org", "wall"}: {}}}
	for url, want := range map[string]int{"https://a.example": 1, "https://b.example": 0} {
		next := &asker{url: url, answers: map[asking]remembered{}}
		if next.inherit(was); len(next.answers) != want {
			t.Errorf("%s: got %d answers, want %d", url, len(next.answers), want)
		}
	}
}
