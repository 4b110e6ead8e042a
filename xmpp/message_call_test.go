package xmpp

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func (f *fakeGateway) CallDeclined(_ context.Context, v gateway.Visitor, alias gateway.Alias) error {
	f.vet(v.User)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.declined = append(f.declined, alias)
	return nil
}

// XEP-0353 §3.4: a proposal is rejected at once, and the gateway told to explain.
func TestDeclinedCallIsExplained(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		el := r.answer(chatTo("anna7@gw.example", "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'/>"))
		reject := el.Child(nsCallMessage, "reject")
		if reject.Attr("id") != "c1" || el.Attr("from") != "anna7@gw.example/gateway" || el.Attr("to") != "romeo@example/phone" || el.Child(nsHints, "store") == nil {
			t.Errorf("got %s, want a stored rejection of c1 to the client that called", el)
		}
		synctest.Wait()
		r.gw.mu.Lock()
		defer r.gw.mu.Unlock()
		if diff := cmp.Diff([]gateway.Alias{"anna7"}, r.gw.declined); diff != "" {
			t.Errorf("explained (-want +got):\n%s", diff)
		}
	})
}
