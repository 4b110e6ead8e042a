package sandbox

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"postern/adapters/control"
)

// State is everything that a lock guards: it is given to those who hold it and not to be kept.
type State struct {
	// Own is the platform's to use; gone after a reset.
	Own any

	s            *Server
	accounts     map[string]*Account
	accountOrder []string
	people       map[string]*Person
	personOrder  []string
	chats        map[string]*Chat
	groups       []*Chat
	messages     map[string]*Message
	order, made  int64 // messages, and chats
	faults       Faults
	batching     Batching
	dice         Dice
	limiter      limiter
	media        mediaStore
	posts        Ring[*control.Post]
	deliveries   Ring[control.Delivery]
	tasks        Tasks
	changed      chan struct{} // closed at the next change
	revision     int64
	taken        map[string]int64 // updates that accounts took, by type
	forgotten    int64
}

// reset puts everything back to what the configuration says.
func (st *State) reset() error {
	cfg, old := st.s.cfg, *st
	*st = State{
		s: st.s, accounts: map[string]*Account{}, people: map[string]*Person{}, chats: map[string]*Chat{}, messages: map[string]*Message{},
		faults: cfg.Faults, batching: cfg.Batching, dice: NewDice(cfg.Seed), limiter: newLimiter(st.s.spec.Rules, cfg.Limits.Buckets, cfg.Enforce),
		media: newMediaStore(cfg.Limits), taken: map[string]int64{}, changed: old.changed, revision: old.revision,
		posts: Ring[*control.Post]{Max: cfg.Limits.Ledger}, deliveries: Ring[control.Delivery]{Max: cfg.Limits.Ledger},
	}
	if st.s.spec.Reset != nil {
		st.s.spec.Reset(st)
	}
	for _, p := range cfg.People {
		if _, err := st.PutPerson(p); err != nil {
			return err
		}
	}
	for _, a := range cfg.Accounts {
		if _, err := st.PutAccount(a); err != nil {
			return err
		}
	}
	st.Touch()
	return nil
}

// Touch tells everybody who waits that the state changed. What State's own methods change they tell themselves.
func (st *State) Touch() {
	st.revision++
	close(st.changed)
	st.changed = make(chan struct{})
	st.s.nudge()
}

// Now is the sandbox's clock.
func (st *State) Now() time.Time { return st.s.cfg.Now() }

// Base is the origin under which the sandbox is known, for links.
func (st *State) Base() string {
	if st.s.cfg.Base != "" {
		return st.s.cfg.Base
	}
	return st.s.base
}

// Scale shortens a duration of the platform by Config.Speed.
func (st *State) Scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / st.s.cfg.Speed)
}

// Within says whether a moment is no longer ago than a window of the platform.
func (st *State) Within(t time.Time, window time.Duration) bool {
	return !t.IsZero() && st.Now().Sub(t) < st.Scale(window)
}

// Roll draws from the seeded dice: true with probability p.
func (st *State) Roll(p float64) bool { return st.dice.Hit(p) }

// Faults are those in force.
func (st *State) Faults() Faults { return st.faults }

// After lets Run do something later, with the lock held. d is not scaled.
func (st *State) After(d time.Duration, do func()) {
	st.tasks.Add(st.Now().Add(d), do)
	st.s.nudge()
}

// Accounts are all of them in the order in which they came.
func (st *State) Accounts() []*Account {
	out := make([]*Account, len(st.accountOrder))
	for i, id := range st.accountOrder {
		out[i] = st.accounts[id]
	}
	return out
}

// Account finds one by its platform id; nil when there is none.
func (st *State) Account(id string) *Account { return st.accounts[id] }

// AccountByToken finds the account that a token opens; nil when there is none or the token is revoked.
func (st *State) AccountByToken(token string) *Account {
	for _, a := range st.accounts {
		if token != "" && a.Token == token && !a.Revoked {
			return a
		}
	}
	return nil
}

// AccountNamed finds one by id, username, phone, name or a further id. An empty name or "-" is the only account.
func (st *State) AccountNamed(name string) *Account {
	if (name == "" || name == "-") && len(st.accountOrder) == 1 {
		return st.accounts[st.accountOrder[0]]
	}
	if a := st.accounts[name]; a != nil {
		return a
	}
	bare := strings.TrimPrefix(name, "@")
	for _, id := range st.accountOrder {
		a := st.accounts[id]
		if bare != "" && (strings.EqualFold(a.Username, bare) || digits(a.Phone) != "" && digits(a.Phone) == digits(name) || a.Name == name || holds(a.IDs, name)) {
			return a
		}
	}
	return nil
}

// PutAccount adds an account or replaces what is known of it; its chats stay.
func (st *State) PutAccount(in control.Account) (*Account, error) {
	if err := validateAccount(in); err != nil {
		return nil, err
	}
	a := st.accounts[in.ID]
	if a == nil {
		if len(st.accounts) >= st.s.cfg.Limits.Accounts {
			return nil, fmt.Errorf("too many accounts")
		}
		a = &Account{direct: map[string]*Chat{}, byNative: map[string]*Message{}, next: st.s.spec.FirstUpdate}
		st.accounts[in.ID] = a
		st.accountOrder = append(st.accountOrder, in.ID)
	}
	a.Account = in
	st.Redeliver(a)
	st.Touch()
	return a, nil
}

// People are all of them in the order in which they came.
func (st *State) People() []*Person {
	out := make([]*Person, len(st.personOrder))
	for i, id := range st.personOrder {
		out[i] = st.people[id]
	}
	return out
}

// Person finds one by handle; nil when there is none.
func (st *State) Person(handle string) *Person { return st.people[handle] }

// PersonNamed finds one by handle, platform id, username, phone or a further id; nil when there is none.
func (st *State) PersonNamed(name string) *Person {
	if p := st.people[name]; p != nil || name == "" {
		return p
	}
	bare := strings.TrimPrefix(name, "@")
	for _, id := range st.personOrder {
		p := st.people[id]
		if p.Native == name || strings.EqualFold(p.Username, bare) || p.Phone != "" && strings.TrimPrefix(p.Phone, "+") == strings.TrimPrefix(name, "+") || holds(p.IDs, name) {
			return p
		}
	}
	return nil
}

// Known finds a person by the id by which an account knows it; nil when nobody has it.
func (st *State) Known(a *Account, contact string) *Person {
	if c := a.direct[contact]; c != nil {
		return c.Person
	}
	for _, id := range st.personOrder {
		if st.contact(a, st.people[id]) == contact {
			return st.people[id]
		}
	}
	return nil
}

// PutPerson adds a person or replaces what is known of it; its chats stay.
func (st *State) PutPerson(in control.Person) (*Person, error) {
	if err := validatePerson(in); err != nil {
		return nil, err
	}
	p := &Person{Person: in}
	or(&p.Persona, control.PersonaNone)
	or(&p.Display, strings.TrimSpace(in.First+" "+in.Last))
	or(&p.Display, in.ID)
	if p.First == "" && p.Last == "" {
		p.First, p.Last, _ = strings.Cut(p.Display, " ")
	}
	if st.s.spec.Native != nil {
		st.s.spec.Native(p)
	}
	or(&p.Native, Digits(in.ID, 9))
	known := st.people[in.ID]
	if known == nil {
		if len(st.people) >= st.s.cfg.Limits.People {
			return nil, fmt.Errorf("too many people")
		}
		st.people[in.ID] = p
		st.personOrder = append(st.personOrder, in.ID)
		known = p
	}
	known.Person = p.Person
	st.Touch()
	return known, nil
}

// contact is the id by which an account knows a person.
func (st *State) contact(a *Account, p *Person) string {
	if st.s.spec.Contact != nil {
		return st.s.spec.Contact(a, p)
	}
	return p.Native
}

// Digits makes n digits that depend on nothing but the text, the first of them not a zero.
func Digits(text string, n int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(n)))
	out := []byte{byte('1' + random.IntN(9))}
	for len(out) < n {
		out = append(out, byte('0'+random.IntN(10)))
	}
	return string(out)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func holds(ids map[string]string, name string) bool {
	for _, id := range ids {
		if id == name {
			return true
		}
	}
	return false
}

func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(y T) bool { return y == x })
}
