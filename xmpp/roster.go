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

	"postern/gateway"
)

const nsRoster = "jabber:iq:roster" // RFC 6121 §2

const (
	rosterTimeout  = 3 * time.Second  // for one request
	rosterPatience = 15 * time.Second // for all entries of one batch: the outbox waits for them
	rosterRefused  = 5 * time.Minute  // how long a server that refused is left alone
	rosterFresh    = time.Minute      // how long a roster that was read is gone by
	rosterParallel = 8                // users whose rosters are changed at once
	rostersKept    = 64               // rosters kept in memory
	healingPace    = 20 * time.Millisecond
	healingTime    = 2 * time.Minute
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

// rosters are those in use, and the hosts that do not let us.
type rosters struct {
	mu      sync.Mutex
	of      map[JID]*roster
	refused map[string]time.Time // host -> when
	proven  map[string]bool      // hosts that were seen to do what they grant
	healed  map[JID]bool         // users looked after since the stream came up
}

func newRosters() *rosters {
	return &rosters{of: make(map[JID]*roster), refused: make(map[string]time.Time), proven: make(map[string]bool), healed: make(map[JID]bool)}
}

// get returns the roster of a user, which may have to be read first.
func (r *rosters) get(user JID) *roster {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one, ok := r.of[user]; ok {
		return one
	}
	if len(r.of) >= rostersKept {
		for old := range r.of {
			delete(r.of, old)
			break
		}
	}
	one := &roster{}
	r.of[user] = one
	return one
}

// forget drops what is known of a user's roster: the user changed it.
func (r *rosters) forget(user JID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, user)
}

// usable tells whether a host's word on rosters is to be tried.
func (r *rosters) usable(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.refused[host]
	return !ok || time.Since(at) > rosterRefused
}

func (r *rosters) refuse(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[host] = time.Now()
}

// manages tells whether a user's roster is ours to write.
func (c *Component) manages(user JID) bool {
	g := c.granted(user)
	return g.rosterGet && g.rosterSet && c.rosters.Load().usable(user.Domain())
}

// listAll puts the contacts of a batch into their users' rosters, several users
// at a time, and returns by place what is shown instead of the stanza.
func (c *Component) listAll(ctx context.Context, list []outgoing) map[int][][]byte {
	users := make(map[JID][]int)
	for i, o := range list {
		if o.duty == listing && c.manages(o.user) {
			users[o.user] = append(users[o.user], i)
		}
	}
	if len(users) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rosterPatience)
	defer cancel()
	out := make(map[int][][]byte)
	var mu sync.Mutex
	c.perUser(users, func(user JID, places []int) {
		for _, i := range places {
			shown, err := c.list(ctx, list[i])
			if err != nil {
				c.rosterFailed(user, err)
				return
			}
			mu.Lock()
			out[i] = shown
			mu.Unlock()
		}
	})
	return out
}

// perUser works for several users at once and waits for all.
func (c *Component) perUser(users map[JID][]int, work func(JID, []int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, rosterParallel)
	for user, places := range users {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if recover() != nil {
					c.panicked("roster")
				}
			}()
			work(user, places)
		})
	}
	wg.Wait()
}

// rosterFailed remembers a server that does not do what it grants.
func (c *Component) rosterFailed(user JID, err error) {
	if errors.Is(err, errLocalClose) || errors.Is(err, gateway.ErrNoContact) || errors.Is(err, gateway.ErrNoAccount) {
		return
	}
	c.rosters.Load().refuse(user.Domain())
	c.log.Warn("roster not written, contacts ask for themselves", "host", user.Domain(), "error", err.Error())
}

// list puts one contact into a user's roster, or its name right, and returns
// what is shown of it then. Without an entry to write there is nothing to show.
func (c *Component) list(ctx context.Context, o outgoing) ([][]byte, error) {
	v := gateway.Visitor{Adapter: c.cfg.Adapter, User: gateway.UserID(o.user.String())}
	item, err := c.gw.RosterItem(ctx, v, gateway.Alias(o.contact.Local()))
	if err != nil {
		return nil, err
	}
	add := !strings.HasPrefix(string(o.raw), "<iq ") || strings.Contains(string(o.raw), "subscription='both'")
	r := c.rosters.Load().get(o.user)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !add {
		r.items = nil // the user may have given another name since
	}
	if err := c.readRoster(ctx, o.user, r); err != nil {
		return nil, err
	}
	return c.listIn(ctx, v, r, item, o.contact, add)
}

// listIn writes one entry; r is held and has been read.
func (c *Component) listIn(ctx context.Context, v gateway.Visitor, r *roster, item gateway.RosterItem, contact JID, add bool) ([][]byte, error) {
	old, there := r.items[contact.String()]
	if !there && !add {
		return nil, nil
	}
	next := c.merged(old, there, item)
	if !there || !old.same(next) {
		user, err := ParseJID(string(v.User))
		if err != nil {
			return nil, err
		}
		if err := c.setEntry(ctx, user, contact, next); err != nil {
			return nil, err
		}
		r.items[contact.String()] = next
		if err := c.prove(ctx, user, contact, r); err != nil {
			return nil, err
		}
	}
	as := next.name
	if next.name != shortened(item.Name, maxNick) {
		as = "" // the user's own: it stays whatever the platform says
	}
	if there && item.Listed && as == item.As && old.subscription == "both" {
		return nil, nil
	}
	shown, err := c.gw.Listed(ctx, v, item.Alias, as)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, g := range shown {
		stanzas, err := c.render.Render(g)
		if err != nil {
			return nil, err
		}
		out = append(out, stanzas...)
	}
	return out, nil
}

// merged is the entry that a contact gets: what the user chose stays.
func (c *Component) merged(old entry, there bool, item gateway.RosterItem) entry {
	next := entry{name: old.name, subscription: "both", groups: old.groups}
	if old.name == "" || item.Listed && item.As != "" && old.name == item.As {
		next.name = shortened(item.Name, maxNick)
	}
	if !there || !item.Listed && len(old.groups) == 0 {
		next.groups = []string{c.cfg.Descriptor.Platform}
		if c.cfg.Descriptor.Platform == "" {
			next.groups = nil
		}
	}
	return next
}

func (e entry) same(other entry) bool {
	return e.name == other.name && e.subscription == other.subscription && slices.Equal(e.groups, other.groups)
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
	items := make(map[string]entry)
	for _, i := range el.Child(nsRoster, "query").ChildrenNamed(nsRoster, "item") {
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

func (c *Component) askRoster(ctx context.Context, user JID, typ string, query *Element) (*Element, error) {
	live := c.live.Load()
	if live == nil {
		return nil, errLocalClose
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rosterTimeout, fmt.Errorf("no answer in %v", rosterTimeout))
	defer cancel()
	return live.stream.iq(ctx, NewIQ(c.self, user, typ, query))
}

// errNotSet is a server that says yes and does something else.
var errNotSet = errors.New("xmpp: roster: the server keeps the subscription as it was")

// prove looks once per host whether an entry came out as it was written.
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

// unlistAll takes the contacts of a batch out of their users' rosters. Its
// errors are no news: an entry that stays has no subscription any more.
func (c *Component) unlistAll(ctx context.Context, list []outgoing) {
	users := make(map[JID][]int)
	for i, o := range list {
		if o.duty != unlisting {
			continue
		}
		c.privileges.Load().settled(ctx, o.user.Domain())
		if c.manages(o.user) {
			users[o.user] = append(users[o.user], i)
		}
	}
	if len(users) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rosterPatience)
	defer cancel()
	c.perUser(users, func(user JID, places []int) {
		c.rosters.Load().forget(user)
		for _, i := range places {
			err := c.setEntry(ctx, user, list[i].contact, entry{subscription: "remove"})
			refused, ok := errors.AsType[*StanzaError](err)
			if err != nil && (!ok || refused.Condition != ItemNotFound) {
				c.log.Debug("roster entry not removed", "host", user.Domain(), "error", err.Error())
			}
		}
	})
}

// healRoster adds, once per stream and user, the contacts that are missing in a
// roster, when the user comes online. What the user took out stays out.
func (c *Component) healRoster(v gateway.Visitor, user JID) {
	all := c.rosters.Load()
	if !c.manages(user) {
		return
	}
	all.mu.Lock()
	done := all.healed[user] || len(all.healed) > 100_000
	all.healed[user] = true
	all.mu.Unlock()
	if done {
		return
	}
	c.errands.offer(string(v.User), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, healingTime)
		defer cancel()
		if err := c.heal(ctx, v, user); err != nil && ctx.Err() == nil {
			c.rosterFailed(user, err)
			return
		}
		c.log.Debug("roster looked after", "host", user.Domain())
	})
}

func (c *Component) heal(ctx context.Context, v gateway.Visitor, user JID) error {
	r := c.rosters.Load().get(user)
	return c.gw.RosterItems(ctx, v, func(item gateway.RosterItem) error {
		if item.Removed {
			return nil
		}
		contact, err := NewJID(string(item.Local), c.self.Domain(), "")
		if err != nil {
			return nil //nolint:nilerr // such a contact has no address to be listed under
		}
		shown, wrote, err := c.healOne(ctx, v, user, r, item, contact)
		if err != nil {
			return err
		}
		for _, b := range shown {
			if err := c.write(ctx, b); err != nil {
				return err
			}
		}
		if !wrote {
			return nil
		}
		select {
		case <-time.After(healingPace):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (c *Component) healOne(ctx context.Context, v gateway.Visitor, user JID, r *roster, item gateway.RosterItem, contact JID) (shown [][]byte, wrote bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := c.readRoster(ctx, user, r); err != nil {
		return nil, false, err
	}
	old, there := r.items[contact.String()]
	switch {
	case !there && item.Listed: // taken out while we were away
		return nil, false, c.gw.Unlisted(ctx, v, item.Alias)
	case there && old.subscription == "both" && item.Listed && (item.As == "" || item.As == item.Name || old.name != item.As):
		return nil, false, nil
	}
	shown, err = c.listIn(ctx, v, r, item, contact, true)
	return shown, true, err
}
