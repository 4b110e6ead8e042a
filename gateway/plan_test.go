package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shape says in short what a plan came to.
func shape(p Planned) []string {
	if p.Refused != nil {
		return []string{"refused " + string(p.Refused.Text) + " " + string(p.Refused.Feature)}
	}
	var out []string
	for _, o := range p.Ops {
		line := string(o.ID) + " " + OpKind(o.Body)
		if e, ok := o.Body.(OpEdit); ok && len(e.Content.Parts) > 0 && e.Content.Parts[0].(Text).Text != "new" {
			line += " " + e.Content.Parts[0].(Text).Text
		}
		if m, ok := o.Body.(OpMessage); ok {
			for _, part := range m.Content.Parts {
				if t, ok := part.(Text); ok {
					line += " " + strings.ReplaceAll(t.Text, "\n", "⏎")
					for _, s := range t.Spans {
						line += fmt.Sprintf(" (%d+%d)", s.Start, s.Length)
					}
				} else {
					line += " [" + PartKind(part) + "]"
				}
			}
			if m.ReplyTo != nil {
				line += " reply"
			}
		}
		out = append(out, line)
	}
	for _, f := range p.Degraded {
		out = append(out, "degraded "+string(f))
	}
	return out
}

// mediaOps is the shape of that many files.
func mediaOps(n int) []string {
	out := []string{"op message [media]"}
	for i := 1; i < n; i++ {
		out = append(out, fmt.Sprintf("op.%d message [media]", i))
	}
	return out
}

func caps(fs ...Feature) Caps {
	c := Caps{Levels: map[Feature]Level{FeatureText: Native}}
	for _, f := range fs {
		c.Levels[f] = Native
	}
	return c
}

func TestPlan(t *testing.T) {
	reply := &Target{IDs: []MessageID{"m"}, Excerpt: "dinner?\ntonight"}
	short := caps()
	short.TextMax = 10
	utf16 := caps()
	utf16.TextMax, utf16.TextUnit = 4, UTF16Units
	quick := caps(FeatureEdit)
	quick.EditFor = time.Minute
	few := caps(FeatureReact)
	few.ReactionsMax, few.Reactions = 1, []string{"👍", "❤️"}
	quick.Levels[FeatureRetract], quick.RetractFor = Native, time.Minute
	bold := Content{Parts: []Part{Text{Text: "so bold", Spans: []Span{{Start: 3, Length: 4, Style: SpanStrong}}}}}
	shortStyled := caps(FeatureStyling)
	shortStyled.TextMax = 10
	edit := OpEdit{Target: Target{IDs: []MessageID{"m"}, At: someTime}, Content: PlainText("new")}
	for _, tt := range []struct {
		name string
		body OpBody
		caps Caps
		age  time.Duration
		want []string
	}{
		{"native text", OpMessage{Content: PlainText("hi")}, caps(), 0, []string{"op message hi"}},
		{"native reply", OpMessage{Content: PlainText("yes"), ReplyTo: reply}, caps(FeatureReply), 0, []string{"op message yes reply"}},
		{"quoted reply", OpMessage{Content: PlainText("yes"), ReplyTo: reply}, caps(), 0, []string{"op message > dinner?⏎> tonight⏎yes", "degraded reply"}},
		{"styled", OpMessage{Content: bold}, caps(FeatureStyling), 0, []string{"op message so bold (3+4)"}},
		{"styles as marks", OpMessage{Content: bold}, caps(), 0, []string{"op message so *bold*", "degraded styling"}},
		{"quote as a style", OpMessage{Content: PlainText("yes"), ReplyTo: reply}, caps(FeatureStyling), 0, []string{"op message dinner?⏎tonight⏎yes (0+15)", "degraded reply"}},
		{"quote and marks", OpMessage{Content: bold, ReplyTo: reply}, caps(), 0, []string{"op message > dinner?⏎> tonight⏎so *bold*", "degraded reply", "degraded styling"}},
		{"a mention needs no marks", OpMessage{Content: Content{Parts: []Part{Text{Text: "Anna", Spans: []Span{{Length: 4, Style: SpanMention}}}}}}, caps(), 0, []string{"op message Anna"}},
		{"styles over a split", OpMessage{Content: Content{Parts: []Part{Text{Text: "one two three", Spans: []Span{{Start: 4, Length: 9, Style: SpanStrong}}}}}}, shortStyled, 0, []string{"op message one two  (4+4)", "op.1 message three (0+5)", "degraded text"}},
		{"styled edit as marks", OpEdit{Target: Target{IDs: []MessageID{"m"}}, Content: bold}, caps(FeatureEdit), 0, []string{"op edit so *bold*", "degraded styling"}},
		{"native answer", OpAnswer{Target: Target{IDs: []MessageID{"m"}}, Choices: []Choice{{"1", "tea"}}}, caps(FeatureAnswer), 0, []string{"op answer"}},
		{"answer in words", OpAnswer{Target: Target{IDs: []MessageID{"m"}, Excerpt: "What?"}, Choices: []Choice{{"1", "tea"}, {"2", "cake"}}}, caps(FeatureReply), 0, []string{"op message tea⏎cake reply", "degraded answer"}},
		{"sticker as emoji", OpMessage{Content: Content{Parts: []Part{Sticker{Emoji: "🐈"}}}}, caps(), 0, []string{"op message 🐈", "degraded sticker"}},
		{"split at a word", OpMessage{Content: PlainText("one two three four")}, short, 0, []string{"op message one two ", "op.1 message three four", "degraded text"}},
		{"split inside a word", OpMessage{Content: PlainText("abcdefghijklm")}, short, 0, []string{"op message abcdefghij", "op.1 message klm", "degraded text"}},
		{"split counts UTF-16", OpMessage{Content: PlainText("🎂🎂🎂")}, utf16, 0, []string{"op message 🎂🎂", "op.1 message 🎂", "degraded text"}},
		{"too long", OpMessage{Content: PlainText(strings.Repeat("a", 101))}, short, 0, []string{"refused too_long text"}},
		{"location as text", OpMessage{Content: Content{Parts: []Part{Location{Lat: 1, Lon: 2}}}}, caps(), 0, []string{"op message geo:1,2", "degraded location"}},
		{"media refused", OpMessage{Content: Content{Parts: []Part{Media{Handle: "aesgcm://x"}}}}, caps(), 0, []string{"refused unsupported media"}},
		{"caption kept", OpMessage{Content: Content{Parts: []Part{Media{Handle: "h"}, Text{Text: "look"}}}}, caps(FeatureMedia), 0, []string{"op message [media]", "op.1 message look"}},
		{"many files", OpMessage{Content: Content{Parts: append(slices.Repeat([]Part{Media{Handle: "h"}}, 10), Text{Text: "look"})}}, caps(FeatureMedia), 0, append(mediaOps(10), "op.10 message look")},
		{"empty", OpMessage{}, caps(), 0, []string{"refused empty text"}},
		{"native edit", edit, caps(FeatureEdit), 0, []string{"op edit"}},
		{"edit too late", edit, quick, 2 * time.Minute, []string{"op message ✎ new", "degraded edit"}},
		{"edit in time", edit, quick, 2*time.Minute - 1, []string{"op edit"}}, // a time is known to the minute
		{"edit of unknown age", OpEdit{Target: Target{IDs: []MessageID{"m"}}, Content: PlainText("new")}, quick, time.Hour, []string{"op edit"}},
		{"retract in time", OpRetract{Target: Target{At: someTime}}, quick, time.Minute, []string{"op retract"}},
		{"retract too late", OpRetract{Target: Target{At: someTime}}, quick, 2 * time.Minute, []string{"refused retract_late retract"}},
		{"edit unknown", OpEdit{Content: PlainText("new")}, caps(FeatureEdit), 0, []string{"op message ✎ new", "degraded edit"}},
		{"no edit", edit, caps(), 0, []string{"op message ✎ new", "degraded edit"}},
		{"retract", OpRetract{}, caps(FeatureRetract), 0, []string{"op retract"}},
		{"no retract", OpRetract{}, caps(), 0, []string{"refused unsupported retract"}},
		{"react", OpReact{Emojis: []string{"👍"}}, few, 0, []string{"op react"}},
		{"react in black and white", OpReact{Emojis: []string{"\u2764"}}, few, 0, []string{"op react"}},
		{"react removed", OpReact{}, few, 0, []string{"op react"}},
		{"too many reactions", OpReact{Emojis: []string{"👍", "❤️"}}, few, 0, []string{"refused reactions_max react"}},
		{"reaction not on the list", OpReact{Emojis: []string{"🎂"}}, few, 0, []string{"refused reactions_list react"}},
		{"no reactions", OpReact{Emojis: []string{"🎂"}}, caps(), 0, []string{"refused unsupported react"}},
		{"read", OpMarkRead{}, caps(FeatureReadOut), 0, []string{"op mark_read"}},
		{"read dropped", OpMarkRead{}, caps(), 0, []string{"degraded read_out"}},
		{"typing dropped", OpTyping{}, caps(), 0, []string{"degraded typing_out"}},
		{"group refused", OpGroup{}, caps(), 0, []string{"refused unsupported groups"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shape(Plan(Op{ID: "op", At: someTime, Body: tt.body}, tt.caps, someTime.Add(tt.age)))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestPlanIsPure: planning twice gives the same, and leaves the op as it was.
func TestPlanIsPure(t *testing.T) {
	op := Op{ID: "op", At: someTime, Body: OpMessage{Content: PlainText("a b c d e f g h i j"), ReplyTo: &Target{Excerpt: "q"}}}
	c := caps()
	c.TextMax = 6
	first, second := shape(Plan(op, c, someTime)), shape(Plan(op, c, someTime))
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("second plan differs:\n%s", d)
	}
	if m, ok := op.Body.(OpMessage); !ok || m.ReplyTo == nil || m.Content.Parts[0].(Text).Text != "a b c d e f g h i j" {
		t.Errorf("got %v, want the op unchanged", op.Body)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("one two three", 5, uint8(0))
	f.Add("🎂\n🎂", 1, uint8(1))
	f.Fuzz(func(t *testing.T, s string, most int, unit uint8) {
		c := Caps{TextMax: 4 + most&63, TextUnit: TextUnit(unit % 3)}
		var b strings.Builder
		for _, p := range split(Text{Text: s}, c) {
			piece := p.(Text).Text
			if n := measure(piece, c.TextUnit); n > c.TextMax {
				t.Errorf("piece of %d units, want at most %d", n, c.TextMax)
			}
			b.WriteString(piece)
		}
		if b.String() != s {
			t.Errorf("got %q, want %q", b.String(), s)
		}
	})
}
