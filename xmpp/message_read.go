package xmpp

import (
	"mime"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postern/gateway"
)

const maxExcerpt = 500 // code points of a quoted message kept for platforms without replies

// reading is what a message to a contact asks of the platform.
type reading struct {
	op gateway.OpBody // nil when there is nothing to do
	// quiet is set where the sender waits for no answer: typing, markers, unknown payloads. No error is ever sent for those.
	quiet bool
	// refused is a reason that the message alone gives, and text what the sender reads.
	refused gateway.Condition
	text    gateway.TextKey
}

// readMessage decides what a message asks, from its own children alone: never
// from what is nested in a payload.
func readMessage(el *Element) reading {
	_, body := el.Body()
	switch typ := el.Type(); {
	case typ == "groupchat", typ == "headline" && body:
		// RFC 6121 §5.2.2: a contact is no room, and a headline expects no conversation.
		return reading{refused: gateway.BadRequest}
	case typ == "headline":
		return reading{quiet: true}
	}
	switch guard(el) {
	case cipherPayload:
		return reading{refused: gateway.NotAcceptable, text: gateway.TextEncrypted}
	case cipherKeys:
		return reading{quiet: true}
	case cipherNone:
	}
	if r, ok := readChange(el); ok {
		return r
	}
	if content, reply, ok := readContent(el); ok {
		return reading{op: gateway.OpMessage{Content: content, ReplyTo: reply}}
	}
	return readQuiet(el)
}

// readChange reads what concerns an earlier message. The body beside it is a
// fallback for clients (XEP-0428), except in a correction.
func readChange(el *Element) (reading, bool) {
	if c := el.Child(nsRetract, "retract"); c != nil && c.Attr("id") != "" {
		return reading{op: gateway.OpRetract{Target: target(c.Attr("id"), true)}}, true
	}
	if c := el.Child(nsFasten, "apply-to"); c.Child(nsRetractOld, "retract") != nil && c.Attr("id") != "" {
		return reading{op: gateway.OpRetract{Target: target(c.Attr("id"), true)}}, true
	}
	if c := el.Child(nsReactions, "reactions"); c != nil && c.Attr("id") != "" {
		op := gateway.OpReact{Target: target(c.Attr("id"), false)}
		for _, e := range c.ChildrenNamed(nsReactions, "reaction") {
			if e := shortened(e.Text(), maxEmoji); e != "" && !slices.Contains(op.Emojis, e) && len(op.Emojis) < maxEmojis {
				op.Emojis = append(op.Emojis, e)
			}
		}
		return reading{op: op}, true
	}
	if c := el.Child(nsCorrect, "replace"); c != nil && c.Attr("id") != "" {
		content, _, ok := readContent(el)
		if !ok {
			return reading{refused: gateway.BadRequest}, true
		}
		return reading{op: gateway.OpEdit{Target: target(c.Attr("id"), true), Content: content}}, true
	}
	return reading{}, false
}

// readQuiet reads what nobody waits for an answer to. A delivery receipt says
// that a device has the message, not that anybody read it, so it stops here.
func readQuiet(el *Element) reading {
	if c := el.Child(nsChatMarkers, "displayed"); c != nil && c.Attr("id") != "" {
		return reading{op: gateway.OpMarkRead{UpTo: target(c.Attr("id"), false)}, quiet: true}
	}
	for _, c := range el.Children() {
		if c.Name.Space != nsChatStates {
			continue
		}
		switch c.Name.Local {
		case "composing":
			return reading{op: gateway.OpTyping{On: true}, quiet: true}
		case "paused", "active", "inactive":
			return reading{op: gateway.OpTyping{}, quiet: true}
		}
	}
	return reading{quiet: true}
}

func target(id string, mine bool) gateway.Target {
	return gateway.Target{Stanza: gateway.StanzaID(id), Mine: mine}
}

// readContent reads text, a file or a place, and which message it answers. ok is
// false when there is nothing of that kind.
func readContent(el *Element) (content gateway.Content, reply *gateway.Target, ok bool) {
	body := bodyFor(el, el.Lang())
	if c := el.Child(nsReply, "reply"); c != nil && c.Attr("id") != "" {
		t := target(c.Attr("id"), false)
		body, t.Excerpt = stripped(el, body, nsReply)
		// XEP-0461 §3.1: to names the author of the message that is answered.
		if author, err := ParseJID(c.Attr("to")); err == nil {
			t.Mine = author.Bare() == el.From().Bare()
		}
		reply = &t
	}
	if file := el.Child(nsOOB, "x").Child(nsOOB, "url").Text(); file != "" {
		if m, ok := media(strings.TrimSpace(file)); ok {
			content.Parts = append(content.Parts, m)
			body = strings.TrimSpace(strings.Replace(body, strings.TrimSpace(file), "", 1))
		}
	}
	if place, ok := geo(strings.TrimSpace(body)); ok {
		content.Parts = append(content.Parts, place)
		body = ""
	}
	if strings.TrimSpace(body) != "" {
		content.Parts = append(content.Parts, withSubject(el, body))
	}
	return content, reply, len(content.Parts) > 0
}

// withSubject puts a subject before the text as a bold line.
func withSubject(el *Element, body string) gateway.Text {
	subject, _ := el.Subject()
	if subject = shortened(subject, maxExcerpt); subject == "" {
		return gateway.Text{Text: body}
	}
	bold := gateway.Span{Length: len([]rune(subject)), Style: gateway.SpanStrong}
	return gateway.Text{Text: subject + "\n" + body, Spans: []gateway.Span{bold}}
}

// bodyFor picks the body in the user's language, else one without a language of
// its own, else the first (RFC 6121 §5.2.3).
func bodyFor(el *Element, lang string) string {
	bodies := el.Bodies()
	if len(bodies) == 0 {
		return ""
	}
	for _, b := range bodies {
		if lang != "" && strings.EqualFold(b.Lang, lang) {
			return b.Text
		}
	}
	for _, c := range el.ChildrenNamed(nsClient, "body") {
		if c.Lang() == "" {
			return c.Text()
		}
	}
	return bodies[0].Text
}

// stripped takes the ranges out of a body that a fallback marks as standing in
// for a feature (XEP-0428 §3), counted in code points, and returns them without
// their quote marks. What is nothing but fallback stays whole.
func stripped(el *Element, body, feature string) (rest, removed string) {
	runes := []rune(body)
	drop := make([]bool, len(runes))
	for _, f := range el.ChildrenNamed(nsFallback, "fallback") {
		if f.Attr("for") != feature {
			continue
		}
		for _, b := range f.ChildrenNamed(nsFallback, "body") {
			start, end := 0, len(runes)
			if v, err := strconv.Atoi(b.Attr("start")); err == nil {
				start = within(v, len(runes))
			}
			if v, err := strconv.Atoi(b.Attr("end")); err == nil {
				end = within(v, len(runes))
			}
			for i := start; i < end; i++ {
				drop[i] = true
			}
		}
	}
	var kept, quote strings.Builder
	for i, r := range runes {
		if drop[i] {
			quote.WriteRune(r)
		} else {
			kept.WriteRune(r)
		}
	}
	if strings.TrimSpace(kept.String()) == "" {
		return body, ""
	}
	return kept.String(), unquoted(quote.String())
}

func unquoted(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(l, ">"), " ")
	}
	s = strings.Join(lines, "\n")
	if r := []rune(s); len(r) > maxExcerpt {
		return string(r[:maxExcerpt])
	}
	return s
}

// media reads a file's address (XEP-0066 §2). Whoever fetches it checks where it
// leads.
func media(s string) (gateway.Media, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return gateway.Media{}, false
	}
	m := gateway.Media{Kind: gateway.MediaFile, Handle: s, Name: path.Base(u.Path), MIME: mime.TypeByExtension(path.Ext(u.Path))}
	if m.Name == "/" || m.Name == "." {
		m.Name = ""
	}
	kind, _, _ := strings.Cut(m.MIME, "/")
	switch kind {
	case "image":
		m.Kind = gateway.MediaImage
	case "video":
		m.Kind = gateway.MediaVideo
	case "audio":
		m.Kind = gateway.MediaAudio
	}
	return m, true
}

// geoURI is a body that is a place and nothing else (RFC 5870 §3.3).
var geoURI = regexp.MustCompile(`^geo:(-?[0-9]{1,3}(?:\.[0-9]{1,15})?),(-?[0-9]{1,3}(?:\.[0-9]{1,15})?)(?:[,;][^\s]*)?$`)

func geo(body string) (gateway.Location, bool) {
	m := geoURI.FindStringSubmatch(body)
	if m == nil {
		return gateway.Location{}, false
	}
	lat, _ := strconv.ParseFloat(m[1], 64)
	lon, _ := strconv.ParseFloat(m[2], 64)
	if lat < -90 || lat > 90 || lon < -180 || lon > 180 {
		return gateway.Location{}, false
	}
	return gateway.Location{Lat: lat, Lon: lon}, true
}
