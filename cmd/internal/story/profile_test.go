//go:build servers

package story

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // XEP-0084 §4.1: pictures are named by it
	"encoding/base64"
	"encoding/hex"
	"errors"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

const (
	nsAvatar   = "urn:xmpp:avatar:metadata"
	nsAvatarIs = "urn:xmpp:avatar:data"
	nsNick     = "http://jabber.org/protocol/nick"
	nsPubSub   = "http://jabber.org/protocol/pubsub"
	nsEvent    = "http://jabber.org/protocol/pubsub#event"
	nsVCard    = "vcard-temp"
	nsPhoto    = "vcard-temp:x:update"
	nsIdle     = "urn:xmpp:idle:1"
)

// TestProfile follows what a contact looks like: name, picture, and whether they are there.
func TestProfile(t *testing.T) {
	both(t, func(s *stage) {
		c := s.loginAs(user.Config{JID: "romeo", Accept: true, Receipts: true, Notify: []string{nsAvatar, nsNick}})
		s.enrol(c)
		jid := s.befriend(c, "nurse")
		s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") && s.rosterHas(c, s.gw, "both") })
		s.talks(c, jid, "nurse") // the platform tells of people one has talked with

		s.shows(c, jid)
		s.comesAndGoes(c, jid)
		s.isAsked(c, jid)
		s.loses(c, jid)
	})
}

// picture gives the nurse a picture, or takes it away.
func (s *stage) picture(width, height, seed int) {
	s.Helper()
	change := map[string]any{"avatar": ""}
	if width > 0 {
		var made struct {
			ID string `json:"media_id"`
		}
		s.control(http.MethodPost, "/media", map[string]any{"width": width, "height": height, "seed": seed}, &made)
		change["avatar"] = made.ID
	}
	s.control(http.MethodPatch, "/people/nurse", change, nil)
}

// news matches what a contact's node tells.
func news(jid, node string) func(*user.Stanza) bool {
	return func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.Type == "headline" && m.From == jid && m.Element.Child(nsEvent, "event").Child(nsEvent, "items").Attr("node") == node
	}
}

func metadata(item *user.Element) *user.Element { return item.Child(nsAvatar, "metadata") }

// photo is the hash that a presence names; ok is false for a presence that names none, as an absent one does.
func photo(p *user.Stanza) (hash string, ok bool) {
	el := p.Element.Child(nsPhoto, "x").Child(nsPhoto, "photo")
	return el.Text(), el != nil
}

func withPhoto(jid, hash string) func(*user.Stanza) bool {
	return func(p *user.Stanza) bool {
		got, ok := photo(p)
		return presence(jid, "")(p) && ok && got == hash
	}
}

// item asks a contact for the item of a node.
func (s *stage) item(c *user.Client, jid, node, id string) (*user.Element, error) {
	s.Helper()
	if id != "" {
		id = "<item id='" + id + "'/>"
	}
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	e, err := c.IQ(ctx, jid, "get", "<pubsub xmlns='"+nsPubSub+"'><items node='"+node+"'>"+id+"</items></pubsub>")
	if err != nil {
		return nil, err
	}
	return e.Child(nsPubSub, "pubsub").Child(nsPubSub, "items").Child(nsPubSub, "item"), nil
}

func (s *stage) vcard(c *user.Client, jid string) *user.Element {
	s.Helper()
	e, err := c.IQ(s.ctx, jid, "get", "<vCard xmlns='vcard-temp'/>")
	if err != nil {
		s.Fatalf("vCard of %s: %v", jid, err)
	}
	return e.Child(nsVCard, "vCard")
}

func hashOf(base64Text string) (hash string, data []byte) {
	data, err := base64.StdEncoding.DecodeString(base64Text)
	if err != nil {
		return "", nil
	}
	sum := sha1.Sum(data) //nolint:gosec // as above
	return hex.EncodeToString(sum[:]), data
}

// shows gives the nurse a picture and another name.
func (s *stage) shows(c *user.Client, jid string) {
	s.Helper()
	avatar, card := s.prove(38), s.prove(39)
	n := c.Count()
	s.picture(640, 480, 7)
	told := s.see(c, n, "news of a picture", news(jid, nsAvatar))
	item := told.Element.Child(nsEvent, "event").Child(nsEvent, "items").Child(nsEvent, "item")
	hash := item.Attr("id")
	avatar.Must(len(hash) == 40, "news of a picture: got %s, want its hash", told.XML())
	s.see(c, n, "presence with the picture", withPhoto(jid, hash))

	meta, err := s.item(c, jid, nsAvatar, "")
	avatar.Must(err == nil, "metadata: %v", err)
	info := metadata(meta).Child(nsAvatar, "info")
	data, err := s.item(c, jid, nsAvatarIs, hash)
	avatar.Must(err == nil, "data: %v", err)
	sum, raw := hashOf(data.Child(nsAvatarIs, "data").Text())
	avatar.That(sum == hash && data.Attr("id") == hash && info.Attr("id") == hash, "got data %s under %s, metadata says %s, want %s", sum, data.Attr("id"), info, hash)
	cfg, kind, err := image.DecodeConfig(bytes.NewReader(raw))
	avatar.That(err == nil && cfg.Width <= 192 && cfg.Height <= 192 && info.Attr("type") == "image/"+kind, "got %s %dx%d, %v, metadata says %s", kind, cfg.Width, cfg.Height, err, info)

	got := s.vcard(c, jid)
	byCard, _ := hashOf(got.Child(nsVCard, "PHOTO").Child(nsVCard, "BINVAL").Text())
	avatar.That(byCard == hash, "by vCard: got picture %q, want %q", byCard, hash)
	card.That(got.Child(nsVCard, "FN").Text() == "The Nurse" && byCard != "", "got %s, want name and photo", got)
	var refused *user.Error
	_, err = c.IQ(s.ctx, "nobody@"+s.gw, "get", "<vCard xmlns='vcard-temp'/>")
	card.That(errors.As(err, &refused) && refused.Condition == "service-unavailable", "vCard of nobody: got %v, want service-unavailable", err)

	n = c.Count()
	s.control(http.MethodPatch, "/people/nurse", map[string]any{"display": "Angelica"}, nil)
	renamed := s.see(c, n, "news of a name", news(jid, nsNick))
	nick := renamed.Element.Child(nsEvent, "event").Child(nsEvent, "items").Child(nsEvent, "item").Child(nsNick, "nick").Text()
	card.That(nick == "Angelica" && s.vcard(c, jid).Child(nsVCard, "FN").Text() == "Angelica", "renamed: got nick %q and %s", nick, s.vcard(c, jid))
}

// comesAndGoes follows whether the nurse is there, as it happens and when the user's server asks.
func (s *stage) comesAndGoes(c *user.Client, jid string) {
	s.Helper()
	seen, probe := s.prove(37), s.prove(28)
	meta, err := s.item(c, jid, nsAvatar, "")
	if err != nil {
		s.Fatal(err)
	}
	hash := meta.Attr("id")
	last := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	n := c.Count()
	s.control(http.MethodPut, "/people/nurse/presence", map[string]any{"available": false, "last_seen": last.Format(time.RFC3339)}, nil)
	idle := func(p *user.Stanza) *user.Element { return p.Element.Child(nsIdle, "idle") }
	away := s.see(c, n, "away", func(p *user.Stanza) bool { return presence(jid, "")(p) && idle(p) != nil })
	since := idle(away).Attr("since")
	at, err := time.Parse(time.RFC3339, since)
	seen.That(err == nil && at.Equal(last) && strings.HasSuffix(since, "Z"), "got since %q, %v, want %s in UTC", since, err, last.UTC())
	seen.That(away.Element.Child("jabber:client", "show").Text() == "away", "got %s, want away", away.XML())

	// At a login the user's server probes (RFC 6121 §4.3.2), and the client is told of pictures.
	n = c.Count()
	if err := c.Connect(s.ctx); err != nil {
		s.Fatal(err)
	}
	answer := s.see(c, n, "answer to a probe", presence(jid, ""))
	caps := answer.Element.Child(nsCaps, "c")
	got, _ := photo(answer)
	probe.That(answer.Element.Child("jabber:client", "show").Text() == "away" && caps != nil && got == hash && idle(answer) != nil,
		"answer to a probe: got %s, want away since, caps and photo %s", answer.XML(), hash)
	probe.That(strings.HasPrefix(answer.From, jid+"/"), "got it from %s, want a resource of %s", answer.From, jid)
	again := s.see(c, n, "news of pictures for a client that came", news(jid, nsAvatar))
	probe.That(strings.Contains(again.XML(), hash), "got %s, want %s", again.XML(), hash)

	n = c.Count()
	s.control(http.MethodPut, "/people/nurse/presence", map[string]any{"available": true}, nil)
	back := s.see(c, n, "back", presence(jid, ""))
	seen.That(idle(back) == nil && back.Element.Child("jabber:client", "show") == nil, "got %s, want neither away nor a time", back.XML())
}

// isAsked asks for what is not there, and by those whose contact it is not.
func (s *stage) isAsked(c *user.Client, jid string) {
	s.Helper()
	devices, subscribe := s.prove(92), s.prove(31)
	for _, node := range []string{"eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices"} {
		began := time.Now()
		var refused *user.Error
		_, err := s.item(c, jid, node, "")
		devices.That(errors.As(err, &refused) && refused.Condition == "item-not-found", "%s: got %v, want item-not-found", node, err)
		devices.That(time.Since(began) < time.Second, "%s: answered after %s, want a second at most", node, time.Since(began))
	}
	other := s.member("paris")
	for _, ask := range []string{"<vCard xmlns='vcard-temp'/>", "<pubsub xmlns='" + nsPubSub + "'><items node='" + nsAvatar + "'/></pubsub>"} {
		if e, err := other.IQ(s.ctx, jid, "get", ask); err == nil {
			s.Errorf("another user gets %s", e)
		}
	}
	n := other.Count()
	if err := other.Subscribe(s.ctx, "nobody@"+s.gw); err != nil {
		s.Fatal(err)
	}
	no := s.see(other, n, "unsubscribed by nobody", presence("nobody@"+s.gw, "unsubscribed"))
	subscribe.That(no != nil, "no answer")
	n = other.Count()
	if err := other.Subscribe(s.ctx, jid); err != nil {
		s.Fatal(err)
	}
	subscribe.That(s.see(other, n, "unsubscribed by another's contact", presence(jid, "unsubscribed")) != nil, "no answer")

	// A known contact that the user had dropped on both sides says yes, is there, and asks back.
	if _, err := c.IQ(s.ctx, "", "set", "<query xmlns='jabber:iq:roster'><item jid='"+jid+"' subscription='remove'/></query>"); err != nil {
		s.Fatal(err)
	}
	s.until("the roster shows nothing", func() bool { return !s.rosterHas(c, jid, "both") })
	n = c.Count()
	if err := c.Subscribe(s.ctx, jid); err != nil {
		s.Fatal(err)
	}
	for _, typ := range []string{"subscribed", "", "subscribe"} {
		subscribe.That(s.see(c, n, "presence of type "+typ, presence(jid, typ)) != nil, "no %s", typ)
	}
	s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") })
}

// loses takes the nurse's picture away.
func (s *stage) loses(c *user.Client, jid string) {
	s.Helper()
	proof := s.prove(38)
	n := c.Count()
	s.picture(0, 0, 0)
	told := s.see(c, n, "news of no picture", func(m *user.Stanza) bool { return news(jid, nsAvatar)(m) && !strings.Contains(m.XML(), "<info") })
	proof.That(strings.Contains(told.XML(), "metadata"), "got %s, want empty metadata", told.XML())
	s.see(c, n, "presence without a picture", withPhoto(jid, ""))
	proof.That(s.vcard(c, jid).Child(nsVCard, "PHOTO") == nil, "by vCard: got a photo, want none")
	var refused *user.Error
	_, err := s.item(c, jid, nsAvatar, "")
	proof.That(errors.As(err, &refused) && refused.Condition == "item-not-found", "metadata: got %v, want item-not-found", err)
}
