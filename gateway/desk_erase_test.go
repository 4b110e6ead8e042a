package gateway_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// written is a store that shows what records it holds, by owner, kind and name.
type written struct {
	gateway.Store
	all map[string]string
}

func (w *written) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	err := w.Store.Save(ctx, o, cs...)
	for _, c := range cs {
		key := fmt.Sprint(o, "/", c.Kind, "/", c.Name)
		switch {
		case err != nil:
		case c.Value == nil:
			delete(w.all, key)
		default:
			w.all[key] = fmt.Sprintf("%d bytes, %x", len(c.Value), sha256.Sum256(c.Value))
		}
	}
	return err
}

func (w *written) Erase(ctx context.Context, o gateway.Owner) error {
	err := w.Store.Erase(ctx, o)
	if err == nil {
		maps.DeleteFunc(w.all, func(key, _ string) bool { return strings.HasPrefix(key, string(o)+"/") })
	}
	return err
}

// besides returns what is held but the audit log and the texts of consents, which are of nobody.
func (w *written) besides() map[string]string {
	out := maps.Clone(w.all)
	maps.DeleteFunc(out, func(key, _ string) bool {
		return strings.HasPrefix(key, "audit/") || strings.HasPrefix(key, "x:") && strings.Contains(key, "/consent/")
	})
	return out
}

var sure = map[string]string{"confirm": "true"}

// Users erase themselves: what is left is what was there before they came, and lines that only who has the salts knows to be about them.
func TestEraseByUser(t *testing.T) {
	c := newCounter(t)
	store := &written{c.store, map[string]string{}}
	c.moat = &gatewaytest.Adapter{Describe: wallDescriptor()}
	c.identity, c.desk = gateway.NewIdentity(store, c.keys), c.open(store)
	c.register(c.juliet, "Capulet")
	c.befriend(c.account(c.juliet), "id-tybalt", "Tybalt")
	_, juliets := c.exported(c.juliet.User)
	before := store.besides()

	c.register(c.romeo, "Montague")
	c.register(gateway.Visitor{Adapter: "moat", User: c.romeo.User}, "Rosaline")
	c.moderates()
	tybalt := c.befriend(c.account(c.romeo), "id-tybalt", "Tybalt")
	c.next(c.romeo, c.start(c.romeo, gateway.NodeReport), map[string]string{"contact": "tybalt", "reason": "abuse", "statement": "He bit his thumb.", "block": "true"})
	full := store.besides()
	if len(full) < len(before)+10 {
		t.Fatalf("got %d records after %d, want more: this proves nothing", len(full), len(before))
	}

	r := c.say(c.romeo, "erase")
	for _, want := range []string{"on all platforms", "Wall (Montague)", "Wall (Rosaline)", "files that were stored on a server", "received stays with them", "log stay, without names", "Erase everything?"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("the question lacks %q: %s", want, r.Text)
		}
	}
	if r := c.say(c.romeo, "no"); !strings.Contains(r.Text, "Nothing was erased") || !c.registered(c.romeo) {
		t.Fatalf("got %q, want that nothing happened", r.Text)
	}
	form := c.start(c.romeo, gateway.NodeErase)
	if _, err := c.desk.Continue(t.Context(), c.romeo, form.Session, gateway.ActionComplete, nil); err == nil || !c.registered(c.romeo) {
		t.Fatal("erased without a confirmation")
	}
	c.say(c.romeo, "erase")
	r = c.say(c.romeo, "yes")
	if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "is erased") || strings.Contains(r.Text, "not confirmed") {
		t.Fatalf("got %+v, want to be erased", r)
	}
	if diff := cmp.Diff(before, store.besides()); diff != "" {
		t.Errorf("what is left (-before +after):\n%s", diff)
	}
	for key, value := range store.all {
		for _, word := range []string{"romeo", "Montague", "Rosaline", string(tybalt.Alias), c.keys.Name("user", string(c.romeo.User))} {
			if strings.Contains(key+value, word) {
				t.Errorf("%s holds %q", key, word)
			}
		}
	}
	if _, now := c.exported(c.juliet.User); now != juliets {
		t.Errorf("the other user:\n%s\nwas\n%s", now, juliets)
	}
	c.wantLine(r.Text)

	// The platforms are told, and rosters at both addresses lose their contacts.
	for _, p := range []*gatewaytest.Adapter{c.platform, c.moat} {
		if !strings.Contains(strings.Join(p.Calls(), "\n"), "unlink ep-") {
			t.Errorf("a platform was not told: %q", p.Calls())
		}
	}
	if here := shown(r.After); !strings.Contains(here, string(tybalt.Alias)+"@wall.example.org -> romeo@example.org: unsubscribed") || strings.Contains(here, "moat") {
		t.Errorf("behind the answer:\n%s", here)
	}
	if there := shown(c.elsewhere["moat"]); len(c.elsewhere) != 1 || !strings.Contains(there, "moat.example.org -> romeo@example.org: unsubscribed") {
		t.Errorf("at the other address:\n%s", there)
	}
	_, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeErase)
	c.refused(err, gateway.RegistrationRequired, "")
	c.register(c.romeo, "Montague")
}

// wantLine checks that the salt in an answer shows which line tells of the erasure, and that it is the last one.
func (c *counter) wantLine(text string) {
	c.t.Helper()
	m := regexp.MustCompile(`Line (\d+) of`).FindStringSubmatch(text)
	all := c.lines()
	last := all[len(all)-1]
	if m == nil || m[1] != fmt.Sprint(last.Seq) || last.Actor != gateway.ActorUser || last.Action != "user.erase" || last.Object != "" {
		c.t.Fatalf("got %q, the last line is %+v", text, last)
	}
	salt := text[strings.LastIndex(text, "\n")+1:]
	if last.Subject != gateway.Commitment(salt, c.romeo.User) {
		c.t.Errorf("%q does not show the line to be about the user", salt)
	}
}

// The line is written first: without it nothing is erased.
func TestEraseByUserNotWritten(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	r := c.start(c.romeo, gateway.NodeErase)
	desk := c.open(&brittle{Store: c.store, fails: map[gateway.RecordKind]bool{gateway.RecordAudit: true}})
	if got, err := desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, sure); err == nil || !c.registered(c.romeo) {
		t.Errorf("got %+v, want an error and nothing erased", got)
	}
}

// What breaks off anywhere goes on when its user asks again, registered still or not.
func TestEraseByUserInterrupted(t *testing.T) {
	for fail := 1; ; fail++ {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		c.befriend(c.account(c.romeo), "id-tybalt", "Tybalt")
		r := c.start(c.romeo, gateway.NodeErase)
		_, err := c.open(&failing{Store: c.store, at: fail}).Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, sure)
		if err == nil {
			if fail < 5 {
				t.Fatal("nothing was interrupted")
			}
			return
		}
		c.restart()
		cmds, err := c.desk.Commands(t.Context(), c.romeo)
		if err != nil || !strings.Contains(fmt.Sprint(cmds), gateway.NodeErase) || !strings.Contains(c.say(c.romeo, "help").Text, "erase - ") {
			t.Errorf("after a failure at call %d: got %v, %v, want that the command is offered", fail, cmds, err)
		}
		if fail%2 == 0 { // the same question again, or a new one
			r = c.start(c.romeo, gateway.NodeErase)
		}
		r = c.next(c.romeo, r, sure)
		if _, _, err := c.desk.Export(t.Context(), c.romeo.User, ""); !errors.Is(err, gateway.ErrNoAccount) {
			t.Fatalf("after a failure at call %d: got %v, want nothing held", fail, err)
		}
		c.wantLine(r.Text)
	}
}

// Whoever has left still has consents and deeds here, and may have them erased; whoever never came is offered nothing.
func TestEraseAfterLeaving(t *testing.T) {
	c := newCounter(t)
	_, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeErase)
	c.refused(err, gateway.RegistrationRequired, "")
	if r := c.say(c.romeo, "help"); strings.Contains(r.Text, "erase") {
		t.Errorf("before: got %q", r.Text)
	}
	c.register(c.romeo, "Montague")
	c.next(c.romeo, c.start(c.romeo, gateway.NodeUnregister), sure)
	receiptOf(t, c, c.romeo)
	r := c.say(c.romeo, "erase")
	if !strings.Contains(r.Text, "Erase everything?") || strings.Contains(r.Text, "These connections") {
		t.Fatalf("got %q, want the question, of no connections", r.Text)
	}
	c.wantLine(c.say(c.romeo, "yes").Text)
	if got := c.deeds(c.romeo.User); got != nil {
		t.Errorf("got %q, want that nothing can be shown", got)
	}
}

// A platform that is down is asked again; its user knows that this is kept so long.
func TestEraseByUserPending(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	down := true
	c.platform.Play(script{Unlink: func(gateway.Credentials) error {
		if down {
			return &gateway.SendError{Class: gateway.Retryable, Code: "down"}
		}
		return nil
	}})
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeErase), sure)
	if !strings.Contains(r.Note, "not confirmed your withdrawal yet: 1") || c.unconfirmed() != 1 {
		t.Errorf("got %q, %d under way", r.Note, c.unconfirmed())
	}
	down = false
	if told, err := c.desk.RetryUnlinks(t.Context()); err != nil || len(told) != 1 || c.unconfirmed() != 0 {
		t.Errorf("got %d told, %v, %d under way", len(told), err, c.unconfirmed())
	}
}
