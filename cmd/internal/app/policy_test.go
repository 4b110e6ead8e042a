package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestParseVolume(t *testing.T) {
	for in, want := range map[string]Volume{
		"": {}, "off": {}, "500MiB/24h": {500 << 20, 24 * time.Hour}, "1KiB/1s": {1 << 10, time.Second}, "1TiB/24h": {1 << 40, 24 * time.Hour},
	} {
		if got, ok := parseVolume(in); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, ok, want)
		}
		if again, ok := parseVolume(want.String()); !ok || again != want {
			t.Errorf("%s as written: got %v, %v, want %v", want, again, ok, want)
		}
	}
	for _, in := range []string{"500MiB", "0/1h", "5/1h", "1GiB/1s", "500MB/24h", "-1MiB/1h", "1MiB/1ms", "1MiB/1000h", "on"} {
		if got, ok := parseVolume(in); ok {
			t.Errorf("%q: got %v, want none", in, got)
		}
	}
}

const someRules = valid + `policy:
  plans:
    basic: {messages: 1000/24h, media: 500MiB/24h, new_contacts: 20/24h}
    open: {}
  rules:
    - {user: Romeo@Example.org, refuse: "Your account is suspended."}
    - {domain: GUESTS.example.org, adapter: gatekeeper, plan: basic}
    - {user: nurse@example.org}
    - {adapter: gatekeeper, plan: open}
`

func TestRules(t *testing.T) {
	cfg, err := Parse("postern.yaml", []byte(someRules), env)
	if err != nil {
		t.Fatal(err)
	}
	book := &rulebook{}
	book.now.Store(newRuling(cfg.Policy, nil))
	basic := []gateway.Limit{
		{Scope: gateway.LimitPlan, Every: 24 * time.Hour / 1000, Burst: 1000},
		{Scope: gateway.LimitPlanNew, Every: 24 * time.Hour / 20, Burst: 20},
		{Scope: gateway.LimitPlanMedia, Every: 24 * time.Hour / 512_000, Burst: 512_000},
	}
	for _, tt := range []struct {
		user    gateway.UserID
		adapter gateway.AdapterID
		want    gateway.Terms
	}{
		{"romeo@example.org", "gatekeeper", gateway.Terms{By: gateway.ByRule, Rule: 1, Refused: true, Reason: "Your account is suspended."}},
		{"romeo@example.org", "other", gateway.Terms{By: gateway.ByRule, Rule: 1, Refused: true, Reason: "Your account is suspended."}},
		{"paris@guests.example.org", "gatekeeper", gateway.Terms{By: gateway.ByRule, Rule: 2, Plan: "basic", Limits: basic}},
		{"paris@guests.example.org", "other", gateway.Terms{By: gateway.ByNothing}},
		{"nurse@example.org", "gatekeeper", gateway.Terms{By: gateway.ByRule, Rule: 3}},
		{"juliet@example.org", "gatekeeper", gateway.Terms{By: gateway.ByRule, Rule: 4, Plan: "open"}},
	} {
		if d := cmp.Diff(tt.want, book.Terms(t.Context(), tt.user, tt.adapter)); d != "" {
			t.Errorf("%s on %s (-want +got):\n%s", tt.user, tt.adapter, d)
		}
	}
}

// A service is asked by https alone, where it is not on this machine: nobody in between decides, or reads the token.
func TestPolicyAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://accounts.example.org/postern": true, "http://127.0.0.1:8080/": true, "http://127.9.9.9/x": true, "http://[::1]:8080/": true, "http://localhost:1/": true, "http://LOCALHOST./": true,
		"http://accounts.example.org/postern": false, "http://10.0.0.1/": false, "http://[::ffff:10.0.0.1]/": false, "http://localhost.example.org/": false, "http://127.0.0.1.example.org/": false,
		"http://0.0.0.0/": false, "http://[fe80::1%25lo]/": false,
	} {
		c := DefaultConfig()
		c.Policy.URL = address
		j := &judge{}
		c.judgePolicy(j)
		if got := len(j.problems) == 0; got != ok {
			t.Errorf("%s: got %v, want taken: %v", address, j.problems, ok)
		}
		if !ok && (len(j.problems) != 1 || !strings.Contains(j.problems[0].Text, "want https")) {
			t.Errorf("%s: got %v, want to be told of https", address, j.problems)
		}
	}
}

// desk answers questions about users, as the operator's service does.
type desk struct {
	mu    sync.Mutex
	asked []string // what it was asked, with the token
	say   func() (status int, body string, err error)
	takes time.Duration
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.asked = append(d.asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+string(raw))
	say := d.say
	d.mu.Unlock()
	if !sleep(r.Context(), d.takes) {
		return nil, r.Context().Err()
	}
	status, body, err := say()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (d *desk) questions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

func (d *desk) says(body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.say = func() (int, string, error) { return http.StatusOK, body, nil }
}

func (d *desk) fails(status int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.say = func() (int, string, error) { return status, `{"allow":true}`, err }
}

// asking returns a policy that asks a desk.
func asksAt(t *testing.T, d *desk, unreachable string) (*rulebook, *lines, *prometheus.Registry) {
	t.Helper()
	p, log, reg := Policy{URL: "https://accounts.example.org/postern", Timeout: 2 * time.Second, Unreachable: unreachable, Plans: map[string]Plan{"basic": {Messages: Rate{5, time.Hour}}}}, &lines{}, prometheus.NewRegistry()
	a, err := newAsker(p, newAskMetrics(reg), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a.token, a.client.Transport = "tok", d
	b := &rulebook{}
	b.now.Store(newRuling(p, a))
	return b, log, reg
}

// brief writes terms as one line.
func brief(terms gateway.Terms) string {
	return fmt.Sprintf("%s refused=%v %q plan=%q limits=%d", terms.By, terms.Refused, terms.Reason, terms.Plan, len(terms.Limits))
}

func TestAsksOnceAndRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{takes: time.Second}
		d.says(`{"allow":false,"reason":"Pay \u0007first.","plan":"basic","keep_for_s":60,"more":1}`)
		b, _, _ := asksAt(t, d, "last")
		var wg sync.WaitGroup
		for range 50 { // all at once
			wg.Go(func() {
				if got, want := brief(b.Terms(t.Context(), "romeo@example.org", "wall")), `answer refused=true "Pay first." plan="basic" limits=1`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
		wg.Wait()
		if d.questions() != 1 {
			t.Errorf("got %d questions, want one for fifty who ask at once", d.questions())
		}
		if want := `POST https://accounts.example.org/postern Bearer tok {"adapter":"wall","domain":"example.org","user":"romeo@example.org"}`; d.asked[0] != want {
			t.Errorf("got question %s, want %s", d.asked[0], want)
		}
		began := time.Now()
		b.Terms(t.Context(), "romeo@example.org", "wall")
		if time.Since(began) != 0 || d.questions() != 1 {
			t.Errorf("got %s and %d questions, want an answer from memory", time.Since(began), d.questions())
		}
		b.Terms(t.Context(), "romeo@example.org", "other")
		gatewaytest.Advance(61 * time.Second)
		b.Terms(t.Context(), "romeo@example.org", "wall")
		if d.questions() != 3 {
			t.Errorf("got %d questions, want one for another adapter, and one when the answer is too old", d.questions())
		}
	})
}

func TestAskKeeps(t *testing.T) {
	a := &asker{knows: func(plan string) bool { return plan == "" || plan == "basic" }}
	long := strings.Repeat("é", 2*maxReason)
	for body, want := range map[string]time.Duration{
		`{"allow":true}`: 5 * time.Minute, `{"allow":true,"keep_for_s":0}`: time.Second, `{"allow":true,"keep_for_s":-5}`: time.Second, `{"allow":true,"keep_for_s":90}`: 90 * time.Second,
		`{"allow":true,"keep_for_s":1e99}`: 24 * time.Hour, `{"allow":false,"reason":"` + long + `"}`: 5 * time.Minute,
		`{}`: 0, ``: 0, `null`: 0, `[]`: 0, `{"allow":"yes"}`: 0, `{"allow":true,"plan":"gold"}`: 0, `{"allow":true} {}`: 0, `{"allow":true,"reason":"` + strings.Repeat("x", maxSaid) + `"}`: 0,
	} {
		got, keep, err := a.read([]byte(body))
		if keep != want || (err == nil) != (want > 0) || want == 0 && !errors.Is(err, errNotUnderstood) {
			t.Errorf("%.60s: got %s, %v, want %s", body, keep, err, want)
		}
		if len([]rune(got.Reason)) > maxReason {
			t.Errorf("%.60s: got a reason of %d characters", body, len([]rune(got.Reason)))
		}
	}
}

func TestUnreachable(t *testing.T) {
	const known, fresh = gateway.UserID("known@example.org"), gateway.UserID("new@example.org")
	for _, tt := range []struct{ unreachable, known, fresh string }{
		{"last", `last refused=true "Pay." plan="" limits=0`, `unreachable refused=false "" plan="" limits=0`},
		{"refuse", `unreachable refused=true "" plan="" limits=0`, `unreachable refused=true "" plan="" limits=0`},
		{"allow", `unreachable refused=false "" plan="" limits=0`, `unreachable refused=false "" plan="" limits=0`},
	} {
		t.Run(tt.unreachable, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{}
				d.says(`{"allow":false,"reason":"Pay.","keep_for_s":1}`)
				b, log, reg := asksAt(t, d, tt.unreachable)
				b.Terms(t.Context(), known, "wall")
				gatewaytest.Advance(2 * time.Second)
				asks := d.questions()
				for n, fail := range []func(){
					func() { d.fails(0, errors.New("connection refused")) }, func() { d.fails(http.StatusFound, nil) }, func() { d.fails(http.StatusInternalServerError, nil) },
					func() { d.says("no JSON") }, func() { d.takes = time.Hour },
				} {
					fail()
					for range 3 {
						began := time.Now()
						if got := brief(b.Terms(t.Context(), known, "wall")); got != tt.known {
							t.Errorf("failure %d, of who is known: got %s, want %s", n, got, tt.known)
						}
						if got := brief(b.Terms(t.Context(), fresh, "wall")); got != tt.fresh {
							t.Errorf("failure %d, of who is new: got %s, want %s", n, got, tt.fresh)
						}
						if took := time.Since(began); took > 4*time.Second {
							t.Errorf("failure %d: took %s, want two timeouts at most", n, took)
						}
					}
					gatewaytest.Advance(askRest + time.Second)
				}
				if n := d.questions() - asks; n != 10 {
					t.Errorf("got %d questions, want one for each user and failure", n)
				}
				if n := strings.Count(log.String(), "policy.url does not answer"); n != 1 {
					t.Errorf("got %d warnings, want one until it answers again:\n%s", n, log)
				}
				d.takes = 0
				d.says(`{"allow":true}`)
				if got, want := brief(b.Terms(t.Context(), known, "wall")), `answer refused=false "" plan="" limits=0`; got != want {
					t.Errorf("when it answers again: got %s, want %s", got, want)
				}
				counts, err := reg.Gather()
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]float64{}
				for _, m := range counts[0].GetMetric() {
					got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
				if d := cmp.Diff(map[string]float64{"ok": 2, "unreachable": 8, "not_understood": 2}, got); d != "" {
					t.Errorf("counted (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestAskIsNotCutShort: who gives up waiting gets what counts without an answer; the others get the answer.
func TestAskIsNotCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{takes: time.Second}
		d.says(`{"allow":false}`)
		b, _, _ := asksAt(t, d, "last")
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.Terms(first, "romeo@example.org", "wall") })
		synctest.Wait()
		hurried, done := context.WithTimeout(t.Context(), time.Second/2)
		defer done()
		wg.Go(func() {
			if got := b.Terms(hurried, "romeo@example.org", "wall"); got.By != gateway.ByUnreachable {
				t.Errorf("of who is in a hurry: got %s", brief(got))
			}
		})
		cancel()
		wg.Wait()
		if got := b.Terms(t.Context(), "romeo@example.org", "wall"); !got.Refused || d.questions() != 1 {
			t.Errorf("got %s after %d questions, want the answer to the first", brief(got), d.questions())
		}
	})
}

// TestAnswersAreBounded: whoever is asked about, memory is.
func TestAnswersAreBounded(t *testing.T) {
	d := &desk{}
	d.says(`{"allow":true}`)
	b, _, _ := asksAt(t, d, "last")
	a := b.now.Load().asker
	for n := range maxAnswers {
		a.answers[asking{gateway.UserID(fmt.Sprint(n)), "wall"}] = remembered{}
	}
	for n := range 10 {
		b.Terms(t.Context(), gateway.UserID(fmt.Sprint("u", n)), "wall")
	}
	if len(a.answers) != maxAnswers {
		t.Errorf("got %d answers, want %d at most", len(a.answers), maxAnswers)
	}
}

// FuzzAnswer looks for an answer that is understood without saying whether to allow.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"allow":true,"reason":"x","plan":"basic","keep_for_s":5}`, `{"allow":null}`, `{"Allow":false}`, `{"allow":true,"keep_for_s":-1e308}`} {
		f.Add([]byte(s))
	}
	a := &asker{knows: func(plan string) bool { return plan == "" || plan == "basic" }}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, keep, err := a.read(raw)
		if err != nil {
			return
		}
		var plain map[string]any
		if json.Unmarshal(raw, &plain) != nil || keep < keepLeast || keep > keepMost || len([]rune(got.Reason)) > maxReason {
			t.Errorf("got %+v for %s", got, keep)
		}
	})
}
