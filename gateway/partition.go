package gateway

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Shards is how many shards there are. It stands in the schema record; a store with another value refuses to open.
const Shards = 64

// LaneKey names the ordered work of one chat by the one name that both sides know without a lookup:
// the component, and the localpart under which the contact or room is addressed there.
type LaneKey struct {
	Adapter AdapterID
	Local   Alias
}

// Shard returns the shard that a lane lives in: FNV-1a of the key, modulo Shards.
func (k LaneKey) Shard() Partition {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.Adapter))
	_, _ = h.Write([]byte{'|'})
	_, _ = h.Write([]byte(k.Local))
	return ShardPartition(int(h.Sum32() % Shards))
}

// Partition is what one replica owns at a time: a shard, or the outbox of one component. All keys of a partition share a
// Redis Cluster slot, so that one script can change them together.
type Partition string

// ShardPartition returns the name of shard n, two digits behind an s.
func ShardPartition(n int) Partition {
	return Partition([]byte{'s', byte('0' + n/10), byte('0' + n%10)})
}

// OutboxPartition returns the name of an adapter instance's outbox.
func OutboxPartition(a AdapterID) Partition { return Partition("c:" + string(a)) }

// AllShards lists the shard partitions in order.
func AllShards() []Partition {
	all := make([]Partition, Shards)
	for i := range all {
		all[i] = ShardPartition(i)
	}
	return all
}

// Queue names an ordered stream of entries inside a partition.
type Queue string

// Queues. In and Out are of shards, Xmpp of outboxes; Dead is where entries go that were given up on.
const (
	QueueIn   Queue = "in"
	QueueOut  Queue = "out"
	QueueXMPP Queue = "xo"
	QueueDead Queue = "dead"
)

// ParkQueue is the queue that holds a parked lane's entries, in the lane's direction.
func ParkQueue(from Queue, lane string) Queue { return Queue("park:" + string(from) + ":" + lane) }

// IsPark reports whether it is a parked lane's.
func (q Queue) IsPark() bool { return strings.HasPrefix(string(q), "park:") }

// Base returns the queue that a park queue's entries came from, and any other queue itself.
func (q Queue) Base() Queue {
	rest, ok := strings.CutPrefix(string(q), "park:")
	if !ok {
		return q
	}
	from, _, _ := strings.Cut(rest, ":")
	return Queue(from)
}

// EntryID is a place in a queue: "<milliseconds>-<sequence>" as Redis streams count. Later entries have greater ids.
type EntryID string

// Before reports whether a stands before b in a queue. The empty id stands before all.
func (a EntryID) Before(b EntryID) bool {
	am, as := a.split()
	bm, bs := b.split()
	return am < bm || am == bm && as < bs
}

// whole reports whether it is a place at all.
func (a EntryID) whole() bool {
	before, behind, _ := strings.Cut(string(a), "-")
	for _, part := range []string{before, behind} {
		if _, err := strconv.ParseUint(part, 10, 64); err != nil {
			return false
		}
	}
	return true
}

func (a EntryID) split() (ms, seq uint64) {
	for i := range len(a) {
		if a[i] == '-' {
			ms, _ = strconv.ParseUint(string(a[:i]), 10, 64)
			seq, _ = strconv.ParseUint(string(a[i+1:]), 10, 64)
			return ms, seq
		}
	}
	return 0, 0
}
