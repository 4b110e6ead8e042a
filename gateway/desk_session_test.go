package gateway_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func contextThatEnds(c *counter) (context.Context, context.CancelFunc) {
	return context.WithCancel(c.t.Context())
}

func TestSessionBelongsToItsUser(t *testing.T) {
	c := newCounter(t)
	r := c.start(c.romeo, gateway.NodeRegister)
	for _, act := range []gateway.Action{gateway.ActionNext, gateway.ActionPrev, gateway.ActionCancel, "dance"} {
		_, err := c.desk.Continue(c.t.Context(), c.juliet, r.Session, act, agreed("name", "Capulet"))
		c.refused(err, gateway.BadRequest, gateway.BadSessionID)
	}
	for _, id := range []string{"", "x", "-", r.Session + "x", strings.ToUpper(r.Session), "open", "open-" + r.Session} {
		_, err := c.desk.Continue(c.t.Context(), c.romeo, id, gateway.ActionNext, nil)
		c.refused(err, gateway.BadRequest, gateway.BadSessionID)
	}
	_, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, "dance", nil)
	c.refused(err, gateway.BadRequest, gateway.MalformedAction)
	// Another client of the same user may go on.
	elsewhere := c.romeo
	elsewhere.Resource = "phone"
	if r := c.next(elsewhere, r, agreed("name", "Montague")); r.Status != gateway.ReplyCompleted {
		t.Errorf("got %s, want completed", r.Status)
	}
	if c.registered(c.juliet) {
		t.Error("the dialogue registered another user")
	}
}

func TestFinishedSessionIsExpired(t *testing.T) {
	c := newCounter(t)
	done := c.start(c.romeo, gateway.NodeRegister)
	done = c.next(c.romeo, done, agreed("name", "Montague"))
	cancelled := c.start(c.romeo, gateway.NodeAdd)
	if _, err := c.desk.Continue(c.t.Context(), c.romeo, cancelled.Session, gateway.ActionCancel, nil); err != nil {
		t.Fatal(err)
	}
	atOnce := c.start(c.romeo, gateway.NodeStatus)
	for _, id := range []string{done.Session, cancelled.Session, atOnce.Session} {
		_, err := c.desk.Continue(c.t.Context(), c.romeo, id, gateway.ActionNext, agreed("name", "Montague"))
		c.refused(err, gateway.NotAllowed, gateway.SessionExpired)
	}
	_, err := c.desk.Continue(c.t.Context(), c.juliet, done.Session, gateway.ActionNext, nil)
	c.refused(err, gateway.BadRequest, gateway.BadSessionID)
}

func TestSessionRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.platform.Play(script{Link: steps})
		r := c.start(c.romeo, gateway.NodeRegister)
		gatewaytest.Advance(gateway.SessionTTL - time.Second)
		r = c.next(c.romeo, r, agreed("number", "1")) // each step gives the full time again
		gatewaytest.Advance(gateway.SessionTTL - time.Second)
		back, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionPrev, nil)
		if err != nil || len(back.Fields) != 5 {
			t.Fatalf("got %+v, %v, want the step before", back, err)
		}
		gatewaytest.Advance(gateway.SessionTTL + time.Second)
		_, err = c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, agreed("number", "1"))
		c.refused(err, gateway.NotAllowed, gateway.SessionExpired)
		if r := c.say(c.romeo, "yes"); !strings.Contains(r.Text, "help") {
			t.Errorf("got %q, want the hint", r.Text)
		}
	})
}

func TestOldestSessionFallsOut(t *testing.T) {
	c := newCounter(t)
	first := c.start(c.romeo, gateway.NodeRegister)
	hers := c.start(c.juliet, gateway.NodeRegister)
	var last gateway.Reply
	for range 4 {
		last = c.start(c.romeo, gateway.NodeRegister)
	}
	if _, err := c.desk.Continue(c.t.Context(), c.romeo, last.Session, gateway.ActionCancel, nil); err != nil {
		t.Fatal(err)
	}
	c.start(c.romeo, gateway.NodeRegister) // a finished one has made room
	if r := c.next(c.juliet, hers, agreed("name", "Capulet")); r.Status != gateway.ReplyCompleted {
		t.Errorf("another user's dialogue: got %s, want completed", r.Status)
	}
	_, err := c.desk.Continue(c.t.Context(), c.romeo, first.Session, gateway.ActionPrev, nil)
	c.refused(err, gateway.BadRequest, gateway.BadAction) // still there
	c.start(c.romeo, gateway.NodeRegister)
	_, err = c.desk.Continue(c.t.Context(), c.romeo, first.Session, gateway.ActionNext, nil)
	c.refused(err, gateway.NotAllowed, gateway.SessionExpired)
}

// TestAnyReplicaServesTheNextStep alternates between two processes on one store.
func TestAnyReplicaServesTheNextStep(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	other := c.open(c.store)
	r, err := other.Start(c.t.Context(), c.romeo, gateway.NodeRegister)
	if err != nil {
		t.Fatal(err)
	}
	r = c.next(c.romeo, r, agreed("number", "1"))
	r, err = other.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionComplete, map[string]string{"code": "1234", "device": "p"})
	if err != nil || r.Status != gateway.ReplyCompleted {
		t.Fatalf("got %+v, %v, want completed", r, err)
	}
	_, err = c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, nil)
	c.refused(err, gateway.NotAllowed, gateway.SessionExpired)
}

// TestStoreHoldsNoSecretInClear looks for what a dialogue holds in every record of its user.
func TestStoreHoldsNoSecretInClear(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	c.say(c.romeo, "register")
	c.say(c.romeo, "yes")
	c.say(c.romeo, "+49 canary")
	c.say(c.romeo, "1234-canary")
	seen := 0
	spy := &spy{Store: c.store, look: func(v []byte) {
		seen++
		if strings.Contains(string(v), "canary") || strings.Contains(string(v), "romeo") {
			t.Errorf("record in clear: %q", v)
		}
	}}
	c.desk = c.open(spy)
	c.say(c.romeo, "2")
	c.say(c.romeo, "canary nick")
	if seen == 0 {
		t.Error("nothing was stored")
	}
	if strings.Contains(c.log.String(), "canary") {
		t.Errorf("log holds an answer:\n%s", c.log)
	}
}

// spy looks at every value that is saved.
type spy struct {
	gateway.Store
	look func([]byte)
}

func (s *spy) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	for _, c := range cs {
		s.look(c.Value)
	}
	return s.Store.Save(ctx, o, cs...)
}
