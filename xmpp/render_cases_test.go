package xmpp

import (
	"maps"
	"time"

	"postern/gateway"
)

// testFile is a picture of which everything is known.
func testFile(kind gateway.MediaKind) gateway.Media {
	return gateway.Media{
		Kind: kind, Handle: "https://up.example/9f/cat.jpg", MIME: "image/jpeg", Name: "cat <1>.jpg", Size: 48123, Width: 1280, Height: 960,
		SHA256: make([]byte, 32), Thumb: "data:image/thumbhash;base64,AAAA",
	}
}

// renderCases are all cases, by the names of their golden files.
func renderCases() map[string]gateway.Shown {
	cases := basicCases()
	maps.Copy(cases, contentCases())
	return cases
}

// contentCases are the cases of what a message can hold.
func contentCases() map[string]gateway.Shown {
	day := time.Date(2026, 5, 4, 9, 2, 3, 0, time.UTC)
	return map[string]gateway.Shown{
		"message-quoted": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("she said\nso\nyes\nx := 1",
			gateway.Span{Start: 0, Length: 11, Style: gateway.SpanQuote}, gateway.Span{Start: 16, Length: 6, Style: gateway.SpanPre})},
		"message-literal": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("2 *3* 4")},
		"message-spoiler": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("he *dies*", gateway.Span{Start: 3, Length: 6, Style: gateway.SpanSpoiler})},
		"message-preview": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Text{Text: "see https://x.example/a", Previews: []gateway.Preview{
			{URL: "https://x.example/a", Title: "A <page>", Description: "about\nthings", Image: "https://x.example/a.png"}, {URL: "javascript:alert(1)", Title: "no"},
		}})},
		"message-file": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1", "m2"}, Content: parts(testFile(gateway.MediaImage), gateway.Text{Text: "look at him"})},
		"message-document": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Media{
			Kind: gateway.MediaFile, Handle: "https://up.example/9f/a.pdf", MIME: "application/pdf", Name: "a.pdf", Size: 7, SHA256: make([]byte, 32),
		})},
		"message-voice": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Media{
			Kind: gateway.MediaVoice, Handle: "https://up.example/9f/a.ogg", MIME: "audio/ogg", Name: "a.ogg", Size: 7, Duration: 2500, SHA256: make([]byte, 32),
		})},
		"message-view-once":     gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/9f/cat.jpg", ViewOnce: true})},
		"message-sticker-image": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Sticker{Emoji: "🎂", Media: testFile(gateway.MediaImage)})},
		"message-live":          gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Location{Lat: 1, Lon: 2, LiveUntil: day})},
		"message-poll-many":     gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Poll{Question: "What?", Multiple: true, Options: []gateway.Choice{{ID: "1", Title: "tea"}, {ID: "2", Title: "cake"}}})},
		"message-reply-styled": gateway.ShowMessage{
			IDs: []gateway.StanzaID{"m1"}, Content: text("so *bold*", gateway.Span{Start: 3, Length: 6, Style: gateway.SpanStrong}),
			ReplyTo: &gateway.ShownTarget{Stanza: "q7", Mine: true, Quote: "torta 🎂 buona"},
		},
		"message-reply-file": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(testFile(gateway.MediaImage)), ReplyTo: &gateway.ShownTarget{Stanza: "q7", Quote: "a picture?"}},
		"edit-styled":        gateway.ShowEdit{ID: "e1", Of: "m1", Content: text("hello again", gateway.Span{Start: 6, Length: 5, Style: gateway.SpanEmphasis})},
		"edit-notice":        gateway.ShowEdit{ID: "e1", Of: "m1", Content: text("Missed voice call."), Notice: true},
		"react-named":        gateway.ShowReact{ID: "r2", Of: "m1", Emojis: []string{"👍", ":party:", "1️⃣"}},
	}
}
