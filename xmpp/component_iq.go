package xmpp

import (
	"context"
	"errors"
	"time"

	"postern/gateway"
)

// deskTimeout bounds what a user's question may wait for, below the patience of
// clients with an iq.
const deskTimeout = 25 * time.Second

// answer is what an iq gets.
type answer struct {
	payload *Element
	// beside goes with an error, before its reason: the form to fill in better.
	beside *Element
	// after is shown once the answer has been written.
	after []gateway.Rendering
}

// iqKind names a request by type and payload.
type iqKind struct{ typ, space, local string }

// iqRoute says who answers a kind of request.
type iqRoute struct {
	serve func(context.Context, *Element, gateway.Visitor) (answer, error)
	// desk marks what may wait for a platform and so runs as an errand.
	desk bool
	// open marks what servers may ask too: they have no localpart.
	open bool
}

// gatewayRoutes is what the gateway itself answers.
func (c *Component) gatewayRoutes() map[iqKind]iqRoute {
	return map[iqKind]iqRoute{
		{"get", nsDiscoInfo, "query"}:  {serve: c.infoGateway, open: true},
		{"get", nsDiscoItems, "query"}: {serve: c.itemsGateway, open: true},
		{"get", nsPing, "ping"}:        {serve: c.ping, open: true},
		{"get", nsVersion, "query"}:    {serve: c.version, open: true},
		{"get", nsLast, "query"}:       {serve: c.uptime, open: true},
		{"get", nsTime, "time"}:        {serve: c.clock, open: true},
		{"get", nsSearch, "query"}:     {serve: c.getSearch, desk: true},
		{"set", nsSearch, "query"}:     {serve: c.setSearch, desk: true},
		{"get", nsRegister, "query"}:   {serve: c.getRegister, desk: true},
		{"set", nsRegister, "query"}:   {serve: c.setRegister, desk: true},
		{"get", nsGateway, "query"}:    {serve: c.getPrompt},
		{"set", nsGateway, "query"}:    {serve: c.setPrompt, desk: true},
		{"set", nsCommands, "command"}: {serve: c.runCommand, desk: true},
		{"get", nsPubSub, "pubsub"}:    {serve: c.getNode},
		{"set", nsPubSub, "pubsub"}:    {serve: c.setNode},
		{"get", nsVCard, "vCard"}:      {serve: c.gatewayCard},
		{"set", nsVCard, "vCard"}:      {serve: c.setCard},
	}
}

// contactRoutes is what every contact answers, at the bare address and at any
// resource: clients lock onto what they have seen.
func (c *Component) contactRoutes() map[iqKind]iqRoute {
	return map[iqKind]iqRoute{
		{"get", nsDiscoInfo, "query"}:  {serve: c.infoContact},
		{"get", nsDiscoItems, "query"}: {serve: c.itemsContact},
		{"get", nsPing, "ping"}:        {serve: c.ping},
		{"get", nsVersion, "query"}:    {serve: c.version},
		{"get", nsPubSub, "pubsub"}:    {serve: c.getNode},
		{"set", nsPubSub, "pubsub"}:    {serve: c.setNode},
		{"get", nsVCard, "vCard"}:      {serve: c.getVCard},
		{"set", nsVCard, "vCard"}:      {serve: c.setCard},
		{"get", nsVCard4, "vcard"}:     {serve: c.getVCard4},
		{"set", nsVCard4, "vcard"}:     {serve: c.setCard},
	}
}

// iq answers every request (RFC 6120 §8.2.3). Results and errors do not come here.
func (c *Component) iq(ctx context.Context, el *Element) {
	v := c.visitor(el)
	children := el.Children()
	if !c.serves(el.From()) {
		c.settle(ctx, el, v, answer{}, &StanzaError{Condition: Forbidden, Text: c.say(v, gateway.TextForeign)})
		return
	}
	if len(children) != 1 {
		c.settle(ctx, el, v, answer{}, &StanzaError{Condition: BadRequest})
		return
	}
	routes := c.contacts
	if el.To().Local() == "" {
		routes = c.gateway
	}
	route, ok := routes[iqKind{el.Attr("type"), children[0].Name.Space, children[0].Name.Local}]
	switch {
	case !ok:
		c.settle(ctx, el, v, answer{}, &StanzaError{Condition: ServiceUnavailable})
	case el.From().Local() == "" && !route.open:
		c.settle(ctx, el, v, answer{}, &StanzaError{Condition: Forbidden})
	case !route.desk:
		a, err := c.guarded(ctx, el, v, route)
		c.settle(ctx, el, v, a, err)
	default:
		taken := c.errands.offer(string(v.User), func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, deskTimeout)
			defer cancel()
			a, err := c.guarded(ctx, el, v, route)
			c.settle(ctx, el, v, a, err)
		})
		if !taken {
			c.settle(ctx, el, v, answer{}, &StanzaError{Condition: ResourceConstraint, Text: c.say(v, gateway.TextBusy)})
		}
	}
}

// guarded runs a handler. A panic costs that request, which is answered all the same.
func (c *Component) guarded(ctx context.Context, el *Element, v gateway.Visitor, r iqRoute) (a answer, err error) {
	defer func() {
		if recover() != nil {
			c.panicked("iq")
			a, err = answer{}, &StanzaError{Condition: InternalServerError}
		}
	}()
	return r.serve(ctx, el, v)
}

// settle writes the answer, and then hands over what is to be shown after it.
func (c *Component) settle(ctx context.Context, el *Element, v gateway.Visitor, a answer, err error) {
	if errors.Is(err, errLater) {
		return
	}
	reply := ResultReply(el, a.payload)
	if err != nil {
		reply = c.errorReply(el, v, c.stanzaError(v, err))
		if reply != nil && a.beside != nil {
			reply.Nodes = append([]Node{{Element: a.beside}}, reply.Nodes...)
		}
	}
	if reply != nil && (a.beside != nil || inWords(a.payload)) {
		reply.SetLang(c.spoken(v))
	}
	c.reply(ctx, reply)
	c.after(ctx, a.after)
}

// inWords tells answers that are made of what people read. Service discovery is not: its languages count in its hash (XEP-0115 §5.1).
func inWords(payload *Element) bool {
	if payload == nil {
		return false
	}
	switch payload.Name.Space {
	case nsRegister, nsCommands, nsSearch, nsGateway:
		return true
	}
	return false
}

// after stores what follows an answer; the outbox writes it behind the answer.
func (c *Component) after(ctx context.Context, show []gateway.Rendering) {
	if len(show) == 0 {
		return
	}
	// The answer is out: what follows from it must not fall victim to its deadline.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deskTimeout)
	defer cancel()
	if err := c.gw.Show(ctx, c.cfg.Adapter, show...); err != nil {
		c.log.Error("not shown after an answer", "count", len(show), "error", err.Error())
	}
}

// stanzaError makes an error stanza of what a handler returned. An error that is
// no refusal is ours: its details stay here.
func (c *Component) stanzaError(v gateway.Visitor, err error) *StanzaError {
	var stanza *StanzaError
	var session *gateway.SessionError
	var refusal *gateway.Refusal
	switch {
	case errors.As(err, &stanza):
		return stanza
	case errors.As(err, &session):
		return &StanzaError{Condition: Condition(session.Condition), Text: session.Text, App: NewElement(nsCommands, session.Kind)}
	case errors.As(err, &refusal):
		return &StanzaError{Condition: Condition(refusal.Condition), Text: refusal.Text}
	case errors.Is(err, gateway.ErrNoPerson), errors.Is(err, gateway.ErrNoContact):
		return &StanzaError{Condition: ItemNotFound}
	case errors.Is(err, gateway.ErrNoAccount):
		return &StanzaError{Condition: RegistrationRequired, Text: c.say(v, gateway.TextNotRegistered, c.self.String())}
	case errors.Is(err, context.DeadlineExceeded):
		return &StanzaError{Condition: RemoteServerTimeout}
	}
	c.log.Error("request failed", "error", err.Error())
	return &StanzaError{Condition: InternalServerError, Text: c.say(v, gateway.TextInternal)}
}
