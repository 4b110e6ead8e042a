package xmpp

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// portrait is a picture under its own hash.
func portrait(bytes string) gateway.Picture {
	sum := sha1.Sum([]byte(bytes))
	return gateway.Picture{MIME: "image/png", Bytes: []byte(bytes), SHA1: hex.EncodeToString(sum[:]), Width: 96, Height: 64}
}

func withPortrait(r *gatewayRig) {
	r.gw.pictures = map[gateway.Alias]gateway.Picture{"anna7": portrait("anna's picture")}
	r.gw.gone = map[gateway.Alias]bool{}
}

const getCard = "<vCard xmlns='vcard-temp'/>"

func TestVCard(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"anna7@gw.example", "anna7@gw.example/gateway"} {
			card := r.answer(iqXML("romeo@example/phone", to, "get", getCard)).Child(nsVCard, "vCard")
			photo := card.Child(nsVCard, "PHOTO")
			data, err := base64.StdEncoding.DecodeString(photo.Child(nsVCard, "BINVAL").Text())
			sum := sha1.Sum(data)
			if err != nil || hex.EncodeToString(sum[:]) != r.gw.pictures["anna7"].SHA1 || photo.Child(nsVCard, "TYPE").Text() != "image/png" {
				t.Errorf("got %s, want the picture that presence names", photo)
			}
			if card.Child(nsVCard, "FN").Text() != "Anna Secret-A" || card.Child(nsVCard, "NICKNAME").Text() != "Anna Secret-A" {
				t.Errorf("got %s", card)
			}
		}
		gw := r.answer(iqXML("romeo@example/phone", "gw.example", "get", getCard)).Child(nsVCard, "vCard")
		if gw.Child(nsVCard, "FN").Text() != "Castle (Example)" || !strings.Contains(gw.Child(nsVCard, "DESC").Text(), "help") {
			t.Errorf("got %s", gw)
		}
		v4 := r.answer(iqXML("romeo@example/phone", "anna7@gw.example", "get", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"))
		if got := v4.Child(nsVCard4, "vcard").Child(nsVCard4, "fn").Child(nsVCard4, "text").Text(); got != "Anna Secret-A" {
			t.Errorf("got %s", v4)
		}
	})
}

// A picture that is kept no more is fetched again, while the client waits.
func TestPictureIsRecalled(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		r.gw.gone["anna7"] = true
		card := r.answer(iqXML("romeo@example/phone", "anna7@gw.example", "get", getCard)).Child(nsVCard, "vCard")
		if card.Child(nsVCard, "PHOTO") == nil || r.gw.gone["anna7"] {
			t.Errorf("got %s, want a picture", card)
		}
	})
}

// When too much is asked at once, the answer is to come again: that there is no picture would be believed for long.
func TestPictureWhileBusy(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		r.gw.gone["anna7"] = true
		release := make(chan struct{})
		for r.c.errands.offer("romeo@example", func(context.Context) { <-release }) {
			synctest.Wait()
		}
		for _, payload := range []string{getCard, itemsOf(nsAvatarData, r.gw.pictures["anna7"].SHA1)} {
			got := r.answer(iqXML("romeo@example/phone", "anna7@gw.example", "get", payload))
			wantError(t, got, "anna7@gw.example", "romeo@example/phone", got.ID(), ResourceConstraint, "wait")
		}
		close(release)
	})
}

func TestVCardIsTheUsersAlone(t *testing.T) {
	bubble(t, withPortrait, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 39)
		for _, who := range []string{"juliet@example/x", "stranger@example/x"} {
			for _, payload := range []string{getCard, "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"} {
				got := r.answer(iqXML(who, "anna7@gw.example", "get", payload))
				wantError(t, got, "anna7@gw.example", who, got.ID(), ServiceUnavailable, "cancel")
			}
			got := r.answer(iqXML(who, "anna7@gw.example", "set", getCard))
			wantError(t, got, "anna7@gw.example", who, got.ID(), ServiceUnavailable, "cancel")
		}
		got := r.answer(iqXML("romeo@example/phone", "nobody@gw.example", "get", getCard))
		wantError(t, got, "nobody@gw.example", "romeo@example/phone", got.ID(), ServiceUnavailable, "cancel")
		proof.That(ParseStanzaError(got).Condition == ServiceUnavailable, "got %s", got)
		for _, to := range []string{"anna7@gw.example", "gw.example"} {
			got := r.answer(iqXML("romeo@example/phone", to, "set", getCard))
			wantError(t, got, to, "romeo@example/phone", got.ID(), Forbidden, "auth")
		}
	})
}
