package xmpp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"postern/gateway"
	"postern/xmpp/xmpptest"
)

// fakeGateway knows who has which contacts and remembers what it was asked. It
// fails the test when a user of another provider reaches it.
type fakeGateway struct {
	t        *testing.T
	domain   string                                      // of the users served
	contacts map[gateway.UserID]map[gateway.Alias]string // names; a user without an entry is not registered
	caps     gateway.Caps
	greet    []gateway.Rendering
	news     func(context.Context, func(gateway.Rendering) error) error
	farewell []gateway.Rendering
	pages    int // of contacts that were read
	presence []gateway.Rendering
	pictures map[gateway.Alias]gateway.Picture
	gone     map[gateway.Alias]bool                  // pictures that have to be recalled
	err      error                                   // of every call
	onAsk    func(context.Context, gateway.Outbound) // may block
	onShow   func()

	items map[gateway.Alias]gateway.RosterItem // of everybody; nil for none

	mu      sync.Mutex
	listed  []string
	asked   []gateway.Outbound
	digests []string
	bounced []string
	refuses int // so many bounces are not taken
	shown   []gateway.Rendering
	kinds   []gateway.PresenceKind

	declined []gateway.Alias // calls
}

func newFakeGateway(t *testing.T) *fakeGateway {
	return &fakeGateway{t: t, domain: "@example", caps: testDescriptor().Caps, contacts: map[gateway.UserID]map[gateway.Alias]string{
		"romeo@example":  {"anna7": "Anna Secret-A"},
		"juliet@example": {"bruno9": "Bruno Secret-B"},
	}}
}

func (f *fakeGateway) vet(u gateway.UserID) {
	if !strings.HasSuffix(string(u), f.domain) {
		f.t.Errorf("the gateway was asked by %s", u)
	}
}

func (f *fakeGateway) find(u gateway.UserID, a gateway.Alias) (string, error) {
	f.vet(u)
	mine, ok := f.contacts[u]
	if !ok {
		return "", gateway.ErrNoAccount
	}
	name, ok := mine[a]
	if !ok {
		return "", gateway.ErrNoContact
	}
	return name, nil
}

func (f *fakeGateway) Ask(ctx context.Context, out gateway.Outbound, digest []byte) error {
	if f.onAsk != nil {
		f.onAsk(ctx, out)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch _, err := f.find(out.User, out.Alias); {
	case errors.Is(err, gateway.ErrNoAccount):
		return &gateway.Refusal{Condition: gateway.RegistrationRequired, Text: "register first"}
	case errors.Is(err, gateway.ErrNoContact):
		return &gateway.Refusal{Condition: gateway.ItemNotFound, Text: "nobody there"}
	}
	if f.err != nil {
		return f.err
	}
	f.asked = append(f.asked, out)
	f.digests = append(f.digests, string(digest))
	return nil
}

func (f *fakeGateway) RosterItem(_ context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.RosterItem, error) {
	f.vet(v.User)
	f.mu.Lock()
	defer f.mu.Unlock()
	item, ok := f.items[alias]
	if !ok {
		return item, gateway.ErrNoContact
	}
	item.Alias, item.Local = alias, alias
	return item, nil
}

func (f *fakeGateway) RosterItems(ctx context.Context, v gateway.Visitor, each func(gateway.RosterItem) error) error {
	f.mu.Lock()
	aliases := slices.Sorted(maps.Keys(f.items))
	f.mu.Unlock()
	for _, a := range aliases {
		item, err := f.RosterItem(ctx, v, a)
		if err == nil {
			err = each(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeGateway) Listed(_ context.Context, v gateway.Visitor, alias gateway.Alias, as string) ([]gateway.Rendering, error) {
	f.vet(v.User)
	f.mu.Lock()
	defer f.mu.Unlock()
	item := f.items[alias]
	item.Listed, item.As, item.Removed = true, as, false
	f.items[alias] = item
	f.listed = append(f.listed, string(alias)+" as "+as)
	return []gateway.Rendering{{Component: testDomain, From: alias, To: v.User, What: gateway.ShowPresence{Available: true}}}, nil
}

func (f *fakeGateway) Unlisted(_ context.Context, v gateway.Visitor, alias gateway.Alias) error {
	f.vet(v.User)
	f.mu.Lock()
	defer f.mu.Unlock()
	item := f.items[alias]
	item.Listed, item.As, item.Removed = false, "", true
	f.items[alias] = item
	f.listed = append(f.listed, "no "+string(alias))
	return nil
}

// Echoed knows the ids that begin with "own-".
func (f *fakeGateway) Echoed(id gateway.StanzaID) bool { return strings.HasPrefix(string(id), "own-") }

func (f *fakeGateway) Bounced(_ context.Context, _ gateway.AdapterID, alias gateway.Alias, user gateway.UserID, id gateway.StanzaID, condition string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vet(user)
	if f.refuses--; f.refuses >= 0 {
		return errors.New("store not reached")
	}
	f.bounced = append(f.bounced, fmt.Sprintf("%s %s %s %s", alias, user, id, condition))
	return nil
}

// bounces is what was recorded, in order.
func (f *fakeGateway) bounces() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.bounced, ";")
}

func (f *fakeGateway) Show(_ context.Context, _ gateway.AdapterID, r ...gateway.Rendering) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown = append(f.shown, r...)
	if f.onShow != nil {
		f.onShow()
	}
	return nil
}

func (f *fakeGateway) Presence(_ context.Context, v gateway.Visitor, alias gateway.Alias, kind gateway.PresenceKind) ([]gateway.Rendering, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vet(v.User)
	f.kinds = append(f.kinds, kind)
	if alias == "" && kind == gateway.PresenceAvailable {
		return nil, f.err
	}
	return f.presence, f.err
}

func (f *fakeGateway) Returns(gateway.Visitor) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.presence) > 0
}

func (f *fakeGateway) Contacts(_ context.Context, v gateway.Visitor, page string) ([]gateway.Rendering, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vet(v.User)
	from, _ := strconv.Atoi(page)
	to := min(from+50, len(f.presence))
	f.pages++
	if to == len(f.presence) {
		return f.presence[from:], "", f.err
	}
	return f.presence[from:to], strconv.Itoa(to), f.err
}

func (f *fakeGateway) News(ctx context.Context, _ gateway.AdapterID, yield func(gateway.Rendering) error) error {
	if f.news == nil {
		return nil
	}
	return f.news(ctx, yield)
}

func (f *fakeGateway) Greet(_ context.Context, _ gateway.AdapterID, yield func(gateway.Rendering) error) error {
	return yieldAll(f.greet, yield)
}

func (f *fakeGateway) Farewell(_ context.Context, _ gateway.AdapterID, yield func(gateway.Rendering) error) error {
	return yieldAll(f.farewell, yield)
}

func yieldAll(rs []gateway.Rendering, yield func(gateway.Rendering) error) error {
	for _, r := range rs {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeGateway) Caps(_ context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.Caps, *gateway.Contact, error) {
	if f.err != nil {
		return gateway.Caps{}, nil, f.err
	}
	name, err := f.find(v.User, alias)
	return f.caps, &gateway.Contact{Alias: alias, Name: name}, err
}

func avatarOf(p gateway.Picture) gateway.Avatar {
	return gateway.Avatar{SHA1: p.SHA1, MIME: p.MIME, Size: len(p.Bytes), Width: p.Width, Height: p.Height}
}

func (f *fakeGateway) Card(_ context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.Card, error) {
	name, err := f.find(v.User, alias)
	return gateway.Card{Name: name, Avatar: avatarOf(f.pictures[alias])}, err
}

func (f *fakeGateway) Picture(_ context.Context, v gateway.Visitor, alias gateway.Alias, sha1 string) (gateway.Picture, error) {
	if _, err := f.find(v.User, alias); err != nil {
		return gateway.Picture{}, err
	}
	switch p := f.pictures[alias]; {
	case p.SHA1 != sha1:
		return gateway.Picture{}, gateway.ErrNoPicture
	case f.gone[alias]:
		return gateway.Picture{}, gateway.ErrPictureGone
	default:
		return p, nil
	}
}

func (f *fakeGateway) RecallPicture(ctx context.Context, v gateway.Visitor, alias gateway.Alias, sha1 string) (gateway.Picture, error) {
	delete(f.gone, alias)
	return f.Picture(ctx, v, alias, sha1)
}

func (f *fakeGateway) Avatars(_ context.Context, v gateway.Visitor, yield func(gateway.Rendering) error) error {
	f.vet(v.User)
	for alias := range f.contacts[v.User] {
		if p, ok := f.pictures[alias]; ok {
			err := yield(gateway.Rendering{Component: testDomain, From: alias, To: v.User, Resource: v.Resource, What: gateway.ShowAvatar{Avatar: avatarOf(p)}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fakeGateway) lastAsked(t *testing.T) gateway.Outbound {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		t.Fatal("the gateway was asked nothing")
	}
	return f.asked[len(f.asked)-1]
}

func (f *fakeGateway) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// fakeDesk has one command of two steps. A session belongs to who opened it.
type fakeDesk struct {
	t *testing.T

	mu         sync.Mutex
	registered map[gateway.UserID]bool
	sessions   map[string]*fakeSession
	last       map[string]string // answers of the last step
	said       []string
	hold       chan struct{} // every call waits for it when set
	after      []gateway.Rendering
}

type fakeSession struct {
	user gateway.UserID
	step int
	over bool
}

func newFakeDesk(t *testing.T) *fakeDesk {
	return &fakeDesk{t: t, registered: map[gateway.UserID]bool{"romeo@example": true, "juliet@example": true}, sessions: map[string]*fakeSession{}}
}

func (d *fakeDesk) enter(v gateway.Visitor) func() {
	if !strings.HasSuffix(string(v.User), "@example") {
		d.t.Errorf("the desk was asked by %s", v.User)
	}
	if d.hold != nil {
		<-d.hold
	}
	d.mu.Lock()
	return d.mu.Unlock
}

func (d *fakeDesk) Commands(_ context.Context, v gateway.Visitor) ([]gateway.Command, error) {
	defer d.enter(v)()
	out := []gateway.Command{{Node: gateway.NodeRegister, Title: "Register"}, {Node: gateway.NodeHelp, Title: "Help"}}
	if d.registered[v.User] {
		out = append(out, gateway.Command{Node: gateway.NodeStatus, Title: "Status"})
	}
	return out, nil
}

func (d *fakeDesk) Registered(_ context.Context, v gateway.Visitor) (string, bool, error) {
	defer d.enter(v)()
	return "+39 ***34", d.registered[v.User], nil
}

func (d *fakeDesk) step(s *fakeSession, id string) gateway.Reply {
	r := gateway.Reply{Session: id, Node: gateway.NodeRegister, Status: gateway.ReplyExecuting, Title: "Register", Text: "Step", Next: s.step == 0, Complete: s.step == 1, Prev: s.step == 1}
	if s.step == 0 {
		r.Fields = []gateway.Field{
			{Name: "note", Kind: gateway.FieldDisplay, Label: "Read this", Value: "all of it"},
			{Name: "phone", Label: "Phone", Kind: gateway.FieldText, Required: true},
			{Name: "pin", Label: "PIN", Kind: gateway.FieldSecret, Value: "must-not-show"},
			{Name: "region", Label: "Region", Kind: gateway.FieldChoice, Options: []gateway.Choice{{ID: "eea", Title: "EEA"}}},
		}
	} else {
		r.Fields = []gateway.Field{{Name: "agree", Label: "I agree", Kind: gateway.FieldBool, Required: true}}
	}
	return r
}

func (d *fakeDesk) Start(_ context.Context, v gateway.Visitor, node string) (gateway.Reply, error) {
	defer d.enter(v)()
	switch node {
	case gateway.NodeHelp:
		return gateway.Reply{Node: node, Status: gateway.ReplyCompleted, Title: "Help", Text: "Ask away", After: d.after}, nil
	case gateway.NodeRegister:
		id := fmt.Sprintf("s%d", len(d.sessions)+1)
		d.sessions[id] = &fakeSession{user: v.User}
		return d.step(d.sessions[id], id), nil
	}
	return gateway.Reply{}, &gateway.Refusal{Condition: gateway.ItemNotFound, Text: "no such command"}
}

func (d *fakeDesk) Continue(_ context.Context, v gateway.Visitor, id string, act gateway.Action, answers map[string]string) (gateway.Reply, error) {
	defer d.enter(v)()
	s := d.sessions[id]
	switch {
	case s == nil || s.user != v.User:
		return gateway.Reply{}, &gateway.SessionError{Kind: gateway.BadSessionID, Refusal: gateway.Refusal{Condition: gateway.BadRequest, Text: "no such session"}}
	case s.over:
		return gateway.Reply{}, &gateway.SessionError{Kind: gateway.SessionExpired, Refusal: gateway.Refusal{Condition: gateway.NotAllowed, Text: "over"}}
	case act == gateway.ActionCancel:
		s.over = true
		return gateway.Reply{Session: id, Node: gateway.NodeRegister, Status: gateway.ReplyCanceled}, nil
	case act == gateway.ActionPrev && s.step == 0:
		return gateway.Reply{}, &gateway.SessionError{Kind: gateway.BadAction, Refusal: gateway.Refusal{Condition: gateway.BadRequest}}
	case act == gateway.ActionPrev:
		s.step--
		return d.step(s, id), nil
	}
	d.last = answers
	if s.step == 0 {
		if answers["phone"] == "" {
			return gateway.Reply{}, &gateway.SessionError{Kind: gateway.BadPayload, Refusal: gateway.Refusal{Condition: gateway.NotAcceptable, Text: "Phone is missing"}}
		}
		if answers["agree"] != "true" {
			s.step = 1
			return d.step(s, id), nil
		}
	}
	s.over, d.registered[v.User] = true, true
	return gateway.Reply{Session: id, Node: gateway.NodeRegister, Status: gateway.ReplyCompleted, Text: "Done", After: d.after}, nil
}

func (d *fakeDesk) Say(_ context.Context, v gateway.Visitor, text string) (gateway.Reply, error) {
	defer d.enter(v)()
	d.said = append(d.said, text)
	switch text {
	case "panic":
		panic("desk")
	case "fail":
		return gateway.Reply{}, fmt.Errorf("database password is hunter2")
	case "on holiday":
		return gateway.Reply{}, &gateway.Refusal{Condition: gateway.ResourceConstraint, Text: "later"}
	}
	return gateway.Reply{Text: "you said " + text, After: d.after}, nil
}

func (d *fakeDesk) Resolve(_ context.Context, v gateway.Visitor, query string) (gateway.Alias, error) {
	defer d.enter(v)()
	switch query {
	case "+39 333":
		return "carla2", nil
	case "nobody":
		return "", gateway.ErrNoPerson
	}
	return "", &gateway.Refusal{Condition: gateway.NotAcceptable, Text: "that is no number"}
}

func (d *fakeDesk) Search(_ context.Context, v gateway.Visitor, name, identifier string) ([]gateway.Found, error) {
	defer d.enter(v)()
	if !d.registered[v.User] {
		return nil, gateway.ErrNoAccount
	}
	switch {
	case name == "carla":
		return []gateway.Found{{Local: "carla2", Name: "Carla"}, {Local: `carla\40there`, Name: "Carla B."}}, nil
	case identifier == "+39 333":
		return []gateway.Found{{Local: "carla2", Name: "Carla"}}, nil
	}
	return nil, nil
}

func (d *fakeDesk) Prompt(v gateway.Visitor) (desc, prompt string) {
	if v.Lang == "it" {
		return "Chi cerchi?", "Numero"
	}
	return "Whom do you look for?", "Phone number"
}

func (d *fakeDesk) Remove(_ context.Context, v gateway.Visitor) (gateway.Reply, error) {
	defer d.enter(v)()
	if !d.registered[v.User] {
		return gateway.Reply{}, &gateway.Refusal{Condition: gateway.RegistrationRequired, Text: "you are not registered"}
	}
	delete(d.registered, v.User)
	return gateway.Reply{Status: gateway.ReplyCompleted, After: d.after}, nil
}

// fakeOutbox hands batches to the wire and remembers which were confirmed.
type fakeOutbox struct {
	batches chan []gateway.Waiting
	taken   chan error // the end of each batch
	lost    chan struct{}

	mu        sync.Mutex
	acquired  int
	released  int
	onRelease func(free bool)

	overtaken bool
}

func newFakeOutbox() *fakeOutbox {
	return &fakeOutbox{batches: make(chan []gateway.Waiting, 16), taken: make(chan error, 16), lost: make(chan struct{})}
}

func (o *fakeOutbox) Acquire(context.Context) (<-chan struct{}, func(bool), error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acquired++
	return o.lost, func(free bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.released++
		if o.onRelease != nil {
			o.onRelease(free)
		}
	}, nil
}

func (o *fakeOutbox) Decline(bool) {}

func (o *fakeOutbox) Overtaken() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.overtaken
}

func (o *fakeOutbox) Pump(ctx context.Context, w gateway.Wire) error {
	for {
		select {
		case b := <-o.batches:
			err := w.Write(ctx, b)
			if err == nil {
				err = w.Barrier(ctx)
			}
			o.taken <- err
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// gatewayRig is a component against a scripted server.
type gatewayRig struct {
	*xmpptest.Conn
	t      *testing.T
	srv    *xmpptest.Server
	gw     *fakeGateway
	desk   *fakeDesk
	outbox *fakeOutbox
	c      *Component
	cfg    Config
	stop   context.CancelFunc
	done   chan struct{}
}

// bubble runs f with a connected component under virtual time.
func bubble(t *testing.T, prepare func(*gatewayRig), f func(t *testing.T, r *gatewayRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &gatewayRig{t: t, srv: xmpptest.NewServer(), gw: newFakeGateway(t), desk: newFakeDesk(t), outbox: newFakeOutbox(), done: make(chan struct{})}
		r.cfg = Config{
			Adapter: "castle", Domain: testDomain, Server: "example", Secret: xmpptest.Secret, Dial: r.srv.Dial, Name: "Castle (Example)",
			Version: "1.2", Descriptor: testDescriptor(),
		}
		if prepare != nil {
			prepare(r)
		}
		var err error
		if r.c, err = New(r.cfg, r.gw, r.desk, r.outbox); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		r.stop = stop
		go func() {
			r.c.Run(ctx)
			close(r.done)
		}()
		r.Conn = r.srv.Accept(t, testDomain)
		f(t, r)
		stop()
		r.Drop()
		<-r.done
	})
}

// answer sends a stanza and returns what comes back.
func (r *gatewayRig) answer(raw string) *Element {
	r.t.Helper()
	r.Send(r.t, raw)
	return r.element()
}

func (r *gatewayRig) element() *Element {
	r.t.Helper()
	el, err := ParseElement([]byte(r.Next(r.t).Raw))
	if err != nil {
		r.t.Fatal(err)
	}
	return el
}

// silent sends a stanza and requires that nothing comes back.
func (r *gatewayRig) silent(raw string) {
	r.t.Helper()
	r.Send(r.t, raw)
	synctest.Wait()
	r.Quiet(r.t)
}

func testDial(context.Context) (net.Conn, error) { return nil, net.ErrClosed }

// slowly serves a request until its time is up.
func slowly(ctx context.Context, _ *Element, _ gateway.Visitor) (answer, error) {
	<-ctx.Done()
	return answer{}, fmt.Errorf("platform: %w", ctx.Err())
}
