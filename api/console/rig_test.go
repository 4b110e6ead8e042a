package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/api"
	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

const (
	// hostile is what a person on a platform, a user or an operator might be called.
	hostile = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`
	romeo   = "romeo@example.org"
)

// trusted is the network of a proxy in front, in which none of the other tests is.
func trusted() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} }

// world is what the console looks at: dead letters, queues and users, without a gateway.
type world struct {
	mu      sync.Mutex
	letters []gateway.Letter
	cases   []*gateway.Case
	audit   *gateway.Audit
	did     []string
	err     error
	asked   int // how often for dead letters
}

func (o *world) note(format string, args ...any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.did = append(o.did, fmt.Sprintf(format, args...))
	return o.err
}

func (o *world) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *world) Queues(context.Context) ([]gateway.QueueState, []gateway.ParkedLanes, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	return []gateway.QueueState{{Where: "in", Entries: 3, Oldest: now.Add(-4 * time.Second)}, {Where: "out", Entries: 1204, Oldest: now.Add(-7 * time.Minute)}, {Where: "outbox", Adapter: "telegram"}, {Where: "outbox", Adapter: "whatsapp", Entries: 2, Oldest: now}},
		[]gateway.ParkedLanes{{Where: "out", Reason: gateway.ParkWindow, Lanes: 12, Next: now.Add(3 * time.Hour)}, {Where: "out", Reason: gateway.ParkReauth, Lanes: 1, Next: now.Add(time.Hour)}}, o.err
}

func (o *world) Letters(_ context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) (page []gateway.Letter, next gateway.LetterID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	looked := 0
	for _, l := range o.letters {
		if l.ID <= after {
			continue
		}
		if looked == n { // as a store does: of those that are looked at a filter takes some
			return page, next, o.err
		}
		looked, next = looked+1, l.ID
		if (f.Adapter == "" || f.Adapter == l.Adapter) && (f.Where == "" || f.Where == l.Where) && (f.Code == "" || f.Code == l.Why.Code) && (f.Account == "" || f.Account == l.Account) {
			page = append(page, l)
		}
	}
	return page, "", o.err
}

func (o *world) take(what string, id gateway.LetterID) error {
	if err := o.note("%s %s", what, id); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.letters)
	o.letters = slices.DeleteFunc(o.letters, func(l gateway.Letter) bool { return l.ID == id })
	if len(o.letters) == before {
		return gateway.ErrNotFound
	}
	return nil
}

func (o *world) ReplayLetter(_ context.Context, id gateway.LetterID) error {
	return o.take("replay", id)
}

func (o *world) DropLetter(_ context.Context, id gateway.LetterID) error { return o.take("drop", id) }

func (o *world) each(ctx context.Context, what string, f gateway.LetterFilter) (n int, err error) {
	all, _, _ := o.Letters(ctx, f, "", math.MaxInt)
	for _, l := range all {
		if err := o.take(what, l.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, o.err
}

func (o *world) ReplayLetters(ctx context.Context, f gateway.LetterFilter) (int, error) {
	return o.each(ctx, "replay", f)
}

func (o *world) DropLetters(ctx context.Context, f gateway.LetterFilter) (int, error) {
	return o.each(ctx, "drop", f)
}

func (o *world) Holdings(_ context.Context, user gateway.UserID) ([]gateway.Holding, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if user != romeo {
		return nil, o.err
	}
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []gateway.Holding{
		{
			Account: &gateway.Account{ID: "01JA", Adapter: "telegram", User: user, Secret: []byte("hush"), Shown: "+39 333", Standing: gateway.AccountActive, CreatedAt: made, Shared: true},
			Health:  gateway.Health{Standing: gateway.AccountActive, Why: gateway.CauseLinked, Since: made, LastEvent: made.Add(48 * time.Hour)},
		},
		{
			Account: &gateway.Account{ID: "01JB", Adapter: "whatsapp", User: user, Standing: gateway.AccountReauthNeeded, CreatedAt: made.Add(time.Hour), Paused: time.Now().Add(time.Hour)},
			Health:  gateway.Health{Standing: gateway.AccountReauthNeeded, Why: gateway.CauseRefused, Code: "190", Since: made.Add(72 * time.Hour), LastSend: made.Add(71 * time.Hour)},
		},
	}, o.err
}

func (o *world) Export(_ context.Context, user gateway.UserID, after string) ([]gateway.Exported, string, error) {
	switch {
	case user != romeo:
		return nil, "", gateway.ErrNoAccount
	case after == "":
		return []gateway.Exported{{Kind: "account", Account: &gateway.ExportedAccount{ID: "01JA"}}}, "more", nil
	}
	return []gateway.Exported{{Kind: "contact", Contact: &gateway.ExportedContact{ID: "anna", Name: hostile}}}, "", nil
}

func (o *world) Erase(_ context.Context, user gateway.UserID) (gateway.Erased, error) {
	return gateway.Erased{Accounts: 2, Pending: 1}, o.note("erase %s", user)
}

func (o *world) Invites(_ context.Context, user gateway.UserID, after string, n int) ([]gateway.Invite, string, error) {
	if user != romeo {
		return nil, "", nil
	}
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	all := []gateway.Invite{{ID: "inv1", Adapter: "telegram", Account: "01JA", Made: made, Until: made.Add(gateway.InviteTTL), Taken: true}, {ID: "inv2", Adapter: "telegram", Account: "01JA", Made: made, Until: made.Add(gateway.InviteTTL)}}
	if after == "" {
		return all[:1], "1.inv1", nil
	}
	return all[1:], "", nil
}

func (o *world) RevokeInvite(_ context.Context, user gateway.UserID, id gateway.InviteID) error {
	if user != romeo || id != "inv1" {
		return gateway.ErrNotFound
	}
	return o.note("revoke %s of %s", id, user)
}

func (o *world) Chats(_ context.Context, user gateway.UserID, _ gateway.AccountID, after string, n int) ([]gateway.ChatState, string, error) {
	switch {
	case user != romeo:
		return nil, "", nil
	case after == "nowhere":
		return nil, "", gateway.ErrCursor
	case after != "":
		return []gateway.ChatState{{Adapter: "whatsapp", Account: "01JB", Alias: "zzzz", Chat: "c0ffee"}}, "", nil
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []gateway.ChatState{
		{Adapter: "telegram", Account: "01JA", Alias: "k5w2yq7n3bdmx4ha", Chat: "4cf1a7d90b3e2281", LastInbound: at, Waiting: []gateway.ChatWaiting{{Where: "out", Reason: gateway.ParkWindow, Entries: 3, Oldest: at, Next: at}}},
	}, "more", nil
}

func (o *world) WriteDeed(ctx context.Context, actor, action, object string, user gateway.UserID) error {
	_, _, err := o.audit.AddAbout(ctx, actor, action, object, user)
	return err
}

func (*world) Deeds(context.Context, gateway.UserID) ([]gateway.Deed, error) { return nil, nil }

// letter makes one that died some minutes ago.
func letter(n int, adapter gateway.AdapterID, where, what, code, text string) gateway.Letter {
	at := time.Now().Add(-time.Duration(n) * time.Hour)
	return gateway.Letter{
		ID: gateway.LetterID(fmt.Sprintf("s%02d/1764400000%03d-0", n, n)), Adapter: adapter, Account: "01JA", Where: where, What: what, Chat: "4cf1a7d90b3e2281",
		Why: gateway.DeadReason{Class: gateway.Permanent, Code: code, Text: text}, At: at, Died: at.Add(20 * time.Minute),
	}
}

// adapter is one that declares something.
func adapter(platform string, out gateway.Mode, caps map[gateway.Feature]gateway.Level) gateway.Adapter {
	return &gatewaytest.Adapter{Describe: gateway.Descriptor{
		Type: strings.ToLower(platform), Platform: platform, Out: out, In: out, Media: out, Reveals: gateway.IdentifierPhone, Retention: 24 * time.Hour, API: platform + " API v1",
		Caps: gateway.Caps{Levels: caps, TextMax: 4096, TextUnit: gateway.UTF16Units, MediaMax: 50 << 20, Window: &gateway.WindowRule{For: 24 * time.Hour}},
	}}
}

// rig is a console with a token of each role.
type rig struct {
	*testing.T
	*Console
	world  *world
	store  *fragile
	tokens *gateway.Tokens
	audit  *gateway.Audit
	secret map[gateway.Role]string
	tell   *gauges
	admin  http.Handler // the whole of the operator's side
}

// fragile is a store that can be down.
type fragile struct {
	gateway.Store
	down bool
}

func (f *fragile) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	if f.down {
		return nil, errors.New("no route to the store")
	}
	return f.Store.Load(ctx, keys...)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	all := map[gateway.Feature]gateway.Level{}
	for _, f := range gateway.Features() {
		all[f] = gateway.Native
	}
	some := map[gateway.Feature]gateway.Level{gateway.FeatureText: gateway.Native, gateway.FeatureMedia: gateway.Native, gateway.FeatureSticker: gateway.Emulated, gateway.FeatureReact: gateway.Native}
	g := &rig{T: t, world: &world{}, store: &fragile{Store: memstore.New()}, secret: map[gateway.Role]string{}, tell: newGauges()}
	keys, err := gateway.OpenKeyring(t.Context(), g.store, make([]byte, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	g.tokens, g.audit = gateway.NewTokens(g.store, keys), gateway.NewAudit(g.store, keys)
	g.world.audit = g.audit
	for _, role := range gateway.Roles() {
		if g.secret[role], err = g.tokens.Create(t.Context(), string(role), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	control := &api.Control{
		Guard: api.NewGuard(g.tokens, trusted, log), Operations: g.world, Users: g.world, Cases: reports{g.world}, Audit: g.audit, Orders: gateway.NewOrders(g.store, keys, log), ParseUser: parseUser,
		Instances: []gateway.Instance{
			{ID: "telegram", Name: "Telegram", Component: "telegram.example.org", Adapter: adapter("Telegram", gateway.ModeCleartext, all), Canary: gateway.Canary{User: "canary@example.org", Every: 5 * time.Minute}},
			{ID: "whatsapp", Name: "WhatsApp " + hostile, Component: "whatsapp.example.org", Adapter: adapter("WhatsApp", gateway.ModeTerminate, some)},
		},
	}
	checks := []api.Check{{Name: "store", Probe: func(context.Context) error { return nil }}, {Name: "running", Probe: func(context.Context) error { return nil }}}
	g.Console = New(Config{Control: control, Checks: checks, Metrics: g.tell.registry, Texts: gateway.NewTexts(), Replica: "r-7f3a", Version: "v1.4.0", Log: log})
	g.admin = api.Admin(api.AdminConfig{Checks: checks, Metrics: g.tell.registry, Control: control, Console: g.Console, Log: log})
	return g
}

// CanaryState implements api.Operations.
func (*world) CanaryState(context.Context, gateway.AdapterID) (gateway.CanaryState, error) {
	return gateway.CanaryState{At: time.Now().Add(-time.Minute), Result: gateway.CanaryNoAnswer, OK: time.Now().Add(-6 * time.Minute), Took: 1200 * time.Millisecond}, nil
}

// Allowance implements api.Operations.
func (*world) Allowance(_ context.Context, _ gateway.UserID, a gateway.AdapterID) (gateway.Allowance, error) {
	return gateway.Allowance{Adapter: a}, nil
}

func parseUser(s string) (gateway.UserID, error) {
	if strings.Count(s, "@") != 1 || strings.Contains(s, "/") {
		return "", errors.New("no JID")
	}
	return gateway.UserID(strings.ToLower(s)), nil
}

// gauges are metrics under the names that a gateway has.
type gauges struct {
	registry                        *prometheus.Registry
	ingest, send, hooks             *prometheus.CounterVec
	state, leader, queued, accounts *prometheus.GaugeVec
	slow, store                     *prometheus.HistogramVec
	single                          map[string]prometheus.Gauge
}

func newGauges() *gauges {
	m := &gauges{registry: prometheus.NewRegistry(), single: map[string]prometheus.Gauge{}}
	counter := func(name string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Buckets: []float64{.01, .1, 1, 10}}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.ingest, m.send, m.hooks = counter(metricIngest, "direction", "adapter", "result"), counter(metricSend, "adapter", "class"), counter(metricWebhooks, "adapter", "result")
	m.state, m.leader, m.queued, m.accounts = gauge(metricState, "adapter", "state"), gauge(metricLeader, "adapter"), gauge(metricQueued, "where", "adapter"), gauge(metricAccounts, "adapter", "standing")
	m.slow, m.store = histogram(metricEndToEnd, "adapter", "direction"), histogram(metricStore, "op")
	for _, name := range []string{metricShards, metricReplicas, metricPanics, metricStoreUp, metricMemory, metricMemMax} {
		m.single[name] = prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
		m.registry.MustRegister(m.single[name])
	}
	m.single[metricStoreUp].Set(1)
	m.single[metricReplicas].Set(2)
	m.single[metricShards].Set(32)
	m.single[metricMemory].Set(12 << 20)
	m.state.WithLabelValues("telegram", "up").Set(1)
	m.state.WithLabelValues("whatsapp", "down").Set(1)
	m.leader.WithLabelValues("telegram").Set(1)
	m.accounts.WithLabelValues("telegram", "active").Set(41)
	m.accounts.WithLabelValues("telegram", "reauth_needed").Set(2)
	return m
}

// visitor is a browser without a window: it keeps cookies and follows nothing.
type visitor struct {
	*rig
	cookies []*http.Cookie
	form    string
}

// visit signs in; an empty role is nobody.
func (g *rig) visit(role gateway.Role) *visitor {
	g.Helper()
	v := &visitor{rig: g}
	if role == "" {
		return v
	}
	w := v.post("/console/sign-in", url.Values{"token": {g.secret[role]}})
	if w.Code != http.StatusSeeOther {
		g.Fatalf("sign in as %s: got %d %s", role, w.Code, w.Body)
	}
	v.cookies = w.Result().Cookies()
	v.form = v.word(v.get("/console/fidelity").Body.String())
	return v
}

var formWord = regexp.MustCompile(`name="form" value="([a-z2-7]+)"`)

func (v *visitor) word(page string) string {
	if m := formWord.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

func (v *visitor) do(method, path string, body io.Reader, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	v.Helper()
	r := httptest.NewRequestWithContext(v.Context(), method, "http://127.0.0.1:8480"+path, body)
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", "null") // as browsers send it under no-referrer
	}
	for _, k := range v.cookies {
		r.AddCookie(k)
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	v.admin.ServeHTTP(w, r)
	return w
}

func (v *visitor) get(path string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	v.Helper()
	return v.do(http.MethodGet, path, nil, edit...)
}

// post sends a form, with the session's word in it.
func (v *visitor) post(path string, form url.Values, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	v.Helper()
	if v.form != "" && !form.Has("form") {
		form.Set("form", v.form)
	}
	return v.do(http.MethodPost, path, strings.NewReader(form.Encode()), edit...)
}

// audited is what stands in the audit log.
func (g *rig) audited() string {
	g.Helper()
	lines, err := g.audit.Lines(g.Context(), 0, 100)
	if err != nil {
		g.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimSpace(l.Actor+" "+l.Action+" "+l.Object))
	}
	return strings.Join(out, ", ")
}
