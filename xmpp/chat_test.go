package xmpp

import (
	"strings"
	"testing"

	"postern/gateway"
)

func TestChat(t *testing.T) {
	bubble(t, func(r *gatewayRig) {
		r.desk.after = []gateway.Rendering{{Component: testDomain, To: "romeo@example", What: gateway.ShowPresence{Available: true}}}
	}, func(t *testing.T, r *gatewayRig) {
		el := r.answer(chatTo("gw.example", "<body> register </body>"))
		body, _ := el.Body()
		if el.Type() != "chat" || body != "you said register" || el.Attr("from") != testDomain || el.Attr("to") != "romeo@example/phone" {
			t.Errorf("got %s", el)
		}
		if el.Child(nsSID, "origin-id").Attr("id") != el.ID() || el.ID() == "" {
			t.Errorf("got %s, want id and origin-id alike", el)
		}
		r.silent("<presence from='romeo@example/phone' to='gw.example'/>")
		if len(r.gw.shown) != 1 {
			t.Errorf("got %v shown after the answer", r.gw.shown)
		}
		receipt := r.answer(chatTo("gw.example/x", "<body>hi</body><request xmlns='urn:xmpp:receipts'/>"))
		if receipt.Child(nsReceipts, "received").Attr("id") != "u1" || receipt.Child(nsHints, "store") == nil {
			t.Errorf("got %s", receipt)
		}
		r.Expect(t, "you said hi")
		if r.gw.count() != 0 {
			t.Error("a line to the gateway went to a contact")
		}
	})
}

func TestChatFails(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, line := range []string{"fail", "panic"} {
			el := r.answer(chatTo("gw.example", "<body>"+line+"</body>"))
			wantError(t, el, "gw.example", "romeo@example/phone", "u1", InternalServerError, "cancel")
			if strings.Contains(el.String(), "hunter2") {
				t.Error("the cause reached the user")
			}
		}
		r.answer(chatTo("gw.example", "<body>still there</body>"))
		// What is perhaps a machine gets what no machine answers.
		wantError(t, r.answer(chatTo("gw.example", "<body>on holiday</body>")), "gw.example", "romeo@example/phone", "u1", ResourceConstraint, "wait")
		el := r.answer("<message type='groupchat' from='romeo@example/phone' to='gw.example' id='u1'><body>x</body></message>")
		wantError(t, el, "gw.example", "romeo@example/phone", "u1", BadRequest, "modify")
	})
}

// One user's lines are answered in order.
func TestChatOrder(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		want := strings.Fields("a b c d e f g")
		for _, line := range want {
			r.Send(t, chatTo("gw.example", "<body>"+line+"</body>"))
		}
		for range want {
			r.Next(t)
		}
		if got := strings.Join(r.desk.said, " "); got != strings.Join(want, " ") {
			t.Errorf("got %s", got)
		}
	})
}
