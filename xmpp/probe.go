package xmpp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	nsCarbons = "urn:xmpp:carbons:2" // XEP-0280
	// probeTimeout bounds all questions of a probe: for as long, what is sent to the component is refused.
	probeTimeout = 8 * time.Second
)

// ProbeConfig says which component to look around as. All but TLS and Users are required.
type ProbeConfig struct {
	Domain string // of the component
	Server string // the server's host
	Secret string // shared with the server (XEP-0114 §3)
	Dial   func(context.Context) (net.Conn, error)
	TLS    *tls.Config // nil for plain text
	Users  []string    // domains of users; empty is Server alone
}

// Surroundings is what a server told a component that looked around.
type Surroundings struct {
	// Software is the server's name for itself (XEP-0092); empty where it does not tell.
	Software, Version string
	// Hosts are those of the users, in the order of ProbeConfig.Users.
	Hosts []Host
}

// Host is one virtual host, as seen by a component.
type Host struct {
	Name string
	// Listed: the host shows the component to clients (XEP-0030 §4).
	Listed bool
	// Carbons: what one client sends and gets, a user's other clients get too (XEP-0280).
	Carbons bool
	// Upload is the service of its users (XEP-0363), empty where there is none; UploadMax the largest file in bytes, 0 where it
	// does not tell; UploadRefused why it lets the component itself upload nothing.
	Upload        string
	UploadMax     int64
	UploadRefused string
	// Rosters, Words and Requests are what the host grants (XEP-0356): entries in rosters, messages in a user's name, requests for
	// upload slots in a user's name.
	Rosters, Words, Requests bool
}

// Probe joins the server as a component for a few seconds, asks what there is for it, and leaves. Nobody else may be the component
// meanwhile: a server would end the other connection, or share stanzas out between both. It says nothing to users: what they send
// in that time gets the error that the server itself gives while the component is away, so that nothing is swallowed. An error is
// a *StreamError where the server refused.
func Probe(ctx context.Context, cfg ProbeConfig) (Surroundings, error) {
	c, err := newProber(cfg)
	if err != nil {
		return Surroundings{}, err
	}
	s, err := connect(ctx, streamConfig{
		domain: cfg.Domain, server: cfg.Server, secret: cfg.Secret, dial: cfg.Dial, tls: cfg.TLS, log: c.log, count: func(wireEvent) {},
	})
	if err != nil {
		return Surroundings{}, err
	}
	c.privileges.Store(newPrivileges())
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("the server did not answer within %v", probeTimeout))
	defer cancel()
	live, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer leave()
	wg.Go(func() { _ = s.run(live, c.decline(s)) }) // whoever asks hears why the stream ended
	if err := s.barrier(ctx); err != nil {
		return Surroundings{}, err
	}
	out := Surroundings{}
	if el, err := s.iq(ctx, NewIQ(c.self, c.server, "get", NewElement(nsVersion, "query"))); err == nil {
		q := el.Child(nsVersion, "query")
		out.Software, out.Version = q.Child(nsVersion, "name").Text(), q.Child(nsVersion, "version").Text()
	}
	for _, name := range cfg.hosts() {
		h, err := c.lookAt(ctx, s, name)
		if err != nil {
			return out, err
		}
		out.Hosts = append(out.Hosts, h)
	}
	return out, nil
}

func (cfg ProbeConfig) hosts() []string {
	if len(cfg.Users) == 0 {
		return []string{cfg.Server}
	}
	return cfg.Users
}

// newProber is a component that has neither gateway nor desk: it only asks.
func newProber(cfg ProbeConfig) (*Component, error) {
	if cfg.Dial == nil {
		return nil, errors.New("xmpp: probe: no dial function")
	}
	registerPayloads()
	c := &Component{log: slog.New(slog.DiscardHandler)}
	var err, err2 error
	c.self, err = ParseJID(cfg.Domain)
	c.server, err2 = ParseJID(cfg.Server)
	if err := cmp.Or(err, err2); err != nil {
		return nil, fmt.Errorf("xmpp: probe: %w", err)
	}
	users := map[string]bool{}
	for _, name := range cfg.hosts() {
		j, err := ParseJID(name)
		if err != nil {
			return nil, fmt.Errorf("xmpp: probe: %w", err)
		}
		users[j.Domain()] = true
	}
	c.users.Store(&users)
	return c, nil
}

// decline hears what the hosts grant, answers pings (XEP-0199) and refuses the rest (RFC 6120 §8.3.3.19).
func (c *Component) decline(s *stream) func(context.Context, *Element) {
	return func(ctx context.Context, el *Element) {
		if c.advertised(el) || el.Is(nsClient, "presence") {
			return
		}
		reply := ErrorReply(el, &StanzaError{Condition: ServiceUnavailable})
		if el.Is(nsClient, "iq") && el.Child(nsPing, "ping") != nil {
			reply = ResultReply(el, nil)
		}
		if reply != nil {
			_ = s.send(ctx, reply) // a stream that has ended says so to whoever asks
		}
	}
}

// lookAt asks what a host has. A question that is refused is an answer, no answer at all is an error.
func (c *Component) lookAt(ctx context.Context, s *stream, name string) (Host, error) {
	at, err := ParseJID(name)
	if err != nil {
		return Host{}, err
	}
	h := Host{Name: at.Domain()}
	ask := func(to JID, payload *Element) (*Element, error) {
		el, err := s.iq(ctx, NewIQ(c.self, to, "get", payload))
		if _, refused := errors.AsType[*StanzaError](err); refused {
			return nil, nil
		}
		return el, err
	}
	items, err := ask(at, NewElement(nsDiscoItems, "query"))
	if err != nil {
		return h, err
	}
	h.Listed = slices.ContainsFunc(items.Child(nsDiscoItems, "query").ChildrenNamed(nsDiscoItems, "item"), func(i *Element) bool {
		j, err := ParseJID(i.Attr("jid"))
		return err == nil && j == c.self
	})
	info, err := ask(at, NewElement(nsDiscoInfo, "query"))
	if err != nil {
		return h, err
	}
	h.Carbons = slices.ContainsFunc(info.Child(nsDiscoInfo, "query").ChildrenNamed(nsDiscoInfo, "feature"), func(f *Element) bool {
		return f.Attr("var") == nsCarbons
	})
	service, err := c.searchUpload(ctx, s, at.Domain())
	if err != nil {
		return h, err
	}
	if !service.jid.IsZero() {
		h.Upload, h.UploadMax = service.jid.String(), service.max
		h.UploadRefused, err = c.trySlot(ctx, s, service.jid)
		if err != nil {
			return h, err
		}
	}
	g := c.privileges.Load().settled(ctx, at.Domain())
	h.Rosters, h.Words, h.Requests = g.rosterGet && g.rosterSet, g.outgoing, g.iq("get", nsUpload)
	return h, nil
}

// trySlot asks for a place for one byte, which is never used.
func (c *Component) trySlot(ctx context.Context, s *stream, service JID) (refused string, err error) {
	_, err = s.iq(ctx, NewIQ(c.self, service, "get",
		NewElement(nsUpload, "request", "filename", "postern-doctor.txt", "size", strconv.Itoa(1), "content-type", "text/plain")))
	if no, ok := errors.AsType[*StanzaError](err); ok {
		return cmp.Or(string(no.Condition), "refused"), nil
	}
	return "", err
}
