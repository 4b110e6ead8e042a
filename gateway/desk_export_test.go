package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// kept remembers what was spooled last, and may be away.
type kept struct {
	gatewaytest.Files
	last string
	err  error
}

func (k *kept) Spool(ctx context.Context, m gateway.Media, body io.Reader, most int64) (gateway.File, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, &gateway.FileError{Reason: gateway.FileBroken, Err: err}
	}
	if k.err != nil {
		return nil, k.err
	}
	k.last = string(raw)
	return k.Files.Spool(ctx, m, strings.NewReader(k.last), most)
}

// wantExport checks that a text is an export of romeo, whole.
func (c *counter) wantExport(text string, contacts int) {
	c.t.Helper()
	kinds := map[string]int{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if n == 0 {
			if line != `{"schema":"postern-export/1","user":"romeo@example.org"}` {
				c.t.Errorf("first line: got %s", line)
			}
			continue
		}
		var e gateway.Exported
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Fatalf("line %d: %v", n, err)
		}
		kinds[e.Kind]++
	}
	if kinds["account"] != 1 || kinds["consent"] != 1 || kinds["contact"] != contacts || kinds["deed"] < 3 {
		c.t.Errorf("got %v, want %d contacts", kinds, contacts)
	}
	if strings.Contains(text, "juliet") {
		c.t.Error("another user is in it")
	}
}

func (c *counter) people(n int) {
	for i := range n {
		c.befriend(c.account(c.romeo), gateway.ContactID(fmt.Sprint("id-", i)), fmt.Sprint("Number ", i))
	}
}

// Users get out themselves what postern export writes, as a file, once an hour and after a question.
func TestExportByUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, files := newCounter(t), &kept{}
		c.files = files
		c.restart()
		c.register(c.romeo, "Montague")
		c.register(c.juliet, "Capulet")
		c.people(450)
		if r := c.say(c.romeo, "export"); !strings.Contains(r.Text, "Get the copy?") {
			t.Fatalf("got %q, want a question", r.Text)
		}
		if r := c.say(c.romeo, "no"); !strings.Contains(r.Text, "No copy was made") || len(c.files.(*kept).Published()) > 0 {
			t.Fatalf("got %q, want none", r.Text)
		}
		r := c.next(c.romeo, c.start(c.romeo, gateway.NodeExport), map[string]string{"confirm": "true"})
		if !strings.Contains(r.Text, "https://up.example/1/postern-export.jsonl") || files.Open() != 0 {
			t.Errorf("got %q, %d files open", r.Text, files.Open())
		}
		c.wantExport(files.last, 450)
		if got := c.deeds(c.romeo.User); got[len(got)-1] != "user user.export wall" {
			t.Errorf("deeds: got %q", got)
		}
		<-time.After(50 * time.Minute)
		_, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeExport)
		if text := c.refused(err, gateway.ResourceConstraint, ""); !strings.Contains(text, "in 10 min") {
			t.Errorf("got %q, want when", text)
		}
		if r := c.say(c.juliet, "export"); !strings.Contains(r.Text, "Get the copy?") {
			t.Errorf("another user: got %q", r.Text)
		}
		<-time.After(11 * time.Minute)
		c.next(c.romeo, c.start(c.romeo, gateway.NodeExport), map[string]string{"confirm": "true"})
		if n := len(files.Published()); n != 2 {
			t.Errorf("got %d files, want another after an hour", n)
		}
	})
}

// What breaks off does not count, and begins again.
func TestExportByUserInterrupted(t *testing.T) {
	c, files := newCounter(t), &kept{}
	c.files = files
	c.restart()
	c.register(c.romeo, "Montague")
	c.people(450)
	desk := c.open(&listsFail{Store: c.store, at: 3})
	r, err := desk.Start(t.Context(), c.romeo, gateway.NodeExport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"confirm": "true"}); !errors.Is(err, errBlip) {
		t.Fatalf("got %v, want that it broke off", err)
	}
	if len(files.Published()) != 0 {
		t.Fatal("half of an export was handed out")
	}
	c.next(c.romeo, c.start(c.romeo, gateway.NodeExport), map[string]string{"confirm": "true"})
	c.wantExport(files.last, 450)
}

// listsFail is a store whose nth list of contacts, or of what comes with them, fails.
type listsFail struct {
	gateway.Store
	at, n int
}

func (l *listsFail) List(ctx context.Context, o gateway.Owner, kind gateway.RecordKind, cursor string, n int) (map[string][]byte, string, error) {
	if kind == gateway.RecordContact {
		if l.n++; l.n == l.at {
			return nil, "", errBlip
		}
	}
	return l.Store.List(ctx, o, kind, cursor, n)
}

// Without a place for files it comes as text, as far as that fits a chat.
func TestExportByUserAsText(t *testing.T) {
	for name, files := range map[string]gateway.Files{"none": nil, "away": &kept{err: &gateway.FileError{Reason: gateway.FileNowhere}}} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			c.files = files
			c.restart()
			c.register(c.romeo, "Montague")
			c.people(100)
			r := c.next(c.romeo, c.start(c.romeo, gateway.NodeExport), map[string]string{"confirm": "true"})
			var all []string
			ids := map[gateway.StanzaID]bool{}
			for _, show := range r.After {
				m := show.What.(gateway.ShowMessage)
				piece := m.Content.Parts[0].(gateway.Text).Text
				if len(piece) > 16<<10 || show.To != c.romeo.User {
					t.Errorf("a message of %d bytes to %s", len(piece), show.To)
				}
				all, ids[m.IDs[0]] = append(all, piece), true
			}
			if len(all) < 2 || len(ids) != len(all) || !strings.Contains(r.Text, fmt.Sprint("messages: ", len(all))) {
				t.Errorf("got %d messages and %q", len(all), r.Text)
			}
			c.wantExport(strings.Join(all, "\n"), 100)
		})
	}
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.people(1500)
	_, err := c.desk.Continue(t.Context(), c.romeo, c.start(c.romeo, gateway.NodeExport).Session, gateway.ActionNext, map[string]string{"confirm": "true"})
	if text := c.refused(err, gateway.NotAllowed, ""); !strings.Contains(text, "mailto:abuse@example.org") {
		t.Errorf("too much: got %q", text)
	}
}
