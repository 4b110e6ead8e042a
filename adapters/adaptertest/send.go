package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// patience is how long an adapter may take to notice that its caller gave up.
const patience = time.Second

func (h Harness) send(t *testing.T) {
	t.Run("features", h.sendFeatures)
	t.Run("cancelled", h.sendCancelled)
	t.Run("accounts apart", h.sendApart)
}

// probes lists, for every feature with an outbound side, an op that needs it.
func (b *bench) probes(mine, theirs gateway.Target) map[gateway.Feature]gateway.OpBody {
	b.t.Helper()
	content := func(p gateway.Part) gateway.OpBody {
		return gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{p}}}
	}
	reply := text("a reply")
	reply.ReplyTo = &theirs
	picture := gateway.Media{Kind: gateway.MediaImage, Handle: "https://upload.example.org/a.png", MIME: "image/png", Name: "a.png", Size: 10}
	if _, carries := b.Adapter.(gateway.MediaSender); carries {
		picture = newFile(10, "a.png", "image/png").media
	} else if _, ok := b.Adapter.(gateway.MediaStore); ok && b.Stored != nil {
		picture = b.mustUpload(0, newFile(10, "a.png", "image/png"))
	}
	asked := theirs
	if b.Ask != nil {
		asked = gateway.Target{IDs: []gateway.MessageID{b.Ask(0, balcony())}}
	}
	return map[gateway.Feature]gateway.OpBody{
		gateway.FeatureText:      text("a text"),
		gateway.FeatureMedia:     content(picture),
		gateway.FeatureLocation:  content(gateway.Location{Lat: 45.44, Lon: 10.99}),
		gateway.FeatureContact:   content(gateway.ContactCard{Name: "Nurse", Phones: []string{"+390450000"}}),
		gateway.FeaturePoll:      content(balcony()),
		gateway.FeatureAnswer:    gateway.OpAnswer{Target: asked, Choices: balcony().Options[:1]},
		gateway.FeatureStyling:   content(gateway.Text{Text: canary + " bold", Spans: []gateway.Span{{Length: 6, Style: gateway.SpanStrong}}}),
		gateway.FeatureSticker:   content(gateway.Sticker{Media: picture, Emoji: "🌹"}),
		gateway.FeatureReply:     reply,
		gateway.FeatureEdit:      gateway.OpEdit{Target: mine, Content: gateway.PlainText(canary + " changed")},
		gateway.FeatureReact:     gateway.OpReact{Target: theirs, Emojis: []string{"👍"}},
		gateway.FeatureReadOut:   gateway.OpMarkRead{UpTo: theirs},
		gateway.FeatureTypingOut: b.typing(theirs),
		gateway.FeatureGroups:    gateway.OpGroup{Verb: gateway.GroupCreate, Name: "Verona", Members: []gateway.ContactID{b.Chats[0].Contact}},
		gateway.FeatureRetract:   gateway.OpRetract{Target: mine},
	}
}

// typing begins, below the contact's last message where the platform wants one.
func (b *bench) typing(theirs gateway.Target) gateway.OpTyping {
	op := gateway.OpTyping{On: true}
	if b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).TypingAfter {
		op.After = &theirs
	}
	return op
}

func balcony() gateway.Poll {
	return gateway.Poll{Question: "Balcony?", Options: []gateway.Choice{{ID: "1", Title: "yes"}, {ID: "2", Title: "no"}}}
}

func (h Harness) sendFeatures(t *testing.T) {
	b := h.open(t)
	sent := b.mustSend(0, b.opTo(0, text("the first")))
	if len(sent.IDs) == 0 {
		t.Fatal("Sent.IDs: got none, want one for each part")
	}
	mine := gateway.Target{IDs: sent.IDs, Mine: true, Excerpt: "the first"}
	theirs := mine
	if b.Say != nil {
		theirs = gateway.Target{IDs: []gateway.MessageID{b.Say(0, "good morrow")}}
	}
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	probes := b.probes(mine, theirs)
	if n := caps.Reactions; len(n) > 0 { // the core offers no other
		probes[gateway.FeatureReact] = gateway.OpReact{Target: theirs, Emojis: n[:1]}
	}
	for _, f := range gateway.Features() {
		body, ok := probes[f]
		if !ok || f == gateway.FeatureStyling && !caps.Has(f) { // without styling, spans never reach an adapter
			continue
		}
		before := b.wire.Total()
		b.wire.Take()
		_, err := b.send(t.Context(), 0, b.opTo(0, body))
		switch requests := len(b.wire.Take()); {
		case caps.Has(f) && (err != nil || requests == 0):
			t.Errorf("%s: Caps says %s; got error %v and %d requests, want success and at least one", f, caps.Levels[f], err, requests)
		case !caps.Has(f) && gateway.ClassOf(err) != gateway.Unsupported:
			t.Errorf("%s: Caps says none; got error %v, want class unsupported", f, err)
		case !caps.Has(f) && b.wire.Total() != before:
			t.Errorf("%s: Caps says none; got %d requests before the refusal, want none", f, b.wire.Total()-before)
		}
	}
	if caps.Has(gateway.FeatureReact) {
		b.mustSend(0, b.opTo(0, gateway.OpReact{Target: theirs}))
	}
	if caps.Has(gateway.FeatureTypingOut) {
		b.mustSend(0, b.opTo(0, gateway.OpTyping{On: false}))
	}
	group := b.opTo(0, text("to a group"))
	group.Chat = gateway.Chat{ID: "grp_1", Kind: gateway.ChatGroup}
	if groups := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatGroup}); !groups.Has(gateway.FeatureText) {
		before := b.wire.Total()
		_, err := b.send(t.Context(), 0, group)
		if gateway.ClassOf(err) != gateway.Unsupported || b.wire.Total() != before {
			t.Errorf("text to a group without Caps: got %v and %d requests, want class unsupported and none", err, b.wire.Total()-before)
		}
	}
}

func (h Harness) sendCancelled(t *testing.T) {
	b := h.open(t)
	b.wire.Set(always(Fault{Kind: FaultHang}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := b.send(ctx, 0, b.opTo(0, text("never")))
		done <- err
	}()
	b.eventually("the request", func() bool { return len(b.wire.Take()) > 0 })
	cancel()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		if err == nil {
			t.Error("cancelled Send: got success, want an error")
		}
	case <-timer.C:
		t.Errorf("cancelled Send: did not return within %s", patience)
		b.wire.base.CloseIdleConnections()
		b.wire.release()
		t.Logf("cancelled Send: returned %v when its connection was cut", <-done)
	}
	b.wire.Set(nil)
	before := len(b.wire.Take())
	if _, err := b.send(ctx, 0, b.opTo(0, text("never"))); err == nil || len(b.wire.Take()) != before {
		t.Errorf("Send with a context that ended before: got error %v, want one and no request", err)
	}
}

// sendApart sends from two accounts at once: what the platform takes from each is what that account sent.
func (h Harness) sendApart(t *testing.T) {
	b := h.open(t)
	const each = 20
	b.wire.Set(func(n int) Fault { return Fault{Delay: time.Duration(n%3) * time.Millisecond} })
	var wg sync.WaitGroup
	want := make([][]string, 2)
	for i := range 2 {
		for n := range each {
			name := fmt.Sprintf("account %d says %02d", i, n)
			want[i] = append(want[i], name)
			wg.Go(func() {
				if _, err := b.send(t.Context(), i, b.opTo(i, text(name))); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	wg.Wait()
	for i := range 2 {
		got := b.texts(i)
		slices.Sort(got)
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("account %d: -sent +received:\n%s", i, diff)
		}
	}
}

// echo wants what the platform tells of our own message to be recognised as ours.
func (h Harness) echo(t *testing.T) {
	b := h.open(t)
	w, ok := b.Adapter.(gateway.Webhook)
	if !ok || b.Webhooks == nil {
		return
	}
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	op := b.opTo(0, text("hear me"))
	sent := b.mustSend(0, op)
	parsed := func() (events []gateway.Event) {
		for _, r := range b.Webhooks() {
			if err := w.Verify(r); err != nil {
				t.Errorf("Verify of what the fake posted: %v", err)
			}
			more, err := w.Parse(r)
			if err != nil {
				t.Errorf("Parse of what the fake posted: %v\n%s", err, r.Body)
			}
			events = append(events, more...)
		}
		return events
	}
	told := func(is func(gateway.Status) bool) func() bool {
		return func() bool {
			return slices.ContainsFunc(parsed(), func(e gateway.Event) bool {
				s, ok := e.Body.(gateway.Status)
				return ok && is(s) && e.Endpoint == b.Accounts[0].Endpoint && e.Chat.Contact == b.Chats[0].Contact
			})
		}
	}
	named := func(s gateway.Status) bool {
		return slices.Equal(s.IDs, sent.IDs) && (!caps.Echo || s.Ref == op.ID)
	}
	switch {
	case caps.Watermarks: // of ids and ops delivery tells nothing: the echo does
		if caps.Echo {
			b.eventually("a status that names the op", told(named))
		}
		if caps.Has(gateway.FeatureDelivered) {
			b.eventually("a status that says delivered, up to the time of the message", told(func(s gateway.Status) bool {
				return s.State == gateway.StatusDelivered && !s.Through.IsZero() && !s.Through.Before(sent.At)
			}))
		}
	case caps.Has(gateway.FeatureDelivered):
		b.eventually("a status that says delivered and names the op", told(func(s gateway.Status) bool { return s.State == gateway.StatusDelivered && named(s) }))
	}
	if b.Say != nil {
		id := b.Say(0, "good morrow")
		b.eventually("the contact's message", func() bool {
			return slices.ContainsFunc(parsed(), func(e gateway.Event) bool {
				m, ok := e.Body.(gateway.Message)
				return ok && m.ID == id && !e.FromMe && e.Chat.Contact == b.Chats[0].Contact && e.Endpoint == b.Accounts[0].Endpoint
			})
		})
	}
	for _, e := range parsed() {
		if m, ok := e.Body.(gateway.Message); ok && slices.Contains(sent.IDs, m.ID) && !e.FromMe {
			t.Errorf("our own message %s came back as the contact's: it would loop", m.ID)
		}
	}
}
