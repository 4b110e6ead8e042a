package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	lookWorkers = 2                      // how many contacts are looked at at once: pictures are worth no more
	lookQueue   = 1024                   // further ones wait for their next occasion
	lookPause   = 200 * time.Millisecond // between two contacts, so that platforms keep their patience for messages
	lookTimeout = 30 * time.Second       // for one contact, picture included
	lookEvery   = 24 * time.Hour
	lookRetry   = time.Hour // after a platform that did not answer
	maxName     = 200       // code points of a contact's name that are kept: every contact's record holds one
)

// look is a contact to look at: what the platform shows of them may have changed. It is never stored: whoever is forgotten
// is looked at on the next occasion, at the latest lookEvery after the last look. Looks at one contact keep their order.
type look struct {
	account AccountID
	alias   Alias
	// handle is the picture's, where an event told it; nil asks the platform for name and picture.
	handle *string
	// renamed is true when the contact's name has changed already.
	renamed bool
	// again fetches a picture that is known, because its bytes have gone.
	again bool
}

// look sends somebody to look at a contact who is new or has changed. The lane does not wait for what they find.
func (w *inWalk) look(context.Context) *verdict {
	if w.contact == nil {
		return nil
	}
	var told *string
	if u, ok := w.in.Event.Body.(ContactUpdate); ok && u.Avatar != nil {
		told = u.Avatar
	}
	if told == nil && !w.renamed {
		w.o.g.glance(w.inst, w.account, w.contact)
		return nil
	}
	l := look{account: w.account.ID, alias: w.contact.Alias, handle: told, renamed: w.renamed}
	if l.handle == nil {
		l.handle = new(string)
		*l.handle = unchanged
	}
	w.o.g.askLook(l)
	return nil
}

// unchanged stands for a picture that nothing was told of. No platform's handle has a zero byte.
const unchanged = "\x00"

// glance has a contact looked at when the last look is long ago.
func (g *Gateway) glance(inst Instance, a *Account, c *Contact) {
	if _, ok := inst.Adapter.(Profiles); !ok || !works(a) || time.Now().Unix() < c.LookAfter {
		return
	}
	key := string(a.ID) + "/" + string(c.Alias)
	if _, already := g.looking.load(key); already {
		return
	}
	g.looking.store(key, true)
	if !g.askLook(look{account: a.ID, alias: c.Alias}) {
		g.looking.forget(key)
	}
}

func (g *Gateway) askLook(l look) bool { return enqueue(g.looks, l.account, l.alias, l) }

// carryLooks looks at contacts until ctx ends.
func (g *Gateway) carryLooks(ctx context.Context, queue <-chan look) {
	for {
		select {
		case l := <-queue:
			if err := g.lookAt(ctx, l); err != nil && ctx.Err() == nil {
				g.log.Debug("contact not looked at", "account", string(l.account), "err", err)
			}
			g.looking.forget(string(l.account) + "/" + string(l.alias))
			sleep(ctx, lookPause)
		case <-ctx.Done():
			return
		}
	}
}

// sighting is what a look found.
type sighting struct {
	name   string        // empty: nothing new
	avatar *Avatar       // nil: nothing new
	after  time.Duration // until the next look; 0 leaves it as it was
}

// lookAt finds out how a contact looks, keeps it, and shows what changed. A panic costs the look.
func (g *Gateway) lookAt(ctx context.Context, l look) (err error) {
	defer func() {
		if r := recover(); r != nil {
			g.metrics.panics.Inc()
			g.log.Error("panic contained", "account", string(l.account), "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		}
	}()
	a, err := g.identity.ByID(ctx, l.account)
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	inst, ok := g.instance(a.Adapter)
	if _, stopped := g.orders.Stopped(a.Adapter); !ok || stopped {
		return nil
	}
	c, err := g.identity.Contact(ctx, a, l.alias)
	if errors.Is(err, ErrNoContact) {
		return nil
	}
	if err != nil {
		return err
	}
	var s sighting
	var unseen error
	if st := a.StandingUnder(inst.Adapter.Descriptor()); st == AccountActive || st == AccountExpiring {
		bounded, cancel := context.WithTimeout(ctx, lookTimeout)
		s, unseen = g.see(bounded, inst, a, c, l)
		cancel()
	}
	was := *c
	now, err := g.identity.Revise(ctx, a, l.alias, func(c *Contact) {
		was = *c
		if s.name != "" {
			c.Name = s.name
		}
		if s.avatar != nil {
			c.Avatar = *s.avatar
		}
		if s.after != 0 {
			c.LookAfter = time.Now().Add(s.after).Unix()
		}
	})
	if err != nil {
		return errors.Join(err, unseen)
	}
	if now.Name != was.Name && now.Listed {
		r := Rendering{Component: inst.Component, From: l.alias, To: a.User, Lang: a.Lang, What: ShowRoster{}}
		if err := g.show(ctx, inst.ID, a, r, time.Now(), ""); err != nil {
			return errors.Join(unseen, err)
		}
	}
	return errors.Join(unseen, g.showLook(ctx, inst, a, now, l.renamed || now.Name != was.Name, now.Avatar.SHA1 != was.Avatar.SHA1))
}

// see asks the platform how a contact looks, as far as the look does not know already.
func (g *Gateway) see(ctx context.Context, inst Instance, a *Account, c *Contact, l look) (sighting, error) {
	s := sighting{after: lookEvery}
	picture := Media{Kind: MediaImage}
	switch {
	case l.handle != nil && *l.handle == unchanged:
		return sighting{}, nil
	case l.handle != nil:
		picture.Handle = *l.handle
	default:
		profiles, ok := inst.Adapter.(Profiles)
		if !ok {
			return sighting{}, nil
		}
		p, err := profiles.Profile(ctx, a.Credentials(), c.ID)
		if errors.Is(err, ErrNoPerson) {
			s.avatar = new(Avatar)
			return s, nil
		}
		if err != nil {
			return sighting{after: lookRetry}, err
		}
		s.name, picture = bounded(p.Name), p.Avatar
	}
	if picture.Handle == "" {
		s.avatar = new(Avatar)
		return s, nil
	}
	of := g.keys.Name("handle", string(a.ID), picture.Handle)[:8]
	if c.Avatar.Of == of && !l.again {
		return s, nil
	}
	p, err := g.picture(ctx, inst, a, picture)
	if err != nil {
		if gone, ok := errors.AsType[*FileError](err); !ok || gone.Reason == FileAway {
			s.after = lookRetry
		}
		return s, err // the picture of before stays: it is nearer to the truth than none
	}
	mime, _, _ := strings.Cut(p.MIME, ";")
	s.avatar = &Avatar{SHA1: p.SHA1, MIME: cmp.Or(strings.TrimSpace(mime), "image/png"), Size: len(p.Bytes), Width: p.Width, Height: p.Height, Of: of}
	return s, nil
}

// bounded is a contact's name as it is kept.
func bounded(name string) string {
	if utf8.RuneCountInString(name) <= maxName {
		return name
	}
	return string([]rune(name)[:maxName])
}

// showLook tells the user's clients what changed. Whoever is offline sees it with the presence of their next login.
func (g *Gateway) showLook(ctx context.Context, inst Instance, a *Account, c *Contact, renamed, repainted bool) error {
	var show []Shown
	if repainted {
		if c.Subscribed {
			show = append(show, g.here(a, c))
		}
		show = append(show, ShowAvatar{Avatar: c.Avatar})
	}
	if renamed && c.Name != "" {
		show = append(show, ShowNick{Name: c.Name})
	}
	for _, what := range show {
		if err := g.pass(ctx, inst, a, c.Alias, what, nil); err != nil {
			return err
		}
	}
	return nil
}
