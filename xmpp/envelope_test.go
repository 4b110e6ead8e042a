package xmpp

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// stanzaLimit is what every server takes in its default configuration, with room for what it adds itself; Prosody refuses
// more than 256 KiB.
const stanzaLimit = 200 << 10

// strangeText is what a platform's field may hold: nothing, plain words, characters that XML cannot carry, half a pair of
// UTF-16 as bytes, markup, other scripts, and now and then a book.
func strangeText(r *rand.Rand) string {
	pieces := []string{"", "anna", " ", "\x00", "\x08", "\ufffe", "]]>", "\xed\xa0\xbd", "\xff", "<a to='x@evil.example'>", "</message>", "&#0;", "'\"", "שלום", "👨‍👩‍👧", "\r\n", "\u2028", "@", "/", `\20`}
	if r.IntN(200) == 0 {
		return strings.Repeat(pieces[r.IntN(len(pieces))]+"x", 1+r.IntN(100_000/20))
	}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// fill gives every field of a value something; a platform's events have no more structure than these types.
func fill(r *rand.Rand, v reflect.Value, say func() string) {
	switch v.Kind() { //nolint:exhaustive // events hold nothing of the other kinds
	case reflect.String:
		switch v.Type() {
		case reflect.TypeFor[gateway.StanzaID](): // ours, or one that a client's server has passed on
			v.SetString("id" + strconv.Itoa(r.IntN(1000)))
		case reflect.TypeFor[gateway.SubscriptionVerb]():
			v.SetString([]string{"subscribe", "subscribed", "unsubscribe", "unsubscribed"}[r.IntN(4)])
		case reflect.TypeFor[gateway.Condition]():
			v.SetString(string([]gateway.Condition{gateway.ItemNotFound, gateway.RemoteServerTimeout, gateway.PolicyViolation}[r.IntN(3)]))
		default:
			v.SetString(say())
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(1 << 40))
	case reflect.Float64:
		v.SetFloat(r.Float64()*400 - 200)
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), say)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 4))
		for i := range v.Len() {
			fill(r, v.Index(i), say)
		}
	case reflect.Interface:
		kinds := []gateway.Part{
			gateway.Text{}, gateway.Media{}, gateway.Location{}, gateway.ContactCard{}, gateway.Poll{}, gateway.Interactive{}, gateway.Sticker{}, gateway.UnsupportedPart{},
		}
		part := reflect.New(reflect.TypeOf(kinds[r.IntN(len(kinds))])).Elem()
		fill(r, part, say)
		v.Set(part)
	case reflect.Struct:
		switch v.Type() {
		case reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), 0)))
			return
		case reflect.TypeFor[gateway.Avatar](): // the gateway's own account of a picture, whatever the platform said of it
			v.Set(reflect.ValueOf(gateway.Avatar{SHA1: strings.Repeat("a1", 20), MIME: "image/png", Size: 40_000, Width: 192, Height: 192}))
			return
		}
		for i := range v.NumField() {
			fill(r, v.Field(i), say)
		}
	}
}

// shownOf is any thing to show, with fields of strange texts.
func shownOf(r *rand.Rand, kind gateway.Shown, say func() string) gateway.Shown {
	v := reflect.New(reflect.TypeOf(kind)).Elem()
	fill(r, v, say)
	return v.Interface().(gateway.Shown)
}

// shownKinds are one of each.
func shownKinds() []gateway.Shown {
	return []gateway.Shown{
		gateway.ShowMessage{},
		gateway.ShowEdit{},
		gateway.ShowRetract{},
		gateway.ShowReact{},
		gateway.ShowReceipt{},
		gateway.ShowDisplayed{},
		gateway.ShowTyping{},
		gateway.ShowError{},
		gateway.ShowSubscription{},
		gateway.ShowPresence{},
		gateway.ShowAvatar{},
		gateway.ShowNick{},
		gateway.ShowProbe{},
	}
}

// TestEnvelopes renders ten thousand things that make no sense: whatever comes of them is well-formed, from our domain, and to
// somebody. A server ends the stream of a component for anything else (XEP-0114 §5, RFC 6120 §4.9.3.9).
func TestEnvelopes(t *testing.T) {
	proof := conformance.Prove(t, conformance.InProcess, 4, 5)
	renderer := testRenderer()
	r := rand.New(rand.NewPCG(4, 5))
	say := func() string { return strangeText(r) }
	stanzas := 0
	for range 10_000 {
		kinds := shownKinds()
		g := gateway.Rendering{
			Component: testDomain, From: "anna7", To: "romeo@example", Resource: []string{"", "phone", "ph ]]> \u2028 one"}[r.IntN(3)],
			Lang: say(), What: shownOf(r, kinds[r.IntN(len(kinds))], say),
		}
		if r.IntN(4) == 0 { // addresses are the gateway's own; should one be wrong, it must not become another
			g.From, g.To = gateway.Alias(say()), gateway.UserID(say()+"@example")
		}
		out, err := renderer.Render(g)
		if err != nil {
			continue // an address that is none, or no id: nothing is sent
		}
		for _, raw := range out {
			stanzas++
			el, err := ParseElement(raw)
			proof.Must(err == nil && wellFormed(raw) == nil, "%T: not well-formed: %v, %v: %q", g.What, err, wellFormed(raw), raw)
			proof.Must(el.From().Domain() == testDomain && !el.To().IsZero(), "%T: got from %q to %q, want from %s to somebody", g.What, el.Attr("from"), el.Attr("to"), testDomain)
		}
	}
	proof.Must(stanzas > 5_000, "got %d stanzas of 10,000 events, want most to become one", stanzas)
}

// TestStanzasStaySmall renders each thing with a long text in every field.
func TestStanzasStaySmall(t *testing.T) {
	proof := conformance.Prove(t, conformance.InProcess, 6)
	renderer := testRenderer()
	r := rand.New(rand.NewPCG(6, 6))
	long := strings.Repeat("wörter & <wörter> ", 100_000/20)
	for _, kind := range shownKinds() {
		for range 12 {
			g := rendering("", shownOf(r, kind, func() string { return long }))
			out, err := renderer.Render(g)
			proof.Must(err == nil, "%T: got %v", kind, err)
			for _, raw := range out {
				proof.That(len(raw) <= stanzaLimit, "%T: got a stanza of %d bytes, want at most %d: %.300s", kind, len(raw), stanzaLimit, raw)
			}
		}
	}
}
