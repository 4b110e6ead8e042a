package redisstore

import (
	"strconv"
	"strings"
	"time"

	"postern/gateway"
)

// KeyRow explains one shape of key.
type KeyRow struct {
	// Shape is the key behind the prefix; <p> stands for a partition, <o> for an owner, <l> for the
	// limits of an adapter instance, <> for anything.
	Shape string
	// Expires is true when every such key has a time to live.
	Expires bool
	// Why says who owns the key, or what it is for and how long.
	Why string
}

// Keys lists every shape of key that a store writes. Names of lanes, dedupe keys, owners and records are HMACs or ULIDs:
// no key holds an identifier of a person or a message.
func Keys() []KeyRow {
	return []KeyRow{
		{"{<p>}:q:<>", false, "work stream, or the stream of a parked lane: owned by the partition, entries leave when they are done"},
		{"{<p>}:n:<>", false, "how many entries each lane has: owned by the partition, a field goes with the lane's last entry"},
		{"{<p>}:try:<>", true, "attempts of unfinished entries: gateway.AttemptTTL after the last try"},
		{"{<p>}:own", true, "the lease"},
		{"{<p>}:epoch", false, "how often the lease was taken: owned by the partition, one number"},
		{"{<p>}:parked", false, "parked lanes: owned by the partition, a field goes with the park"},
		{"{<p>}:held:<>", false, "how many entries of a queue are parked: owned by the partition, gone with the last of them"},
		{"{<p>}:dead", true, "dead letters: gateway.DeadTTL"},
		{"{<p>}:d:<>", true, "a dedupe key: as long as its source resends"},
		{"{<p>}:m:<>", true, "id maps of a lane and a gateway.MapBucket, and what they overflow into: gateway.MapTTL after the bucket's end"},
		{"{<o>}:r:<>", false, "lasting records of a kind: owned by the owner, gone with Erase"},
		{"{<o>}:x:<>", true, "an expiring record: its own time to live"},
		{"{<o>}:xi", true, "names of the expiring records, so that Erase finds them: as long as the last of them"},
		{"{<l>}:b:<>", true, "a bucket of a limit: until it is full again, or until a pause is over"},
		{"{<l>}:t:<>", true, "who waits for tokens of a bucket that several share: until their turn"},
		{"{replicas}:live", true, "the replicas that work: as long as the last announcement"},
		{"ready", true, "proof that Redis takes writes: a minute"},
	}
}

// Explain returns the row of a key without its prefix.
func Explain(key string) (KeyRow, bool) {
	for _, r := range Keys() {
		tail := r.Shape
		rest := key
		if strings.HasPrefix(tail, "{") {
			tag, after, ok := strings.Cut(key, "}")
			if !ok || !strings.HasPrefix(tag, "{") || len(tag) == 1 {
				continue
			}
			tail, rest = tail[strings.IndexByte(tail, '}')+1:], after
		}
		fixed, open := strings.CutSuffix(tail, "<>")
		if rest == fixed && !open || open && strings.HasPrefix(rest, fixed) {
			return r, true
		}
	}
	return KeyRow{}, false
}

func (s *Store) live() string     { return s.prefix + "{replicas}:live" }
func (s *Store) readyKey() string { return s.prefix + "ready" }

// part begins a key of a partition: the braces make Redis Cluster hash the partition's name alone.
func (s *Store) part(p gateway.Partition, rest string) string {
	return s.prefix + "{" + string(p) + "}:" + rest
}

func (s *Store) dead(p gateway.Partition) string { return s.part(p, "dead") }

func (s *Store) dedupe(p gateway.Partition, q gateway.Queue, key string) string {
	return s.part(p, "d:"+string(q)+":"+key)
}

const (
	// mapLines is how many lines the id-map hash of a lane and bucket holds before it overflows: Redis packs a hash up to
	// this size (hash-max-listpack-entries, 128 by default in 7.0 and 512 before), in about 80 bytes a line instead of 140.
	mapLines = 128
	// mapSpread is how many hashes a full one overflows into: with all of them packed, a chat has 8000 lines in a bucket.
	mapSpread = 64
)

// maps returns the id-map hash of a lane and bucket, and the one that a field goes to when the first is full.
func (s *Store) maps(p gateway.Partition, lane string, bucket int64, field string) (hash, overflow string) {
	hash = s.part(p, "m:"+lane+":"+strconv.FormatInt(bucket, 10))
	return hash, overflowOf(hash, field)
}

// overflowOf spreads fields by FNV-1a.
func overflowOf(hash, field string) string {
	sum := uint32(2166136261)
	for i := range len(field) {
		sum = (sum ^ uint32(field[i])) * 16777619
	}
	return hash + ":" + strconv.Itoa(int(sum%mapSpread))
}

func (s *Store) owner(o gateway.Owner, rest string) string {
	return s.prefix + "{" + string(o) + "}:" + rest
}

func (s *Store) records(o gateway.Owner, k gateway.RecordKind) string {
	return s.owner(o, "r:"+string(k))
}

func (s *Store) expiring(o gateway.Owner, k gateway.RecordKind, name string) string {
	return s.owner(o, "x:"+string(k)+":"+name)
}

// limit begins a key of an adapter instance's limits, which share a slot.
func (s *Store) limit(a gateway.AdapterID, rest string) string {
	return s.prefix + "{l:" + string(a) + "}:" + rest
}

func (s *Store) topic(t string) string { return s.prefix + "sig:" + t }

// bucketOf numbers the stretches of gateway.MapBucket since the epoch.
func bucketOf(t time.Time) int64 { return t.UnixMilli() / gateway.MapBucket.Milliseconds() }

// oldBuckets is how many buckets before the current one may hold a map that is not older than gateway.MapTTL.
const oldBuckets = int64(gateway.MapTTL / gateway.MapBucket)

// mapsEnd is when the maps of the current bucket expire, in Unix seconds.
func (s *Store) mapsEnd() int64 {
	end := (bucketOf(s.now()) + 1) * gateway.MapBucket.Milliseconds()
	return (end + gateway.MapTTL.Milliseconds()) / 1000
}

// token is what the lease key holds while l is valid.
func token(l gateway.Lease) string { return strconv.FormatInt(l.Epoch, 10) + ":" + l.Replica }
