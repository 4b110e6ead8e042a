package gateway

import (
	"context"
	"errors"
	"time"
)

// Store keeps the identity mapping and the mail in transit. memstore is the reference, redisstore the real one; storetest
// holds both to the contract. What must stay private arrives sealed and named by HMAC: a Store never sees a JID, a platform
// id or content (see Keyring). All methods are safe for concurrent use.
type Store interface {
	Ingester
	Leaser
	Worker
	DeadLetters
	Records
	Limiter
	Signals
	Replicas
	// Ready returns nil when the store takes writes.
	Ready(ctx context.Context) error
	Close() error
}

// Errors that every Store returns, wrapped or bare.
var (
	// ErrFull: the lane, the queue, or what is parked of it holds as much as it may. Nothing was stored.
	ErrFull = errors.New("queue full")
	// ErrHeld: another replica holds the lease.
	ErrHeld = errors.New("lease held by another replica")
	// ErrFenced: the lease is no longer ours; the caller stops at once and touches nothing.
	ErrFenced = errors.New("lease lost")
	// ErrExists: a record that should be new is there already.
	ErrExists = errors.New("record exists")
	// ErrChanged: a record is not any more what its change was made from.
	ErrChanged = errors.New("record changed meanwhile")
	// ErrNotFound: there is no such dead letter.
	ErrNotFound = errors.New("not found")
)

// Entry is one unit of work in a queue.
type Entry struct {
	// ID is set by the store.
	ID EntryID
	// Lane is the HMAC of the lane key (Keyring.Lane): entries of one lane are worked on strictly in order.
	Lane string
	// Kind tells the worker what the payload is.
	Kind EntryKind
	// Account names the key that seals Payload; empty where the operator's key does.
	Account AccountID
	// Payload is sealed.
	Payload []byte
	// At is when the entry was first ingested, to the millisecond; it survives park, replay and hops.
	At time.Time
}

// EntryKind tells what an entry's payload is.
type EntryKind string

// Kinds of entry.
const (
	EntryEvent   EntryKind = "event"   // an Inbound
	EntryOp      EntryKind = "op"      // an Outbound
	EntryAgain   EntryKind = "again"   // an Outbound that the platform took and refused afterwards
	EntryStanzas EntryKind = "stanzas" // rendered bytes for the stream
	EntryRaw     EntryKind = "raw"     // a webhook body that could not be parsed
)

// IngestOptions bounds and dedupes an ingest.
type IngestOptions struct {
	// Dedupe is an HMAC; a second ingest with it inside DedupeFor stores nothing and returns the first id. Empty: no dedupe.
	Dedupe    string
	DedupeFor time.Duration
	// LaneMax and QueueMax are the most entries that the lane and the queue may hold, 0 for no limit. A lane's parked
	// entries count for the lane, not for the queue.
	LaneMax, QueueMax int
	// ParkMax bounds what is parked of the queue, 0 for no limit: with so many entries parked, lanes that are parked take no more. Others do,
	// so that nobody waits for somebody else's trouble, until there are QueueMax and ParkMax entries in the queue and parked of it together:
	// since any of them may park, that is the most there ever are.
	ParkMax int
	// Hand, unless it is nil, is offered an entry that was stored, by its id, when nothing else of its lane is in the store: who takes
	// it works on it without reading it, and nobody is woken. Outboxes do not count lanes, and offer nothing.
	Hand func(EntryID) bool
}

// Ingester takes new work. It is never fenced: what was read from a socket or a webhook is stored by whoever read it.
type Ingester interface {
	// Ingest appends an entry unless its dedupe key was seen; it returns when the entry is durable. ErrFull stores nothing. Nor is anything
	// stored after ctx's deadline, also where the question hangs on its way for longer than that.
	Ingest(ctx context.Context, p Partition, q Queue, e Entry, o IngestOptions) (id EntryID, duplicate bool, err error)
	// Read returns up to n entries after an id, oldest first, without waiting. A new owner starts from the empty id:
	// whatever is there is unfinished.
	Read(ctx context.Context, p Partition, q Queue, after EntryID, n int) ([]Entry, error)
	// ReadQueues reads several queues of a partition at once; the answers are in the order of the cursors.
	ReadQueues(ctx context.Context, p Partition, from ...Cursor) ([][]Entry, error)
	// Watch hints that a partition may have new work until ctx ends, when the channel is closed. Hints may be lost or
	// spurious: poll as well.
	Watch(ctx context.Context, p Partition) <-chan struct{}
	// Depth returns how many entries a queue holds and when its oldest was ingested.
	Depth(ctx context.Context, p Partition, q Queue) (n int, oldest time.Time, err error)
}

// Cursor is a place to read on from: up to N entries after an id.
type Cursor struct {
	Queue Queue
	After EntryID
	N     int
}

// Lease is the right to work on a partition until it runs out. Epoch grows with every new owner.
type Lease struct {
	Partition Partition
	Replica   string
	Epoch     int64
	Until     time.Time
}

// Leaser hands out leases.
type Leaser interface {
	// Acquire takes a free lease, or takes up one that this same replica still holds from before a restart (its epoch grows
	// all the same). ErrHeld otherwise.
	Acquire(ctx context.Context, p Partition, replica string, ttl time.Duration) (Lease, error)
	// Renew extends the lease. ErrFenced when it is gone.
	Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Release gives the lease back; releasing a lost lease is no error.
	Release(ctx context.Context, l Lease) error
}

// Attempt is what begin tells about earlier tries of an entry.
type Attempt struct {
	// Number is 1 for the first try.
	Number int
	// Unfinished is true when an earlier try began and never said how it ended: its effect is uncertain.
	Unfinished bool
}

// MapEntry is one line of a lane's id map. Field and Value are opaque (Keyring.MapField, sealed).
type MapEntry struct {
	Lane  string
	Field string
	Value []byte
}

// Worker changes the work of a partition. Every method is fenced: ErrFenced when the lease is no longer the caller's.
type Worker interface {
	// Begin marks that an entry's side effect is about to happen, and writes id maps that must stand before it.
	Begin(ctx context.Context, l Lease, q Queue, id EntryID, maps []MapEntry) (Attempt, error)
	// Fail marks that a try ended without effect: the attempt number and the age stay, the uncertainty goes.
	Fail(ctx context.Context, l Lease, q Queue, id EntryID) error
	// Start counts that somebody begins with an entry of whose last owner nothing is known, unless that was counted so many times
	// already; it returns how often it was before. Survived, Park, Finish and Dead forget it.
	Start(ctx context.Context, l Lease, q Queue, id EntryID, most int) (before int, err error)
	// Survived forgets an entry's starts.
	Survived(ctx context.Context, l Lease, q Queue, id EntryID) error
	// Finish removes entries that are done and writes id maps, in one step. Of an entry it goes by the id and the lane; unknown
	// ids are no error.
	Finish(ctx context.Context, l Lease, q Queue, done []Entry, maps []MapEntry) error
	// Park moves entries of one lane, oldest first, behind those already parked, and marks the lane parked for so long from now
	// on, by the store's clock; no time at all is over at once. They get new ids and keep their attempts; ids that are gone are
	// no error, and none at all only moves the mark.
	Park(ctx context.Context, l Lease, from Queue, lane string, ids []EntryID, wait time.Duration, reason ParkReason) error
	// Parked lists the parked lanes of a partition, with what is left of their time by the store's clock.
	Parked(ctx context.Context, p Partition) ([]ParkedLane, error)
	// Unpark clears the mark of a lane whose park queue is empty; done is false while it is not.
	Unpark(ctx context.Context, l Lease, from Queue, lane string) (done bool, err error)
	// Dead moves an entry to the partition's dead letters; an id that is gone is no error. What was parked counts as from
	// the lane's queue, so that a replay goes there.
	Dead(ctx context.Context, l Lease, q Queue, id EntryID, why DeadReason) error
	// Lookup reads id maps of a lane, newest bucket first; absent fields are absent from the answer.
	Lookup(ctx context.Context, p Partition, lane string, fields []string) (map[string][]byte, error)
}

// ParkReason says what a parked lane waits for.
type ParkReason string

// Reasons to park.
const (
	ParkRetry  ParkReason = "retry"
	ParkLimit  ParkReason = "limit"
	ParkReauth ParkReason = "reauth"
	ParkWindow ParkReason = "window"
	ParkPause  ParkReason = "pause"
	// ParkLate: the user is asked whether it goes out so late.
	ParkLate ParkReason = "late"
	// ParkShare: the account had more in memory than its share.
	ParkShare ParkReason = "share"
	// ParkBreaker: the platform's host fails and is left alone.
	ParkBreaker ParkReason = "breaker"
	// ParkStopped: the operator has stopped the adapter.
	ParkStopped ParkReason = "stopped"
	// ParkBacklog: it is late, and goes on at a pace.
	ParkBacklog ParkReason = "backlog"
	// ParkServer: nobody reaches the XMPP server.
	ParkServer ParkReason = "server"
)

// ParkedLane is one parked lane. Until is by the clock of who asked, and goes with its monotonic one: an owner is told how long
// something waits yet, never when another machine thought that it would end. Clocks of machines differ, and jump.
type ParkedLane struct {
	Lane   string
	From   Queue
	Until  time.Time
	Reason ParkReason
}

// DeadReason says why an entry was given up on. Text holds no content and no identifier.
type DeadReason struct {
	Class Class  `json:"class"`
	Code  string `json:"code,omitempty"`
	Text  string `json:"text,omitempty"`
}

// DeadLetter is an entry that was given up on, with where it came from.
type DeadLetter struct {
	Entry
	From Queue
	Why  DeadReason
	Died time.Time
}

// DeadLetters is the operator's view of what was given up on. Dead letters expire after 30 days.
type DeadLetters interface {
	// Bury stores an entry as a dead letter at once, for what could not even be ingested. It is not fenced.
	Bury(ctx context.Context, p Partition, from Queue, e Entry, why DeadReason) error
	// ListDead returns up to n dead letters after an id, oldest first.
	ListDead(ctx context.Context, p Partition, after EntryID, n int) ([]DeadLetter, error)
	// Replay puts a dead letter at the end of the queue it came from. ErrNotFound when it is gone.
	Replay(ctx context.Context, p Partition, id EntryID) (EntryID, error)
	// DropDead forgets a dead letter. ErrNotFound when it is gone.
	DropDead(ctx context.Context, p Partition, id EntryID) error
}

// Owner names whose records they are; all records of an owner share a Redis Cluster slot and go in one Erase.
type Owner string

// RecordKey names one record. Names are HMACs or ULIDs, never an identifier of a person.
type RecordKey struct {
	Owner Owner
	Kind  RecordKind
	Name  string
}

// RecordKind is one of the kinds that retention.go lists with its owner and TTL.
type RecordKind string

// Change is one write to an owner's records. A nil Value deletes. IfAbsent fails the whole Save with ErrExists when the
// record is there; Was, unless it is nil, fails it with ErrChanged when the record holds neither that nor Value already, so that of
// two changes made from the same state only one is written. TTL > 0 makes a record that expires; such a record is not listed. The
// retention table says which kinds expire: a Save that disagrees with it is refused.
type Change struct {
	Kind     RecordKind
	Name     string
	Value    []byte
	IfAbsent bool
	Was      []byte
	TTL      time.Duration
}

// Records keeps identities: users, accounts, contacts, consent receipts, sessions.
type Records interface {
	// Load returns the values of the keys in order, nil where absent, in one round trip per slot at most.
	Load(ctx context.Context, keys ...RecordKey) ([][]byte, error)
	// Save applies all changes of one owner or none.
	Save(ctx context.Context, owner Owner, changes ...Change) error
	// List returns a page of an owner's lasting records of one kind, by name; an empty cursor starts, an empty next ends.
	// A page may be empty before the end, and a name may come twice. ErrCursor for a cursor that no page can have had.
	List(ctx context.Context, owner Owner, kind RecordKind, cursor string, n int) (values map[string][]byte, next string, err error)
	// Erase removes all records of an owner, lasting and expiring.
	Erase(ctx context.Context, owner Owner) error
}

// Bucket is a limit of somebody: Burst tokens at once, and Every so often one more. It is one time, when it would be full
// again (GCRA), and is forgotten by itself once it is full.
type Bucket struct {
	// Name is an HMAC.
	Name string
	// Every is 0 for a bucket that no token leaves: it only waits for the end of a Hold.
	Every time.Duration
	Burst int
	// Cost is how many tokens one Take spends, 0 for one. What costs more than Burst never comes to its turn: whoever asks knows that.
	Cost int
	// Taker names, as an HMAC, on whose behalf a token is taken where several share the bucket: while tokens are short each
	// taker waits for one at a time, so that they get theirs in turn, whoever has more to do. Empty: nobody shares it.
	Taker string
}

// Price is what one Take spends of the bucket.
func (b Bucket) Price() int { return max(b.Cost, 1) }

// Taken is what came of asking for tokens.
type Taken struct {
	// OK is true when a token of every bucket was spent: what they are for may begin after Wait. Otherwise none was, and it is
	// worth asking again after Wait.
	OK   bool
	Wait time.Duration
	// By is the index of the bucket that has to be waited for longest.
	By int
}

// Limiter keeps limits that all replicas share. The buckets of an adapter instance share a Redis Cluster slot, so that several
// are spent in one step or not at all.
type Limiter interface {
	// Take spends a token of every bucket, or its Cost, unless that means to wait for more than most: who cannot wait for their turn must
	// not hold up others.
	Take(ctx context.Context, a AdapterID, most time.Duration, buckets ...Bucket) (Taken, error)
	// Filling says of each bucket how long it takes until it is full again, 0 for one that is, and spends nothing.
	Filling(ctx context.Context, a AdapterID, names ...string) ([]time.Duration, error)
	// Hold lets no token of a bucket be spent for a time, or longer where it is held longer already.
	Hold(ctx context.Context, a AdapterID, name string, d time.Duration) error
}

// Signals carries what is worth nothing a moment later: typing, presence, stream wake-ups. Late or unheard is gone.
type Signals interface {
	Publish(ctx context.Context, topic string, payload []byte) error
	// Subscribe delivers until ctx ends, when the channel is closed; a slow reader loses signals, never delays anybody.
	Subscribe(ctx context.Context, topic string) <-chan []byte
}

// Replicas tells the processes on one store of each other.
type Replicas interface {
	// Announce says that a replica works, for as long as ttl lasts, with a note for the others, and returns the notes of all
	// that are announced, its own among them. No time at all announces nobody, and only asks.
	Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error)
	// Withdraw ends a replica's announcement; without one it is no error.
	Withdraw(ctx context.Context, replica string) error
}
