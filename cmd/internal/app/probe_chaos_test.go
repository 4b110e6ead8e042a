//go:build servers && chaos

package app

import (
	"errors"
	"testing"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
	"postern/gateway/redisstore"
)

// TestChaosFenceOff: who has lost a lease goes on as if it had it, and that is all: a lease is given to one replica at a time.
func TestChaosFenceOff(t *testing.T) {
	r, err := lab.ForTest(t).StartRedis(t.Context(), lab.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, shard := t.Context(), gateway.AllShards()[0]
	for _, c := range []struct {
		off  string
		want error // of what a former owner does
	}{{"", gateway.ErrFenced}, {"fence,clock", nil}} {
		s, err := redisstore.Open(ctx, r.URL(), redisstore.Options{Prefix: "off" + c.off + ":"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		t.Setenv("POSTERN_CHAOS_OFF", c.off)
		f, err := injected()
		if err != nil {
			t.Fatal(err)
		}
		off := f.onStore(s)
		expect := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("off %q: %s: got %v, want %v", c.off, what, got, want)
			}
		}
		acquire := func(replica string) (l gateway.Lease, err error) {
			return off.Acquire(ctx, shard, replica, time.Minute)
		}

		first, err := acquire("first")
		expect("acquire", err, nil)
		_, err = acquire("second")
		expect("acquire beside an owner", err, gateway.ErrHeld)
		id, _, err := off.Ingest(ctx, shard, gateway.QueueOut, gateway.Entry{Lane: "l", Kind: "k", At: time.Now()}, gateway.IngestOptions{})
		expect("ingest", err, nil)
		expect("release", off.Release(ctx, first), nil)
		second, err := acquire("second")
		expect("acquire of a free lease", err, nil)

		kept, err := off.Renew(ctx, first, time.Minute)
		expect("renew of a lost lease", err, c.want)
		if forever := time.Until(kept.Until) > time.Hour; forever != (c.want == nil) {
			t.Errorf("off %q: a lease ends at %v", c.off, kept.Until)
		}
		_, err = off.Begin(ctx, first, gateway.QueueOut, id, nil)
		expect("begin under a lost lease", err, c.want)
		expect("fail under a lost lease", off.Fail(ctx, first, gateway.QueueOut, id), c.want)
		expect("finish under a lost lease", off.Finish(ctx, first, gateway.QueueOut, []gateway.Entry{{ID: id, Lane: "l"}}, nil), c.want)

		expect("release of a lost lease", off.Release(ctx, first), nil)
		_, err = acquire("first")
		expect("acquire after all that", err, gateway.ErrHeld)
		_, err = off.Renew(ctx, second, time.Minute)
		expect("renew by the owner", err, nil)
	}
}
