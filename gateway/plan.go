package gateway

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Planned is what Plan decided: the ops to send in order, or a reason to refuse.
type Planned struct {
	Ops []Op
	// Degraded lists features that were rendered in another way; each is counted, and told once per chat and day. What leaves no
	// ops is counted alone.
	Degraded []Feature
	// Refused is set instead of Ops when nothing honest can be sent.
	Refused *PlanRefusal
}

// PlanRefusal is why Plan refused.
type PlanRefusal struct {
	Class   Class
	Feature Feature
	Text    TextKey
	// Max and Unit say the limit that was exceeded, where one was; For is one of time, Allowed what would have been taken.
	Max     int
	Unit    TextUnit
	For     time.Duration
	Allowed []string
}

// Plan decides how one op reaches a chat with these caps: native, transformed, split, as text, or refused. It is pure.
// Every op that it returns has its own id derived from the first, so that each is idempotent by itself.
func Plan(op Op, caps Caps, now time.Time) Planned {
	switch b := op.Body.(type) {
	case OpMessage:
		return planMessage(op, b, caps)
	case OpEdit:
		return planEdit(op, b, caps, now)
	case OpRetract:
		if caps.Has(FeatureRetract) && late(b.Target, caps.RetractFor, now) {
			return Planned{Refused: &PlanRefusal{Class: Unsupported, Feature: FeatureRetract, Text: TextRetractLate, For: caps.RetractFor}}
		}
		return planGuarded(op, caps, FeatureRetract)
	case OpReact:
		return planReact(op, b, caps)
	case OpAnswer:
		return planAnswer(op, b, caps)
	case OpMarkRead:
		return planQuiet(op, caps, FeatureReadOut)
	case OpTyping:
		return planQuiet(op, caps, FeatureTypingOut)
	case OpReopen:
		if caps.Window == nil || !caps.Window.Reopen {
			return Planned{}
		}
		return Planned{Ops: []Op{op}}
	case OpGroup:
		return planGuarded(op, caps, FeatureGroups)
	}
	return Planned{Refused: &PlanRefusal{Class: Unsupported, Text: TextEmpty}}
}

// planGuarded passes an op on where the feature exists and refuses it otherwise: there is no honest fallback.
func planGuarded(op Op, caps Caps, f Feature) Planned {
	if !caps.Has(f) {
		return Planned{Refused: &PlanRefusal{Class: Unsupported, Feature: f, Text: TextUnsupported}}
	}
	return Planned{Ops: []Op{op}}
}

// planQuiet drops what the platform lacks without a word: nobody waits for a marker or a typing notice, and a client sends them
// unasked. Disclosure, the desk's list of what works and service discovery say that they do not pass.
func planQuiet(op Op, caps Caps, f Feature) Planned {
	if !caps.Has(f) {
		return Planned{Degraded: []Feature{f}}
	}
	return Planned{Ops: []Op{op}}
}

// planReact refuses what the platform would not take, and says what it would: the client then takes the reaction back
// (XEP-0444 §4.2).
func planReact(op Op, b OpReact, caps Caps) Planned {
	refused := PlanRefusal{Class: Unsupported, Feature: FeatureReact, Text: TextUnsupported}
	if !caps.Has(FeatureReact) {
		return Planned{Refused: &refused}
	}
	b.Emojis = slices.Clone(b.Emojis)
	for i, e := range b.Emojis {
		if len(caps.Reactions) == 0 {
			break
		}
		at := slices.IndexFunc(caps.Reactions, func(known string) bool { return samePicture(known, e) })
		if at < 0 {
			refused.Text, refused.Allowed = TextReactionsList, caps.Reactions
			return Planned{Refused: &refused}
		}
		b.Emojis[i] = caps.Reactions[at]
	}
	op.Body = b
	if caps.ReactionsMax > 0 && len(b.Emojis) > caps.ReactionsMax {
		refused.Text, refused.Max = TextReactionsMax, caps.ReactionsMax
		return Planned{Refused: &refused}
	}
	return Planned{Ops: []Op{op}}
}

// samePicture compares reactions without the selector that asks for colour: clients and platforms write ❤ with and without it.
func samePicture(a, b string) bool {
	const colour = "\uFE0F"
	return strings.ReplaceAll(a, colour, "") == strings.ReplaceAll(b, colour, "")
}

// late reports whether a message is surely too old to be changed: its time is known to the minute that it began. One whose age
// is not known is left to the platform to judge.
func late(t Target, limit time.Duration, now time.Time) bool {
	return limit > 0 && !t.At.IsZero() && now.Sub(t.At) >= limit+time.Minute
}

// planEdit sends an edit where the platform can, and otherwise the new text as a new message that says so.
func planEdit(op Op, b OpEdit, caps Caps, now time.Time) Planned {
	if caps.Has(FeatureEdit) && !late(b.Target, caps.EditFor, now) && len(b.Target.IDs) > 0 {
		parts, lost := plainParts(b.Content.Parts, caps)
		b.Content = Content{Parts: parts}
		op.Body = b
		return Planned{Ops: []Op{op}, Degraded: lost}
	}
	op.Body = OpMessage{Content: prefixed("✎ ", b.Content)}
	p := Plan(op, caps, now)
	p.Degraded = append(p.Degraded, FeatureEdit)
	return p
}

// planAnswer picks options where the platform takes that, and otherwise says them in words.
func planAnswer(op Op, b OpAnswer, caps Caps) Planned {
	if caps.Has(FeatureAnswer) && len(b.Target.IDs) > 0 {
		return Planned{Ops: []Op{op}}
	}
	titles := make([]string, len(b.Choices))
	for i, c := range b.Choices {
		titles[i] = c.Title
	}
	op.Body = OpMessage{Content: PlainText(strings.Join(titles, "\n")), ReplyTo: &b.Target}
	p := planMessage(op, op.Body.(OpMessage), caps)
	p.Degraded = append(p.Degraded, FeatureAnswer)
	return p
}

// partFeature says which feature a part needs; text is always there.
func partFeature(p Part) Feature {
	switch p.(type) {
	case Text, Interactive, UnsupportedPart:
		return FeatureText
	case Media:
		return FeatureMedia
	case Location:
		return FeatureLocation
	case ContactCard:
		return FeatureContact
	case Poll:
		return FeaturePoll
	case Sticker:
		return FeatureSticker
	}
	return FeatureText
}

func planMessage(op Op, b OpMessage, caps Caps) Planned {
	var out Planned
	quote := ""
	if b.ReplyTo != nil && !caps.Has(FeatureReply) {
		quote = b.ReplyTo.Excerpt
		b.ReplyTo = nil
		out.Degraded = append(out.Degraded, FeatureReply)
	}
	if caps.Has(FeatureStyling) {
		b.Content, quote = quoted(quote, b.Content), ""
	}
	parts := make([]Part, len(b.Content.Parts))
	for i, part := range b.Content.Parts {
		if f := partFeature(part); !caps.Has(f) {
			text, ok := asText(part)
			if !ok {
				return Planned{Refused: &PlanRefusal{Class: Unsupported, Feature: f, Text: TextUnsupported}}
			}
			part = text
			out.Degraded = append(out.Degraded, f)
		}
		parts[i] = part
	}
	parts, lost := plainParts(parts, caps)
	out.Degraded = append(out.Degraded, lost...)
	var bodies []OpMessage
	for _, part := range quotedPlain(quote, Content{Parts: parts}).Parts {
		pieces := split(part, caps)
		if len(pieces) > 1 {
			out.Degraded = append(out.Degraded, FeatureText)
		}
		for _, piece := range pieces {
			bodies = append(bodies, OpMessage{Content: Content{Parts: []Part{piece}}})
		}
	}
	if len(bodies) == 0 {
		return Planned{Refused: &PlanRefusal{Class: Unsupported, Feature: FeatureText, Text: TextEmpty}}
	}
	if len(bodies)-len(parts) >= maxPieces {
		return Planned{Refused: &PlanRefusal{Class: Unsupported, Feature: FeatureText, Text: TextTooLong, Max: caps.TextMax * maxPieces, Unit: caps.TextUnit}}
	}
	bodies[0].ReplyTo = b.ReplyTo
	for n, body := range bodies {
		piece := op
		piece.Body = body
		if n > 0 {
			piece.ID = pieceID(op.ID, n)
		}
		out.Ops = append(out.Ops, piece)
	}
	return out
}

// plainParts writes the styles of texts as marks where the platform has none.
func plainParts(parts []Part, caps Caps) (out []Part, lost []Feature) {
	if caps.Has(FeatureStyling) {
		return parts, nil
	}
	out = slices.Clone(parts)
	for i, p := range out {
		t, ok := p.(Text)
		if !ok || len(t.Spans) == 0 {
			continue
		}
		plain, shows := unstyled(t)
		if out[i] = plain; shows && len(lost) == 0 {
			lost = append(lost, FeatureStyling)
		}
	}
	return out, lost
}

// maxPieces bounds how many messages one text may become: a text of a book is refused, not sent as a flood.
const maxPieces = 10

func pieceID(id OpID, n int) OpID { return OpID(string(id) + "." + strconv.Itoa(n)) }

// asText renders a part that the platform lacks, where words can carry it.
func asText(p Part) (Text, bool) {
	switch p := p.(type) {
	case Text:
		return p, true
	case Location:
		return Text{Text: strings.TrimSpace(p.Name + " " + geoURI(p))}, true
	case ContactCard:
		return Text{Text: strings.Join(append(append([]string{p.Name}, p.Phones...), p.Emails...), "\n")}, true
	case Poll:
		return Text{Text: p.Question + "\n" + numbered(p.Options)}, true
	case Interactive:
		return Text{Text: strings.TrimSpace(p.Header + "\n" + p.Body + "\n" + numbered(p.Choices))}, true
	case Sticker:
		return Text{Text: p.Emoji}, p.Emoji != ""
	case Media:
		return Text{Text: p.Handle}, hosted(p)
	case UnsupportedPart:
		return Text{}, false
	}
	return Text{}, false
}

// split cuts a text that is longer than the platform takes, at line or word ends where there are any.
func split(p Part, caps Caps) []Part {
	t, ok := p.(Text)
	if !ok || caps.TextMax <= 0 || measure(t.Text, caps.TextUnit) <= caps.TextMax {
		return []Part{p}
	}
	var out []Part
	from := 0 // code points behind us
	for rest := t.Text; rest != ""; {
		cut := fit(rest, caps.TextMax, caps.TextUnit)
		if cut < len(rest) {
			if at := strings.LastIndexAny(rest[:cut], "\n "); at > cut/2 {
				cut = at + 1
			}
		}
		to := from + utf8.RuneCountInString(rest[:cut])
		piece := Text{Text: rest[:cut], Spans: CutSpans(t.Spans, from, to)}
		if from == 0 {
			piece.Previews = t.Previews
		}
		out, rest, from = append(out, piece), rest[cut:], to
	}
	return out
}

// measure counts a text in a platform's unit.
func measure(s string, u TextUnit) int {
	switch u {
	case UTF16Units:
		n := 0
		for _, r := range s {
			n += utf16.RuneLen(r)
		}
		return n
	case Bytes:
		return len(s)
	case CodePoints:
		return utf8.RuneCountInString(s)
	}
	return len(s)
}

// fit returns how many bytes of s are at most max units, never cutting a code point, at least one.
func fit(s string, max int, u TextUnit) int {
	used := 0
	for i, r := range s {
		n := measure(string(r), u)
		if used+n > max && i > 0 {
			return i
		}
		used += n
	}
	return len(s)
}

// featureOf names what an op is for, in words that a user reads.
func featureOf(b OpBody) Feature {
	switch b := b.(type) {
	case OpMessage:
		for _, p := range b.Content.Parts {
			if f := partFeature(p); f != FeatureText {
				return f
			}
		}
	case OpEdit:
		return FeatureEdit
	case OpRetract:
		return FeatureRetract
	case OpReact:
		return FeatureReact
	case OpMarkRead:
		return FeatureReadOut
	case OpAnswer:
		return FeatureAnswer
	case OpTyping:
		return FeatureTypingOut
	case OpReopen:
	case OpGroup:
		return FeatureGroups
	}
	return FeatureText
}
