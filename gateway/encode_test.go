package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var someTime = time.Date(2026, 11, 1, 12, 30, 0, 0, time.UTC)

// everyOp and everyEvent hold one of each member of the closed sets; a member without a name in encode.go fails the test.
var (
	everyPart = []Part{
		Text{Text: "hé 🎂", Spans: []Span{{Start: 0, Length: 2, Style: SpanStrong}, {Start: 3, Length: 1, Style: SpanLink, URL: "https://example.org"}}},
		Media{Kind: MediaImage, Handle: "h", MIME: "image/png", Name: "a.png", Size: 5, SHA256: []byte{1, 2}},
		Location{Lat: 45.5, Lon: -9.25, Name: "here", LiveUntil: someTime},
		ContactCard{Name: "Anna", Phones: []string{"+39"}},
		Poll{Question: "?", Options: []Choice{{ID: "1", Title: "a"}, {ID: "2", Title: "b"}}, Multiple: true},
		Interactive{Body: "b", Choices: []Choice{{ID: "1", Title: "one"}}},
		Sticker{Emoji: "🎂", Media: Media{Kind: MediaImage, Handle: "s"}},
		UnsupportedPart{Type: "hologram", Excerpt: "x"},
	}
	everyOp = []OpBody{
		OpMessage{Content: Content{Parts: everyPart}, ReplyTo: &Target{IDs: []MessageID{"m"}, Stanza: "s", Mine: true, Excerpt: "e"}},
		OpEdit{Target: Target{Stanza: "s"}, Content: PlainText("new")},
		OpRetract{Target: Target{Stanza: "s"}},
		OpReact{Target: Target{Stanza: "s"}, Emojis: []string{"👍"}},
		OpMarkRead{UpTo: Target{Stanza: "s"}},
		OpAnswer{Target: Target{Stanza: "s"}, Choices: []Choice{{ID: "1", Title: "yes"}}},
		OpTyping{On: true},
		OpReopen{From: "romeo"},
		OpGroup{Verb: GroupAdd, Members: []ContactID{"c"}},
	}
	everyEvent = []EventBody{
		Message{ID: "m", Content: Content{Parts: everyPart}, ReplyTo: &Target{IDs: []MessageID{"x"}}, Name: "Anna"},
		Edited{Target: Target{IDs: []MessageID{"m"}}, Content: PlainText("new")},
		Retracted{Target: Target{IDs: []MessageID{"m"}}, ByModerator: true},
		Reacted{Target: Target{IDs: []MessageID{"m"}}, Emojis: []string{"👍"}},
		Status{IDs: []MessageID{"m"}, Ref: "r", State: StatusFailed, Through: someTime, Failure: &Failure{Class: WindowClosed, Code: "131047"}},
		Seen{UpTo: Target{IDs: []MessageID{"m"}}},
		Typing{On: true},
		Presence{Available: true, LastSeen: someTime},
		ContactUpdate{Name: new("Anna"), Avatar: new("h"), Consent: ConsentAccepted},
		MemberUpdate{Joined: []ContactID{"c"}},
		Call{ID: "k", State: CallMissed, Video: true, Duration: time.Minute},
		Window{OpenUntil: someTime},
		AccountState{State: AccountReauthNeeded, Reason: "190"},
		Undeliverable{Stanza: "s", Condition: "service-unavailable"},
	}
)

func TestOpRoundTrip(t *testing.T) {
	if len(everyOp) != len(opKinds) {
		t.Fatalf("got %d ops in the test, want %d", len(everyOp), len(opKinds))
	}
	for _, body := range everyOp {
		want := Op{ID: "01", Chat: Chat{ID: "c", Kind: ChatDirect, Contact: "p"}, At: someTime, Lang: "it", Body: body}
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		var got Op
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%T (-want +got):\n%s", body, d)
		}
	}
}

func TestEventRoundTrip(t *testing.T) {
	if len(everyEvent) != len(eventKinds) || len(everyPart) != len(partKinds) {
		t.Fatalf("got %d events and %d parts in the test, want %d and %d", len(everyEvent), len(everyPart), len(eventKinds), len(partKinds))
	}
	for _, body := range everyEvent {
		want := Event{Dedupe: "d", Endpoint: "e", Chat: Chat{Kind: ChatDirect, Contact: "p"}, Also: []ContactID{"q"}, Invite: "i", From: "p", At: someTime, Seq: 7, Body: body}
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		if !strings.HasPrefix(string(raw), `{"v":1,`) {
			t.Errorf("%T: got %.20s, want the version first", body, raw)
		}
		var got Event
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%T (-want +got):\n%s", body, d)
		}
	}
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"newer", `{"v":2,"kind":"typing","body":{}}`, "version 2"},
		{"kind", `{"v":1,"kind":"teleport","body":{}}`, `unknown kind "teleport"`},
		{"part", `{"v":1,"kind":"message","body":{"Content":[{"kind":"smell","body":{}}]}}`, `unknown kind "smell"`},
	} {
		var e Event
		if err := json.Unmarshal([]byte(tt.raw), &e); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s event: got %v, want an error with %q", tt.name, err, tt.want)
		}
		var o Op
		if err := json.Unmarshal([]byte(tt.raw), &o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s op: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func FuzzEvent(f *testing.F) {
	for _, body := range everyEvent {
		raw, err := json.Marshal(Event{Dedupe: "d", At: someTime, Body: body})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e Event
		if json.Unmarshal(raw, &e) != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		var e2 Event
		if err := json.Unmarshal(again, &e2); err != nil {
			t.Fatalf("not decoded again: %v", err)
		}
	})
}
