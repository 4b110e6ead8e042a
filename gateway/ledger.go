package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Ledger keeps for each day (UTC) what platforms did with what they were asked: how it ended, how long it took, which limits were met, in
// which minutes they answered. It is what a provider can show an authority, and has nothing of any user. Replicas add to one record a day.
type Ledger struct {
	store Records
	keys  *Keyring
	log   *slog.Logger

	mu   sync.Mutex
	days map[string]LedgerDay // what was noted here and not written yet
}

// LedgerDay is a day of all adapters.
type LedgerDay map[AdapterID]*LedgerAdapter

// LedgerAdapter is a day of one.
type LedgerAdapter struct {
	Methods map[string]*LedgerMethod `json:"methods"` // by OpKind
	Limits  map[LimitScope]int64     `json:"limits,omitempty"`
	// Up and Down have a bit for each minute in which the platform answered, and in which a call failed for its being away.
	Up   []byte `json:"up,omitempty"`
	Down []byte `json:"down,omitempty"`
}

// LedgerMethod is a day of one kind of call.
type LedgerMethod struct {
	// Ends counts calls by how they ended: "ok", or a Class.
	Ends map[string]int64 `json:"ends"`
	// Took counts them by time: below each of ledgerBounds, and behind the last.
	Took []int64 `json:"took"`
}

const (
	ownerLedger Owner = "ledger"
	ledgerEvery       = time.Minute
	ledgerTries       = 64
	minutesADay       = 24 * 60
)

// ledgerBounds are times in milliseconds, each a quarter above the one before it, up to six minutes.
var ledgerBounds = func() (out []int64) {
	for ms := 1.0; ms < 360_000; ms *= 1.25 {
		if n := int64(math.Ceil(ms)); len(out) == 0 || n > out[len(out)-1] {
			out = append(out, n)
		}
	}
	return out
}()

// NewLedger returns the ledger that a store holds. Run writes what is noted.
func NewLedger(store Records, keys *Keyring, log *slog.Logger) *Ledger {
	return &Ledger{store: store, keys: keys, log: log, days: map[string]LedgerDay{}}
}

// note adds to a day of an adapter.
func (l *Ledger) note(a AdapterID, at time.Time, add func(*LedgerAdapter, int)) {
	if l == nil {
		return
	}
	at = at.UTC()
	day := at.Format(time.DateOnly)
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.days[day]
	if d == nil {
		d = LedgerDay{}
		l.days[day] = d
	}
	if d[a] == nil {
		d[a] = &LedgerAdapter{}
	}
	add(d[a], at.Hour()*60+at.Minute())
}

// call notes a call to a platform.
func (l *Ledger) call(a AdapterID, method string, err error, took time.Duration) {
	l.note(a, time.Now(), func(d *LedgerAdapter, minute int) {
		end, away := "ok", false
		if err != nil {
			class := ClassOf(err)
			end, away = class.String(), class == Retryable || class == Uncertain
		}
		if d.Methods == nil {
			d.Methods = map[string]*LedgerMethod{}
		}
		m := d.Methods[method]
		if m == nil {
			m = &LedgerMethod{Ends: map[string]int64{}, Took: make([]int64, len(ledgerBounds)+1)}
			d.Methods[method] = m
		}
		m.Ends[end]++
		at, _ := slices.BinarySearch(ledgerBounds, (took + time.Millisecond - 1).Milliseconds())
		m.Took[at]++
		if away {
			d.Down = marked(d.Down, minute)
		} else {
			d.Up = marked(d.Up, minute)
		}
	})
}

// limit notes that something had to wait for a limit of the platform.
func (l *Ledger) limit(a AdapterID, scope LimitScope) {
	l.note(a, time.Now(), func(d *LedgerAdapter, _ int) {
		if d.Limits == nil {
			d.Limits = map[LimitScope]int64{}
		}
		d.Limits[scope]++
	})
}

func marked(bits []byte, minute int) []byte {
	if bits == nil {
		bits = make([]byte, minutesADay/8)
	}
	bits[minute/8] |= 1 << (minute % 8)
	return bits
}

// mark reports whether a minute is marked.
func mark(bits []byte, minute int) bool {
	return len(bits) == minutesADay/8 && bits[minute/8]&(1<<(minute%8)) != 0
}

// Run writes what is noted once a minute. Who stops calls Flush once nothing is noted any more; what a killed process had not written is
// not in the ledger.
func (l *Ledger) Run(ctx context.Context) {
	for sleep(ctx, ledgerEvery) {
		l.Flush(ctx)
	}
}

// Flush writes what is noted; what cannot be written is kept for the next time.
func (l *Ledger) Flush(ctx context.Context) {
	l.mu.Lock()
	days := l.days
	l.days = map[string]LedgerDay{}
	l.mu.Unlock()
	for name, day := range days {
		err := l.write(ctx, name, day)
		if err == nil {
			continue
		}
		l.log.Warn("ledger not written, trying again", "day", name, "error", err)
		l.mu.Lock()
		if l.days[name] == nil {
			l.days[name] = LedgerDay{}
		}
		l.days[name].add(day)
		l.mu.Unlock()
	}
}

// write adds to the record of a day.
func (l *Ledger) write(ctx context.Context, name string, more LedgerDay) error {
	began, err := time.Parse(time.DateOnly, name)
	if err != nil {
		return err
	}
	ttl := time.Until(began.Add(LedgerTTL))
	if ttl <= 0 {
		return nil
	}
	for range ledgerTries {
		day, was, err := l.load(ctx, name)
		if err != nil {
			return err
		}
		day.add(more)
		plain, err := json.Marshal(day)
		if err != nil {
			return err
		}
		err = l.store.Save(ctx, ownerLedger, Change{
			Kind: RecordLedger, Name: name, Value: l.keys.operator.Seal("ledger/"+name, plain), IfAbsent: was == nil, Was: was, TTL: ttl,
		})
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists) { // another replica was faster
			return err
		}
	}
	return errors.New("gateway: ledger: too many others write at once")
}

func (l *Ledger) load(ctx context.Context, name string) (LedgerDay, []byte, error) {
	got, err := l.store.Load(ctx, RecordKey{ownerLedger, RecordLedger, name})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: ledger: %w", err)
	}
	day := LedgerDay{}
	if got[0] == nil {
		return day, nil, nil
	}
	plain, err := l.keys.operator.Open("ledger/"+name, got[0])
	if err == nil {
		err = json.Unmarshal(plain, &day)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: ledger: %s: %w", name, err)
	}
	return day, got[0], nil
}

// Day returns what the ledger has of a day.
func (l *Ledger) Day(ctx context.Context, day time.Time) (LedgerDay, error) {
	d, _, err := l.load(ctx, day.UTC().Format(time.DateOnly))
	return d, err
}

// add sums another part of the same day up.
func (d LedgerDay) add(more LedgerDay) {
	for id, m := range more {
		a := d[id]
		if a == nil {
			a = &LedgerAdapter{}
			d[id] = a
		}
		if a.Methods == nil {
			a.Methods = map[string]*LedgerMethod{}
		}
		for name, of := range m.Methods {
			to := a.Methods[name]
			if to == nil {
				to = &LedgerMethod{Ends: map[string]int64{}}
				a.Methods[name] = to
			}
			for end, n := range of.Ends {
				to.Ends[end] += n
			}
			to.Took = sums(to.Took, of.Took)
		}
		if a.Limits == nil && len(m.Limits) > 0 {
			a.Limits = map[LimitScope]int64{}
		}
		for _, scope := range slices.Sorted(maps.Keys(m.Limits)) {
			a.Limits[scope] += m.Limits[scope]
		}
		a.Up, a.Down = both(a.Up, m.Up), both(a.Down, m.Down)
	}
}

func sums(a, b []int64) []int64 {
	out := make([]int64, max(len(a), len(b)))
	copy(out, a)
	for i, n := range b {
		out[i] += n
	}
	return out
}

func both(a, b []byte) []byte {
	out := make([]byte, max(len(a), len(b)))
	copy(out, a)
	for i, bits := range b {
		out[i] |= bits
	}
	return out
}
