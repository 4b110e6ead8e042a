//go:build servers

package chaos_test

import (
	"sync"
	"time"

	"postern/cmd/internal/chaos"
)

// journal books what happens while it happens. The history comes from it.
type journal struct {
	mu       sync.Mutex
	sent     map[chaos.Key]*chaos.Sent
	next     map[chaos.Direction][]int // number of the last message, by chat
	byStanza map[string]chaos.Key      // outbound messages by their stanza id
	byEvent  map[string]chaos.Key      // inbound messages by their event id
	ended    map[chaos.Key]bool        // outbound messages with a receipt or an error
	resent   map[chaos.Key]time.Time
	live     []chaos.Arrival
	receipts []chaos.Key
	refusals []chaos.Refusal
	faults   []chaos.Fault
	bursts   []chaos.Burst
	strays   []string
	once     bool // what is sent now is sent after settling
}

func newJournal(chats int) *journal {
	j := new(journal)
	j.clear(chats)
	return j
}

// clear forgets everything, for the next run of the same rig.
func (j *journal) clear(chats int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent, j.byStanza, j.byEvent = map[chaos.Key]*chaos.Sent{}, map[string]chaos.Key{}, map[string]chaos.Key{}
	j.ended, j.resent = map[chaos.Key]bool{}, map[chaos.Key]time.Time{}
	j.next = map[chaos.Direction][]int{chaos.In: make([]int, chats), chaos.Out: make([]int, chats)}
	j.live, j.receipts, j.refusals, j.faults, j.bursts, j.strays, j.once = nil, nil, nil, nil, nil, nil, false
}

// as is how a message is sent.
type as struct {
	file, twice bool
	stanza      string // what stanza ids begin with; empty for In
}

// begin makes the next message of a chat. Only one goroutine sends in a direction.
func (j *journal) begin(dir chaos.Direction, chat int, how as) chaos.Key {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next[dir][chat]++
	k := chaos.Key{Dir: dir, Chat: chat, N: j.next[dir][chat]}
	s := &chaos.Sent{Key: k, At: time.Now(), Twice: how.twice, Once: j.once}
	if how.file {
		s.File = chaos.FileSum(k.FileBody())
	}
	j.sent[k] = s
	if how.stanza != "" {
		j.byStanza[how.stanza+k.String()] = k
	}
	return k
}

// undo forgets a message that never left.
func (j *journal) undo(k chaos.Key) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.sent, k)
	j.next[k.Dir][k.Chat]--
}

// isFile tells whether a message was begun as a file.
func (j *journal) isFile(k chaos.Key) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.sent[k]
	return s != nil && s.File != ""
}

func (j *journal) said(k chaos.Key, event string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.byEvent[event] = k
}

func (j *journal) saw(a chaos.Arrival) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live = append(j.live, a)
}

func (j *journal) stray(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.strays = append(j.strays, text)
}

// receipt books a receipt for a stanza of ours.
func (j *journal) receipt(stanza string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k, ok := j.byStanza[stanza]
	if !ok {
		j.strays = append(j.strays, "receipt for "+stanza)
		return
	}
	j.receipts = append(j.receipts, k)
	j.ended[k] = true
}

// refused books an error for a stanza of ours; errors for other stanzas, such as receipts, are nobody's.
func (j *journal) refused(stanza, condition string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if k, ok := j.byStanza[stanza]; ok {
		j.refusals = append(j.refusals, chaos.Refusal{Key: k, Condition: condition, At: time.Now()})
		j.ended[k] = true
	}
}

// overdue lists outbound messages that wait for an end longer than that, marking them as sent again now.
func (j *journal) overdue(after time.Duration) []chaos.Key {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []chaos.Key
	for k, s := range j.sent {
		if k.Dir != chaos.Out || j.ended[k] || time.Since(s.At) < after || time.Since(j.resent[k]) < after {
			continue
		}
		j.resent[k] = time.Now()
		if s.ResentAt.IsZero() {
			s.ResentAt = j.resent[k]
		}
		out = append(out, k)
	}
	return out
}

// open counts outbound messages without an end.
func (j *journal) open() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for k := range j.sent {
		if k.Dir == chaos.Out && !j.ended[k] {
			n++
		}
	}
	return n
}

func (j *journal) count(dir chaos.Direction) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for k := range j.sent {
		if k.Dir == dir {
			n++
		}
	}
	return n
}

func (j *journal) burst(b chaos.Burst) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bursts = append(j.bursts, b)
}

func (j *journal) fault(f chaos.Fault) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.faults = append(j.faults, f)
}

func (j *journal) settled(on bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.once = on
}

// history is what Judge needs, without what is read at the end: archive, ledger and the results of webhooks.
func (j *journal) history() chaos.History {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := chaos.History{
		Arrivals: append([]chaos.Arrival{}, j.live...), Receipts: append([]chaos.Key{}, j.receipts...), Refusals: j.refusals,
		Faults: j.faults, Bursts: j.bursts, Strays: j.strays,
	}
	for _, s := range j.sent {
		h.Sent = append(h.Sent, *s)
	}
	return h
}
