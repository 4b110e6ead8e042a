package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

type script = gatewaytest.Script

var update = flag.Bool("update", false, "write the golden files")

func receiptOf(t *testing.T, c *counter, v gateway.Visitor) gateway.ConsentReceipt {
	t.Helper()
	got, err := c.desk.Consents(c.t.Context(), v.User)
	if err != nil || len(got) != 1 {
		t.Fatalf("consents: got %d, %v, want one", len(got), err)
	}
	return got[0]
}

func TestConsentReceiptVerifies(t *testing.T) {
	c := newCounter(t)
	var linked []byte
	c.platform.Play(script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
		if in.User == "" {
			return gateway.LinkStep{}, nil
		}
		linked = in.ConsentHash
		return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep1", Shown: "Romeo"}}, nil
	}})
	text := c.desk.Disclosure(c.romeo)
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed())
	got := receiptOf(t, c, c.romeo)
	sum := sha256.Sum256([]byte(text.String()))
	if !got.Verify() || got.Text != text.String() || string(got.Hash) != string(sum[:]) || string(linked) != string(sum[:]) {
		t.Errorf("receipt is not of the text shown: %+v", got)
	}
	if got.User != c.romeo.User || got.Adapter != "wall" || got.Account != c.account(c.romeo).ID || got.Version != 3 || got.Terms != "2026-03" || got.At.IsZero() {
		t.Errorf("got %+v", got)
	}
	forged := got
	forged.Text += " "
	if forged.Verify() {
		t.Error("a changed text verifies")
	}
	// The copy that the user has proves the same.
	m := r.After[len(r.After)-1].What.(gateway.ShowMessage)
	body := m.Content.Parts[0].(gateway.Text).Text
	if !strings.Contains(body, hex.EncodeToString(sum[:])) || !strings.HasSuffix(body, text.String()) {
		t.Errorf("user's copy lacks hash or text:\n%s", body)
	}
	if other, err := c.desk.Consents(c.t.Context(), c.juliet.User); len(other) != 0 || err != nil {
		t.Errorf("another user sees %v, %v", other, err)
	}
}

// TestConsentIsInTheLanguageRead: a client that changes its language in the middle changes nothing about what was read.
func TestConsentIsInTheLanguageRead(t *testing.T) {
	c := newCounter(t)
	c.romeo.Lang = "en-GB"
	r := c.start(c.romeo, gateway.NodeRegister)
	elsewhere := c.romeo
	elsewhere.Lang = "it"
	r = c.next(elsewhere, r, agreed("name", "Montague"))
	if got := receiptOf(t, c, c.romeo); got.Lang != "en-GB" || c.account(c.romeo).Lang != "en-GB" || r.After[0].Lang != "en-GB" {
		t.Errorf("got receipt %q, account %q, want en-GB", got.Lang, c.account(c.romeo).Lang)
	}
}

// TestConsentToTheOlderText: who agreed, went back and found a new text agrees anew.
func TestConsentToTheOlderText(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("number", "1"))
	old := receiptOf(t, c, c.romeo)
	r, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionPrev, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.platform.Describe.Version, c.platform.Describe.TermsVersion = 4, "2027-01"
	r = c.next(c.romeo, r, agreed("number", "1"))
	if !strings.Contains(r.Text, "has changed") || !strings.Contains(r.Text, "2027-01") {
		t.Fatalf("got %q, want the new text", r.Text)
	}
	r = c.next(c.romeo, r, agreed("number", "1"))
	r = c.next(c.romeo, r, map[string]string{"code": "1234", "device": "p"})
	got := receiptOf(t, c, c.romeo)
	if r.Status != gateway.ReplyCompleted || got.ID == old.ID || got.Version != 4 || !got.Verify() || c.account(c.romeo).Agreed != 4 {
		t.Errorf("got %s, %+v, want a receipt of the new text", r.Status, got)
	}
}

func TestCancelForgetsTheConsent(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("number", "1"))
	receiptOf(t, c, c.romeo)
	r, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionCancel, nil)
	if err != nil || r.Status != gateway.ReplyCanceled {
		t.Fatalf("got %s, %v, want canceled", r.Status, err)
	}
	if got, err := c.desk.Consents(c.t.Context(), c.romeo.User); len(got) != 0 || err != nil {
		t.Errorf("got %v, %v, want none", got, err)
	}
}

func TestDisclosureGolden(t *testing.T) {
	c := newCounter(t)
	got := c.desk.Disclosure(c.romeo).String()
	// Nothing about the reader: one text is stored for all.
	if strings.Contains(got, "romeo") || got != c.desk.Disclosure(c.juliet).String() {
		t.Errorf("the text is personal:\n%s", got)
	}
	path := filepath.Join("testdata", "disclosure.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("disclosure changed (-want +got), write it with -update:\n%s", diff)
	}
}

// TestDisclosureFollowsDescriptor changes one fact at a time: the text must change with it.
func TestDisclosureFollowsDescriptor(t *testing.T) {
	for name, change := range map[string]func(*gateway.Descriptor){
		"platform":   func(d *gateway.Descriptor) { d.Platform = "Moat" },
		"out":        func(d *gateway.Descriptor) { d.Out = gateway.ModeRelay },
		"in":         func(d *gateway.Descriptor) { d.In = gateway.ModeSelfHosted },
		"media":      func(d *gateway.Descriptor) { d.Media = gateway.ModeRelay },
		"reveals":    func(d *gateway.Descriptor) { d.Reveals = gateway.IdentifierEmail },
		"metadata":   func(d *gateway.Descriptor) { d.MetadataSeenBy = nil },
		"retention":  func(d *gateway.Descriptor) { d.Retention = 0 },
		"there":      func(d *gateway.Descriptor) { d.PlatformRetention = 0 },
		"inactivity": func(d *gateway.Descriptor) { d.Inactivity = 0 },
		"region":     func(d *gateway.Descriptor) { d.Region = "" },
		"terms":      func(d *gateway.Descriptor) { d.TermsVersion = "2027-01" },
		"api":        func(d *gateway.Descriptor) { d.API = "Wall Interop 2" },
		"caps":       func(d *gateway.Descriptor) { d.Caps = gateway.Caps{} },
		"rate":       func(d *gateway.Descriptor) { d.MaxPerMinute = 0 },
	} {
		c := newCounter(t)
		before := c.desk.Disclosure(c.romeo)
		change(&c.platform.Describe)
		after := c.desk.Disclosure(c.romeo)
		if before.String() == after.String() || string(before.Hash()) == string(after.Hash()) {
			t.Errorf("%s: the disclosure does not say it", name)
		}
		if strings.Contains(after.String(), "%!") || strings.Contains(after.String(), "desk.") {
			t.Errorf("%s: text is not whole:\n%s", name, after)
		}
		if name == "region" && len(after.Agree) != 3 {
			t.Errorf("region: got %d points to agree to, want 3", len(after.Agree))
		}
	}
	c := newCounter(t)
	c.platform.Describe = gateway.Descriptor{Platform: "Wall"}
	if got := c.desk.Disclosure(c.romeo).String(); !strings.Contains(got, "no end-to-end encryption") {
		t.Errorf("an undeclared mode is not disclosed as cleartext:\n%s", got)
	}
}
