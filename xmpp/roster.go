package xmpp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const nsRoster = "jabber:iq:roster" // RFC 6121 §2

const (
	rosterTimeout  = 3 * time.Second  // for one request
	rosterPatience = 15 * time.Second // for all entries of one batch: the outbox waits for them
	rosterRefused  = 5 * time.Minute  // how long is not tried again what was refused
	refusalsKept   = 1000             // refusals kept in memory
	rosterFresh    = time.Minute      // how long a roster that was read is gone by
	rosterParallel = 8                // users whose rosters are changed at once
	rostersKept    = 64               // rosters kept in memory
)

// entry is one contact of ours in a user's roster.
type entry struct {
	name, subscription string
	groups             []string
}

// roster is what a user's roster holds of this component's contacts.
type roster struct {
	mu    sync.Mutex       // serialises what is done to it
	items map[string]entry // by bare address; nil when it has to be read
	read  time.Time
}

// rosters are those in use on one stream, and where we are not let.
type rosters struct {
	mu      sync.Mutex
	of      map[string]*roster   // by user
	refused map[string]time.Time // host or user -> when
	proven  map[string]bool      // hosts that were seen to do what they grant
	healed  map[string]bool      // users looked after
}

func newRosters() *rosters {
	return &rosters{of: make(map[string]*roster), refused: make(map[string]time.Time), proven: make(map[string]bool), healed: make(map[string]bool)}
}

// get returns the roster of a user, which may have to be read first.
func (r *rosters) get(user JID) *roster {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one, ok := r.of[user.String()]; ok {
		return one
	}
	if len(r.of) >= rostersKept {
		for old := range r.of {
			delete(r.of, old)
			break
		}
	}
	one := &roster{}
	r.of[strings.Clone(user.String())] = one // the address would keep its whole stanza
	return one
}

// forget drops what is known of a user's roster: the user changed it.
func (r *rosters) forget(user JID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, user.String())
}

// usable tells whether a roster is to be tried: neither the user's nor all of
// the host's were refused of late.
func (r *rosters) usable(user JID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, who := range []string{user.Domain(), user.String()} {
		if at, ok := r.refused[who]; ok && time.Since(at) <= rosterRefused {
			return false
		}
	}
	return true
}

// refuse leaves a host's or a user's rosters alone for a while.
func (r *rosters) refuse(who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refused) >= refusalsKept {
		clear(r.refused) // it costs one more try each
	}
	r.refused[strings.Clone(who)] = time.Now()
}

// manages tells whether a user's roster is ours to write.
func (c *Component) manages(user JID) bool {
	g := c.granted(user)
	return g.rosterGet && g.rosterSet && c.rosters.Load().usable(user.Bare())
}

// rosterFailed remembers a server that does not do what it grants, or a user for
// whom it does not: an account that is gone or a roster that is full are nobody
// else's trouble. The end of the stream and our own failures say nothing of either.
func (c *Component) rosterFailed(user JID, err error) {
	who := ""
	refused, answered := errors.AsType[*StanzaError](err)
	switch {
	case errors.Is(err, errNotGranted):
		return
	case answered && refused.Condition != Forbidden, errors.Is(err, errUnreadable):
		who = user.Bare().String()
	case answered, errors.Is(err, errRosterSilent), errors.Is(err, errNotSet):
		who = user.Domain()
	}
	if who == "" {
		c.log.Warn("roster left as it was", "host", user.Domain(), "error", err.Error())
		return
	}
	c.rosters.Load().refuse(who)
	c.log.Warn("roster not written, contacts ask for themselves", "host", user.Domain(), "everybody", who == user.Domain(), "error", err.Error())
}

// readRoster reads a user's roster unless that was done a moment ago (XEP-0356
// §5.1); r is held.
func (c *Component) readRoster(ctx context.Context, user JID, r *roster) error {
	if r.items != nil && time.Since(r.read) < rosterFresh {
		return nil
	}
	el, err := c.askRoster(ctx, user, "get", NewElement(nsRoster, "query"))
	if err != nil {
		return err
	}
	query := el.Child(nsRoster, "query")
	if query == nil { // no empty roster: who is missing there counts as taken out
		return fmt.Errorf("%w: no roster inside", errUnreadable)
	}
	items := make(map[string]entry)
	for _, i := range query.ChildrenNamed(nsRoster, "item") {
		jid, err := ParseJID(i.Attr("jid"))
		if err != nil || jid.Domain() != c.self.Domain() {
			continue
		}
		e := entry{name: strings.Clone(i.Attr("name")), subscription: strings.Clone(cmp.Or(i.Attr("subscription"), "none"))}
		for _, g := range i.ChildrenNamed(nsRoster, "group") {
			e.groups = append(e.groups, strings.Clone(g.Text()))
		}
		slices.Sort(e.groups)
		items[strings.Clone(jid.Bare().String())] = e
	}
	r.items, r.read = items, time.Now()
	return nil
}

// setEntry writes one entry (XEP-0356 §5.2): one per request, and without ask,
// which ejabberd refuses.
func (c *Component) setEntry(ctx context.Context, user, contact JID, e entry) error {
	item := NewElement(nsRoster, "item", "jid", contact.String(), "subscription", e.subscription)
	if e.name != "" {
		item.SetAttr("name", e.name)
	}
	for _, g := range e.groups {
		item.AddTextChild("group", g)
	}
	_, err := c.askRoster(ctx, user, "set", NewElement(nsRoster, "query").Add(item))
	return err
}

// errRosterSilent is a server that does not answer for a user.
var errRosterSilent = fmt.Errorf("no answer in %v", rosterTimeout)

func (c *Component) askRoster(ctx context.Context, user JID, typ string, query *Element) (*Element, error) {
	live := c.live.Load()
	switch {
	case live == nil:
		return nil, errLocalClose
	case !c.manages(user): // no more: a right may go at any time
		return nil, errNotGranted
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rosterTimeout, errRosterSilent)
	defer cancel()
	return live.stream.iq(ctx, NewIQ(c.self, user, typ, query))
}

// errNotSet is a server that says yes and does something else.
var errNotSet = errors.New("xmpp: roster: the server keeps the subscription as it was")

// prove looks once per host whether a subscription came out as it was written.
//
// COMPAT(ejabberd before 24.10): it grants to write rosters and leaves the subscription out.
func (c *Component) prove(ctx context.Context, user, contact JID, r *roster) error {
	all := c.rosters.Load()
	all.mu.Lock()
	proven := all.proven[user.Domain()]
	all.mu.Unlock()
	if proven {
		return nil
	}
	r.items = nil
	if err := c.readRoster(ctx, user, r); err != nil {
		return err
	}
	if r.items[contact.String()].subscription != "both" {
		r.items = nil
		return errNotSet
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.proven[user.Domain()] = true
	return nil
}
