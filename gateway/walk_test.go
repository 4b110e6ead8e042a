package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

const (
	wall  gateway.AdapterID = "wall"
	romeo gateway.UserID    = "romeo@example.org"
	gate                    = "wall.example.org"
)

var someInstant = time.Date(2026, 11, 1, 12, 30, 0, 0, time.UTC)

// platform is a scripted platform: send decides what happens, sent remembers what was taken.
type platform struct {
	mu   sync.Mutex
	send func(op gateway.Op) (gateway.Sent, error)
	// sendCtx is called first with the call's context.
	sendCtx func(context.Context)
	sent    []string
	caps    gateway.Caps
	hook    func(r gateway.Request) ([]gateway.Event, error)
	desc    gateway.Descriptor
	// chat and final are what every answer says besides the id.
	chat  gateway.ChatID
	final bool
}

func (p *platform) Descriptor() gateway.Descriptor {
	d := p.desc
	d.Platform = "Wall"
	return d
}
func (p *platform) Caps(gateway.ChatFacts) gateway.Caps      { return p.caps }
func (p *platform) Challenge(gateway.Request) ([]byte, bool) { return nil, false }
func (p *platform) Verify(r gateway.Request) error {
	if r.Header.Get("Signature") != "good" {
		return errors.New("bad signature")
	}
	return nil
}
func (p *platform) Parse(r gateway.Request) ([]gateway.Event, error) { return p.hook(r) }

func (p *platform) Send(ctx context.Context, _ gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	if p.sendCtx != nil {
		p.sendCtx(ctx)
	}
	p.mu.Lock()
	f := p.send
	p.mu.Unlock()
	if f != nil {
		if sent, err := f(op); err != nil {
			return sent, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	body := gateway.OpKind(op.Body)
	if m, ok := op.Body.(gateway.OpMessage); ok {
		body = m.Content.Parts[0].(gateway.Text).Text
	}
	p.sent = append(p.sent, string(op.Chat.Contact)+" "+body)
	return gateway.Sent{IDs: []gateway.MessageID{gateway.MessageID(fmt.Sprintf("m%d", len(p.sent)))}, Chat: p.chat, Final: p.final}, nil
}

func (p *platform) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// wire collects what the server took.
type wire struct {
	mu      sync.Mutex
	pending []string
	took    []string
	broken  func(batch []string) bool // the stream ends with this batch
}

func (w *wire) Write(_ context.Context, stanzas []gateway.Waiting) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range stanzas {
		w.pending = append(w.pending, string(s.Bytes))
	}
	return nil
}

func (w *wire) Barrier(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil && w.broken(w.pending) {
		w.pending = nil
		return errors.New("stream ended")
	}
	w.took = append(w.took, w.pending...)
	w.pending = nil
	return nil
}

func (w *wire) Broke() time.Time { return time.Time{} }

// discard forgets what was written on a stream that ended, and tells whether anything was.
func (w *wire) discard() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	had := len(w.pending) > 0
	w.pending = nil
	return had
}

// lines is what the server took, without the first-message notices, which all shows as well.
func (w *wire) lines() []string {
	return slices.DeleteFunc(w.all(), func(l string) bool { return strings.Contains(l, "Who can read this chat") })
}

func (w *wire) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.took)
}

// rig is a gateway with one adapter, one registered user and contacts, on a store in memory.
type rig struct {
	t        *testing.T
	store    gateway.Store
	keys     *gateway.Keyring
	identity *gateway.Identity
	gw       *gateway.Gateway
	platform *platform
	renderer gateway.Renderer // gatewaytest's when nil
	adapter  gateway.Adapter  // the platform, or something around it
	files    gateway.Files    // none when nil
	probe    func(point string)
	wire     *wire
	account  *gateway.Account
	stop     func()

	strangers gateway.UserID
	window    gateway.WindowPolicy
	canary    gateway.Canary
	away      bool // of the XMPP server
	limits    []gateway.Limit
	policy    gateway.Policy
	metrics   *prometheus.Registry
	tracer    gateway.Tracer
}

func newRig(t *testing.T, p *platform, cfg gateway.Config) *rig {
	t.Helper()
	r := &rig{t: t, platform: p, adapter: p, wire: &wire{}, store: memstore.New()}
	var err error
	if r.keys, err = gateway.OpenKeyring(r.t.Context(), r.store, make([]byte, gateway.KeySize)); err != nil {
		t.Fatal(err)
	}
	r.identity = gateway.NewIdentity(r.store, r.keys)
	r.account, err = r.identity.Create(r.t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep1", User: romeo, Standing: gateway.AccountActive})
	if err != nil {
		t.Fatal(err)
	}
	r.start(cfg)
	return r
}

// start runs a new gateway process on the store.
func (r *rig) start(cfg gateway.Config) { r.startOn(cfg, r.wire) }

// carry runs a new gateway process on another stream.
func (r *rig) carry(w gateway.Wire) { r.startOn(gateway.Config{}, w) }

func (r *rig) startOn(cfg gateway.Config, w gateway.Wire) {
	if r.renderer == nil {
		r.renderer = gatewaytest.Renderer{}
	}
	if cfg.Replica == "" {
		cfg.Replica = "r1"
	}
	r.metrics = prometheus.NewRegistry()
	metrics := gateway.NewMetrics(r.metrics, []gateway.AdapterID{wall})
	r.gw = gateway.New(cfg, gateway.Deps{
		Store: r.store, Keyring: r.keys, Identity: r.identity, Renderer: r.renderer, Files: r.files, Policy: r.policy, Texts: gateway.NewTexts(), Probe: r.probe, Tracer: r.tracer,
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: r.adapter, Strangers: r.strangers, Window: r.window, Canary: r.canary, Limits: r.limits}},
		Log:       slog.New(slog.DiscardHandler), Metrics: metrics,
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	gw := r.gw // another one may be started before this one runs
	wg.Go(func() { gw.Run(ctx) })
	wg.Go(func() {
		out := gw.Outbox(wall)
		for ctx.Err() == nil {
			_, release, err := out.Acquire(ctx)
			if err != nil {
				return
			}
			_ = out.Pump(ctx, w) // a stream that ends is followed by the next
			release(true)
		}
	})
	r.stop = func() { cancel(); wg.Wait() }
}

func (r *rig) contact(id gateway.ContactID) gateway.Alias {
	r.t.Helper()
	c, err := r.identity.PutContact(r.t.Context(), r.account, gateway.Contact{ID: id, Told: "before"})
	if err != nil {
		r.t.Fatal(err)
	}
	return c.Alias
}

func (r *rig) ask(alias gateway.Alias, stanza, text string) error {
	return r.gw.Ask(r.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: alias, User: romeo, Resource: "phone", Stanza: gateway.StanzaID(stanza), Receipt: true, Markable: true,
		Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText(text)}},
	}, []byte(text))
}

func (r *rig) mustAsk(alias gateway.Alias, stanza, text string) {
	r.t.Helper()
	if err := r.ask(alias, stanza, text); err != nil {
		r.t.Fatalf("ask %s: %v", stanza, err)
	}
}

// event gives the gateway a webhook with these events.
func (r *rig) event(evs ...gateway.Event) error {
	r.platform.hook = func(gateway.Request) ([]gateway.Event, error) { return evs, nil }
	return r.gw.Receive(r.t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}})
}

func said(contact gateway.ContactID, id, text string, seq int64) gateway.Event {
	return gateway.Event{
		Dedupe: "msg:" + id, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: contact}, From: contact, At: time.Now(), Seq: seq,
		Body: gateway.Message{ID: gateway.MessageID(id), Content: gateway.PlainText(text)},
	}
}

func textCaps() gateway.Caps {
	return gateway.Caps{Idempotent: true, Echo: true, Levels: map[gateway.Feature]gateway.Level{
		gateway.FeatureText: gateway.Native, gateway.FeatureDelivered: gateway.Native, gateway.FeatureReadIn: gateway.Native,
	}}
}

func texts(lines []string) []string {
	var out []string
	for _, l := range lines {
		if _, rest, ok := strings.Cut(l, ": "); ok {
			out = append(out, rest)
		}
	}
	return out
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestTextOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		for n := range 20 {
			r.mustAsk(juliet, fmt.Sprint("s", n), fmt.Sprint("line ", n))
		}
		r.mustAsk(juliet, "s3", "line 3") // a client that resends after a reconnect
		gatewaytest.Advance(time.Second)
		var want []string
		for n := range 20 {
			want = append(want, fmt.Sprint("juliet line ", n))
		}
		diff(t, "sent", r.platform.taken(), want)
		if err := r.event(gateway.Event{
			Dedupe: "st:1", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
			Body: gateway.Status{IDs: []gateway.MessageID{"m1"}, State: gateway.StatusDelivered},
		}, gateway.Event{
			Dedupe: "st:2", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
			Body: gateway.Status{IDs: []gateway.MessageID{"m20"}, State: gateway.StatusRead},
		}); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		diff(t, "shown", texts(r.wire.lines()), []string{"receipt for s0", "displayed s19"})
	})
}

func TestTextInOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}, gateway.Config{})
		defer r.stop()
		for _, seq := range []int64{3, 1, 2, 2, 5} {
			if err := r.event(said("juliet", fmt.Sprint("n", seq), fmt.Sprint("line ", seq), seq)); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(time.Second)
		got := texts(r.wire.lines())
		if len(got) != 4 || !strings.HasPrefix(got[0], "subscribe") {
			t.Fatalf("got %q, want a subscription and three lines while 4 is missing", got)
		}
		gatewaytest.Advance(5 * time.Second)
		got = texts(r.wire.lines())
		var lines []string
		for _, l := range got[1:] {
			lines = append(lines, l[strings.Index(l, `"`):])
		}
		diff(t, "lines", lines, []string{`"line 1"`, `"line 2"`, `"line 3"`, `"line 5"`})
	})
}

// missing is a platform that keeps events whose webhook was lost.
type missing struct {
	*platform
	asked []int64
	kept  []gateway.Event
	fails int // so often it is busy
}

func (m *missing) Missing(_ context.Context, _ gateway.Credentials, _ gateway.Chat, after int64) ([]gateway.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, after)
	if m.fails--; m.fails >= 0 {
		return nil, &gateway.SendError{Class: gateway.RateLimited, Err: errors.New("busy")}
	}
	return m.kept, nil
}

func TestLostWebhookIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Sequenced: true}}
		m := &missing{platform: p, kept: []gateway.Event{said("juliet", "n2", "line 2", 2), said("juliet", "n3", "line 3", 3)}}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.adapter = m
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		for _, seq := range []int64{1, 3} {
			if err := r.event(said("juliet", fmt.Sprint("n", seq), fmt.Sprint("line ", seq), seq)); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(2 * time.Second)
		var lines []string
		for _, l := range texts(r.wire.lines())[1:] {
			lines = append(lines, l[strings.Index(l, `"`):])
		}
		diff(t, "lines", lines, []string{`"line 1"`, `"line 2"`, `"line 3"`})
		diff(t, "asked after", m.asked, []int64{1})
	})
}

func TestFailuresByClass(t *testing.T) {
	for _, tt := range []struct {
		class gateway.Class
		want  string // what the user is shown, empty for nothing
		sent  bool
	}{
		{gateway.Uncertain, "", true},
		{gateway.Retryable, "", true},
		{gateway.RateLimited, "", true},
		{gateway.WindowClosed, "error policy-violation for s1", false},
		{gateway.Unsupported, "error not-acceptable for s1", false},
		{gateway.NotReachable, "error recipient-unavailable for s1", false},
		{gateway.Permanent, "error undefined-condition for s1", false},
	} {
		t.Run(tt.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
					if tries++; tries <= 3 {
						return gateway.Sent{}, &gateway.SendError{Class: tt.class, Code: "x"}
					}
					return gateway.Sent{}, nil
				}}
				r := newRig(t, p, gateway.Config{})
				defer r.stop()
				juliet := r.contact("juliet")
				r.mustAsk(juliet, "s1", "first")
				gatewaytest.Advance(time.Minute)
				var want, sent []string
				if tt.want != "" {
					want = []string{tt.want}
				}
				if tt.sent {
					sent = []string{"juliet first"}
				}
				diff(t, "shown", texts(r.wire.lines()), want)
				diff(t, "sent", r.platform.taken(), sent)
			})
		})
	}
}

func TestParkedLaneKeepsOrderAndDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down sync.Map
		down.Store(gateway.ContactID("juliet"), true)
		p := &platform{caps: textCaps()}
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if _, is := down.Load(op.Chat.Contact); is {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: time.Minute}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		r.mustAsk(juliet, "j1", "1")
		r.mustAsk(juliet, "j2", "2")
		gatewaytest.Advance(10 * time.Second)
		r.mustAsk(juliet, "j3", "3") // goes behind what is parked
		r.mustAsk(nurse, "n1", "1")
		gatewaytest.Advance(time.Second)
		diff(t, "sent while parked", r.platform.taken(), []string{"nurse 1"})
		r.stop() // a new owner finds the lane parked
		r.start(gateway.Config{})
		r.mustAsk(juliet, "j4", "4")
		down.Delete(gateway.ContactID("juliet"))
		gatewaytest.Advance(3 * time.Minute)
		diff(t, "sent after", r.platform.taken(), []string{"nurse 1", "juliet 1", "juliet 2", "juliet 3", "juliet 4"})
	})
}

func TestReauthParksTellsOnceAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ok sync.Map
		p := &platform{caps: textCaps()}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if _, is := ok.Load("renewed"); !is {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		a, b := r.contact("juliet"), r.contact("nurse")
		r.mustAsk(a, "a1", "1")
		r.mustAsk(b, "b1", "1")
		r.mustAsk(a, "a2", "2")
		gatewaytest.Advance(time.Minute)
		got := texts(r.wire.lines())
		if len(got) != 2 || !strings.Contains(got[0], "needs to be renewed") || !strings.Contains(got[1], "away=true") {
			t.Fatalf("got %q, want one notice and one presence", got)
		}
		ok.Store("renewed", true)
		renewed := *r.account
		renewed.Standing = gateway.AccountActive
		if err := r.identity.Update(r.t.Context(), renewed); err != nil {
			t.Fatal(err)
		}
		r.gw.Unpark(r.t.Context(), r.account.ID)
		gatewaytest.Advance(2 * time.Second)
		sent := r.platform.taken()
		slices.Sort(sent)
		diff(t, "sent", sent, []string{"juliet 1", "juliet 2", "nurse 1"})
	})
}

func TestGiveUpByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
		}}
		r := newRig(t, p, gateway.Config{GiveUp: 10 * time.Minute})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "never")
		gatewaytest.Advance(20 * time.Minute)
		got := texts(r.wire.lines())
		if len(got) != 1 || !strings.Contains(got[0], "Not delivered") {
			t.Fatalf("got %q, want one message saying that it was not delivered", got)
		}
		lane := gateway.LaneKey{Adapter: wall, Local: juliet}
		dead, err := r.store.ListDead(r.t.Context(), lane.Shard(), "", 10)
		if err != nil || len(dead) != 1 || dead[0].Why.Class != gateway.Retryable {
			t.Fatalf("got %v, %v, want one dead letter", dead, err)
		}
	})
}

func TestRestartSendsWhatWasLeftOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gateOpen := make(chan struct{})
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			<-gateOpen
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{})
		juliet := r.contact("juliet")
		for n := range 5 {
			r.mustAsk(juliet, fmt.Sprint("s", n), fmt.Sprint(n))
		}
		gatewaytest.Advance(time.Second)
		close(gateOpen)
		r.stop()
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(time.Second)
		seen := map[string]bool{}
		var first []string
		for _, s := range r.platform.taken() {
			if !seen[s] {
				seen[s] = true
				first = append(first, s)
			}
		}
		diff(t, "first arrivals", first, []string{"juliet 0", "juliet 1", "juliet 2", "juliet 3", "juliet 4"})
	})
}

// TestStopLetsACallFinish: a process that stops waits for the platform's answer and records it.
func TestStopLetsACallFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.sendCtx = func(ctx context.Context) {
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
				t.Error("the call was cut off")
			}
		}
		r := newRig(t, p, gateway.Config{})
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "1")
		gatewaytest.Advance(time.Second)
		r.stop()
		diff(t, "sent", r.platform.taken(), []string{"juliet 1"})
		n, _, err := r.store.Depth(t.Context(), gateway.LaneKey{Adapter: wall, Local: juliet}.Shard(), gateway.QueueOut)
		if err != nil || n != 0 {
			t.Errorf("got %d entries left, %v, want none", n, err)
		}
	})
}

// deaf is a store that keeps no dead letters.
type deaf struct{ gateway.Store }

func (deaf) Bury(context.Context, gateway.Partition, gateway.Queue, gateway.Entry, gateway.DeadReason) error {
	return errors.New("store down")
}

// TestMalformedIsAskedForAgainWhenNotKept: a body that could not be kept is not answered 400, or it would be lost.
func TestMalformedIsAskedForAgainWhenNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.store = deaf{r.store}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		r.platform.hook = func(gateway.Request) ([]gateway.Event, error) { return nil, errors.New("not JSON") }
		err := r.gw.Receive(t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}})
		if err == nil || errors.Is(err, gateway.ErrMalformed) {
			t.Errorf("got %v, want an error that makes the platform try again", err)
		}
	})
}

func TestPoisonStanzaIsFoundAndSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		r.wire.broken = func(batch []string) bool {
			return slices.ContainsFunc(batch, func(s string) bool { return strings.Contains(s, "poison") })
		}
		for n, text := range []string{"one", "poison", "three"} {
			if err := r.event(said("juliet", fmt.Sprint("n", n), text, 0)); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(time.Minute)
		got := strings.Join(texts(r.wire.lines()), "\n")
		if !strings.Contains(got, `"one"`) || !strings.Contains(got, `"three"`) || strings.Contains(got, "poison") {
			t.Errorf("got %q, want one and three without the poison", got)
		}
		dead, err := r.store.ListDead(r.t.Context(), gateway.OutboxPartition(wall), "", 10)
		if err != nil || len(dead) != 1 || dead[0].Why.Code != "stream-ended" {
			t.Errorf("got %v, %v, want one dead letter", dead, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
		}}
		r := newRig(t, p, gateway.Config{LaneMax: 3})
		defer r.stop()
		juliet := r.contact("juliet")
		condition := func(err error) gateway.Condition {
			if ref, ok := errors.AsType[*gateway.Refusal](err); ok {
				return ref.Condition
			}
			return ""
		}
		if got := condition(r.ask("nobodyatallhere2", "x", "hello")); got != gateway.ItemNotFound {
			t.Errorf("unknown contact: got %q, want item-not-found", got)
		}
		stranger := gateway.Outbound{Adapter: wall, Alias: juliet, User: "iago@example.org", Op: gateway.Op{Body: gateway.OpMessage{}}}
		if got := condition(r.gw.Ask(r.t.Context(), stranger, nil)); got != gateway.RegistrationRequired {
			t.Errorf("unregistered: got %q, want registration-required", got)
		}
		for n := range 3 {
			r.mustAsk(juliet, fmt.Sprint("s", n), "x")
		}
		if got := condition(r.ask(juliet, "s4", "x")); got != gateway.ResourceConstraint {
			t.Errorf("full lane: got %q, want resource-constraint", got)
		}
	})
}

func TestWebhookErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		if err := r.gw.Receive(r.t.Context(), wall, gateway.Request{}); !errors.Is(err, gateway.ErrUnverified) {
			t.Errorf("unsigned: got %v, want ErrUnverified", err)
		}
		for _, hook := range []func(gateway.Request) ([]gateway.Event, error){
			func(gateway.Request) ([]gateway.Event, error) { return nil, errors.New("not JSON") },
			func(gateway.Request) ([]gateway.Event, error) { panic("adapter bug") },
		} {
			r.platform.hook = hook
			err := r.gw.Receive(r.t.Context(), wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}, Body: []byte("{")})
			if !errors.Is(err, gateway.ErrMalformed) {
				t.Errorf("malformed: got %v, want ErrMalformed", err)
			}
		}
		dead, err := r.store.ListDead(r.t.Context(), gateway.LaneKey{Adapter: wall}.Shard(), "", 10)
		if err != nil || len(dead) != 2 {
			t.Errorf("got %d dead letters, %v, want 2", len(dead), err)
		}
		if err := r.gw.Receive(r.t.Context(), "other", gateway.Request{}); !errors.Is(err, gateway.ErrUnknownAdapter) {
			t.Errorf("unknown adapter: got %v", err)
		}
	})
}

func TestChangedTermsPauseUntilAgreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps(), desc: gateway.Descriptor{Version: 2}}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "1")
		r.mustAsk(juliet, "s2", "2")
		gatewaytest.Advance(10 * time.Minute)
		got := texts(r.wire.lines())
		if len(got) != 2 || !strings.Contains(got[0], "terms of Wall have changed") {
			t.Fatalf("got %q, want one notice and one presence", got)
		}
		diff(t, "sent before", r.platform.taken(), []string(nil))
		agreed := *r.account
		agreed.Agreed, agreed.Standing = 2, gateway.AccountActive
		if err := r.identity.Update(t.Context(), agreed); err != nil {
			t.Fatal(err)
		}
		r.gw.Unpark(t.Context(), r.account.ID)
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent after", r.platform.taken(), []string{"juliet 1", "juliet 2"})
	})
}
