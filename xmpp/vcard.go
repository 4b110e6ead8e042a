package xmpp

import (
	"context"
	"encoding/base64"
	"errors"

	"postern/gateway"
)

const (
	nsVCard    = "vcard-temp"                       // XEP-0054
	nsVCard4   = "urn:ietf:params:xml:ns:vcard-4.0" // RFC 6351
	nodeVCard4 = "urn:xmpp:vcard4"                  // XEP-0292 §3
)

// errLater: an errand answers the request.
var errLater = errors.New("answered later")

// gatewayCard answers vcard-temp of the gateway itself (XEP-0054 §3.1).
func (c *Component) gatewayCard(_ context.Context, _ *Element, v gateway.Visitor) (answer, error) {
	card := NewElement(nsVCard, "vCard").AddTextChild("FN", c.profile.name)
	card.AddTextChild("DESC", c.say(v, gateway.TextAbout, c.profile.platform))
	return answer{payload: card}, nil
}

// getVCard answers vcard-temp of a contact: to the user whose contact it is,
// with the very picture that PEP has (XEP-0153 §4.1).
func (c *Component) getVCard(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	card, err := c.gw.Card(ctx, v, gateway.Alias(el.To().Local()))
	if err != nil {
		return answer{}, unknownContact(err)
	}
	return c.withPicture(ctx, el, v, card.Avatar.SHA1, func(p gateway.Picture, err error) (answer, error) {
		if err != nil && !errors.Is(err, gateway.ErrNoPicture) {
			return answer{}, unknownContact(err)
		}
		return answer{payload: vCard(card.Name, p)}, nil
	})
}

func vCard(name string, p gateway.Picture) *Element {
	name = shortened(name, maxNick)
	el := NewElement(nsVCard, "vCard").AddTextChild("FN", name).AddTextChild("NICKNAME", name)
	if len(p.Bytes) > 0 {
		el.Add(NewElement(nsVCard, "PHOTO").AddTextChild("TYPE", p.MIME).AddTextChild("BINVAL", base64.StdEncoding.EncodeToString(p.Bytes)))
	}
	return el
}

// setCard refuses to change what is a contact's own.
func (c *Component) setCard(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	if el.To().Local() != "" {
		if _, err := c.gw.Card(ctx, v, gateway.Alias(el.To().Local())); err != nil {
			return answer{}, unknownContact(err)
		}
	}
	return answer{}, &StanzaError{Condition: Forbidden}
}

// getVCard4 answers the request without a node (XEP-0292 §5).
func (c *Component) getVCard4(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	card, err := c.gw.Card(ctx, v, gateway.Alias(el.To().Local()))
	if err != nil {
		return answer{}, unknownContact(err)
	}
	return answer{payload: vCard4(card.Name)}, nil
}

// vCard4 holds names only; the picture has its node (XEP-0292 §4).
func vCard4(name string) *Element {
	name = shortened(name, maxNick)
	text := func(of string) *Element { return NewElement(nsVCard4, of).AddTextChild("text", name) }
	return NewElement(nsVCard4, "vcard").Add(text("fn"), text("nickname"))
}

// withPicture builds an answer from a picture: at once when its bytes are here,
// else from an errand that asks the platform for them.
func (c *Component) withPicture(ctx context.Context, el *Element, v gateway.Visitor, sha1 string, build func(gateway.Picture, error) (answer, error)) (answer, error) {
	alias := gateway.Alias(el.To().Local())
	if sha1 == "" {
		return build(gateway.Picture{}, gateway.ErrNoPicture)
	}
	p, err := c.gw.Picture(ctx, v, alias, sha1)
	if !errors.Is(err, gateway.ErrPictureGone) {
		return build(p, err)
	}
	recall := iqRoute{serve: func(ctx context.Context, _ *Element, v gateway.Visitor) (answer, error) {
		return build(c.gw.RecallPicture(ctx, v, alias, sha1))
	}}
	taken := c.errands.offer(string(v.User), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, deskTimeout)
		defer cancel()
		a, err := c.guarded(ctx, el, v, recall)
		c.settle(ctx, el, v, a, err)
	})
	if !taken { // that there is none would be believed for long
		return answer{}, &StanzaError{Condition: ResourceConstraint, Text: c.say(v, gateway.TextBusy)}
	}
	return answer{}, errLater
}
