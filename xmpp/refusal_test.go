package xmpp

import (
	"testing"

	"postern/gateway"
)

// RFC 6120 §8.3: every refusal has the type that tells a client what it may do,
// goes to the client that sent, and has words.
func TestRefusalTypes(t *testing.T) {
	for condition, typ := range map[gateway.Condition]string{
		gateway.ItemNotFound: "cancel", gateway.ServiceUnavailable: "cancel", gateway.RegistrationRequired: "auth", gateway.NotAuthorized: "auth",
		gateway.Forbidden: "auth", gateway.NotAllowed: "cancel", gateway.NotAcceptable: "modify", gateway.BadRequest: "modify", gateway.Conflict: "cancel",
		gateway.ResourceConstraint: "wait", gateway.RemoteServerTimeout: "wait", gateway.PolicyViolation: "cancel", gateway.RecipientUnavailable: "wait",
		gateway.InternalServerError: "cancel", gateway.UndefinedCondition: "cancel",
	} {
		out, err := testRenderer().Render(rendering("error", gateway.ShowError{Of: "u1", Refusal: gateway.Refusal{Condition: condition, Text: "why"}}))
		if err != nil {
			t.Fatal(err)
		}
		el, err := ParseElement(out[0])
		if err != nil {
			t.Fatal(err)
		}
		e := ParseStanzaError(el)
		if e.Condition != Condition(condition) || e.Type != typ || e.Text != "why" || el.ID() != "u1" || el.To().Resource() != "phone" {
			t.Errorf("got %s, want %s of type %s", el, condition, typ)
		}
	}
}

// No message is so full of everything that it exceeds what servers take.
func TestRenderFullMessage(t *testing.T) {
	long := func(n int) string {
		out := make([]rune, n)
		for i := range out {
			out[i] = '&'
		}
		return string(out)
	}
	body := gateway.Text{Text: long(maxBody)}
	for i := range maxSpans {
		body.Spans = append(body.Spans, gateway.Span{Start: 3 * i, Length: 2, Style: gateway.SpanStrong})
	}
	for range 2 * maxPreviews {
		u := "https://x.example/" + long(1900)
		body.Previews = append(body.Previews, gateway.Preview{URL: u, Image: u, Title: long(1000), Description: long(1000)})
	}
	file := testFile(gateway.MediaImage)
	file.Handle, file.Name, file.ViewOnce = "https://x.example/"+long(1900), long(1000), true
	out, err := testRenderer().Render(rendering("", gateway.ShowMessage{
		IDs: []gateway.StanzaID{"m1", "m2"}, Content: parts(body, file), Name: long(1000), ReplyTo: &gateway.ShownTarget{Stanza: "q", Quote: long(1000)},
	}))
	if err != nil || len(out) < 3 {
		t.Fatalf("got %d stanzas (%v), want three at least", len(out), err)
	}
	for i, raw := range out {
		if len(raw) > 200<<10 {
			t.Errorf("stanza %d: got %d bytes, want at most 200 KiB", i, len(raw))
		}
	}
}
