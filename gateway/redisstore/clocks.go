package redisstore

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

// readFor is how long a reading of Redis' clock counts against newer ones that say less.
const readFor = 10 * time.Second

// clocks knows about what Redis' clock says, by partition: in a cluster each may be on another machine. The answers to ingests tell it.
type clocks struct {
	born time.Time // of the monotonic clock

	mu       sync.Mutex
	readings map[gateway.Partition]reading
}

// reading is one look at Redis' clock: how far it is ahead of the monotonic one, in milliseconds, and at least, since the answer took its
// time; and when that was.
type reading struct {
	ahead int64
	at    time.Time
}

func newClocks() *clocks { return &clocks{born: time.Now(), readings: map[gateway.Partition]reading{}} }

// deadline is ctx's, as Redis' clock will show it; 0 without one, or before the first reading. It is never later than ctx's own as long as
// Redis' clock is not set back.
func (c *clocks) deadline(ctx context.Context, p gateway.Partition) int64 {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.readings[p]
	if !ok {
		return 0
	}
	return end.Sub(c.born).Milliseconds() + r.ahead
}

// heard takes the reading that an entry's new id is. The latest it can be wrong by is how long the answer took, so the one that says most is
// the best, until it is old.
func (c *clocks) heard(p gateway.Partition, id gateway.EntryID) {
	text, _, _ := strings.Cut(string(id), "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return
	}
	now := time.Now()
	ahead := ms - now.Sub(c.born).Milliseconds() - 1
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.readings[p]; !ok || ahead > old.ahead || now.Sub(old.at) > readFor {
		c.readings[p] = reading{ahead, now}
	}
}

// set takes a reading in place of all earlier ones.
func (c *clocks) set(p gateway.Partition, text string) error {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readings[p] = reading{ms - now.Sub(c.born).Milliseconds() - 1, now}
	return nil
}
