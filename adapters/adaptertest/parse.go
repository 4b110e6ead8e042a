package adaptertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"postern/gateway"
)

const (
	// mutations is how many broken bodies Parse is shown.
	mutations = 10000
	// eventsPerKilobyte bounds what one body may become: a webhook must not blow up in memory.
	eventsPerKilobyte = 64
)

func (h Harness) parse(t *testing.T) {
	b := h.open(t)
	w, ok := b.Adapter.(gateway.Webhook)
	if !ok {
		return
	}
	before := b.wire.Total()
	corpus := h.goldens(t, "parse")
	seen := map[string]string{}
	var all []gateway.Event
	for _, g := range corpus {
		t.Run(g.name(), func(t *testing.T) {
			events, bad := h.parseTwice(t, w, g.input())
			var broken []txtar.File // in part, or as a whole
			if bad != nil {
				b.tellError(bad)
				broken = []txtar.File{{Name: "error", Data: []byte(bad.Error())}}
				if len(events) == 0 {
					g.compareAll(t, broken...)
					return
				}
			}
			raw, err := json.MarshalIndent(events, "", "  ")
			if err != nil {
				t.Fatalf("events do not encode: %v", err)
			}
			var back []gateway.Event
			if err := json.Unmarshal(raw, &back); err != nil {
				t.Fatalf("events do not decode: %v", err)
			}
			again, err := json.MarshalIndent(back, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(raw), string(again)); diff != "" {
				t.Errorf("events changed on their way through a queue:\n%s", diff)
			}
			g.compareAll(t, append([]txtar.File{{Name: "events.json", Data: raw}}, broken...)...)
			for i, e := range events {
				h.checkEvent(t, e)
				key := fmt.Sprintf("%s|%s", e.Endpoint, e.Dedupe)
				if other, taken := seen[key]; taken {
					t.Errorf("event %d has the dedupe key %q of %s: one of two updates would be dropped", i, e.Dedupe, other)
				}
				seen[key] = g.name()
			}
			all = append(all, events...)
		})
	}
	t.Run("promises", func(t *testing.T) {
		h.checkPromises(t, b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}), all)
	})
	t.Run("mutations", func(t *testing.T) { h.mutate(t, w, corpus) })
	if n := b.wire.Total() - before; n != 0 {
		t.Errorf("Parse made %d requests, want none", n)
	}
}

// parseTwice parses a body now and as redelivered an hour later, and wants the same of both.
func (h Harness) parseTwice(t *testing.T, w gateway.Webhook, body []byte) ([]gateway.Event, error) {
	t.Helper()
	now := time.Unix(1793500000, 0)
	first := h.Sign(bytes.Clone(body), now)
	first.Now = now.Unix()
	events, err := w.Parse(first)
	if !bytes.Equal(first.Body, body) {
		t.Error("Parse changed the body")
	}
	later := h.Sign(bytes.Clone(body), now.Add(time.Hour))
	later.Now = now.Add(time.Hour).Unix()
	again, err2 := w.Parse(later)
	if fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Errorf("Parse is not pure: got error %v, then %v", err, err2)
	}
	if diff := cmp.Diff(events, again); diff != "" {
		t.Errorf("Parse is not pure: the same bytes gave other events:\n%s", diff)
	}
	return events, err
}

// checkEvent holds for every event of every platform.
func (h Harness) checkEvent(t *testing.T, e gateway.Event) {
	t.Helper()
	kind := gateway.EventKind(e.Body)
	if e.Dedupe == "" {
		t.Errorf("%s: no dedupe key", kind)
	}
	if e.At.IsZero() && !h.Undated || e.At.Location() != time.UTC {
		t.Errorf("%s: got time %v, want one in UTC", kind, e.At)
	}
	if _, account := e.Body.(gateway.AccountState); account {
		return
	}
	switch e.Chat.Kind {
	case gateway.ChatDirect:
		if e.Chat.Contact == "" {
			t.Errorf("%s: direct chat without a contact: its lane cannot be computed", kind)
		}
		if !e.FromMe && e.From != e.Chat.Contact {
			t.Errorf("%s: got from %q in the direct chat with %q", kind, e.From, e.Chat.Contact)
		}
	case gateway.ChatGroup:
		if e.Chat.ID == "" {
			t.Errorf("%s: group chat without an id", kind)
		}
	default:
		t.Errorf("%s: got chat kind %q, want direct or group", kind, e.Chat.Kind)
	}
	if m, ok := e.Body.(gateway.Message); ok && (m.ID == "" || len(m.Content.Parts) == 0) {
		t.Errorf("message: got id %q and %d parts, want both", m.ID, len(m.Content.Parts))
	}
}

// checkPromises wants an example of every inbound kind that Caps offers, and of content without a name.
func (h Harness) checkPromises(t *testing.T, caps gateway.Caps, all []gateway.Event) {
	t.Helper()
	have := map[gateway.Feature]bool{}
	unsupported := false
	for _, e := range all {
		switch b := e.Body.(type) {
		case gateway.Message:
			have[gateway.FeatureReply] = have[gateway.FeatureReply] || b.ReplyTo != nil
			for _, p := range b.Content.Parts {
				have[partFeature(p)] = true
				text, isText := p.(gateway.Text)
				have[gateway.FeatureStyling] = have[gateway.FeatureStyling] || isText && len(text.Spans) > 0
				_, isNotice := p.(gateway.UnsupportedPart)
				unsupported = unsupported || isNotice
			}
		case gateway.Edited:
			have[gateway.FeatureEdit] = true
		case gateway.Retracted:
			have[gateway.FeatureRetract] = true
		case gateway.Reacted:
			have[gateway.FeatureReact] = true
		case gateway.Status:
			have[gateway.FeatureDelivered] = have[gateway.FeatureDelivered] || b.State == gateway.StatusDelivered
			have[gateway.FeatureReadIn] = have[gateway.FeatureReadIn] || b.State == gateway.StatusRead
		case gateway.Typing:
			have[gateway.FeatureTypingIn] = true
		case gateway.Presence:
			have[gateway.FeaturePresence] = true
		case gateway.MemberUpdate:
			have[gateway.FeatureGroups] = true
		case gateway.ContactUpdate:
			have[gateway.FeatureProfile] = have[gateway.FeatureProfile] || b.Name != nil && b.Avatar != nil
		case gateway.Seen, gateway.Call, gateway.Window, gateway.AccountState, gateway.Undeliverable:
		}
	}
	for _, f := range gateway.Features() {
		switch f { //nolint:exhaustive // the others have an inbound side
		case gateway.FeatureReadOut, gateway.FeatureTypingOut, gateway.FeatureAnswer, gateway.FeatureBlock, gateway.FeatureReport:
			continue
		}
		if caps.Has(f) && !have[f] && !slices.Contains(h.Silent, f) {
			t.Errorf("Caps offers %s, no fixture shows it arriving", f)
		}
	}
	if !unsupported {
		t.Error("no fixture shows content that the adapter has no name for, as an UnsupportedPart")
	}
}

func partFeature(p gateway.Part) gateway.Feature {
	switch p.(type) {
	case gateway.Text:
		return gateway.FeatureText
	case gateway.Media:
		return gateway.FeatureMedia
	case gateway.Location:
		return gateway.FeatureLocation
	case gateway.ContactCard:
		return gateway.FeatureContact
	case gateway.Poll:
		return gateway.FeaturePoll
	case gateway.Sticker:
		return gateway.FeatureSticker
	case gateway.Interactive, gateway.UnsupportedPart:
	}
	return ""
}

func (h Harness) mutate(t *testing.T, w gateway.Webhook, corpus []golden) {
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1793500000, 0)
	for n := range mutations {
		body := mutated(random, corpus[n%len(corpus)].input(), corpus[random.IntN(len(corpus))].input())
		events, failed := parseGuarded(w, gateway.Request{Method: "POST", Query: h.Sign(body, now).Query, Header: map[string][]string{}, Body: body, Now: now.Unix()})
		if failed != nil {
			t.Fatalf("mutation %d: Parse panicked: %v\n%q", n, failed, body)
		}
		if limit := eventsPerKilobyte * (len(body)/1024 + 1); len(events) > limit {
			t.Fatalf("mutation %d: got %d events of %d bytes, want at most %d", n, len(events), len(body), limit)
		}
		if _, err := json.Marshal(events); err != nil {
			t.Fatalf("mutation %d: events do not encode: %v\n%q", n, err, body)
		}
	}
}

func parseGuarded(w gateway.Webhook, r gateway.Request) (events []gateway.Event, failed any) {
	defer func() { failed = recover() }()
	events, _ = w.Parse(r)
	return events, nil
}

// mutated breaks a body in one to four places.
func mutated(random *rand.Rand, body, other []byte) []byte {
	out := bytes.Clone(body)
	for range 1 + random.IntN(4) {
		if len(out) == 0 {
			return out
		}
		i := random.IntN(len(out))
		j := min(len(out), i+1+random.IntN(16))
		switch random.IntN(7) {
		case 0:
			out[i] = byte(random.IntN(256))
		case 1:
			out = append(out[:i], out[j:]...)
		case 2:
			out = append(out[:j], append(bytes.Clone(out[i:j]), out[j:]...)...)
		case 3:
			out = out[:i]
		case 4:
			out = append(out[:i], other[min(i, len(other)):]...)
		case 5:
			out = append(out[:i], append([]byte(tokens[random.IntN(len(tokens))]), out[i:]...)...)
		case 6:
			// A value of another type in the place of a string.
			if q := bytes.IndexByte(out[i:], '"'); q >= 0 {
				if e := bytes.IndexByte(out[i+q+1:], '"'); e >= 0 {
					out = append(bytes.Clone(out[:i+q]), append([]byte(tokens[random.IntN(len(tokens))]), out[i+q+e+2:]...)...)
				}
			}
		}
	}
	return out
}

// tokens are JSON pieces that readers stumble over.
var tokens = []string{"null", "[]", "{}", "-1", "1e400", "9223372036854775808", `"\ud800"`, "\x00", `""`, "true", `{"a":`, "[[[[", `"9999-99-99T99:99:99Z"`}
