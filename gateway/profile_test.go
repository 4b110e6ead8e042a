package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// facePlatform is a platform that shows what people look like.
type facePlatform struct {
	*mediaPlatform
	mu    sync.Mutex
	faces map[gateway.ContactID]gateway.Profile
	away  error
	asked int
}

func (p *facePlatform) Profile(_ context.Context, _ gateway.Credentials, c gateway.ContactID) (gateway.Profile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.away != nil {
		return gateway.Profile{}, p.away
	}
	face, ok := p.faces[c]
	if !ok {
		return face, gateway.ErrNoPerson
	}
	return face, nil
}

func (p *facePlatform) paint(c gateway.ContactID, name, handle string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faces[c] = gateway.Profile{Name: name, Avatar: gateway.Media{Kind: gateway.MediaImage, Handle: handle}}
}

func (p *facePlatform) asks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// passing collects what the component is handed besides the outbox.
type passing struct {
	mu    sync.Mutex
	lines []string
}

func (l *passing) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := texts(l.lines)
	l.lines = nil
	return out
}

// faceRig is a rig whose people have faces, and whose component listens.
func faceRig(t *testing.T) (*rig, *facePlatform, *passing) {
	t.Helper()
	p := &facePlatform{mediaPlatform: newMediaPlatform(), faces: map[gateway.ContactID]gateway.Profile{}}
	p.caps.Levels[gateway.FeaturePresence] = gateway.Native
	r := newRig(t, p.platform, gateway.Config{})
	r.stop()
	r.adapter, r.files = p, &gatewaytest.Files{}
	r.start(gateway.Config{})
	heard, ctx := &passing{}, t.Context()
	listening, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		r.gw.Fleeting(listening, wall, func(stanza []byte) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.lines = append(heard.lines, string(stanza))
		})
	})
	gw := r.stop
	r.stop = func() { stop(); wg.Wait(); gw() }
	synctest.Wait() // what nobody listens to yet is gone
	return r, p, heard
}

var phone = gateway.Visitor{Adapter: wall, User: romeo, Resource: "phone"}

func (r *rig) presence(v gateway.Visitor, alias gateway.Alias, kind gateway.PresenceKind) []gateway.Rendering {
	r.t.Helper()
	out, err := r.gw.Presence(r.t.Context(), v, alias, kind)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) card(alias gateway.Alias) gateway.Card {
	r.t.Helper()
	c, err := r.gw.Card(r.t.Context(), phone, alias)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// nextDay lets a day pass for one contact: the rig would poll through all of it.
func (r *rig) nextDay(alias gateway.Alias) {
	r.t.Helper()
	_, err := r.identity.Revise(r.t.Context(), r.account, alias, func(c *gateway.Contact) {
		if ahead := time.Until(time.Unix(c.LookAfter, 0)); ahead <= 0 || ahead > 24*time.Hour {
			r.t.Errorf("the next look is in %s, want within a day", ahead)
		}
		c.LookAfter -= int64(24 * time.Hour / time.Second)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// dropPicture is the end of a picture's time.
func (r *rig) dropPicture(sha1 string) {
	r.t.Helper()
	name := r.keys.Name("picture", string(r.account.ID), sha1)
	err := r.store.Save(r.t.Context(), gateway.Owner("a:"+string(r.account.ID)), gateway.Change{Kind: gateway.RecordPicture, Name: name, TTL: gateway.PictureTTL})
	if err != nil {
		r.t.Fatal(err)
	}
}

func profileUpdate(contact gateway.ContactID, name, avatar *string) gateway.Event {
	return gateway.Event{
		Dedupe: fmt.Sprint("profile:", time.Now().UnixNano()), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: contact}, At: time.Now(),
		Body: gateway.ContactUpdate{Name: name, Avatar: avatar},
	}
}

func TestPictureOfAContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, heard := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"], p.held["face2"] = "the first face", "the second face"
		p.paint("juliet", "Juliet C.", "face1")
		juliet := r.contact("juliet")

		// The first probe is an occasion to look, and is answered at once.
		got := r.presence(phone, juliet, gateway.PresenceProbe)
		if len(got) != 1 || got[0].What.(gateway.ShowPresence).Avatar != "" {
			t.Errorf("got %+v", got)
		}
		gatewaytest.Advance(time.Second)
		first := r.card(juliet)
		if first.Name != "Juliet C." || len(first.Avatar.SHA1) != 40 {
			t.Fatalf("got %+v", first)
		}
		diff(t, "shown", heard.take(), []string{
			"presence available=true away=false avatar=" + first.Avatar.SHA1, "avatar " + first.Avatar.SHA1, "nick Juliet C.",
		})
		pic, err := r.gw.Picture(t.Context(), phone, juliet, first.Avatar.SHA1)
		if err != nil || len(pic.Bytes) != first.Avatar.Size || pic.SHA1 != first.Avatar.SHA1 || pic.MIME != first.Avatar.MIME {
			t.Errorf("got %+v, %v, want what the card says: %+v", pic, err, first.Avatar)
		}
		got = r.presence(phone, juliet, gateway.PresenceProbe)
		if got[0].What.(gateway.ShowPresence).Avatar != first.Avatar.SHA1 || got[0].Resource != "phone" {
			t.Errorf("got %+v", got)
		}

		// Once a day is enough, and the same picture is not fetched twice.
		gatewaytest.Advance(time.Minute)
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		if p.asks() != 1 {
			t.Errorf("asked %d times within an hour, want once", p.asks())
		}
		r.nextDay(juliet)
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		if p.asks() != 2 || p.fetches() != 1 {
			t.Errorf("asked %d times, fetched %d, want 2 and 1", p.asks(), p.fetches())
		}
		diff(t, "shown of the same face", heard.take(), []string(nil))

		// The platform tells of another picture and another name, then of none.
		name, face, none := "Juliet", "face2", ""
		r.mustEvent(profileUpdate("juliet", &name, &face))
		gatewaytest.Advance(time.Second)
		second := r.card(juliet)
		if second.Name != "Juliet" || second.Avatar.SHA1 == first.Avatar.SHA1 || second.Avatar.SHA1 == "" {
			t.Errorf("got %+v", second)
		}
		diff(t, "shown", heard.take(), []string{
			"presence available=true away=false avatar=" + second.Avatar.SHA1, "avatar " + second.Avatar.SHA1, "nick Juliet",
		})
		if _, err := r.gw.Picture(t.Context(), phone, juliet, first.Avatar.SHA1); !errors.Is(err, gateway.ErrNoPicture) {
			t.Errorf("got %v for a picture that is not theirs any more", err)
		}
		r.mustEvent(profileUpdate("juliet", nil, &none))
		gatewaytest.Advance(time.Second)
		diff(t, "shown of no face", heard.take(), []string{"presence available=true away=false", "avatar "})
		if got := r.card(juliet).Avatar; got != (gateway.Avatar{}) {
			t.Errorf("got %+v, want none", got)
		}
	})
}

// A rename alone is told, and asks the platform nothing.
func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, heard := faceRig(t)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		name := "Juliet M."
		r.mustEvent(profileUpdate("juliet", &name, nil))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", heard.take(), []string{"nick Juliet M."})
		if got := r.card(juliet).Name; got != name || p.fetches() != 0 {
			t.Errorf("got %q, %d fetches", got, p.fetches())
		}
	})
}

// A name without end is no name: it would stand in every record, roster and presence.
func TestNamesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		juliet, name := r.contact("juliet"), strings.Repeat("ü", 100_000)
		r.mustEvent(profileUpdate("juliet", &name, nil))
		gatewaytest.Advance(time.Second)
		if got := len([]rune(r.card(juliet).Name)); got != 200 {
			t.Errorf("got %d characters told, want 200", got)
		}
		p.paint("nurse", name, "")
		nurse := r.contact("nurse")
		r.card(nurse)
		gatewaytest.Advance(time.Second)
		if got := len([]rune(r.card(nurse).Name)); got != 200 {
			t.Errorf("got %d characters asked for, want 200", got)
		}
	})
}

// A picture that cannot be had is given up in silence until the next occasion: messages do not wait, and what was shown before stays.
func TestPictureThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, heard := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"], p.held["face2"] = "the face", "another"
		p.paint("juliet", "Juliet", "face1")
		juliet := r.contact("juliet")
		r.presence(phone, juliet, gateway.PresenceProbe)
		gatewaytest.Advance(time.Second)
		before := r.card(juliet).Avatar
		heard.take()

		p.mediaPlatform.mu.Lock()
		p.hold = make(chan struct{}) // the platform does not answer
		p.mediaPlatform.mu.Unlock()
		face := "face2"
		r.mustEvent(profileUpdate("juliet", nil, &face), said("juliet", "n1", "hello", 0))
		gatewaytest.Advance(time.Second)
		if got := texts(r.wire.lines()); !slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, `"hello"`) }) {
			t.Errorf("got %q, want the message at once", got)
		}
		gatewaytest.Advance(2 * time.Minute)
		if got := r.card(juliet).Avatar; got != before {
			t.Errorf("got %+v, want the face of before: %+v", got, before)
		}
		diff(t, "shown", heard.take(), []string(nil))

		p.mediaPlatform.mu.Lock()
		p.hold = nil
		p.mediaPlatform.mu.Unlock()
		p.paint("juliet", "Juliet", "face2")
		r.nextDay(juliet)
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		if got := r.card(juliet).Avatar; got == before || got.SHA1 == "" {
			t.Errorf("got %+v at the next occasion, want the other face", got)
		}
	})
}

// Of two pictures told in a row the later one stays, however long the first takes.
func TestPicturesKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"], p.held["face2"] = "the face", "another"
		juliet, hold := r.contact("juliet"), make(chan struct{})
		slow := func(c chan struct{}) {
			p.mediaPlatform.mu.Lock()
			defer p.mediaPlatform.mu.Unlock()
			p.hold = c
		}
		told := func(face string) {
			r.mustEvent(profileUpdate("juliet", nil, &face))
			gatewaytest.Advance(time.Second)
		}
		slow(hold)
		told("face1")
		slow(nil)
		told("face2")
		close(hold)
		gatewaytest.Advance(time.Second)
		after := r.card(juliet).Avatar
		told("face2")
		if got := r.card(juliet).Avatar; p.fetches() != 2 || got != after || got.SHA1 == "" {
			t.Errorf("got %d pictures fetched, %+v and then %+v, want the second one to stay", p.fetches(), after, got)
		}
	})
}

// An account that cannot act asks nothing about anybody.
func TestNoLooksForALapsedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		p.paint("juliet", "Juliet", "")
		juliet := r.contact("juliet")
		lapsed := *r.account
		lapsed.Standing = gateway.AccountReauthNeeded
		if err := r.identity.Update(t.Context(), lapsed); err != nil {
			t.Fatal(err)
		}
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		if p.asks() != 0 {
			t.Errorf("asked %d times", p.asks())
		}
		if err := r.identity.Update(t.Context(), *r.account); err != nil {
			t.Fatal(err)
		}
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		if p.asks() != 1 {
			t.Errorf("asked %d times once it works again, want once", p.asks())
		}
	})
}

// Whose contact it is not learns nothing.
func TestCardIsTheUsersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"] = "the face"
		p.paint("juliet", "Juliet", "face1")
		juliet := r.contact("juliet")
		r.card(juliet)
		gatewaytest.Advance(time.Second)
		sha := r.card(juliet).Avatar.SHA1
		if _, err := r.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep2", User: "paris@example.org", Standing: gateway.AccountActive}); err != nil {
			t.Fatal(err)
		}
		for who, want := range map[gateway.UserID]error{"paris@example.org": gateway.ErrNoContact, "tybalt@example.org": gateway.ErrNoAccount} {
			v := gateway.Visitor{Adapter: wall, User: who, Resource: "x"}
			if _, err := r.gw.Card(t.Context(), v, juliet); !errors.Is(err, want) {
				t.Errorf("%s: card: got %v, want %v", who, err, want)
			}
			if _, err := r.gw.Picture(t.Context(), v, juliet, sha); !errors.Is(err, want) {
				t.Errorf("%s: picture: got %v, want %v", who, err, want)
			}
			if _, err := r.gw.RecallPicture(t.Context(), v, juliet, sha); !errors.Is(err, want) {
				t.Errorf("%s: recall: got %v, want %v", who, err, want)
			}
			err := r.gw.Avatars(t.Context(), v, func(g gateway.Rendering) error {
				t.Errorf("%s is shown %+v", who, g)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// A client that comes is told of the pictures of those whom its user sees.
func TestAvatarsForAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		p.held["face1"] = "the face"
		for _, who := range []gateway.ContactID{"juliet", "nurse"} {
			p.paint(who, "", "face1")
		}
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		r.contact("mercutio")
		r.presence(phone, juliet, gateway.PresenceSubscribe)
		r.card(nurse) // looked at, never subscribed to
		gatewaytest.Advance(time.Second)
		var got []string
		if err := r.gw.Avatars(t.Context(), phone, func(g gateway.Rendering) error {
			got = append(got, fmt.Sprint(g.From, g.Resource, len(g.What.(gateway.ShowAvatar).Avatar.SHA1)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		diff(t, "shown", got, []string{fmt.Sprint(juliet, "phone", 40)})
	})
}
