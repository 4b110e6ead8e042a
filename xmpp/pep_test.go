package xmpp

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/xmpp/conformance"
)

func itemsOf(node, id string) string {
	if id != "" {
		id = "<item id='" + id + "'/>"
	}
	return "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='" + node + "'>" + id + "</items></pubsub>"
}

func (r *gatewayRig) item(node, id string) *Element {
	r.t.Helper()
	got := r.answer(iqXML("romeo@example/phone", "anna7@gw.example", "get", itemsOf(node, id)))
	items := got.Child(nsPubSub, "pubsub").Child(nsPubSub, "items")
	if items.Attr("node") != node {
		r.t.Fatalf("got %s", got)
	}
	return items.Child(nsPubSub, "item")
}

// XEP-0084 §3: metadata names the data, whose SHA-1 is its name.
func TestAvatarByPEP(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		proof, pic := conformance.Prove(t, conformance.InProcess, 38), r.gw.pictures["anna7"]
		meta := r.item(nsAvatarMetadata, "")
		info := meta.Child(nsAvatarMetadata, "metadata").Child(nsAvatarMetadata, "info")
		if meta.Attr("id") != pic.SHA1 || info.Attr("id") != pic.SHA1 || info.Attr("type") != "image/png" || info.Attr("bytes") != fmt.Sprint(len(pic.Bytes)) ||
			info.Attr("width") != "96" || info.Attr("height") != "64" {
			t.Errorf("got %s", meta)
		}
		item := r.item(nsAvatarData, info.Attr("id"))
		data, err := base64.StdEncoding.DecodeString(item.Child(nsAvatarData, "data").Text())
		sum := sha1.Sum(data)
		proof.That(err == nil && hex.EncodeToString(sum[:]) == item.Attr("id") && item.Attr("id") == pic.SHA1, "got %s, want data under its own hash", item)
		r.gw.gone["anna7"] = true
		if got := r.item(nsAvatarData, pic.SHA1); got.Attr("id") != pic.SHA1 {
			t.Errorf("got %s after the bytes had gone", got)
		}
		if got := r.item(nsNick, "").Child(nsNick, "nick").Text(); got != "Anna Secret-A" {
			t.Errorf("got nick %q", got)
		}
		if got := r.item(nodeVCard4, "current").Child(nsVCard4, "vcard").Child(nsVCard4, "fn").Child(nsVCard4, "text").Text(); got != "Anna Secret-A" {
			t.Errorf("got vCard4 name %q", got)
		}
	})
}

func TestNodesThatAreNot(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 92)
		r.gw.contacts["romeo@example"]["plain3"] = "Plain"
		for _, tt := range []struct{ who, to, node, id string }{
			{"romeo@example/phone", "anna7@gw.example", "eu.siacs.conversations.axolotl.devicelist", ""},
			{"romeo@example/phone", "anna7@gw.example", "urn:xmpp:omemo:2:devices", ""},
			{"romeo@example/phone", "anna7@gw.example", "urn:xmpp:omemo:2:bundles", "1"},
			{"romeo@example/phone", "anna7@gw.example", nsAvatarData, strings.Repeat("0", 40)},
			{"romeo@example/phone", "anna7@gw.example", nsAvatarMetadata, "other"},
			{"romeo@example/phone", "anna7@gw.example", nsNick, "other"},
			{"romeo@example/phone", "plain3@gw.example", nsAvatarMetadata, ""},
			{"romeo@example/phone", "plain3@gw.example", nsAvatarData, ""},
			{"romeo@example/phone", "nobody@gw.example", nsNick, ""},
			{"romeo@example/phone", "gw.example", nsAvatarMetadata, ""},
			{"juliet@example/x", "anna7@gw.example", nsAvatarData, r.gw.pictures["anna7"].SHA1},
			{"juliet@example/x", "anna7@gw.example", nodeVCard4, ""},
			{"stranger@example/x", "anna7@gw.example", nsNick, ""},
		} {
			began := time.Now()
			got := r.answer(iqXML(tt.who, tt.to, "get", itemsOf(tt.node, tt.id)))
			wantError(t, got, tt.to, tt.who, got.ID(), ItemNotFound, "cancel")
			proof.That(time.Since(began) <= time.Second, "%s: answered after %s", tt.node, time.Since(began))
		}
	})
}

// The bare address is described with its nodes, the resource as ever: one caps hash for all contacts.
func TestBareContactHasNodes(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		info := func(to string) discoInfo {
			return parseDiscoInfo(r.answer(iqXML("romeo@example/phone", to, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")).Child(nsDiscoInfo, "query"))
		}
		bare := info("anna7@gw.example")
		if s := fmt.Sprint(bare); !strings.Contains(s, "{pubsub pep") || !strings.Contains(s, nsVCard) || !strings.Contains(s, "{account registered") {
			t.Errorf("got %s", s)
		}
		full := info("anna7@gw.example/gateway")
		if got := full.ver(); got != r.c.profile.cVer {
			t.Errorf("got caps %s, want %s", got, r.c.profile.cVer)
		}
	})
}

// Only presence to the gateway itself, with caps that ask for pictures, brings them.
func TestWhoIsShownPictures(t *testing.T) {
	deaf := discoInfo{identities: []discoIdentity{{category: "client", typ: "pc"}}, features: []string{nsDiscoInfo}}
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		caps := fmt.Sprintf(capsVer, wantsAvatars().ver())
		r.silent("<presence from='romeo@example/phone' to='anna7@gw.example'>" + caps + "</presence>")
		r.silent("<presence from='romeo@example/phone' to='gw.example' type='unavailable'/>")
		r.silent("<presence from='romeo@example/phone' to='gw.example'/>")
		r.appear("romeo@example/deaf", deaf)
		synctest.Wait()
		r.Quiet(t)

		r.appear("romeo@example/phone", wantsAvatars())
		r.Expect(t, "<message", "from='anna7@gw.example'", "to='romeo@example/phone'", "type='headline'", "<items node='urn:xmpp:avatar:metadata'>", r.gw.pictures["anna7"].SHA1)
		// It goes and comes back.
		r.silent("<presence from='romeo@example/phone' to='gw.example' type='unavailable'/>")
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'>"+caps+"</presence>")
		r.Expect(t, "<message", "to='romeo@example/phone'", nsAvatarMetadata)
	})
}

// XEP-0115 §5.4: whoever lies about a hash speaks for nobody else.
func TestForgedCapsSpeakForTheirOwnClient(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		r.Send(t, "<presence from='juliet@example/x' to='gw.example'>"+fmt.Sprintf(capsVer, wantsAvatars().ver())+"</presence>")
		q := r.element()
		r.Send(t, "<iq type='result' id='"+q.ID()+"' from='juliet@example/x' to='gw.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
		synctest.Wait()
		r.appear("romeo@example/phone", wantsAvatars())
		r.Expect(t, "<message", "to='romeo@example/phone'", nsAvatarMetadata)
	})
}

// A feature that was moved to a form hashes alike, and still silences nobody else.
func TestMovedFeatureSilencesNobody(t *testing.T) {
	moved := wantsAvatars()
	moved.features = moved.features[:1]
	moved.forms = []discoForm{{formType: wantsAvatarNews}}
	if moved.ver() != wantsAvatars().ver() {
		t.Fatal("the two do not hash alike")
	}
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		r.appear("juliet@example/x", moved)
		synctest.Wait()
		r.Quiet(t)
		r.appear("romeo@example/phone", wantsAvatars())
		r.Expect(t, "<message", "to='romeo@example/phone'", nsAvatarMetadata)
	})
}

// A client that never answers costs nobody else a thing, and its next presence is another chance.
func TestSilentClient(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		caps := fmt.Sprintf(capsVer, wantsAvatars().ver())
		r.Send(t, "<presence from='romeo@example/phone' to='gw.example'>"+caps+"</presence>")
		r.Expect(t, "<iq", nsDiscoInfo)
		<-time.After(clientPatience + time.Second)
		synctest.Wait()
		r.appear("romeo@example/phone", wantsAvatars())
		r.Expect(t, "<message", nsAvatarMetadata)
	})
}

func TestClientsAreBounded(t *testing.T) {
	var k clients
	for i := range maxClients + 10 {
		k.meet(fmt.Sprint("u", i), "v")
	}
	for i := range maxCapsSeen + 10 {
		k.learn(fmt.Sprint("v", i), true)
	}
	if len(k.met) != maxClients || len(k.wants) != maxCapsSeen {
		t.Errorf("got %d clients and %d kinds", len(k.met), len(k.wants))
	}
}

// What contacts' news look like on the wire.
func TestEvents(t *testing.T) {
	render := func(what gateway.Shown) string {
		out, err := Renderer{}.Render(gateway.Rendering{Component: testDomain, From: "anna7", To: "romeo@example", What: what})
		if err != nil || len(out) != 1 {
			t.Fatalf("got %q, %v", out, err)
		}
		return string(out[0])
	}
	for what, want := range map[gateway.Shown]string{
		gateway.ShowAvatar{}: "<message from='anna7@gw.example' to='romeo@example' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>" +
			"<items node='urn:xmpp:avatar:metadata'><item id='current'><metadata xmlns='urn:xmpp:avatar:metadata'/></item></items></event></message>",
		gateway.ShowNick{Name: "Anna"}: "<message from='anna7@gw.example' to='romeo@example' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>" +
			"<items node='http://jabber.org/protocol/nick'><item id='current'><nick xmlns='http://jabber.org/protocol/nick'>Anna</nick></item></items></event></message>",
		gateway.ShowPresence{Available: true}: "<presence from='anna7@gw.example/gateway' to='romeo@example'><x xmlns='vcard-temp:x:update'><photo/></x></presence>",
		gateway.ShowPresence{Available: true, Away: true, Avatar: "ab12", LastSeen: time.Date(2026, 1, 2, 11, 0, 0, 0, time.FixedZone("", 3600))}: "<presence from='anna7@gw.example/gateway' to='romeo@example'>" +
			"<show>away</show><idle xmlns='urn:xmpp:idle:1' since='2026-01-02T10:00:00.000Z'/><x xmlns='vcard-temp:x:update'><photo>ab12</photo></x></presence>",
		gateway.ShowPresence{}: "<presence from='anna7@gw.example/gateway' to='romeo@example' type='unavailable'/>",
	} {
		if got := render(what); got != want {
			t.Errorf("%T:\n got %s\nwant %s", what, got, want)
		}
	}
}

// What is kept of a client is its name and its hash, not the stanza that told them.
func TestClientsKeepNoStanzas(t *testing.T) {
	const each = 1 << 20
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	k, before := &clients{}, live()
	for n := range 64 {
		stanza := fmt.Sprintf("u%02d@example/phone hash%02d", n, n) + strings.Repeat("x", each)
		k.meet(stanza[:17], stanza[18:24])
		k.learn(stanza[18:24], true)
	}
	if grown := live() - before; grown > 4*each {
		t.Errorf("64 clients with stanzas of 1 MiB hold %d KiB", grown>>10)
	}
	if k.meet("u07@example/phone", "hash07") {
		t.Error("client 7 is not known")
	}
}
