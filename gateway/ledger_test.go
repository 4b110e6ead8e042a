package gateway

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf is the records of a ledger: what storetest holds real stores to, as far as a ledger asks.
type shelf struct {
	Records
	mu   sync.Mutex
	rows map[string][]byte
	ttl  map[string]time.Duration
	err  error
	// between is called between a ledger's look and its write, once.
	between func()
}

func (s *shelf) Load(_ context.Context, keys ...RecordKey) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return [][]byte{s.rows[keys[0].Name]}, s.err
}

func (s *shelf) Save(_ context.Context, _ Owner, cs ...Change) error {
	if do := s.between; do != nil {
		s.between = nil
		do()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := cs[0]
	now := s.rows[c.Name]
	switch {
	case s.err != nil:
		return s.err
	case c.IfAbsent && now != nil:
		return ErrExists
	case c.Was != nil && string(now) != string(c.Was):
		return ErrChanged
	}
	s.rows[c.Name], s.ttl[c.Name] = c.Value, c.TTL
	return nil
}

func newShelf(t *testing.T) (*shelf, func() *Ledger) {
	keys, err := newKeyring(make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{rows: map[string][]byte{}, ttl: map[string]time.Duration{}}
	return s, func() *Ledger { return NewLedger(s, keys, slog.New(slog.DiscardHandler)) }
}

func fails(c Class) error {
	return &SendError{Class: c, Err: errors.New("secret words of romeo@example.org")}
}

// Two replicas note a day each; what comes of it is their sum, by kind of call, with times, limits and outages.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, replica := newShelf(t)
		one, two := replica(), replica()
		s.between = func() { // the slower of two writes upon what the faster wrote
			two.call("wall", "message", nil, 100*time.Millisecond)
			two.Flush(t.Context())
		}
		began := time.Now().UTC() // 2000-01-01 00:00 in the bubble
		for n := range 98 {
			one.call("wall", "message", nil, time.Duration(n)*time.Millisecond)
		}
		one.call("wall", "message", fails(Permanent), 2*time.Second)
		one.call("wall", "reaction", nil, time.Hour)
		one.limit("wall", LimitChat)
		one.limit("wall", LimitChat)
		one.call("gate", "message", nil, 0)
		one.Flush(t.Context())
		// Away from 01:00 to 01:03, and at 01:05; a minute in which one of the replicas is answered is none.
		<-time.After(time.Hour)
		for _, minute := range []int{0, 1, 2, 4, 5} {
			<-time.After(time.Until(began.Add(time.Hour + time.Duration(minute)*time.Minute)))
			one.call("wall", "message", fails(Retryable), time.Second)
			if minute == 4 {
				two.call("wall", "message", nil, time.Second)
			}
			if minute == 5 {
				one.call("wall", "message", fails(Uncertain), time.Second)
			}
		}
		two.Flush(t.Context())
		one.Flush(t.Context())
		e, err := replica().Evidence(t.Context(), began, began.AddDate(0, 0, 1), "v1", map[AdapterID]string{"wall": "wallish"})
		if err != nil {
			t.Fatal(err)
		}
		at := func(minute int) time.Time { return began.Add(time.Hour + time.Duration(minute)*time.Minute) }
		bound := func(ms int64) int64 {
			i, _ := slices.BinarySearch(ledgerBounds, ms)
			return ledgerBounds[i]
		}
		want := Evidence{
			Schema: "postern-evidence/1", From: "2000-01-01", To: "2000-01-02", Made: e.Made, Version: "v1", Days: []EvidenceDay{
				{Day: "2000-01-01", Adapter: "gate", Requests: 1, Methods: []EvidenceMethod{{Method: "message", Requests: 1, Refused: map[string]int64{}, P50: 1, P95: 1, P99: 1}}, Limits: map[LimitScope]int64{}, Minutes: EvidenceMinutes{Answered: 1}, Outages: []EvidenceOutage{}},
				{Day: "2000-01-01", Adapter: "wall", Type: "wallish", Requests: 108, Methods: []EvidenceMethod{
					{Method: "message", Requests: 107, Refused: map[string]int64{"permanent": 1, "retryable": 5, "uncertain": 1}, P50: bound(53), P95: bound(1000), P99: bound(1000)},
					{Method: "reaction", Requests: 1, Refused: map[string]int64{}, P50: ledgerBounds[len(ledgerBounds)-1], P95: ledgerBounds[len(ledgerBounds)-1], P99: ledgerBounds[len(ledgerBounds)-1]},
				}, Limits: map[LimitScope]int64{LimitChat: 2}, Minutes: EvidenceMinutes{Answered: 2, Unanswered: 4}, Outages: []EvidenceOutage{{at(0), at(3)}, {at(5), at(6)}}},
			},
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := s.ttl["2000-01-01"]; got > LedgerTTL || got < LedgerTTL-48*time.Hour {
			t.Errorf("kept for %v, want %v from the day", got, LedgerTTL)
		}
		if strings.Contains(fmt.Sprint(e), "romeo") {
			t.Error("somebody is in it")
		}
		for _, wrong := range []time.Time{began.AddDate(0, 0, -1), began.AddDate(2, 0, 0)} {
			if _, err := replica().Evidence(t.Context(), began, wrong, "v1", nil); err == nil {
				t.Errorf("until %v: want an error", wrong)
			}
		}
	})
}

// What cannot be written waits, and Run writes it once that goes; a day ends at midnight.
func TestLedgerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, replica := newShelf(t)
		l := replica()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.Run(ctx) })
		s.mu.Lock()
		s.err = errors.New("down")
		s.mu.Unlock()
		l.call("wall", "message", nil, time.Millisecond)
		<-time.After(10 * time.Minute)
		l.call("wall", "message", nil, time.Millisecond)
		s.mu.Lock()
		s.err = nil
		s.mu.Unlock()
		<-time.After(24 * time.Hour)
		l.call("wall", "message", nil, time.Millisecond)
		<-time.After(2 * time.Minute)
		stop()
		wg.Wait()
		for day, want := range map[string]int64{"2000-01-01": 2, "2000-01-02": 1} {
			at, _ := time.Parse(time.DateOnly, day)
			d, err := replica().Day(t.Context(), at)
			if err != nil || d["wall"] == nil || d["wall"].Methods["message"].Ends["ok"] != want {
				t.Errorf("%s: got %+v, %v, want %d", day, d["wall"], err, want)
			}
		}
		var nobody *Ledger
		nobody.call("wall", "message", nil, 0) // a gateway without one
	})
}

// A pack holds under its key alone, and not with any byte of it changed.
func TestEvidenceSigned(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public, _ := key.Public().(ed25519.PublicKey)
	e := Evidence{Schema: EvidenceSchema, From: "2026-11-01", To: "2026-11-30", Made: time.Unix(5, 0).UTC(), Version: "v1", Days: []EvidenceDay{{Day: "2026-11-01", Adapter: "wall", Requests: 3}}}
	file, err := e.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := VerifyEvidence(file, public)
	if diff := cmp.Diff(e, got); diff != "" || err != nil {
		t.Errorf("got %v\n%s", err, diff)
	}
	for n := range file {
		for _, flip := range []byte{1, 0x20, 0x80} {
			other := slices.Clone(file)
			other[n] ^= flip
			if _, err := VerifyEvidence(other, public); err == nil {
				t.Errorf("byte %d changed by %#x: taken", n, flip)
			}
		}
		if _, err := VerifyEvidence(file[:n], public); err == nil {
			t.Errorf("cut off at %d: taken", n)
		}
	}
	for what, other := range map[string][]byte{"more": append(slices.Clone(file), '\n'), "nothing": nil, "before": append([]byte(" "), file...)} {
		if _, err := VerifyEvidence(other, public); !errors.Is(err, ErrEvidence) {
			t.Errorf("%s: got %v, want ErrEvidence", what, err)
		}
	}
	eve, _ := ed25519.NewKeyFromSeed([]byte(strings.Repeat("e", 32))).Public().(ed25519.PublicKey)
	if _, err := VerifyEvidence(file, eve); !errors.Is(err, ErrEvidence) {
		t.Errorf("another key: got %v, want ErrEvidence", err)
	}
}
