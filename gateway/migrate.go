package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// SchemaStep takes a store from one schema to the next. See HACKING.md, "Change what the store holds".
type SchemaStep struct {
	// To is the schema that it makes.
	To int
	// Name says what it changes, for the log.
	Name string
	// Oldest is the oldest schema whose builds work on what it makes, and on what is half made. They may go on meanwhile, and be
	// started again afterwards; older ones have to be stopped first.
	Oldest int
	// Page does a part of the work from a place on, the empty one at first, and says where to go on; the empty place ends it. It takes
	// seconds at most. After an interruption it is asked for the same page again, so that to do it twice has to be the same as once.
	Page func(ctx context.Context, s Store, k *Keyring, at string) (next string, err error)
}

// SchemaSteps are those of this build, from schema 1 on. A step that was published is never changed.
func SchemaSteps() []SchemaStep { return nil }

const (
	schemaLease Partition = "schema"
	// stepTime bounds a page: it is over before the lease is.
	stepTime = leaseTTL - leaseMargin
	// olderPatience is how long the announcements of older replicas are waited for to end: somebody may be stopping them.
	olderPatience = 3 * announceTTL
)

// errElsewhere: another replica does it, or was faster.
var errElsewhere = errors.New("gateway: schema: another replica is at it")

// Migration takes a store to the schema of its steps, one after another. Of several replicas one does the work, and the others wait for
// it; who is interrupted goes on with the page that was under way. All fields but Steps are required.
type Migration struct {
	Store   Store
	Replica string
	Log     *slog.Logger
	// Steps are all that lead from schema 1 to the newest; nil are SchemaSteps.
	Steps []SchemaStep
}

// Run returns when the store has the newest schema that the steps lead to, or a newer one with which they can work. An empty store has
// nothing to migrate.
func (m Migration) Run(ctx context.Context, keks ...[]byte) error {
	if m.Steps == nil {
		m.Steps = SchemaSteps()
	}
	waiting := false
	for ctx.Err() == nil {
		s, _, err := readSchema(ctx, m.Store, m.known())
		if errors.Is(err, ErrNoSchema) || err == nil && !s.behind(m.known()) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = m.lead(ctx, keks); err == nil {
			return nil
		}
		if !errors.Is(err, errElsewhere) {
			return err
		}
		if !waiting {
			waiting = true
			m.Log.Info("another replica migrates the store, waiting for it", "schema", s.Version)
		}
		sleep(ctx, jitter(leasePoll))
	}
	return ctx.Err()
}

func (m Migration) known() int { return 1 + len(m.Steps) }

// lead does all that is left to do, as the one replica that does.
func (m Migration) lead(ctx context.Context, keks [][]byte) error {
	l, err := m.Store.Acquire(ctx, schemaLease, m.Replica, leaseTTL)
	if errors.Is(err, ErrHeld) {
		return errElsewhere
	}
	if err != nil {
		return fmt.Errorf("gateway: schema: %w", err)
	}
	defer func() {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := m.Store.Release(free, l); err != nil {
			m.Log.Warn("lease not given back; it runs out by itself", "partition", schemaLease, "err", err)
		}
	}()
	began := time.Now()
	for {
		s, was, err := readSchema(ctx, m.Store, m.known())
		if err != nil {
			return err
		}
		if !s.behind(m.known()) {
			m.Log.Info("store migrated", "schema", s.Version, "took", time.Since(began).Round(time.Millisecond))
			return nil
		}
		if l, err = m.Store.Renew(ctx, l, leaseTTL); err == nil {
			err = m.page(ctx, s, was, keks)
		}
		switch {
		case errors.Is(err, ErrFenced), errors.Is(err, ErrChanged):
			return errElsewhere // or it came to its end while this replica stood still
		case err != nil:
			return err
		}
	}
}

// page begins a step, or does its next part. What comes of it is written over what was read alone: of two replicas that both think that they
// lead, one goes on.
func (m Migration) page(ctx context.Context, s schema, was []byte, keks [][]byte) error {
	if s.At == nil {
		step := m.Steps[s.Version-1]
		if err := m.without(ctx, step); err != nil {
			return err
		}
		m.Log.Info("migrating the store", "from", s.Version, "to", step.To, "what", step.Name)
		// From here on no build starts that could not read what is half made.
		s.Version, s.Oldest, s.At = step.To, max(s.Oldest, step.Oldest), new("")
		return s.save(ctx, m.Store, Change{Was: was})
	}
	step := m.Steps[s.Version-2]
	wraps, err := wrapping(keks)
	if err != nil {
		return err
	}
	master, _, err := s.open(wraps)
	if err != nil {
		return err
	}
	keys, err := newKeyring(master)
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	next, err := step.Page(call, m.Store, keys, *s.At)
	if err != nil {
		return fmt.Errorf("gateway: schema %d (%s): %w: started again, it goes on where it was", step.To, step.Name, err)
	}
	if s.At = &next; next == "" {
		s.At = nil
	}
	return s.save(ctx, m.Store, Change{Was: was})
}

// without waits until no replica is at work that could not read what a step makes.
func (m Migration) without(ctx context.Context, step SchemaStep) error {
	for began := time.Now(); ; {
		all, err := m.Store.Announce(ctx, m.Replica, nil, 0)
		if err != nil {
			return fmt.Errorf("gateway: schema: %w", err)
		}
		var older []string
		for name, raw := range all {
			var n note
			_ = json.Unmarshal(raw, &n) // a version that says it in another way is older, or newer and no worse
			if cmp.Or(n.Schema, 1) < step.Oldest {
				older = append(older, name)
			}
		}
		if len(older) == 0 {
			return nil
		}
		slices.Sort(older)
		if time.Since(began) > olderPatience {
			return fmt.Errorf("gateway: schema %d (%s) cannot be made while older replicas are at work: stop all of them, then start this one; at work: %s",
				step.To, step.Name, strings.Join(older, ", "))
		}
		m.Log.Warn("older replicas have to be stopped before the store can be migrated", "to", step.To, "replicas", older)
		if !sleep(ctx, announceEvery) {
			return ctx.Err()
		}
	}
}
