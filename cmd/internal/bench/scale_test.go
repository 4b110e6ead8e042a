//go:build servers && bench

package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/cmd/internal/chaos/stand"
	"postern/gateway"
	"postern/gateway/redisstore"
)

const (
	// floodedMost is how many contacts a flood goes through in turn; with more there is only what they take.
	floodedMost = 100_000
	// seeders write at once, each for one of the users, and so many contacts in a round trip.
	seeders      = 4 * users
	seededAtOnce = 200

	slowDelay = 20 * time.Millisecond
	slowChats = 1000
	held      = 2000 // messages that wait while Redis is measured

	restTime = 12 * time.Second
)

func contactCounts(t *testing.T) (all []int) {
	t.Helper()
	for _, f := range strings.FieldsFunc(*counts, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			t.Fatalf("contacts: got %q, want a number of 1 or more", f)
		}
		all = append(all, n)
	}
	return all
}

// measureScale maps so many contacts, starts Postern anew and floods all of them in turn.
func (r *rig) measureScale(contacts int) Scale {
	r.t.Helper()
	ctx := r.t.Context()
	name := "scale" + strconv.Itoa(contacts)
	began := time.Now()
	p, addresses, bytes := r.populate(ctx, name, contacts)
	defer p.Kill()
	s := Scale{Contacts: contacts, ContactBytes: bytes, Seeding: milliseconds(time.Since(began))}
	if err := p.Stop(ctx); err != nil {
		r.t.Fatal(err)
	}
	began = time.Now()
	r.start(ctx, p, profiles(name)...)
	s.Start = milliseconds(time.Since(began))
	r.Hook(p)
	g := posternOf(p, addresses)
	pause(ctx, *length/2)
	s.Idle = memoryOf(ctx, g)
	if contacts > floodedMost {
		return s
	}
	r.login(ctx, users)
	defer r.logout()
	write := r.writer(g)
	r.loadOn(g, newMeterOf(ToPlatform, contacts, inFlight), time.Second, (*Meter).flood, write) // warm
	s.Flood = r.loadOn(g, newMeterOf(ToPlatform, contacts, inFlight), *length, r.profiled(g, (*Meter).flood), write)
	s.Flooded = memoryOf(ctx, g)
	pause(ctx, restTime)
	s.Rested = memoryOf(ctx, g)
	r.heapProfile(g)
	return s
}

// measureSlow puts a platform with a delay behind many chats, and then one that answers nothing while messages wait.
func (r *rig) measureSlow() *Slow {
	r.t.Helper()
	ctx := r.t.Context()
	p, addresses, _ := r.populate(ctx, "slow", slowChats)
	defer p.Kill()
	r.login(ctx, users)
	defer r.logout()
	r.stub.Delay.Store(int64(slowDelay))
	defer r.stub.Delay.Store(0)
	g := posternOf(p, addresses)
	write := r.writer(g)
	r.loadOn(g, newMeterOf(ToPlatform, slowChats, slowChats).inTurns(), time.Second, (*Meter).flood, write) // warm
	s := &Slow{Delay: milliseconds(slowDelay), Chats: slowChats}
	sampled, done := context.WithCancel(ctx)
	var samples sync.WaitGroup
	samples.Go(func() {
		for pause(sampled, sampleEvery) {
			s.Calls = append(s.Calls, r.stub.Calls.Load())
		}
	})
	s.Load = r.loadOn(g, newMeterOf(ToPlatform, slowChats, slowChats).inTurns(), *length, r.profiled(g, (*Meter).flood), write)
	done()
	samples.Wait()
	s.Memory = memoryOf(ctx, g)
	r.heapProfile(g)

	r.stub.Delay.Store(int64(5 * time.Second)) // shorter than a send may take: nothing is sent twice
	before := r.redisMemory(ctx)
	m := newMeterOf(ToPlatform, slowChats, held)
	r.meter.Store(m)
	for n := range held {
		if !m.enter(ctx) {
			r.t.Fatal(ctx.Err())
		}
		if err := write(n%slowChats, m.text(n%slowChats, n/slowChats+1)); err != nil {
			r.t.Fatal(err)
		}
	}
	err := stand.Poll(ctx, func() (err error) {
		if s.InFlight, err = r.waiting(ctx); err == nil && s.InFlight < held {
			err = fmt.Errorf("%d of %d in Redis", s.InFlight, held)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	s.InFlightBytes = (r.redisMemory(ctx) - before) / float64(s.InFlight)
	r.stub.Delay.Store(0)
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	s.HeldMissing, s.HeldDisorder = int(m.settle(drain)), m.disorder
	return s
}

// waiting counts the entries of all shards' queues towards platforms.
func (r *rig) waiting(ctx context.Context) (int, error) {
	n := int64(0)
	for _, p := range gateway.AllShards() {
		got, err := r.Redis.Do(ctx, "XLEN", "p:{"+string(p)+"}:q:out")
		if err != nil {
			return 0, err
		}
		entries, _ := got.(int64)
		n += entries
	}
	return int(n), nil
}

// populate starts Postern on an empty store, registers the users and maps contacts as the gateway itself writes them. It returns
// their addresses, and how many bytes of Redis each took.
func (r *rig) populate(ctx context.Context, name string, contacts int) (*stand.Process, []string, float64) {
	r.t.Helper()
	r.use(r.stub)
	r.stub.Reset()
	if err := r.Redis.Flush(ctx); err != nil {
		r.t.Fatal(err)
	}
	p, err := r.Process(ctx, name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.start(ctx, p, profiles(name)...)
	r.Hook(p)
	r.introduce(ctx, p, users)
	before := r.redisMemory(ctx)
	addresses, err := r.seed(ctx, contacts)
	if err != nil {
		r.t.Fatal(err)
	}
	return p, addresses, (r.redisMemory(ctx) - before) / float64(contacts)
}

// seed maps contacts of the users in turn.
func (r *rig) seed(ctx context.Context, contacts int) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "store.key"))
	if err != nil {
		return nil, err
	}
	kek, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	store, err := redisstore.Open(ctx, r.Redis.URL(), redisstore.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // nothing is under way
	keys, err := gateway.OpenKeyring(ctx, store, kek)
	if err != nil {
		return nil, err
	}
	identity := gateway.NewIdentity(store, keys)
	var accounts [users]*gateway.Account
	for n := range users {
		all, err := identity.Of(ctx, stand.Adapter, gateway.UserID(fmt.Sprintf("u%d@localhost", n)))
		if err != nil {
			return nil, err
		}
		accounts[n] = all[0]
	}
	addresses := make([]string, contacts)
	var wg sync.WaitGroup
	errs := make([]error, seeders)
	for s := range seeders {
		wg.Go(func() {
			a := accounts[s%users]
			var owner gateway.Owner
			var changes []gateway.Change
			for chat := s; chat < contacts && errs[s] == nil; chat += seeders {
				var change gateway.Change
				owner, change, errs[s] = gateway.SealContact(a, person(chat))
				addresses[chat], changes = change.Name+"@"+stand.Domain, append(changes, change)
				if errs[s] == nil && (len(changes) == seededAtOnce || chat+seeders >= contacts) {
					errs[s] = store.Save(ctx, owner, changes...)
					changes = changes[:0]
				}
			}
		})
	}
	wg.Wait()
	return addresses, errors.Join(errs...)
}

// person is the contact of a chat.
func person(chat int) gateway.Contact {
	user, person := place(chat)
	return gateway.Contact{
		ID: gateway.ContactID(fmt.Sprintf("gku_p%d", person)), Name: fmt.Sprintf("Person %d", person), Subscribed: true, Listed: true,
		Chat: gateway.ChatID(fmt.Sprintf("cnv_usr_u%dgku_p%d", user, person)), Told: "seeded",
	}
}

// posternOf is a Postern with its contacts.
func posternOf(p *stand.Process, addresses []string) process {
	return process{Process: p, hook: "/hooks/" + stand.Adapter, address: func(chat int) string { return addresses[chat] }, confirms: true}
}

// writer sends a chat's message from its user's client.
func (r *rig) writer(g process) func(int, string) error {
	return func(chat int, text string) error { return r.say(g, chat, text, "") }
}

func (r *rig) say(g process, chat int, text, extra string) error {
	if g.speak != nil {
		return g.speak(chat, text, extra)
	}
	return r.clients[chat%users].send(message(g.address(chat), text, extra))
}
