package xmpp

import (
	"testing"
	"testing/synctest"

	"postern/xmpp/conformance"
)

// Whoever is not registered is told so by every address, and nothing more.
func TestProbeByAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proof := conformance.Prove(t, conformance.InProcess, 28)
		r := newStory(t)
		for _, to := range []string{"gw.example", "aaaabbbbccccdddd@gw.example", "anything@gw.example"} {
			r.Send(t, "<presence type='probe' from='mallory@example/x' to='"+to+"'/>")
			got := r.element()
			proof.That(got.Is(nsClient, "presence") && got.Attr("type") == "unsubscribed" && got.Attr("from") == to && got.Attr("to") == "mallory@example",
				"got %s, want unsubscribed from %s", got, to)
		}
		synctest.Wait()
		r.Quiet(t)
		r.finish()
	})
}
