package simulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/adapters/gatekeeper/openapi"
)

// event is one entry of a partner's backlog; its body is what webhooks carry.
type event struct {
	pos  int64
	id   string
	typ  string
	chat string
	to   string
	seq  int64
	at   time.Time
	body json.RawMessage
}

// kept says whether the event is stored and repeated; typing and presence are neither.
func (e *event) kept() bool { return e.typ != "typing" && e.typ != "presence.changed" }

// eventLog is the bounded backlog of a partner. Positions count from 1; a cursor names the last position seen.
type eventLog struct {
	max    int
	next   int64
	events []*event
}

func (l *eventLog) add(e *event) {
	e.pos = l.next
	l.next++
	l.events = append(l.events, e)
	if len(l.events) > l.max {
		l.drop(l.events[0].pos)
	}
}

// drop forgets everything up to and with a position.
func (l *eventLog) drop(pos int64) {
	n := 0
	for n < len(l.events) && l.events[n].pos <= pos {
		l.events[n] = nil
		n++
	}
	l.events = l.events[n:]
}

func cursorAt(pos int64) string { return "c" + strconv.FormatInt(pos, 36) }

// position reads a cursor; ok is false for one that this log never gave, or whose place is gone.
func (l *eventLog) position(cursor string) (pos int64, ok bool) {
	raw, found := strings.CutPrefix(cursor, "c")
	pos, err := strconv.ParseInt(raw, 36, 64)
	if !found || err != nil || pos < 0 || pos >= l.next {
		return 0, false
	}
	oldest := l.next
	if len(l.events) > 0 {
		oldest = l.events[0].pos
	}
	return pos, pos >= oldest-1
}

type envelope struct {
	ID         string  `json:"id"`
	Type       string  `json:"type"`
	APIVersion string  `json:"api_version"`
	OccurredAt string  `json:"occurred_at"`
	Seq        int64   `json:"seq,omitempty"`
	Subject    subject `json:"subject"`
	Data       any     `json:"data"`
}

type subject struct {
	Conversation string `json:"conversation,omitempty"`
	To           string `json:"to,omitempty"`
	Peer         string `json:"peer,omitempty"`
}

// sequenced are the types that count in the `seq` of a conversation.
func sequenced(typ string) bool {
	family, _, _ := strings.Cut(typ, ".")
	return slices.Contains([]string{"message", "reaction", "group", "conversation", "call"}, family)
}

// emit records an event for a user of a partner and queues its webhook. c may be nil, and so may u for the partner as a whole.
// What belongs to a feature that the directory calls unavailable is not told: the result is nil.
func (s *Server) emit(p *partner, typ string, u *user, c *chat, data any) *event {
	if !s.has(eventFeature[typ]) {
		s.touch()
		return nil
	}
	now := s.cfg.Now()
	e := &event{id: newID("evt"), typ: typ, at: now}
	env := envelope{ID: e.id, Type: typ, APIVersion: openapi.Version, OccurredAt: stamp(now), Data: data}
	if u != nil {
		e.to, env.Subject.To = u.internalID, u.internalID
	}
	if c != nil {
		e.chat, env.Subject.Conversation, env.Subject.Peer = c.id, c.id, c.person.internalID()
		if sequenced(typ) {
			c.seq++
			e.seq, env.Seq = c.seq, c.seq
		}
	}
	body, err := json.Marshal(env)
	if err != nil { // the data are our own structs
		s.cfg.Log.Error("event not encoded", "type", typ, "error", err)
		return e
	}
	e.body = body
	if e.kept() {
		p.log.add(e)
	}
	s.enqueue(p, e)
	s.touch()
	return e
}

func listEvents(c *call) (answer, *problem) {
	q := c.r.URL.Query()
	limit := pageLimit(c)
	log := &c.partner.log
	pos := int64(0)
	if len(log.events) > 0 {
		pos = log.events[0].pos - 1
	} else {
		pos = log.next - 1
	}
	if cursor := q.Get("cursor"); cursor != "" {
		at, ok := log.position(cursor)
		if !ok {
			return answer{}, expiredCursor()
		}
		pos = at
	}
	chatID := q.Get("conversation")
	afterSeq, err := strconv.ParseInt(orString(q.Get("after_seq"), "0"), 10, 64)
	if err != nil || (q.Has("after_seq") && chatID == "") {
		return answer{}, invalid("after_seq", "needs conversation")
	}
	page := map[string]any{}
	events := []json.RawMessage{}
	for _, e := range log.events {
		if e.pos <= pos || (chatID != "" && (e.chat != chatID || e.seq <= afterSeq)) {
			continue
		}
		if len(events) == limit {
			page["next"] = cursorAt(pos)
			break
		}
		events = append(events, e.body)
		pos = e.pos
	}
	page["events"], page["cursor"] = events, cursorAt(pos)
	return answer{status: 200, body: page}, nil
}

func acknowledgeEvents(c *call) (answer, *problem) {
	var in struct{ Cursor string }
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	pos, ok := c.partner.log.position(in.Cursor)
	if !ok {
		return answer{}, expiredCursor()
	}
	c.partner.log.drop(pos)
	return answer{status: 204}, nil
}

func expiredCursor() *problem {
	p := fail("stale_version", "the cursor is unknown or what it points at is gone")
	p.Status, p.Title, p.Param = 410, "Gone", "cursor"
	return p
}

func orString(v, def string) string { or(&v, def); return v }
