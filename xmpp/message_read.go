package xmpp

import (
	"net/url"
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
	// held describes a file whose address follows; joins names the message that described the file of op.
	held  *gateway.Media
	joins string
}

// readMessage decides what a message asks, from its own children alone: never
// from what is nested in a payload.
func readMessage(el *Element) reading {
	_, body := el.Body()
	switch typ := el.Type(); {
	case typ == "groupchat", typ == "headline" && body:
		// RFC 6121 §5.2.2: a contact is no room, and a headline expects no conversation.
		return reading{refused: gateway.BadRequest, text: gateway.TextNotAChat}
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
	content, reply, files, ok := readContent(el)
	r := reading{quiet: true}
	if ok {
		r = reading{op: gateway.OpMessage{Content: content, ReplyTo: reply}, joins: files.joins}
	} else if files.held == nil {
		return readQuiet(el)
	}
	r.held = files.held
	return r
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
		content, _, _, ok := readContent(el)
		if !ok {
			return reading{refused: gateway.BadRequest, text: gateway.TextEmpty}, true
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

// readContent reads text, files or a place, and which message they answer. ok is
// false when there is nothing of that kind. What a file's address is still missing
// for is in held, and joins names the message that described it.
func readContent(el *Element) (content gateway.Content, reply *gateway.Target, files sharing, ok bool) {
	body := newScript(bodyFor(el, el.Lang()))
	if c := el.Child(nsReply, "reply"); c != nil && c.Attr("id") != "" {
		t := target(c.Attr("id"), false)
		quote := body.strip(el, nsReply)
		if body.blank() { // what is nothing but fallback stays whole
			body, quote = newScript(body.body), ""
		}
		t.Excerpt = unquoted(quote)
		// XEP-0461 §3.1: to names the author of the message that is answered.
		if author, err := ParseJID(c.Attr("to")); err == nil {
			t.Mine = author.Bare() == el.From().Bare()
		}
		reply = &t
	}
	files = readFiles(el)
	if len(files.files) > 0 || files.held != nil {
		body.strip(el, nsSFS)
		for _, f := range files.files {
			body.dropWord(f.Handle)
		}
		body.trim()
	}
	if len(files.files) == 0 {
		if place, found := geo(strings.TrimSpace(body.left())); found {
			return gateway.Content{Parts: []gateway.Part{place}}, reply, files, true
		}
	}
	text := body.text(el)
	content.Parts = fileParts(el, files, &text)
	if len(files.files) > 0 && text.Text == "" && el.Child(nsStickers, "sticker") == nil {
		text.Text = files.desc
	}
	if strings.TrimSpace(text.Text) != "" {
		text = withSubject(el, withSpoiler(el, text))
		text.Previews = previews(el)
		content.Parts = append(content.Parts, text)
	}
	return content, reply, files, len(content.Parts) > 0
}

// geoURI is a body that is a place (RFC 5870 §3.3), with its name on the line
// behind it, or in brackets in the query as maps have it.
var geoURI = regexp.MustCompile(`^geo:(-?[0-9]{1,3}(?:\.[0-9]{1,15})?),(-?[0-9]{1,3}(?:\.[0-9]{1,15})?)([,;?][^\s]*)?(?:\n([^\n]{1,200}))?$`)

var (
	geoAccuracy = regexp.MustCompile(`;u=([0-9]{1,9}(?:\.[0-9]{1,9})?)`)
	geoLabel    = regexp.MustCompile(`[?&]q=[^&]*\(([^()&]{1,200})\)`)
)

func geo(body string) (gateway.Location, bool) {
	if !strings.HasPrefix(body, "geo:") { // nearly every body
		return gateway.Location{}, false
	}
	m := geoURI.FindStringSubmatch(body)
	if m == nil {
		return gateway.Location{}, false
	}
	l := gateway.Location{Name: strings.TrimSpace(m[4])}
	l.Lat, _ = strconv.ParseFloat(m[1], 64)
	l.Lon, _ = strconv.ParseFloat(m[2], 64)
	if l.Lat < -90 || l.Lat > 90 || l.Lon < -180 || l.Lon > 180 {
		return gateway.Location{}, false
	}
	if u := geoAccuracy.FindStringSubmatch(m[3]); u != nil {
		l.Accuracy, _ = strconv.ParseFloat(u[1], 64)
	}
	if q := geoLabel.FindStringSubmatch(m[3]); q != nil && l.Name == "" {
		if name, err := url.QueryUnescape(q[1]); err == nil {
			l.Name = shortened(name, maxFileName)
		}
	}
	return l, true
}
