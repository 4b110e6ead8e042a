package xmpp

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBounce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.silent("<message type='error' from='romeo@example' to='anna7@gw.example/gateway' id='m7'><body>x</body><error type='cancel'>" +
			"<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
		r.silent("<message type='error' from='eve@elsewhere.example' to='anna7@gw.example/gateway' id='m8'/>")
		if got, want := r.gw.bounces(), "anna7 romeo@example m7 service-unavailable"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// The server says once that a stanza of ours came back: a store that does not take it for a while is asked again, and what the user writes
// meanwhile does not wait for that.
func TestBounceSurvivesTheStore(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.gw.refuses = 5
		r.silent("<message type='error' from='romeo@example' to='anna7@gw.example/gateway' id='m7'><error type='cancel'>" +
			"<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
		r.silent(chatTo("anna7@gw.example", "<body>x</body>"))
		if asked, bounced := r.gw.count(), r.gw.bounces(); asked != 1 || bounced != "" {
			t.Errorf("got %d messages taken and %q bounced, want the message and no bounce yet", asked, bounced)
		}
		<-time.After(deskTimeout)
		synctest.Wait()
		if got, want := r.gw.bounces(), "anna7 romeo@example m7 service-unavailable"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
