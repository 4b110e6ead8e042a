package xmpp

import (
	"bytes"
	"context"

	"postern/gateway"
)

// duty is what a stanza of the outbox needs beyond being written. It is stored
// in a form that depends on nobody's rights: what a server grants is known only
// when it goes out.
type duty int

const (
	plain     duty = iota // written as it is
	ownWords              // a message in a user's name: wrapped, or dropped (XEP-0356 §6)
	listing               // a contact comes into a user's roster: set there, or asked for (XEP-0356 §5)
	unlisting             // a contact leaves: taken out of the roster after it has said so
)

// outgoing is a stanza on its way from the outbox to the stream.
type outgoing struct {
	raw  []byte
	duty duty
	// user and contact are set for a duty; pair, for every stanza, names the conversation, in which order holds.
	user, contact JID
	pair          string
}

// sort tells what a stanza of the outbox needs.
func (c *Component) sort(raw []byte) outgoing {
	out := outgoing{raw: raw}
	from, to := addresses(raw)
	if from == nil || to == nil {
		return out
	}
	own := !c.ours(from)
	if own {
		from, to = to, from
	}
	out.pair = string(bareOf(from)) + " " + string(bareOf(to))
	if !own && (bytes.HasPrefix(raw, []byte("<message ")) || !bytes.Contains(raw, []byte("subscribe")) && !bytes.HasPrefix(raw, []byte("<iq "))) {
		return out
	}
	el, err := ParseElement(raw)
	if err != nil {
		return out
	}
	switch typ := el.Type(); {
	case own:
		out.duty, out.user, out.contact = ownWords, el.From().Bare(), el.To().Bare()
	case el.Is(nsClient, "iq"):
		contact, err := ParseJID(el.Child(nsRoster, "query").Child(nsRoster, "item").Attr("jid"))
		if err != nil {
			return out
		}
		out.duty, out.user, out.contact = listing, el.To().Bare(), contact
		out.pair = contact.String() + " " + out.user.String()
	case el.From().Local() == "":
	case typ == "subscribe":
		out.duty, out.user, out.contact = listing, el.To().Bare(), el.From().Bare()
	case typ == "unsubscribed":
		out.duty, out.user, out.contact = unlisting, el.To().Bare(), el.From().Bare()
	}
	return out
}

// addresses reads from and to of a rendered stanza, which come first.
func addresses(raw []byte) (from, to []byte) {
	_, rest, ok := bytes.Cut(raw, []byte(" from='"))
	if !ok {
		return nil, nil
	}
	from, rest, _ = bytes.Cut(rest, []byte("'"))
	_, rest, ok = bytes.Cut(rest, []byte("to='"))
	if !ok {
		return nil, nil
	}
	to, _, _ = bytes.Cut(rest, []byte("'"))
	return from, to
}

func bareOf(address []byte) []byte {
	bare, _, _ := bytes.Cut(address, []byte("/"))
	return bare
}

// ours tells whether an address is of this component.
func (c *Component) ours(address []byte) bool {
	domain := bareOf(address)
	if _, after, ok := bytes.Cut(domain, []byte("@")); ok {
		domain = after
	}
	return string(domain) == c.self.Domain()
}

// carry writes a batch in order, each stanza as its user's server allows. What
// that is may not be known for a moment after a connect, and a roster takes its
// time to be written: the conversations that go by it wait until the rest of the
// batch is out.
func (c *Component) carry(ctx context.Context, batch []outgoing, write func(context.Context, []byte) error) error {
	rights := c.privileges.Load()
	held := make(map[string]bool)
	var now, later []outgoing
	for _, o := range batch {
		goes := o.duty == ownWords || o.duty == listing
		if goes && rights.pending(o.user.Domain()) || o.duty == listing && c.manages(o.user) {
			held[o.pair] = true
		}
		if held[o.pair] && o.pair != "" {
			later = append(later, o)
		} else {
			now = append(now, o)
		}
	}
	if err := c.carryNow(ctx, now, write); err != nil {
		return err
	}
	for _, o := range later {
		if o.duty != plain {
			rights.settled(ctx, o.user.Domain())
		}
	}
	return c.carryNow(ctx, later, write)
}

// carryNow writes stanzas whose users' servers have said what they allow. A
// contact that leaves and comes back is out of the roster in between.
func (c *Component) carryNow(ctx context.Context, list []outgoing, write func(context.Context, []byte) error) error {
	left := make(map[string]bool)
	start := 0
	for i, o := range list {
		switch {
		case o.duty == unlisting:
			left[o.pair] = true
		case o.duty == listing && left[o.pair]:
			if err := c.carryPart(ctx, list[start:i], write); err != nil {
				return err
			}
			clear(left)
			start = i
		}
	}
	return c.carryPart(ctx, list[start:], write)
}

// carryPart writes the entries of contacts that come, then the stanzas, then takes out who leaves.
func (c *Component) carryPart(ctx context.Context, list []outgoing, write func(context.Context, []byte) error) error {
	listed := c.listAll(ctx, list)
	for i, o := range list {
		var out [][]byte
		switch shown, ok := listed[i]; {
		case o.duty == ownWords:
			out = c.inUsersName(o)
		case ok:
			out = shown
		case o.duty == listing && bytes.HasPrefix(o.raw, []byte("<iq ")):
			// Without the right to write rosters nobody is bothered about a changed entry.
		default:
			out = [][]byte{o.raw}
		}
		for _, b := range out {
			if err := write(ctx, b); err != nil {
				return err
			}
		}
	}
	c.unlistAll(ctx, list)
	return nil
}

// inUsersName wraps a message so that the user's server says it for the user:
// their clients see it as sent, and their archive keeps it (XEP-0356 §6.2). A
// server that has not granted that gets nothing of it.
func (c *Component) inUsersName(o outgoing) [][]byte {
	g := c.granted(o.user)
	inner, err := ParseElement(o.raw)
	if err != nil || !g.outgoing || !c.serves(o.user) || o.contact.Domain() != c.self.Domain() {
		c.count(eventOwnDropped)
		return nil
	}
	host := JID{full: o.user.Domain(), domain: len(o.user.Domain())}
	// The wrapping has the message's own id: by its mark an error about it is known.
	el := NewElement(nsClient, "message", "from", c.self.String(), "to", host.String(), "id", inner.ID()).
		Add(NewElement(g.space, "privilege").Add(NewElement(nsForward, "forwarded").Add(inner)))
	return [][]byte{el.AppendTo(nil)}
}

// sorted makes a batch of the outbox ready, those of long ago with their time (XEP-0203).
func (c *Component) sorted(stanzas []gateway.Waiting, stamp func(gateway.Waiting) []byte) []outgoing {
	out := make([]outgoing, len(stanzas))
	for i, s := range stanzas {
		out[i] = c.sort(stamp(s))
	}
	return out
}
