package gateway

import "time"

const (
	typingLasts = 15 * time.Second // after that a contact of whom nothing was heard types no more (XEP-0085 §5.1)
	maxTyping   = 4096             // contacts that type at a time, for one component
)

// typing ends what contacts of one component began to type, where the platform does not: it belongs to one goroutine.
type typing struct {
	over  map[Alias]ended
	timer *time.Timer
}

// ended is what is shown of a contact who types no more.
type ended struct {
	at      time.Time
	stanzas [][]byte
}

func newTyping() *typing {
	t := &typing{over: make(map[Alias]ended), timer: time.NewTimer(0)}
	t.timer.Stop()
	return t
}

// heard notes that a contact types, or with nothing to show afterwards that they do not.
func (t *typing) heard(alias Alias, afterwards [][]byte) {
	delete(t.over, alias)
	if len(afterwards) == 0 || len(t.over) >= maxTyping {
		return
	}
	if len(t.over) == 0 {
		t.timer.Reset(typingLasts)
	}
	t.over[alias] = ended{time.Now().Add(typingLasts), afterwards}
}

// expire shows what is over.
func (t *typing) expire(show func([]byte)) {
	now, next := time.Now(), time.Duration(0)
	for alias, e := range t.over {
		if left := e.at.Sub(now); left > 0 {
			if next == 0 || left < next {
				next = left
			}
			continue
		}
		delete(t.over, alias)
		for _, raw := range e.stanzas {
			show(raw)
		}
	}
	if next > 0 {
		t.timer.Reset(next)
	}
}
