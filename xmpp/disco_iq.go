package xmpp

import (
	"context"
	"errors"

	"postern/gateway"
)

// infoGateway answers disco#info of the gateway, of its command list and of each
// command (XEP-0030 §3, XEP-0050 §2.1).
func (c *Component) infoGateway(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	node := el.FirstChild().Attr("node")
	if self := c.profile.self.Load(); node == "" || node == c.profile.node+"#"+self.ver {
		return answer{payload: self.info.element(node)}, nil
	}
	if el.From().Local() == "" {
		return answer{}, &StanzaError{Condition: ItemNotFound}
	}
	if node == nsCommands {
		list := discoInfo{identities: []discoIdentity{{category: "automation", typ: "command-list"}}, features: []string{nsDiscoInfo, nsDiscoItems}}
		return answer{payload: list.element(node)}, nil
	}
	commands, err := c.desk.Commands(ctx, v)
	if err != nil {
		return answer{}, err
	}
	for _, cmd := range commands {
		if cmd.Node == node {
			one := discoInfo{
				identities: []discoIdentity{{category: "automation", typ: "command-node", name: cmd.Title}},
				features:   []string{nsDiscoInfo, nsCommands, nsForm},
			}
			return answer{payload: one.element(node)}, nil
		}
	}
	return answer{}, &StanzaError{Condition: ItemNotFound}
}

// itemsGateway lists the commands that this very user may run, and nothing of
// anybody else's.
func (c *Component) itemsGateway(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	node := el.FirstChild().Attr("node")
	q := NewElement(nsDiscoItems, "query")
	switch {
	case node == "":
		return answer{payload: q}, nil
	case node != nsCommands || el.From().Local() == "":
		return answer{}, &StanzaError{Condition: ItemNotFound}
	}
	commands, err := c.desk.Commands(ctx, v)
	if err != nil {
		return answer{}, err
	}
	q.SetAttr("node", node)
	for _, cmd := range commands {
		q.Add(NewElement(nsDiscoItems, "item", "jid", c.self.String(), "node", cmd.Node, "name", cmd.Title))
	}
	return answer{payload: q}, nil
}

// infoContact answers with what the chat supports now. A contact that is not
// this user's looks like one that does not exist.
func (c *Component) infoContact(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	node := el.FirstChild().Attr("node")
	caps, _, err := c.gw.Caps(ctx, v, gateway.Alias(el.To().Local()))
	if err != nil {
		return answer{}, unknownContact(err)
	}
	info := contactInfo(c.profile.platform, caps)
	switch {
	case node == "":
	case node == c.profile.node+"#"+c.profile.cVer:
		info = c.profile.contact
	case node == c.profile.node+"#"+info.ver():
	default:
		return answer{}, &StanzaError{Condition: ItemNotFound}
	}
	if el.To().IsBare() && node == "" {
		// XEP-0030 §3.1: at the bare address it is an account that is described.
		info.identities = append(info.identities, discoIdentity{category: "account", typ: "registered"}, discoIdentity{category: "pubsub", typ: "pep"})
		info.features = append(info.features, pepFeatures...)
	}
	return answer{payload: info.element(node)}, nil
}

func (c *Component) itemsContact(ctx context.Context, el *Element, v gateway.Visitor) (answer, error) {
	if _, _, err := c.gw.Caps(ctx, v, gateway.Alias(el.To().Local())); err != nil {
		return answer{}, unknownContact(err)
	}
	if el.FirstChild().Attr("node") != "" {
		return answer{}, &StanzaError{Condition: ItemNotFound}
	}
	return answer{payload: NewElement(nsDiscoItems, "query")}, nil
}

// unknownContact makes every reason not to show a contact look the same.
// service-unavailable is what clients read as an account that says nothing.
func unknownContact(err error) error {
	var refusal *gateway.Refusal
	if errors.Is(err, gateway.ErrNoContact) || errors.Is(err, gateway.ErrNoAccount) || errors.As(err, &refusal) {
		return &StanzaError{Condition: ServiceUnavailable}
	}
	return err
}

// ping answers XEP-0199.
func (c *Component) ping(context.Context, *Element, gateway.Visitor) (answer, error) {
	return answer{}, nil
}

// version answers XEP-0092.
func (c *Component) version(context.Context, *Element, gateway.Visitor) (answer, error) {
	return answer{payload: NewElement(nsVersion, "query").AddTextChild("name", "Postern").AddTextChild("version", c.cfg.Version)}, nil
}
