//go:build servers

package story

import (
	"crypto/sha1" //nolint:gosec // XEP-0115 §5.1 names it
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

const (
	nsInfo = "http://jabber.org/protocol/disco#info"
	nsForm = "jabber:x:data"
	nsCaps = "http://jabber.org/protocol/caps"
)

func TestDiscovery(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		n := c.Count()
		jid, _ := s.add(c, "nurse")
		shown := s.see(c, n, "presence of nurse", presence(jid, ""))
		gw := s.see(c, 0, "presence of the gateway", presence(s.gw, ""))

		info := s.info(c, s.gw, "")
		id, proof := info.Child(nsInfo, "identity"), s.prove(10, 11, 12)
		proof.That(id.Attr("category") == "gateway" && id.Attr("type") != "" && id.Attr("name") != "", "identity: got %s, want a gateway with type and name", id)
		s.offers(info, "jabber:iq:register", "jabber:iq:gateway", "http://jabber.org/protocol/commands", `jid\20escaping`)
		items, err := c.Items(s.ctx, "localhost", "")
		proof.That(err == nil && strings.Contains(items.String(), "'"+s.gw+"'"), "items of the server: got %s, %v, want %s among them", items, err, s.gw)
		s.offers(s.info(c, jid, ""), "urn:xmpp:receipts", "urn:xmpp:chat-markers:0", "http://jabber.org/protocol/chatstates",
			nsReplace, nsRetract, nsReactions, nsReply)
		for _, p := range []*user.Stanza{gw, shown} {
			s.verifies(c, p)
		}
		n = c.Count()
		echo, _ := s.add(c, "echo")
		second := s.see(c, n, "presence of echo", presence(echo, ""))
		caps := func(p *user.Stanza) string { return p.Element.Child(nsCaps, "c").String() }
		s.prove(13).That(caps(second) == caps(shown), "got caps %s and %s, want one for all contacts", caps(second), caps(shown))
		for _, to := range []string{s.gw, jid, shown.From} {
			s.answers(c, to)
		}
	})
}

func (s *stage) info(c *user.Client, to, node string) *user.Element {
	s.Helper()
	q, err := c.Info(s.ctx, to, node)
	if err != nil {
		s.Fatalf("disco#info of %s %s: %v", to, node, err)
	}
	return q
}

func (s *stage) offers(info *user.Element, features ...string) {
	s.Helper()
	for _, f := range features {
		if !strings.Contains(info.String(), "<feature var='"+f+"'/>") {
			s.Errorf("no feature %s in %s", f, info)
		}
	}
}

// verifies recomputes the hash of a presence from what disco#info says (XEP-0115 §5.4).
func (s *stage) verifies(c *user.Client, p *user.Stanza) {
	s.Helper()
	caps := p.Element.Child(nsCaps, "c")
	if caps == nil || caps.Attr("hash") != "sha-1" {
		s.Fatalf("%s: got %s, want sha-1 capabilities", p.From, p.XML())
	}
	info := s.info(c, p.From, caps.Attr("node")+"#"+caps.Attr("ver"))
	var ids, features, forms []string
	for _, e := range info.Children("") {
		switch {
		case e.Name.Local == "identity":
			ids = append(ids, e.Attr("category")+"/"+e.Attr("type")+"//"+e.Attr("name")+"<")
		case e.Name.Local == "feature":
			features = append(features, e.Attr("var")+"<")
		case e.Name.Space == nsForm:
			forms = append(forms, formString(e))
		}
	}
	slices.Sort(ids)
	slices.Sort(features)
	slices.Sort(forms)
	all := strings.Join(slices.Concat(ids, features, forms), "")
	sum := sha1.Sum([]byte(all)) //nolint:gosec // as above
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != caps.Attr("ver") {
		s.Errorf("%s: presence says %s, the hash of %q is %s", p.From, caps.Attr("ver"), all, got)
	}
}

// formString is an extended information form as XEP-0115 §5.1 wants it hashed.
func formString(x *user.Element) string {
	head, fields := "", []string{}
	for _, f := range x.Children("field") {
		var values []string
		for _, v := range f.Children("value") {
			values = append(values, v.Text()+"<")
		}
		slices.Sort(values)
		if f.Attr("var") == "FORM_TYPE" {
			head = strings.Join(values, "")
			continue
		}
		fields = append(fields, f.Attr("var")+"<"+strings.Join(values, ""))
	}
	slices.Sort(fields)
	return head + strings.Join(fields, "")
}

// answers asks what every entity answers, and what none does: each within two seconds.
func (s *stage) answers(c *user.Client, to string) {
	s.Helper()
	proof := s.prove(7, 8, 9)
	start := time.Now()
	_, err := c.Ping(s.ctx, to)
	proof.That(err == nil, "ping %s: %v", to, err)
	if e, err := c.IQ(s.ctx, to, "get", "<query xmlns='jabber:iq:version'/>"); err != nil || !strings.Contains(e.String(), "<name>Postern</name>") {
		s.Errorf("version of %s: got %s, %v", to, e, err)
	}
	for _, q := range []struct{ typ, payload, want string }{
		{"get", "<query xmlns='urn:example:unknown'/>", "service-unavailable"},
		{"set", "<query xmlns='urn:example:unknown'/>", "service-unavailable"},
		{"set", "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/>", "service-unavailable"},
		{"get", "<query xmlns='" + nsInfo + "' node='urn:example:unknown'/>", "item-not-found"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='eu.siacs.conversations.axolotl.devicelist'/></pubsub>", "item-not-found"},
	} {
		var refused *user.Error
		asked := time.Now()
		_, err := c.IQ(s.ctx, to, q.typ, q.payload)
		proof.That(errors.As(err, &refused) && refused.Condition == q.want, "%s to %s: got %v, want %s", q.payload, to, err, q.want)
		proof.That(time.Since(asked) < 2*time.Second, "%s to %s: answered after %s", q.payload, to, time.Since(asked))
	}
	if took := time.Since(start); took > 10*time.Second {
		s.Errorf("%s: seven answers took %s, want at most 2 s each", to, took)
	}
	// RFC 6120 §8.3.1: an error is never answered. The ping behind them is, and by then an answer would be here.
	n := c.Count()
	if err := c.SendXML(s.ctx, "<iq to='"+to+"' type='result' id='nobody-asked'/>"); err != nil {
		s.Fatal(err)
	}
	for _, kind := range []string{"message", "presence", "iq"} {
		if err := c.SendXML(s.ctx, "<"+kind+" to='"+to+"' type='error' id='e1'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></"+kind+">"); err != nil {
			s.Fatal(err)
		}
	}
	if _, err := c.Ping(s.ctx, to); err != nil {
		s.Fatal(err)
	}
	for _, st := range c.Stanzas(n) {
		proof.That(!strings.HasSuffix(bare(st.From), s.gw), "%s: an error or a result was answered with %s", to, st.XML())
	}
}
