package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// counter is a desk in front of a scripted platform, with two visitors.
type counter struct {
	t        *testing.T
	store    *memstore.Store
	keys     *gateway.Keyring
	identity *gateway.Identity
	platform *gatewaytest.Adapter
	desk     *gateway.Desk
	log      *bytes.Buffer
	unparked []gateway.AccountID
	rostered bool // the gateway keeps the visitors' rosters
	readable bool // contact_jids

	publicURL string
	policy    gateway.Policy
	orders    *gateway.Orders
	files     gateway.Files
	moat      *gatewaytest.Adapter                      // a second platform, when there is one
	elsewhere map[gateway.AdapterID][]gateway.Rendering // shown beside answers

	romeo, juliet gateway.Visitor
}

func wallDescriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "wall", Platform: "Wall", Version: 3, Out: gateway.ModeTerminate, In: gateway.ModeTerminate, Media: gateway.ModeCleartext,
		Reveals: gateway.IdentifierPhone, MetadataSeenBy: []string{"the operator of this gateway", "Wall Inc."},
		Retention: 72 * time.Hour, PlatformRetention: 30 * 24 * time.Hour, Inactivity: 30 * 24 * time.Hour, Region: "EEA",
		TermsURL: "https://wall.example/terms", TermsVersion: "2026-03", API: "Wall Interop 1.2",
		Addressing: []gateway.Identifier{gateway.IdentifierPhone, gateway.IdentifierUsername}, MaxPerMinute: 60,
		Caps: gateway.Caps{
			Levels: map[gateway.Feature]gateway.Level{
				gateway.FeatureText: gateway.Native, gateway.FeatureMedia: gateway.Native, gateway.FeatureReply: gateway.Emulated,
				gateway.FeatureEdit: gateway.Native, gateway.FeatureReact: gateway.Native, gateway.FeatureDelivered: gateway.Native,
			},
			TextMax: 4096, MediaMax: 100 << 20, EditFor: 15 * time.Minute, Window: &gateway.WindowRule{For: 24 * time.Hour},
		},
	}
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{
		t: t, store: memstore.New(), platform: &gatewaytest.Adapter{Describe: wallDescriptor()}, log: &bytes.Buffer{},
		romeo:  gateway.Visitor{Adapter: "wall", User: "romeo@example.org", Resource: "orchard"},
		juliet: gateway.Visitor{Adapter: "wall", User: "juliet@example.org", Resource: "balcony"},
	}
	var err error
	if c.keys, err = gateway.OpenKeyring(c.t.Context(), c.store, make([]byte, gateway.KeySize)); err != nil {
		t.Fatal(err)
	}
	c.restart()
	return c
}

// restart puts a new process on the store: nothing survives but what was written.
func (c *counter) restart() {
	c.identity = gateway.NewIdentity(c.store, c.keys)
	c.desk = c.open(c.store)
}

// open returns a desk on a store that may fail.
func (c *counter) open(s gateway.Store) *gateway.Desk {
	instances := []gateway.Instance{{ID: "wall", Component: "wall.example.org", Name: "Wall", Adapter: c.platform, Readable: c.readable, Contacts: map[string][]string{"abuse": {"mailto:abuse@example.org"}}}}
	if c.moat != nil {
		instances = append(instances, gateway.Instance{ID: "moat", Component: "moat.example.org", Name: "Moat", Adapter: c.moat})
	}
	return gateway.NewDesk(gateway.DeskConfig{
		Identity: gateway.NewIdentity(s, c.keys), Store: s, Keyring: c.keys, Texts: gateway.NewTexts(), Operator: "Example Hosting", PublicURL: c.publicURL, Policy: c.policy, Orders: c.orders, Files: c.files,
		Instances: instances,
		Show: func(_ context.Context, a gateway.AdapterID, rs ...gateway.Rendering) error {
			if c.elsewhere == nil {
				c.elsewhere = map[gateway.AdapterID][]gateway.Rendering{}
			}
			c.elsewhere[a] = append(c.elsewhere[a], rs...)
			return nil
		},
		Log:      slog.New(slog.NewTextHandler(c.log, nil)),
		Rostered: func(context.Context, gateway.Visitor) bool { return c.rostered },
		Unpark:   func(_ context.Context, id gateway.AccountID) { c.unparked = append(c.unparked, id) },
	})
}

// agreed are the answers that tick every point, with more beside them.
func agreed(more ...string) map[string]string {
	m := map[string]string{"agree_terms": "1", "agree_reading": "true", "agree_metadata": "1", "agree_region": "1"}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func (c *counter) start(v gateway.Visitor, node string) gateway.Reply {
	c.t.Helper()
	r, err := c.desk.Start(c.t.Context(), v, node)
	if err != nil {
		c.t.Fatalf("start %s: %v", node, err)
	}
	c.sound(r)
	return r
}

func (c *counter) next(v gateway.Visitor, r gateway.Reply, answers map[string]string) gateway.Reply {
	c.t.Helper()
	r, err := c.desk.Continue(c.t.Context(), v, r.Session, gateway.ActionNext, answers)
	if err != nil {
		c.t.Fatalf("continue: %v", err)
	}
	c.sound(r)
	return r
}

// say writes a line to the gateway and returns its answer.
func (c *counter) say(v gateway.Visitor, text string) gateway.Reply {
	c.t.Helper()
	r, err := c.desk.Say(c.t.Context(), v, text)
	if err != nil {
		c.t.Fatalf("say %q: %v", text, err)
	}
	c.sound(r)
	if len(r.Fields) > 0 {
		c.t.Errorf("say %q: a chat got fields %v", text, r.Fields)
	}
	return r
}

// sound checks what every reply keeps: no text without its arguments, no key that no text stands for.
func (c *counter) sound(r gateway.Reply) {
	c.t.Helper()
	for _, text := range []string{r.Title, r.Text, r.Note} {
		if strings.Contains(text, "%!") || strings.Contains(text, "desk.") {
			c.t.Errorf("text is not whole: %q", text)
		}
	}
}

func (c *counter) register(v gateway.Visitor, name string) gateway.Reply {
	c.t.Helper()
	r := c.next(v, c.start(v, gateway.NodeRegister), agreed("name", name))
	if r.Status != gateway.ReplyCompleted {
		c.t.Fatalf("register %s: got %s %q, want completed", name, r.Status, r.Text)
	}
	return r
}

func (c *counter) registered(v gateway.Visitor) bool {
	c.t.Helper()
	_, ok, err := c.desk.Registered(c.t.Context(), v)
	if err != nil {
		c.t.Fatal(err)
	}
	return ok
}

func (c *counter) account(v gateway.Visitor) *gateway.Account {
	c.t.Helper()
	all, err := gateway.NewIdentity(c.store, c.keys).Of(c.t.Context(), v.Adapter, v.User)
	if err != nil || len(all) != 1 {
		c.t.Fatalf("accounts of %s: got %d, %v, want one", v.User, len(all), err)
	}
	return all[0]
}

// refused fails the test unless err is a refusal with a condition, and of a kind when that is not empty. It returns the text.
func (c *counter) refused(err error, condition gateway.Condition, kind string) string {
	c.t.Helper()
	r, ok := errors.AsType[*gateway.Refusal](err)
	if !ok || r.Condition != condition {
		c.t.Fatalf("got %v, want refusal %s", err, condition)
	}
	se, ok := errors.AsType[*gateway.SessionError](err)
	if got := map[bool]string{true: kindOf(se)}[ok]; got != kind {
		c.t.Errorf("got session error %q, want %q", got, kind)
	}
	if r.Text == "" || strings.Contains(r.Text, "%!") || strings.Contains(r.Text, "desk.") {
		c.t.Errorf("refusal text is not whole: %q", r.Text)
	}
	return r.Text
}

func kindOf(se *gateway.SessionError) string {
	if se == nil {
		return ""
	}
	return se.Kind
}

// shown writes what a reply shows afterwards as lines.
func shown(rs []gateway.Rendering) string {
	var out []string
	for _, r := range rs {
		stanzas, err := gatewaytest.Renderer{}.Render(r)
		if err != nil {
			out = append(out, err.Error())
		}
		for _, s := range stanzas {
			line, _, _ := strings.Cut(string(s), " \"") // texts have tests of their own
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "\n")
}

// brittle is a store whose Save fails for some kinds of record, and whose Load fails as often as said.
type brittle struct {
	gateway.Store
	fails map[gateway.RecordKind]bool
	loads map[gateway.RecordKind]int
}

func (b *brittle) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	for _, k := range keys {
		if b.loads[k.Kind] > 0 {
			b.loads[k.Kind]--
			return nil, fmt.Errorf("load %s: out of order", k.Kind)
		}
	}
	return b.Store.Load(ctx, keys...)
}

func (b *brittle) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	for _, c := range cs {
		if b.fails[c.Kind] && c.Value != nil {
			return fmt.Errorf("save %s: out of order", c.Kind)
		}
	}
	return b.Store.Save(ctx, o, cs...)
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*gateway.Refusal](err)
	return ok
}
