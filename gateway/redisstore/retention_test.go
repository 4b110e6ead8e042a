package redisstore

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

var update = flag.Bool("update", false, "write deploy/privacy/retention.md")

// TestRetentionIsWritten: what operators tell their users is what the store does. That each key of a used store is one of these, and
// expires when it says so, is the kit's business.
func TestRetentionIsWritten(t *testing.T) {
	var b strings.Builder
	b.WriteString(retentionHead)
	for _, r := range gateway.RetentionTable() {
		long := "without an end of its own"
		if r.TTL > 0 {
			long = period(r.TTL)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.Kind, r.Why, long)
	}
	b.WriteString("\n## Keys in Redis\n\nBehind `store.prefix`; `<p>` is a shard of chats or an outbox, `<o>` an owner, `<l>` the limits of an adapter, `<>` anything that tells nothing.\n\n| key | what it is | expires |\n|---|---|---|\n")
	for _, k := range Keys() {
		expires := "no"
		if k.Expires {
			expires = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Shape, k.Why, expires)
	}
	b.WriteString("\n## By what the keys above expire\n\n| | |\n|---|---|\n")
	for _, l := range []struct {
		what string
		ttl  time.Duration
	}{
		{"a dead letter (gateway.DeadTTL)", gateway.DeadTTL},
		{"id maps, after the end of their ten days (gateway.MapTTL)", gateway.MapTTL},
		{"dedupe of webhooks (gateway.EventDedupe)", gateway.EventDedupe},
		{"dedupe of stanzas (gateway.StanzaDedupe)", gateway.StanzaDedupe},
		{"dedupe of what goes to the XMPP server (gateway.OutboxDedupe)", gateway.OutboxDedupe},
		{"tries of what waits (gateway.AttemptTTL)", gateway.AttemptTTL},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", l.what, period(l.ttl))
	}
	const file = "../../deploy/privacy/retention.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(raw)); diff != "" {
		t.Errorf("deploy/privacy/retention.md and the store (-store +file); go test ./gateway/redisstore -run %s -update:\n%s", t.Name(), diff)
	}
}

const retentionHead = `# What is kept, and how long

Made from the program's own tables by ` + "`go test ./gateway/redisstore -run TestRetentionIsWritten -update`" + `. A test scans a used store and fails on a key that stands in
neither table, or that does not expire though it says so.

Everything but the first kind is sealed: Redis and its copies hold no identifier, name or word in the clear. Mail in transit is in no table of records: it stands in the streams below
until it is delivered or given up on (` + "`delivery.give_up`" + `), then goes.

## Records

| kind | whose it is, or what for | kept |
|---|---|---|
`

// period is a length of time in whole days, hours, minutes or seconds.
func period(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d%u.d == 0 && d >= 2*u.d {
			return fmt.Sprint(int(d/u.d), " ", u.name)
		}
	}
	return fmt.Sprint(int(d.Seconds()), " seconds")
}
