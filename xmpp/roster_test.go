package xmpp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/xmpp/conformance"
)

const annaSubscribes = "<presence from='anna7@gw.example' to='romeo@example' type='subscribe'><nick xmlns='http://jabber.org/protocol/nick'>Anna</nick></presence>"

// managed is a rig whose server grants everything.
func managed(t *testing.T, items map[gateway.Alias]gateway.RosterItem, f func(t *testing.T, r *gatewayRig)) {
	t.Helper()
	bubble(t, func(r *gatewayRig) { r.gw.items = items }, func(t *testing.T, r *gatewayRig) {
		r.silent(advert("example", nsPrivilege, allGranted))
		f(t, r)
	})
}

// asks expects a request about romeo's roster, answers it, and returns the item in it.
func (r *gatewayRig) asks(typ, items string) *Element {
	r.t.Helper()
	el := r.element()
	if !el.Is(nsClient, "iq") || el.Attr("type") != typ || el.Attr("to") != "romeo@example" || el.Attr("from") != testDomain || el.Child(nsRoster, "query") == nil {
		r.t.Fatalf("got %s, want a roster %s", el, typ)
	}
	payload := ""
	if typ == "get" {
		payload = "<query xmlns='jabber:iq:roster'>" + items + "</query>"
	}
	r.Send(r.t, "<iq type='result' from='romeo@example' to='gw.example' id='"+el.ID()+"'>"+payload+"</iq>")
	return el.Child(nsRoster, "query").Child(nsRoster, "item")
}

func TestContactIsPutIntoTheRoster(t *testing.T) {
	items := map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}, "bruno9": {Name: "Bruno"}}
	managed(t, items, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 33)
		const others = "<item jid='juliet@example' subscription='both'/><item jid='x@elsewhere.example' name='X'/>"
		r.outbox.batches <- waiting(annaSubscribes, annasText, otherText)
		if el := r.element(); el.ID() != "b1" {
			t.Errorf("got %s, want the other conversation first: nobody waits for another's roster", el)
		}
		r.asks("get", others)
		item := r.asks("set", "")
		proof.Must(item.Attr("jid") == "anna7@gw.example" && item.Attr("subscription") == "both" && item.Attr("name") == "Anna" &&
			item.Attr("ask") == "" && item.Child(nsRoster, "group").Text() == "Castle", "got %s", item)
		r.asks("get", others+item.String()) // once, whether the server did it
		here := r.element()
		proof.That(here.Is(nsClient, "presence") && here.Attr("type") == "" && here.Attr("from") == "anna7@gw.example/gateway", "got %s, want the contact's presence", here)
		if el := r.element(); el.ID() != "a1" {
			t.Errorf("got %s, want the message", el)
		}
		if err := <-r.outbox.taken; err != nil {
			t.Error(err)
		}
		// The next one costs one request: the roster is known, and the server's word is proven.
		r.outbox.batches <- waiting(strings.ReplaceAll(annaSubscribes, "anna7", "bruno9"))
		item = r.asks("set", "")
		proof.That(item.Attr("jid") == "bruno9@gw.example" && item.Attr("name") == "Bruno", "got %s", item)
		proof.That(r.element().Attr("from") == "bruno9@gw.example/gateway", "want the presence of the second contact")
		if d := cmp.Diff([]string{"anna7 as Anna", "bruno9 as Bruno"}, r.gw.listed); d != "" {
			t.Errorf("listed (-want +got):\n%s", d)
		}
	})
}

// What the server refuses, or never answers, is asked of the user instead, and
// not tried again for a while.
func TestRosterRefused(t *testing.T) {
	for name, end := range map[string]func(r *gatewayRig, id string){
		"refused": func(r *gatewayRig, id string) {
			r.Send(r.t, "<iq type='error' from='romeo@example' to='gw.example' id='"+id+"'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		},
		"silent": func(*gatewayRig, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}}, func(t *testing.T, r *gatewayRig) {
				began := time.Now()
				r.outbox.batches <- waiting(annaSubscribes, annasText)
				end(r, r.element().ID())
				if el := r.element(); el.Attr("type") != "subscribe" || time.Since(began) > rosterTimeout {
					t.Errorf("got %s after %v, want the request", el, time.Since(began))
				}
				if el := r.element(); el.ID() != "a1" {
					t.Errorf("got %s, want the message", el)
				}
				r.outbox.batches <- waiting(annaSubscribes)
				if el := r.element(); el.Attr("type") != "subscribe" {
					t.Errorf("got %s, want the request at once", el)
				}
				<-time.After(rosterRefused + time.Second)
				r.outbox.batches <- waiting(annaSubscribes)
				for {
					el := r.element() // pings keep the stream alive meanwhile
					if el.Child(nsRoster, "query") != nil {
						break
					}
					if el.Is(nsClient, "presence") {
						t.Fatalf("got %s, want another try", el)
					}
				}
			})
		})
	}
}

func TestRosterThatKeepsItsSubscriptions(t *testing.T) {
	managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}}, func(t *testing.T, r *gatewayRig) {
		r.outbox.batches <- waiting(annaSubscribes)
		r.asks("get", "")
		r.asks("set", "")
		r.asks("get", "<item jid='anna7@gw.example' subscription='none' name='Anna'/>")
		if el := r.element(); el.Attr("type") != "subscribe" {
			t.Errorf("got %s, want the request", el)
		}
		if len(r.gw.listed) != 0 {
			t.Errorf("listed %v, want nobody", r.gw.listed)
		}
	})
}

func TestMergedEntry(t *testing.T) {
	ours, theirs := []string{"Castle"}, []string{"Family"}
	for _, tt := range []struct {
		name  string
		old   entry
		there bool
		item  gateway.RosterItem
		want  entry
	}{
		{"new", entry{}, false, gateway.RosterItem{Name: "Anna"}, entry{"Anna", "both", ours}},
		{"new without a name", entry{}, false, gateway.RosterItem{}, entry{"", "both", ours}},
		{"the user's own entry", entry{"Annie", "none", theirs}, true, gateway.RosterItem{Name: "Anna"}, entry{"Annie", "both", theirs}},
		{"the user's own entry without a name", entry{"", "to", nil}, true, gateway.RosterItem{Name: "Anna"}, entry{"Anna", "both", ours}},
		{"renamed on the platform", entry{"Anna", "both", ours}, true, gateway.RosterItem{Name: "Anna B.", Listed: true, As: "Anna"}, entry{"Anna B.", "both", ours}},
		{"renamed by the user", entry{"Annie", "both", theirs}, true, gateway.RosterItem{Name: "Anna B.", Listed: true, As: "Anna"}, entry{"Annie", "both", theirs}},
		{"subscription chosen by the user", entry{"Anna", "from", ours}, true, gateway.RosterItem{Name: "Anna B.", Listed: true, As: "Anna"}, entry{"Anna B.", "from", ours}},
		{"long named by the user", entry{"Annie", "both", nil}, true, gateway.RosterItem{Name: "Anna", Listed: true}, entry{"Annie", "both", nil}},
	} {
		c := &Component{cfg: Config{Descriptor: testDescriptor()}}
		if got := c.merged(tt.old, tt.there, tt.item); !got.same(tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A user who comes online finds the contacts that are missing; who was taken out stays out.
func TestRosterIsLookedAfterOnce(t *testing.T) {
	items := map[gateway.Alias]gateway.RosterItem{
		"anna7": {Name: "Anna"}, "bruno9": {Name: "Bruno", Listed: true, As: "Bruno"}, "carla2": {Name: "Carla", Removed: true},
		"dora3": {Name: "Dora", Listed: true, As: "Dora"},
	}
	managed(t, items, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 34)
		const dora = "<item jid='dora3@gw.example' subscription='both' name='Dora'/>"
		online := "<presence from='romeo@example/phone' to='gw.example'/>"
		r.Send(t, online)
		r.asks("get", dora)
		item := r.asks("set", "")
		proof.That(item.Attr("jid") == "anna7@gw.example", "got %s, want the one that was never listed", item)
		r.asks("get", dora+item.String())
		proof.That(r.element().Attr("from") == "anna7@gw.example/gateway", "want the presence of the one that came")
		<-time.After(time.Second)
		synctest.Wait()
		r.Quiet(t)
		if d := cmp.Diff([]string{"anna7 as Anna", "no bruno9"}, r.gw.listed); d != "" {
			t.Errorf("listed (-want +got):\n%s", d)
		}
		r.silent(online)
	})
}

// A user's roster that cannot be read or written is that user's alone.
func TestRosterOfOneUserRefused(t *testing.T) {
	for name, payload := range map[string]string{
		"account gone": "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
		"too long":     "<query xmlns='jabber:iq:roster'>" + strings.Repeat("<item jid='x@elsewhere.example'/>", 40_000) + "</query>",
		"no roster":    "",
	} {
		t.Run(name, func(t *testing.T) {
			managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}, "bruno9": {Name: "Bruno"}}, func(t *testing.T, r *gatewayRig) {
				began := time.Now()
				r.outbox.batches <- waiting(annaSubscribes)
				typ := "result"
				if strings.HasPrefix(payload, "<error") {
					typ = "error"
				}
				r.Send(t, "<iq type='"+typ+"' from='romeo@example' to='gw.example' id='"+r.element().ID()+"'>"+payload+"</iq>")
				if el := r.element(); el.Attr("type") != "subscribe" || time.Since(began) >= rosterTimeout {
					t.Errorf("got %s after %v, want the request at once", el, time.Since(began))
				}
				r.outbox.batches <- waiting(strings.ReplaceAll(annaSubscribes, "romeo", "juliet"))
				if el := r.element(); el.Attr("to") != "juliet@example" || el.Child(nsRoster, "query") == nil {
					t.Errorf("got %s, want the other user's roster asked for", el)
				}
				r.outbox.batches <- waiting(strings.ReplaceAll(annaSubscribes, "anna7", "bruno9"))
				for {
					el := r.element() // the other user's server stays silent meanwhile
					if el.Child(nsRoster, "query") != nil {
						t.Fatalf("got %s, want the roster left alone", el)
					}
					if el.Attr("from") == "bruno9@gw.example" {
						break
					}
				}
			})
		})
	}
}

// A name that comes out right says nothing of subscriptions.
func TestNameIsNoProof(t *testing.T) {
	items := map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna B.", Listed: true, As: "Anna"}, "bruno9": {Name: "Bruno"}}
	managed(t, items, func(t *testing.T, r *gatewayRig) {
		const anna = "<item jid='anna7@gw.example' subscription='from' name='Anna'/>"
		r.outbox.batches <- waiting("<iq from='gw.example' to='romeo@example' id='roster' type='set'><query xmlns='jabber:iq:roster'><item jid='anna7@gw.example'/></query></iq>")
		r.asks("get", anna)
		if item := r.asks("set", ""); item.Attr("name") != "Anna B." || item.Attr("subscription") != "from" {
			t.Errorf("got %s, want the new name and the subscription that the user left", item)
		}
		if here := r.element(); !here.Is(nsClient, "presence") { // the fake tells it always
			t.Errorf("got %s", here)
		}
		r.outbox.batches <- waiting(strings.ReplaceAll(annaSubscribes, "anna7", "bruno9"))
		r.asks("set", "")
		r.asks("get", anna+"<item jid='bruno9@gw.example' subscription='none' name='Bruno'/>")
		if el := r.element(); el.Attr("type") != "subscribe" {
			t.Errorf("got %s, want the request: the server keeps its subscriptions", el)
		}
	})
}

func TestRightThatGoesWhileItIsUsed(t *testing.T) {
	managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}}, func(t *testing.T, r *gatewayRig) {
		r.outbox.batches <- waiting(annaSubscribes)
		id := r.element().ID()
		r.Send(t, advert("example", nsPrivilege, ""))
		r.Send(t, "<iq type='result' from='romeo@example' to='gw.example' id='"+id+"'><query xmlns='jabber:iq:roster'/></iq>")
		if el := r.element(); el.Attr("type") != "subscribe" {
			t.Errorf("got %s, want the request: the right to write is gone", el)
		}
	})
}

// While a user's roster is looked after, the gateway listens to that user.
func TestLookingAfterARosterHoldsNobodyUp(t *testing.T) {
	managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}}, func(t *testing.T, r *gatewayRig) {
		began := time.Now()
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'/>")
		if el := r.element(); el.Child(nsRoster, "query") == nil {
			t.Fatalf("got %s, want the roster asked for", el)
		}
		r.Send(t, "<message from='romeo@example/phone' to='gw.example' id='m1' type='chat'><body>hello</body></message>")
		if body, _ := r.element().Body(); !strings.Contains(body, "you said hello") || time.Since(began) >= rosterTimeout {
			t.Errorf("got %q after %v, want an answer at once", body, time.Since(began))
		}
	})
}

func TestContactLeavesAndComesBack(t *testing.T) {
	managed(t, map[gateway.Alias]gateway.RosterItem{"anna7": {Name: "Anna"}}, func(t *testing.T, r *gatewayRig) {
		r.outbox.batches <- waiting(annaSubscribes, "<presence from='anna7@gw.example' to='romeo@example' type='unsubscribed'/>", annaSubscribes, annasText)
		set := func(want string) *Element {
			item := r.asks("set", "")
			if item.Attr("subscription") != want {
				t.Errorf("got %s, want subscription %s", item, want)
			}
			return item
		}
		here := func() {
			if el := r.element(); el.Attr("from") != "anna7@gw.example/gateway" || !el.Is(nsClient, "presence") {
				t.Errorf("got %s, want the contact's presence", el)
			}
		}
		r.asks("get", "")
		item := set("both")
		r.asks("get", item.String())
		here()
		if el := r.element(); el.Attr("type") != "unsubscribed" {
			t.Errorf("got %s, want the contact to leave", el)
		}
		set("remove")
		r.asks("get", "")
		set("both")
		here()
		if el := r.element(); el.ID() != "a1" {
			t.Errorf("got %s, want the message", el)
		}
		if err := <-r.outbox.taken; err != nil {
			t.Error(err)
		}
	})
}

func TestContactLeavesTheRoster(t *testing.T) {
	managed(t, nil, func(t *testing.T, r *gatewayRig) {
		r.outbox.batches <- waiting("<presence from='anna7@gw.example' to='romeo@example' type='unsubscribe'/>", "<presence from='anna7@gw.example' to='romeo@example' type='unsubscribed'/>")
		for _, typ := range []string{"unsubscribe", "unsubscribed"} {
			if el := r.element(); el.Attr("type") != typ {
				t.Errorf("got %s, want %s", el, typ)
			}
		}
		el := r.element()
		if item := el.Child(nsRoster, "query").Child(nsRoster, "item"); item.Attr("jid") != "anna7@gw.example" || item.Attr("subscription") != "remove" {
			t.Errorf("got %s", el)
		}
		r.Send(t, "<iq type='error' from='romeo@example' to='gw.example' id='"+el.ID()+"'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		if err := <-r.outbox.taken; err != nil {
			t.Error(err)
		}
	})
}
