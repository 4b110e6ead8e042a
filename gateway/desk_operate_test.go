package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// steer is the operator's side of a gateway with 25 dead letters; what is done is noted.
type steer struct {
	did    []string
	actors map[string]bool
	blocks []gateway.Block
	most   int // letters that were asked for at once
}

// wrongInput is an input that cannot be.
type wrongInput string

func (w wrongInput) Error() string { return string(w) }
func (w wrongInput) Input() string { return string(w) }

func (s *steer) note(actor, format string, args ...any) {
	if s.actors == nil {
		s.actors = map[string]bool{}
	}
	s.actors[actor] = true
	s.did = append(s.did, fmt.Sprintf(format, args...))
}

func (s *steer) Stopped(gateway.AdapterID) (gateway.Stop, bool) {
	return gateway.Stop{Reason: "Back at noon."}, slices.Contains(s.did, "stop wall: Back at noon.")
}

func (s *steer) Queues(context.Context) ([]gateway.QueueState, []gateway.ParkedLanes, error) {
	return []gateway.QueueState{{Where: "in"}, {Where: "out", Entries: 3, Oldest: time.Now().Add(-time.Hour)}}, []gateway.ParkedLanes{{Where: "out", Reason: gateway.ParkWindow, Lanes: 2}}, nil
}

func (s *steer) Letters(_ context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) (page []gateway.Letter, next gateway.LetterID, err error) {
	s.most = max(s.most, n)
	for i := range 25 {
		l := gateway.Letter{ID: gateway.LetterID(fmt.Sprintf("s01/%02d-0", i)), Adapter: "wall", Where: "out", What: "message", Why: gateway.DeadReason{Class: gateway.Permanent, Code: "teapot"}}
		if l.ID <= after || f.Code != "" && f.Code != "teapot" {
			continue
		}
		if len(page) == n {
			return page, page[n-1].ID, nil
		}
		page = append(page, l)
	}
	return page, "", nil
}

func (s *steer) ReplayLetter(_ context.Context, actor string, id gateway.LetterID) error {
	s.note(actor, "replay %s", id)
	if id != "s01/03-0" {
		return gateway.ErrNotFound
	}
	return nil
}

func (s *steer) DropLetter(_ context.Context, actor string, id gateway.LetterID) error {
	s.note(actor, "drop %s", id)
	return nil
}

func (s *steer) ReplayLetters(_ context.Context, actor string, f gateway.LetterFilter) (int, error) {
	s.note(actor, "replay %+v", f)
	return 4, nil
}

func (s *steer) DropLetters(_ context.Context, actor string, f gateway.LetterFilter) (int, error) {
	if len(f.Code) > 256 { // as api.Control has it
		return 0, wrongInput("code")
	}
	s.note(actor, "drop %+v", f)
	return 5, nil
}

func (s *steer) StopAdapter(_ context.Context, actor string, a gateway.AdapterID, reason string) error {
	if reason == "" {
		return wrongInput("reason")
	}
	s.note(actor, "stop %s: %s", a, reason)
	return nil
}

func (s *steer) StartAdapter(_ context.Context, actor string, a gateway.AdapterID) error {
	s.note(actor, "start %s", a)
	return gateway.ErrNotFound
}

func (s *steer) Block(_ context.Context, actor, who, reason string) (int64, string, error) {
	if !strings.Contains(who, ".") {
		return 0, "", wrongInput("jid")
	}
	s.note(actor, "block %s: %s", who, reason)
	return 17, "grain", nil
}

func (s *steer) Unblock(_ context.Context, actor, who string) (int64, string, error) {
	s.note(actor, "unblock %s", who)
	return 18, "grain", nil
}

func (s *steer) Blocks() []gateway.Block { return s.blocks }

func (s *steer) ParseUser(text string) (gateway.UserID, error) {
	if !strings.Contains(text, "@") {
		return "", errors.New("no JID")
	}
	return gateway.UserID(text), nil
}

var operatorNodes = []string{gateway.NodeOperate, gateway.NodeLetters, gateway.NodeAdapter, gateway.NodeUser, gateway.NodeDisable, gateway.NodeEnable, gateway.NodeBlocks}

func newSteered(t *testing.T) (*counter, *steer) {
	t.Helper()
	c, s := newCounter(t), &steer{}
	c.desk.Operate(s)
	c.desk.SetAdmins([]gateway.UserID{c.romeo.User})
	return c, s
}

func (c *counter) nodes(v gateway.Visitor) (nodes []string) {
	c.t.Helper()
	all, err := c.desk.Commands(c.t.Context(), v)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cmd := range all {
		nodes = append(nodes, cmd.Node)
	}
	return nodes
}

// Operators see their commands, registered or not; nobody else does, and who tries one all the same is refused, also in the middle of it.
func TestOperatorsAlone(t *testing.T) {
	c, s := newCounter(t), &steer{}
	c.orders = gateway.NewOrders(c.store, c.keys, slog.New(slog.DiscardHandler))
	c.restart()
	c.desk.Operate(s)
	c.desk.SetAdmins([]gateway.UserID{c.romeo.User})
	c.register(c.juliet, "Capulet")
	evil := c.romeo
	evil.User = "romeo@evil.example"
	for _, v := range []gateway.Visitor{c.juliet, evil} {
		nodes := c.nodes(v)
		for _, node := range operatorNodes {
			if slices.Contains(nodes, node) {
				t.Errorf("%s sees %s", v.User, node)
			}
			_, err := c.desk.Start(t.Context(), v, node)
			c.refused(err, gateway.Forbidden, "")
		}
		if r, err := c.desk.Say(t.Context(), v, "operator"); err != nil || strings.Contains(r.Text, "audit") {
			t.Errorf("%s says operator: got %q, %v", v.User, r.Text, err)
		}
		if r, err := c.desk.Say(t.Context(), v, "help"); err != nil || strings.Contains(r.Text, "operator") {
			t.Errorf("%s is told of operators' commands: %q, %v", v.User, r.Text, err)
		}
	}
	nodes := c.nodes(c.romeo)
	for _, node := range operatorNodes {
		if !slices.Contains(nodes, node) {
			t.Errorf("the operator does not see %s", node)
		}
	}
	open := c.start(c.romeo, gateway.NodeAdapter)
	_, err := c.desk.Continue(t.Context(), c.juliet, open.Session, gateway.ActionNext, map[string]string{"adapter": "wall", "do": "stop", "reason": "x"})
	c.refused(err, gateway.BadRequest, gateway.BadSessionID)
	if err := c.orders.Block(t.Context(), gateway.Block{Who: string(c.romeo.User), Reason: "The account was stolen."}); err != nil {
		t.Fatal(err)
	}
	_, err = c.desk.Continue(t.Context(), c.romeo, open.Session, gateway.ActionNext, map[string]string{"adapter": "wall", "do": "stop", "reason": "x"})
	c.refused(err, gateway.Forbidden, "")
	if err := c.orders.Unblock(t.Context(), string(c.romeo.User)); err != nil {
		t.Fatal(err)
	}
	c.desk.SetAdmins(nil)
	_, err = c.desk.Continue(t.Context(), c.romeo, open.Session, gateway.ActionNext, map[string]string{"adapter": "wall", "do": "stop", "reason": "x"})
	c.refused(err, gateway.Forbidden, "")
	if len(s.did) > 0 {
		t.Errorf("did %q", s.did)
	}
}

// asks plays a command of one step.
func (c *counter) asks(node string, answers map[string]string) (gateway.Reply, error) {
	c.t.Helper()
	r := c.start(c.romeo, node)
	return c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionComplete, answers)
}

// What operators do by chat is what /v1 does, under one name that is not theirs.
func TestOperatorSteers(t *testing.T) {
	c, s := newSteered(t)
	r := c.start(c.romeo, gateway.NodeOperate)
	for _, want := range []string{"wall runs.", "Waiting, to platforms: 3, the oldest for 60 min.", "Parked, to platforms: 2 chats, for: the contact has to write first", "Dead letters: 20+", "In the audit log you are chat-"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("state: no %q in\n%s", want, r.Text)
		}
	}
	if strings.Contains(r.Text, "romeo") {
		t.Errorf("the audit log's name names the operator:\n%s", r.Text)
	}
	for _, tt := range []struct {
		node         string
		answers      map[string]string
		want, note   string
		refused      gateway.Condition
		kind, refuse string
	}{
		{node: gateway.NodeAdapter, answers: map[string]string{"adapter": "wall", "do": "stop", "reason": "Back at noon."}, want: "wall is stopped."},
		{node: gateway.NodeAdapter, answers: map[string]string{"adapter": "wall", "do": "stop"}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "Reason, which users are told"},
		{node: gateway.NodeAdapter, answers: map[string]string{"adapter": "moat", "do": "start"}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "Adapter"},
		{node: gateway.NodeAdapter, answers: map[string]string{"adapter": "wall", "do": "start"}, refused: gateway.ItemNotFound, refuse: "not there any more"},
		{node: gateway.NodeDisable, answers: map[string]string{"accountjid": "eve@example.org", "reason": "No."}, want: "eve@example.org is blocked.", note: "Line 17 of the audit log; its salt, kept nowhere else: grain"},
		{node: gateway.NodeDisable, answers: map[string]string{"accountjid": "eve", "reason": "No."}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "Address of a user, or a domain"},
		{node: gateway.NodeEnable, answers: map[string]string{"accountjid": "example.org"}, want: "not blocked any more", note: "Line 18"},
		{node: gateway.NodeUser, answers: map[string]string{"accountjid": "eve"}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "Address of the user"},
		{node: gateway.NodeUser, answers: map[string]string{"accountjid": "eve@example.org"}, refused: gateway.ItemNotFound},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "replay", "id": "s01/03-0"}, want: "Tried once more: 1"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "replay", "id": "s01/99-0"}, refused: gateway.ItemNotFound},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "drop", "id": "s01/03-0"}, want: "Forgotten: 1"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "replay", "adapter": "wall", "code": "teapot"}, want: "Tried once more: 4"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "drop", "all": "true"}, want: "Forgotten: 5"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "drop"}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "All there are"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "drop", "code": strings.Repeat("x", 257)}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "Only with this code"},
		{node: gateway.NodeLetters, answers: map[string]string{"do": "drop", "code": "x", "all": "true"}, refused: gateway.NotAcceptable, kind: gateway.BadPayload, refuse: "All there are"},
	} {
		r, err := c.asks(tt.node, tt.answers)
		if tt.refused != "" {
			if got := c.refused(err, tt.refused, tt.kind); !strings.Contains(got, tt.refuse) {
				t.Errorf("%s %v: got %q, want %q in it", tt.node, tt.answers, got, tt.refuse)
			}
			continue
		}
		if err != nil || r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, tt.want) || !strings.Contains(r.Note, tt.note) {
			t.Errorf("%s %v: got %+v, %v, want %q", tt.node, tt.answers, r, err, tt.want)
		}
	}
	diff(t, "done", s.did, []string{
		"stop wall: Back at noon.", "start wall", "block eve@example.org: No.", "unblock example.org", "replay s01/03-0", "replay s01/99-0", "drop s01/03-0",
		"replay {Adapter:wall Account: Where: Chat: Code:teapot}", "drop {Adapter: Account: Where: Chat: Code:}",
	})
	if len(s.actors) != 1 {
		t.Errorf("got actors %v, want one", s.actors)
	}
	c.register(c.juliet, "Capulet")
	if r, err := c.asks(gateway.NodeUser, map[string]string{"accountjid": string(c.juliet.User)}); err != nil || !strings.Contains(r.Text, "wall: active, since ") {
		t.Errorf("of a user: got %+v, %v", r, err)
	}
}

// Long lists come in pages of bounded length.
func TestOperatorPages(t *testing.T) {
	c, s := newSteered(t)
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeLetters), map[string]string{"do": "list", "code": "teapot"})
	if first, _, _ := strings.Cut(r.Text, "\n"); first != "s01/00-0: 0001-01-01 00:00:00, wall, to platforms, message, refused for good, teapot" {
		t.Errorf("got %q", first)
	}
	if strings.Count(r.Text, "\n") != 19 || !strings.Contains(r.Text, "s01/19-0") || r.Fields[0].Value != "more" {
		t.Errorf("first page: got %d lines, %+v\n%s", strings.Count(r.Text, "\n")+1, r.Fields[0], r.Text)
	}
	r = c.next(c.romeo, r, map[string]string{"do": "more"})
	if strings.Count(r.Text, "\n") != 4 || r.Fields[0].Value != "list" {
		t.Errorf("second page: got\n%s", r.Text)
	}
	if r = c.next(c.romeo, r, map[string]string{"do": "list", "code": "none"}); !strings.Contains(r.Text, "no dead letters like that") {
		t.Errorf("none: got %q", r.Text)
	}
	if s.most > 20 {
		t.Errorf("asked for %d letters at once", s.most)
	}
	if r = c.start(c.romeo, gateway.NodeBlocks); r.Text != "Nobody is blocked." {
		t.Errorf("blocks: got %q", r.Text)
	}
	for n := range 120 {
		s.blocks = append(s.blocks, gateway.Block{Who: fmt.Sprintf("user%03d@example.org", n), Reason: "No.", By: "anna", At: time.Unix(5, 0)})
	}
	seen := 0
	r = c.start(c.romeo, gateway.NodeBlocks)
	for ; r.Status == gateway.ReplyExecuting; r = c.next(c.romeo, r, nil) {
		if n := strings.Count(r.Text, "example.org"); n > 50 {
			t.Errorf("got %d on one page", n)
		}
		seen += strings.Count(r.Text, "example.org")
	}
	if seen += strings.Count(r.Text, "example.org"); seen != 120 {
		t.Errorf("got %d, want 120", seen)
	}
}
