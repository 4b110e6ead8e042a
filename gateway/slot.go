package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrElsewhere: the component's stream is not on this replica, or on none. Another may know.
var ErrElsewhere = errors.New("the component is not connected here")

const (
	slotAsk     = "slot.ask:"    // the adapter's id follows: questions to whoever holds its stream
	slotAnswer  = "slot.answer:" // the asker's replica follows
	slotWait    = 10 * time.Second
	slotsAsked  = 64 // questions of this replica that wait for an answer
	slotsAtOnce = 8  // questions of others that are worked on
)

// slotQuestion travels between replicas, sealed.
type slotQuestion struct {
	ID      string      `json:"id"`
	Replica string      `json:"replica"`
	Until   time.Time   `json:"until"`
	Request SlotRequest `json:"request"`
}

// slotReply answers a slotQuestion.
type slotReply struct {
	ID     string `json:"id"`
	Slot   Slot   `json:"slot"`
	Denied bool   `json:"denied,omitempty"`
	Max    int64  `json:"max,omitempty"`   // of the size, where that was why
	Later  string `json:"later,omitempty"` // why there was none for now
}

// SlotDesk is Slots for every adapter: it asks the component of this replica, and where another replica holds that
// component's stream, that replica. Serve comes before Run; nothing is asked of others before Run.
type SlotDesk struct {
	signals Signals
	key     *DataKey
	replica string
	log     *slog.Logger
	served  map[AdapterID]Slots
	busy    chan struct{}

	mu      sync.Mutex
	waiting map[string]chan slotReply
}

var _ Slots = (*SlotDesk)(nil)

// NewSlotDesk returns a desk that knows no component yet.
func NewSlotDesk(s Signals, k *Keyring, replica string, log *slog.Logger) *SlotDesk {
	return &SlotDesk{
		signals: s, key: k.operator, replica: replica, log: log, served: map[AdapterID]Slots{},
		busy: make(chan struct{}, slotsAtOnce), waiting: map[string]chan slotReply{},
	}
}

// Serve tells the desk of an adapter's component.
func (d *SlotDesk) Serve(a AdapterID, s Slots) { d.served[a] = s }

// Slot implements Slots. When nobody holds the stream the error is ErrElsewhere: a later try may work.
func (d *SlotDesk) Slot(ctx context.Context, r SlotRequest) (Slot, error) {
	s, ok := d.served[r.To.Adapter]
	if !ok {
		return Slot{}, ErrNoSlot
	}
	slot, err := s.Slot(ctx, r)
	if !errors.Is(err, ErrElsewhere) {
		return slot, err
	}
	return d.askOthers(ctx, r)
}

func (d *SlotDesk) askOthers(ctx context.Context, r SlotRequest) (Slot, error) {
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	q := slotQuestion{ID: newULID(), Replica: d.replica, Until: time.Now().Add(slotWait), Request: r}
	ch := make(chan slotReply, 1)
	d.mu.Lock()
	if len(d.waiting) >= slotsAsked {
		d.mu.Unlock()
		return Slot{}, fmt.Errorf("gateway: slot: too many questions: %w", ErrElsewhere)
	}
	d.waiting[q.ID] = ch
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.waiting, q.ID)
		d.mu.Unlock()
	}()
	if err := d.say(ctx, slotAsk+string(r.To.Adapter), q); err != nil {
		return Slot{}, fmt.Errorf("gateway: slot: ask: %w", err)
	}
	select {
	case a := <-ch:
		switch {
		case a.Later != "":
			return Slot{}, fmt.Errorf("gateway: slot: another replica: %s", a.Later)
		case a.Denied && a.Max > 0:
			return Slot{}, &FileError{Reason: FileTooLarge, Max: a.Max, Err: ErrNoSlot}
		case a.Denied:
			return Slot{}, ErrNoSlot
		}
		return a.Slot, nil
	case <-ctx.Done():
		return Slot{}, fmt.Errorf("gateway: slot: no replica answers: %w", ErrElsewhere)
	}
}

// Run answers other replicas and hears their answers until ctx ends.
func (d *SlotDesk) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for a, s := range d.served {
		topic := slotAsk + string(a)
		questions := d.signals.Subscribe(ctx, topic)
		wg.Go(func() {
			var answers sync.WaitGroup
			defer answers.Wait()
			for sealed := range questions {
				q, ok := opened[slotQuestion](d.key, topic, sealed)
				if !ok || q.Request.To.Adapter != a || q.Replica == d.replica || time.Now().After(q.Until) {
					continue
				}
				select {
				case d.busy <- struct{}{}:
					answers.Go(func() {
						defer func() { <-d.busy }()
						d.answer(ctx, s, q)
					})
				default: // the asker's time runs out
				}
			}
		})
	}
	topic := slotAnswer + d.replica
	for sealed := range d.signals.Subscribe(ctx, topic) {
		if a, ok := opened[slotReply](d.key, topic, sealed); ok {
			d.mu.Lock()
			ch := d.waiting[a.ID]
			delete(d.waiting, a.ID)
			d.mu.Unlock()
			if ch != nil {
				ch <- a
			}
		}
	}
}

// answer asks the component of this replica for another. One that is not connected here has nothing to say.
func (d *SlotDesk) answer(ctx context.Context, s Slots, q slotQuestion) {
	ctx, cancel := context.WithDeadline(ctx, q.Until)
	defer cancel()
	slot, err := s.Slot(ctx, q.Request)
	if errors.Is(err, ErrElsewhere) || ctx.Err() != nil {
		return
	}
	a := slotReply{ID: q.ID, Slot: slot, Denied: errors.Is(err, ErrNoSlot)}
	if err != nil && !a.Denied {
		a.Later = err.Error()
	}
	if fe, ok := errors.AsType[*FileError](err); ok && fe.Reason == FileTooLarge {
		a.Max = fe.Max
	}
	if err := d.say(ctx, slotAnswer+q.Replica, a); err != nil {
		d.log.Warn("upload slot not passed on", "err", err)
	}
}

func (d *SlotDesk) say(ctx context.Context, topic string, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return d.signals.Publish(ctx, topic, d.key.Seal(topic, plain))
}

// opened unseals and decodes what came on a topic.
func opened[T any](k *DataKey, topic string, sealed []byte) (v T, ok bool) {
	plain, err := k.Open(topic, sealed)
	return v, err == nil && json.Unmarshal(plain, &v) == nil
}
