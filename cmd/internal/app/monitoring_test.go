package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"postern/gateway"
	"postern/xmpp/xmpptest"
)

const monitoring = "../../../deploy/monitoring/"

// measured starts a gateway and returns it with what it tells Prometheus.
func measured(t *testing.T) (r *running, metrics string) {
	t.Helper()
	dir := t.TempDir()
	writeKeys(t, dir)
	srv := xmpptest.NewServer()
	r = start(t, configured(t, dir), srv)
	c := srv.Accept(t, domain)
	t.Cleanup(func() { c.CloseStream(t) }) // before the gateway waits for it
	waitFor(t, "the component is up and everything was surveyed", func() bool {
		_, metrics = get(t, "http://"+r.AdminAddr()+"/metrics")
		return strings.Contains(metrics, `postern_component_state{adapter="gatekeeper",state="up"} 1`) && strings.Contains(metrics, "postern_shards_owned 64") &&
			strings.Contains(metrics, "postern_store_up 1")
	})
	return r, metrics
}

func TestMetricsAreClean(t *testing.T) {
	_, text := measured(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// vocabulary is what can be asked for: of each metric the labels, and of each label the values.
type vocabulary map[string]map[string][]string

var (
	series   = regexp.MustCompile(`(?m)^([a-zA-Z_:]+)(?:\{(.*)\})? \S+$`)
	labelled = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

func vocabularyOf(metrics string) vocabulary {
	all := vocabulary{"up": {}, "ALERTS": {"alertname": nil, "alertstate": {"pending", "firing"}, "severity": nil}}
	for _, m := range series.FindAllStringSubmatch(metrics, -1) {
		if all[m[1]] == nil {
			all[m[1]] = map[string][]string{}
		}
		for _, l := range labelled.FindAllStringSubmatch(m[2], -1) {
			all[m[1]][l[1]] = append(all[m[1]][l[1]], l[2])
		}
	}
	for _, of := range all { // what Prometheus adds
		of["instance"], of["job"] = nil, []string{"postern"}
	}
	return all
}

// check says what a query asks for that no gateway tells.
func (k vocabulary) check(query string) (problems []string) {
	expr, err := parser.ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			problems = append(problems, k.selector(n)...)
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				if !k.has(n, l) {
					problems = append(problems, fmt.Sprintf("nothing in %s has the label %s", n, l))
				}
			}
		}
		return nil
	})
	return problems
}

func (k vocabulary) selector(s *parser.VectorSelector) (problems []string) {
	of, is := k[s.Name]
	if !is {
		return []string{"there is no " + s.Name}
	}
	for _, m := range s.LabelMatchers {
		values, has := of[m.Name]
		switch {
		case m.Name == "__name__":
		case !has:
			problems = append(problems, fmt.Sprintf("%s has no label %s", s.Name, m.Name))
		case values == nil || m.Value == ".*" || m.Value == ".*|" || m.Type == labels.MatchRegexp && m.Name == "alertname":
		default:
			for v := range strings.SplitSeq(m.Value, "|") {
				if !slices.Contains(values, v) {
					problems = append(problems, fmt.Sprintf("%s is never %q in %s", m.Name, v, s.Name))
				}
			}
		}
	}
	return problems
}

// has reports whether something inside an expression has a label.
func (k vocabulary) has(e parser.Expr, label string) (found bool) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			_, has := k[s.Name][label]
			found = found || has
		}
		return nil
	})
	return found
}

// rule is one of postern.rules.yml.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func readRules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	raw, err := os.ReadFile(monitoring + "postern.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// record makes known what rules record: the labels stand before the colon.
func (k vocabulary) record(rules []rule) {
	for _, r := range rules {
		if r.Record == "" {
			continue
		}
		level, _, _ := strings.Cut(r.Record, ":")
		k[r.Record] = map[string][]string{}
		for l := range strings.SplitSeq(level, "_") {
			k[r.Record][l] = nil
		}
	}
}

// asked is a query of the dashboard.
type asked struct{ Title, Expr, Legend string }

// readDashboard returns the queries with the reader's choices filled in as Grafana does it.
func readDashboard(t *testing.T) (all []asked) {
	t.Helper()
	var board struct {
		SchemaVersion int
		Panels        []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Type, Definition string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	raw, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	if board.SchemaVersion != 39 {
		t.Errorf("schemaVersion: got %d, want 39, which Grafana 10 reads", board.SchemaVersion)
	}
	fill := strings.NewReplacer("$adapter", ".*", "$instance", ".*", "$__rate_interval", "15s")
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			all = append(all, asked{p.Title, fill.Replace(q.Expr), q.LegendFormat})
		}
	}
	for _, a := range board.Annotations.List {
		all = append(all, asked{Title: "annotation", Expr: a.Expr})
	}
	for _, v := range board.Templating.List {
		if m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition); m != nil {
			all = append(all, asked{"variable", "sum by (" + m[2] + ") (" + m[1] + ")", ""})
		} else if v.Type == "query" {
			t.Errorf("variable %q: not understood", v.Definition)
		}
	}
	if len(all) < 40 {
		t.Fatalf("got %d queries, the search is broken", len(all))
	}
	return all
}

// What rules and dashboard ask for is what a gateway tells.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	_, metrics := measured(t)
	k, rules := vocabularyOf(metrics), readRules(t)
	k.record(rules)
	for _, r := range rules {
		for _, p := range k.check(r.Expr) {
			t.Errorf("rule %s%s: %s", r.Alert, r.Record, p)
		}
	}
	for _, q := range readDashboard(t) {
		for _, p := range k.check(q.Expr) {
			t.Errorf("dashboard, %q: %s", q.Title, p)
		}
		expr, err := parser.ParseExpr(q.Expr)
		for _, l := range regexp.MustCompile(`\{\{(.*?)\}\}`).FindAllStringSubmatch(q.Legend, -1) {
			if err == nil && !k.has(expr, l[1]) {
				t.Errorf("dashboard, %q: the legend names %s, which nothing in it has", q.Title, l[1])
			}
		}
	}
	if want := fmt.Sprintf("!= %d", gateway.Shards); !slices.ContainsFunc(rules, func(r rule) bool { return r.Alert == "PosternShardsUnowned" && strings.HasSuffix(r.Expr, want) }) {
		t.Errorf("PosternShardsUnowned: want it to say %q", want)
	}
	for _, doc := range []string{"RUNBOOK.md", "README.md"} {
		raw, err := os.ReadFile(monitoring + doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("`((?:postern|process|go)_[a-z_]+)").FindAllStringSubmatch(string(raw), -1) {
			if k[name[1]] == nil && k[name[1]+"_bucket"] == nil {
				t.Errorf("%s names %s, which there is not", doc, name[1])
			}
		}
	}
}

// The search for mistakes finds them.
func TestMonitoringChecks(t *testing.T) {
	k := vocabularyOf("postern_a_total{adapter=\"x\",result=\"ok\"} 1\n")
	for query, want := range map[string]string{
		`sum by (adapter) (rate(postern_a_total{result="ok", job="postern"}[5m]))`: "",
		`postern_b_total`:                          "there is no postern_b_total",
		`postern_a_total{resu="ok"}`:               "postern_a_total has no label resu",
		`postern_a_total{result=~"ok|full"}`:       `result is never "full" in postern_a_total`,
		`sum by (direction) (postern_a_total)`:     "nothing in sum by (direction) (postern_a_total) has the label direction",
		`sum by (adapter (postern_a_total)`:        "parse error",
		`max_over_time(max(postern_b)[1h:1m]) > 1`: "there is no postern_b",
	} {
		if got := strings.Join(k.check(query), "\n"); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

// What the runbook says to look for in the log is what the log says.
func TestRunbookQuotesTheLog(t *testing.T) {
	raw, err := os.ReadFile(monitoring + "RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, dir := range []string{"api", "cmd/internal/app", "gateway", "media", "xmpp"} {
		files, err := filepath.Glob("../../../" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(f, "_test.go") {
				source.Write(text)
			}
		}
	}
	quoted := regexp.MustCompile("`msg=(?:\"([^\"]+)\"|(\\w+))`").FindAllStringSubmatch(string(raw), -1)
	if len(quoted) < 15 {
		t.Fatalf("got %d quotations, the search is broken", len(quoted))
	}
	for _, q := range quoted {
		if line := q[1] + q[2]; !strings.Contains(source.String(), `"`+line+`"`) {
			t.Errorf("RUNBOOK.md quotes %q, which nothing logs", line)
		}
	}
}

// Each alert says what is the matter and where it stands what to do, and there is a section for it.
func TestRunbook(t *testing.T) {
	raw, err := os.ReadFile(monitoring + "RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(monitoring + "postern.rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(raw), "\n## ") {
		if title, text, ok := strings.Cut(part, "\n"); ok && strings.HasPrefix(title, "Postern") {
			sections[title] = text
		}
	}
	alerts := map[string]bool{}
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if want := "deploy/monitoring/RUNBOOK.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url: got %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity: got %q, want critical or warning", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: summary or description is missing", r.Alert)
		}
		for _, what := range []string{"**What it means**", "**Users notice**", "**Look**", "**Do**"} {
			if !strings.Contains(sections[r.Alert], what) {
				t.Errorf("RUNBOOK.md, %s: no %s", r.Alert, what)
			}
		}
		for _, test := range []string{r.Alert + " fires\n", r.Alert + " is silent\n"} {
			if !strings.Contains(string(tests), "name: "+test) {
				t.Errorf("postern.rules.test.yml: no test %q", test)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(alerts)), slices.Sorted(maps.Keys(sections))); diff != "" {
		t.Errorf("sections of RUNBOOK.md are not the alerts (-alerts +sections):\n%s", diff)
	}
}
