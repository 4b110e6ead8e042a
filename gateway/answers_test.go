package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPicks(t *testing.T) {
	drinks := []Choice{{"a", "Tea"}, {"b", "Cake"}, {"c", "Both, please"}}
	years := []Choice{{"a", "3"}, {"b", "1"}, {"c", "2 years"}, {"d", "4"}}
	twins := []Choice{{"a", "Yes"}, {"b", "yes"}}
	for _, tt := range []struct {
		text     string
		options  []Choice
		multiple bool
		want     string
	}{
		{"1", drinks, false, "a"},
		{" 2. ", drinks, false, "b"},
		{"#3", drinks, false, "c"},
		{"3)", drinks, false, "c"},
		{"tea", drinks, false, "a"},
		{"both, PLEASE", drinks, false, "c"},
		{"1, 3", drinks, true, "ac"},
		{"3 1 1", drinks, true, "ca"},
		{"1, 3", drinks, false, ""},
		{"4", drinks, false, ""},
		{"0", drinks, false, ""},
		{"-1", drinks, false, ""},
		{"1 2 or so", drinks, true, ""},
		{"I take 2", drinks, false, ""},
		{"", drinks, true, ""},
		{", ,", drinks, true, ""},
		{"3", years, false, ""}, // the third, or three?
		{"1", years, false, ""},
		{"4", years, false, "d"}, // both the same
		{"2 years", years, false, "c"},
		{"yes", twins, false, ""},
		{"99999999999999999999", drinks, false, ""},
	} {
		got := ""
		for _, c := range picks(posed{Options: tt.options, Multiple: tt.multiple}, tt.text) {
			got += c.ID
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestAsks(t *testing.T) {
	qs := []posed{{ID: "old"}, {ID: "new", Answered: "op1"}}
	for _, tt := range []struct {
		reply *Target
		op    OpID
		want  int
	}{
		{nil, "op1", 1}, // a replay of the op that answered
		{nil, "op2", -1},
		{&Target{IDs: []MessageID{"new"}}, "op2", 1},
		{&Target{IDs: []MessageID{"old"}}, "op2", 0},
		{&Target{IDs: []MessageID{"other"}}, "op2", -1},
	} {
		if got := asks(qs, tt.reply, Op{ID: tt.op, At: someTime}); got != tt.want {
			t.Errorf("%+v by %s: got %d, want %d", tt.reply, tt.op, got, tt.want)
		}
	}
}

func TestOldQuestionsAreClosed(t *testing.T) {
	qs := []posed{{ID: "old", Asked: someTime}, {ID: "new", Asked: someTime.Add(time.Hour)}}
	if got := open(qs, someTime.Add(QuestionTTL+time.Minute)); len(got) != 1 || got[0].ID != "new" {
		t.Errorf("got %v, want the new one", got)
	}
}

func TestReadingInOrder(t *testing.T) {
	r := &reading{}
	r.saw("a", "b")
	r.saw("b", "c")
	var got []string
	for _, id := range []StanzaID{"b", "a", "b", "c.1", "z", "b"} {
		if r.news(id) {
			got = append(got, string(id))
			r.read(id)
		}
	}
	// What is not known is told, and what comes after it is judged anew.
	if d := cmp.Diff([]string{"b", "c.1", "z", "b"}, got); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	for n := range 1000 {
		r.saw(StanzaID(rune(n + 1000)))
	}
	if len(r.shown) > markersKept {
		t.Errorf("got %d ids in memory, want at most %d", len(r.shown), markersKept)
	}
}

func TestExcerpts(t *testing.T) {
	for _, tt := range []struct {
		parts []Part
		want  string
	}{
		{[]Part{Text{Text: "dinner?"}}, "dinner?"},
		{[]Part{Media{Name: "cat.png"}, Text{Text: "look"}}, "cat.png"},
		{[]Part{Media{}, Text{Text: "look"}}, "look"},
		{[]Part{Poll{Question: "When?"}}, "When?"},
		{[]Part{Sticker{Emoji: "🐈"}}, "🐈"},
		{[]Part{Text{Text: strings.Repeat("🎂", 500)}}, strings.Repeat("🎂", excerptLong-1) + "…"},
		{nil, ""},
	} {
		if got := excerptOf(Content{Parts: tt.parts}); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.parts, got, tt.want)
		}
	}
}

func TestActed(t *testing.T) {
	in := OpMessage{Content: Content{Parts: []Part{Text{Text: "/me waves back", Spans: []Span{{Start: 4, Length: 5, Style: SpanStrong}}}}}}
	want := OpMessage{Content: Content{Parts: []Part{Text{Text: "* romeo waves back", Spans: []Span{{Start: 8, Length: 5, Style: SpanStrong}}}}}}
	if d := cmp.Diff(OpBody(want), acted(in, "romeo")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for _, s := range []string{"/me", "/mean", "so /me waves", ""} {
		in := OpMessage{Content: PlainText(s)}
		if d := cmp.Diff(OpBody(in), acted(in, "romeo")); d != "" {
			t.Errorf("%q: -want +got:\n%s", s, d)
		}
	}
}
