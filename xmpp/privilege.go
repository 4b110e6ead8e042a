package xmpp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Namespaces of XEP-0356: a server speaks one of them, and only the second has IQs.
const (
	nsPrivilegeOld = "urn:xmpp:privilege:1"
	nsPrivilege    = "urn:xmpp:privilege:2"
)

const (
	// privilegedTimeout bounds a request in a user's name: ejabberd drops one that it does not allow without a word.
	privilegedTimeout = 5 * time.Second
	// advertTimeout is how long after the handshake a server may take to say what it grants.
	advertTimeout = 2 * time.Second
	maxNamespaces = 64 // of one advertisement
)

// errNotGranted is a privileged request that the user's server has not allowed.
var errNotGranted = errors.New("xmpp: privilege: not granted")

// grants is what one host allows this component (XEP-0356 §4.2). The zero value
// allows nothing.
type grants struct {
	space                string // namespace that the host speaks
	rosterGet, rosterSet bool
	outgoing             bool // messages in a user's name
	iqGet, iqSet         map[string]bool
}

// iq tells whether the host passes a request with that payload on as a user's.
func (g grants) iq(typ, space string) bool {
	switch {
	case g.space != nsPrivilege: // §7: the older namespace has no IQs
		return false
	case typ == "get":
		return g.iqGet[space]
	case typ == "set":
		return g.iqSet[space]
	}
	return false
}

// privileges is what the hosts of the users allow on one stream: each virtual
// host speaks for itself alone, and what it said ends with the stream.
type privileges struct {
	since time.Time

	mu    sync.Mutex
	hosts map[string]grants
	news  chan struct{} // closed and replaced at every advertisement
}

func newPrivileges() *privileges {
	return &privileges{since: time.Now(), hosts: make(map[string]grants), news: make(chan struct{})}
}

// of returns what a host allows.
func (p *privileges) of(host string) grants {
	if p == nil {
		return grants{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[host]
}

// set replaces everything that a host said before.
func (p *privileges) set(host string, g grants) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts[host] = g
	close(p.news)
	p.news = make(chan struct{})
}

// settled returns what a host allows, once that is known: at the latest
// advertTimeout after the stream came up, when a host that has said nothing
// allows nothing.
func (p *privileges) settled(ctx context.Context, host string) grants {
	if p == nil {
		return grants{}
	}
	timer := time.NewTimer(time.Until(p.since.Add(advertTimeout)))
	defer timer.Stop()
	for {
		p.mu.Lock()
		g, said, news := p.hosts[host], p.said(host), p.news
		p.mu.Unlock()
		if said {
			return g
		}
		select {
		case <-news:
		case <-timer.C:
			return p.of(host)
		case <-ctx.Done():
			return grants{}
		}
	}
}

// pending tells whether a host may yet say what it allows.
func (p *privileges) pending(host string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.said(host) && time.Since(p.since) < advertTimeout
}

func (p *privileges) said(host string) bool {
	_, ok := p.hosts[host]
	return ok
}

// advertised takes a host's word on what it allows (XEP-0356 §4.2); it reports
// true for such a message, which concerns nobody else. Only a host whose users
// we serve is believed, and only for itself: a user could send the same words.
func (c *Component) advertised(el *Element) bool {
	if !el.Is(nsClient, "message") || el.Type() == "error" {
		return false
	}
	from := el.From()
	if from.String() != from.Domain() || el.To() != c.self || !c.serves(from) {
		return false
	}
	for _, space := range []string{nsPrivilege, nsPrivilegeOld} {
		p := el.Child(space, "privilege")
		if p == nil || p.Child(nsForward, "forwarded") != nil {
			continue
		}
		// One without any <perm/> takes everything back.
		g := readGrants(p)
		if now := c.privileges.Load(); now != nil {
			now.set(from.Domain(), g)
		}
		c.log.Info("privileges granted", "host", from.Domain(), "roster", g.rosterSet, "message", g.outgoing, "iq", len(g.iqGet)+len(g.iqSet) > 0)
		return true
	}
	return false
}

// readGrants reads an advertisement. A type that is unknown, or "none" as
// ejabberd writes it, grants nothing.
func readGrants(p *Element) grants {
	g := grants{space: p.Name.Space, iqGet: make(map[string]bool), iqSet: make(map[string]bool)}
	for _, perm := range p.ChildrenNamed(p.Name.Space, "perm") {
		typ := perm.Attr("type")
		switch perm.Attr("access") {
		case "roster":
			g.rosterGet = typ == "get" || typ == "both"
			g.rosterSet = typ == "set" || typ == "both"
		case "message":
			g.outgoing = typ == "outgoing"
		case "iq":
			g.readNamespaces(perm)
		}
	}
	return g
}

// readNamespaces reads <namespace/> at any depth.
//
// COMPAT(prosody-modules mod_privilege): it nests each namespace in the one before.
func (g *grants) readNamespaces(e *Element) {
	for _, n := range e.ChildrenNamed(e.Name.Space, "namespace") {
		ns, typ := n.Attr("ns"), n.Attr("type")
		if ns != "" && len(g.iqGet)+len(g.iqSet) < maxNamespaces {
			if typ == "get" || typ == "both" {
				g.iqGet[ns] = true
			}
			if typ == "set" || typ == "both" {
				g.iqSet[ns] = true
			}
		}
		g.readNamespaces(n)
	}
}

// granted returns what the host of a user allows now.
func (c *Component) granted(user JID) grants { return c.privileges.Load().of(user.Domain()) }

// privileged asks something in a user's name, of the user's own account when
// the payload is for that (XEP-0356 §7.2), and returns the iq that answers. typ
// is get or set. An error that the user's server answers with comes back as
// *StanzaError, errNotGranted when it has not granted such a request.
func (c *Component) privileged(ctx context.Context, user JID, typ string, payload *Element) (*Element, error) {
	return c.privilegedTo(ctx, user, user.Bare(), typ, payload)
}

// privilegedTo is privileged for a request to somebody else, such as an upload service.
func (c *Component) privilegedTo(ctx context.Context, user, to JID, typ string, payload *Element) (*Element, error) {
	user = user.Bare()
	live := c.live.Load()
	switch {
	case live == nil:
		return nil, errLocalClose
	case !c.serves(user) || user.Local() == "" || !c.granted(user).iq(typ, payload.Name.Space):
		return nil, errNotGranted
	}
	ctx, cancel := context.WithTimeoutCause(ctx, privilegedTimeout, fmt.Errorf("no answer in %v", privilegedTimeout))
	defer cancel()
	outer := NewIQ(c.self, user, typ, NewElement(nsPrivilege, "privileged_iq"))
	inner := NewElement(nsClient, "iq", "type", typ, "to", to.String(), "id", outer.ID()).Add(payload)
	outer.FirstChild().Add(inner)
	el, err := live.stream.iq(ctx, outer)
	if err != nil {
		return nil, err
	}
	answer := el.Child(nsPrivilege, "privilege").Child(nsForward, "forwarded").Child(nsClient, "iq")
	if answer == nil {
		return nil, errors.New("xmpp: privilege: no answer inside the answer")
	}
	if refused := ParseStanzaError(answer); refused != nil {
		return nil, refused
	}
	return answer, nil
}
