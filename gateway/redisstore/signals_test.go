//go:build servers

package redisstore

import (
	"strings"
	"testing"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestWake ingests in one process and watches in two: both are woken, and only what is not watched here is published.
func TestWake(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	here, there := open(t, r.URL(), "w:", Options{}), open(t, r.URL(), "w:", Options{})
	there.prefix = here.prefix
	ingest := func() {
		t.Helper()
		if _, _, err := here.Ingest(t.Context(), shard, gateway.QueueIn, entry("a"), gateway.IngestOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	woken := func(what string, hints <-chan struct{}) {
		t.Helper()
		for range 3 { // a new subscription hints once by itself
			eventually(t, what, func() bool {
				ingest()
				select {
				case <-hints:
					return true
				default:
					return false
				}
			})
		}
	}
	woken("hint in another process", there.Watch(t.Context(), shard))
	woken("hint in this process", here.Watch(t.Context(), shard))

	before := published(t, r)
	ingest()
	if got := published(t, r); got != before {
		t.Errorf("published for a partition that is watched here: got %q, want as before, %q", got, before)
	}
}

// published returns what Redis counted of PUBLISH.
func published(t *testing.T, r *lab.Redis) string {
	t.Helper()
	v, err := r.Do(t.Context(), "INFO", "commandstats")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := v.(string)
	_, rest, _ := strings.Cut(text, "cmdstat_publish:")
	line, _, _ := strings.Cut(rest, "\r\n")
	if line == "" {
		t.Fatal("published: got no count, want one")
	}
	return line
}
