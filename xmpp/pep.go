package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"postern/gateway"
)

// pepFeatures is what a contact's bare address announces beside its chat
// (XEP-0163 §6, XEP-0054).
var pepFeatures = []string{nsVCard, nsPubSub, nsPubSub + "#retrieve-items"}

// getNode answers a query for a node (XEP-0060 §6.5). Device lists and key
// bundles are asked for before each encrypted chat: nothing is there, and the
// answer says so at once. What is not the visitor's to know looks the same.
func (c *Component) getNode(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	items := el.FirstChild().Child(nsPubSub, "items")
	if items == nil {
		return answer{}, &StanzaError{Condition: ServiceUnavailable}
	}
	nothing := &StanzaError{Condition: ItemNotFound}
	node := items.Attr("node")
	if el.To().Local() == "" || !slices.Contains([]string{nsAvatarMetadata, nsAvatarData, nsNick, nodeVCard4}, node) {
		return answer{}, nothing
	}
	card, err := c.gw.Card(ctx, v, gateway.Alias(el.To().Local()))
	if err != nil {
		if errors.Is(err, gateway.ErrNoContact) || errors.Is(err, gateway.ErrNoAccount) {
			return answer{}, nothing
		}
		return answer{}, err
	}
	wanted := func(id string) bool {
		asked := items.ChildrenNamed(nsPubSub, "item")
		return len(asked) == 0 || slices.ContainsFunc(asked, func(i *Element) bool { return strings.EqualFold(i.Attr("id"), id) })
	}
	pic := card.Avatar
	switch {
	case node == nsNick && wanted(currentItem):
		return nodeItem(node, currentItem, nickElement(card.Name)), nil
	case node == nodeVCard4 && wanted(currentItem):
		return nodeItem(node, currentItem, vCard4(card.Name)), nil
	case node == nsAvatarMetadata && pic.SHA1 != "" && wanted(pic.SHA1):
		return nodeItem(node, pic.SHA1, avatarMetadata(pic)), nil
	case node == nsAvatarData && pic.SHA1 != "" && wanted(pic.SHA1):
		return c.withPicture(ctx, el, v, pic.SHA1, func(p gateway.Picture, err error) (answer, error) {
			if errors.Is(err, gateway.ErrNoPicture) || errors.Is(err, gateway.ErrNoContact) || errors.Is(err, gateway.ErrNoAccount) {
				return answer{}, nothing
			}
			data := NewElement(nsAvatarData, "data").AddText(base64.StdEncoding.EncodeToString(p.Bytes))
			return nodeItem(node, pic.SHA1, data), err
		})
	}
	return answer{}, nothing
}

func nodeItem(node, id string, payload *Element) answer {
	item := NewElement(nsPubSub, "item", "id", id).Add(payload)
	return answer{payload: NewElement(nsPubSub, "pubsub").Add(NewElement(nsPubSub, "items", "node", node).Add(item))}
}

// setNode refuses to publish or to subscribe.
func (c *Component) setNode(_ context.Context, el *Element, _ gateway.Visitor) (answer, error) {
	for _, verb := range el.FirstChild().Children() {
		switch {
		case strings.HasSuffix(verb.Name.Local, "subscribe"):
			return answer{}, &StanzaError{Condition: FeatureNotImplemented}
		case verb.Name.Local == "publish", verb.Name.Local == "retract":
			return answer{}, &StanzaError{Condition: Forbidden}
		}
	}
	return answer{}, &StanzaError{Condition: ServiceUnavailable}
}
