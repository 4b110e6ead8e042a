package gateway

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What the table says of a feature's lack is what Plan does.
func TestFidelitySaysWhatPlanDoes(t *testing.T) {
	say := func(p Part) OpBody { return OpMessage{Content: Content{Parts: []Part{p}}} }
	target := Target{IDs: []MessageID{"1"}, Excerpt: "before"}
	asks := map[Feature]OpBody{
		FeatureMedia: say(Media{Handle: "https://files.example/1"}), FeatureLocation: say(Location{Name: "Verona"}), FeatureContact: say(ContactCard{Name: "Anna"}),
		FeaturePoll: say(Poll{Question: "When?"}), FeatureSticker: say(Sticker{Emoji: "🌹"}), FeatureAnswer: OpAnswer{Target: target, Choices: []Choice{{Title: "Now"}}},
		FeatureStyling: say(Text{Text: "loud", Spans: []Span{{Length: 4, Style: SpanStrong}}}), FeatureReply: OpMessage{Content: PlainText("after"), ReplyTo: &target},
		FeatureEdit: OpEdit{Target: target, Content: PlainText("new")}, FeatureRetract: OpRetract{Target: target}, FeatureReact: OpReact{Target: target, Emojis: []string{"🌹"}},
		FeatureReadOut: OpMarkRead{}, FeatureTypingOut: OpTyping{}, FeatureGroups: OpGroup{},
	}
	for _, r := range Fidelity() {
		body, asked := asks[r.Feature]
		if slices.Contains([]Feature{FeatureDelivered, FeatureReadIn, FeatureTypingIn}, r.Feature) { // come from the platform: nothing is asked for
			continue
		}
		if asked != (r.Without != "") {
			t.Errorf("%s: says %q of its lack, and this test asks for it: %t", r.Name, r.Without, asked)
		}
		if !asked {
			continue
		}
		p := Plan(Op{ID: "1", Body: body}, Caps{Levels: map[Feature]Level{FeatureText: Native}}, time.Now())
		is := "sent"
		switch {
		case p.Refused != nil:
			is = "refused"
		case len(p.Ops) == 0:
			is = "dropped"
		}
		says, _, _ := strings.Cut(r.Without, ",")
		says, _, _ = strings.Cut(says, ":")
		if says != "refused" && says != "dropped" {
			says = "sent"
		}
		if is != says {
			t.Errorf("%s: says %q of its lack, but it is %s", r.Name, r.Without, is)
		}
	}
}
