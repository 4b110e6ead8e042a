package gateway_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// still is the store of a process that stands still from a point of a walk on, as under SIGSTOP: it renews no lease and takes
// none until it is woken, and does not notice that time has passed. Waiting on a channel is what lets a bubble's time go on;
// who waits for a mutex, such as that of a sync.Once, stops it for all.
type still struct {
	gateway.Store
	stands atomic.Bool
	woken  chan struct{}
}

// at is a probe at which the process stands still, the first time that it comes by.
func (s *still) at(point string) func(string) {
	return func(at string) {
		if at == point && s.stands.CompareAndSwap(false, true) {
			<-s.woken
		}
	}
}

func (s *still) wait() {
	if s.stands.Load() {
		<-s.woken
	}
}

func (s *still) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	s.wait()
	return s.Store.Renew(ctx, l, ttl)
}

func (s *still) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	s.wait()
	return s.Store.Acquire(ctx, p, replica, ttl)
}

func (s *still) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error) {
	s.wait()
	return s.Store.Announce(ctx, replica, note, ttl)
}

// TestFileTakenOver: an owner that stands still between the upload of a file and the record of it loses its shard. The next
// one knows nothing of that upload and makes its own; when the first wakes, it has nothing more to say. One message, one file.
func TestFileTakenOver(t *testing.T) {
	const address = "https://up.example/cat.png"
	for _, tt := range []struct {
		name, point string
		begin       func(r *rig, files *gatewaytest.Files)
		sent, shown []string
	}{
		{
			"in", "after-publish",
			func(r *rig, _ *gatewaytest.Files) {
				r.mustEvent(picture("n1", "h1"), said("juliet", "n2", "after it", 0))
			},
			nil,
			[]string{"https://up.example/2/cat.png image/gif image", "after it"},
		},
		{
			"out", "after-upload",
			func(r *rig, files *gatewaytest.Files) {
				files.Host(address, []byte(gif))
				juliet := r.contact("juliet")
				r.askFile(juliet, "s1", address)
				r.mustAsk(juliet, "s2", "after it")
			},
			[]string{"juliet native:" + gif, "juliet caption", "juliet after it"},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newMediaPlatform()
				p.held["h1"] = gif
				r, files := newMediaRig(t, p)
				r.stop()
				store := r.store
				first := &still{Store: store, woken: make(chan struct{})}
				r.store, r.probe = first, first.at(tt.point)
				r.start(gateway.Config{Replica: "r1"})
				stopFirst := r.stop // only when it is awake: it waits for the lane that stands still
				tt.begin(r, files)
				gatewaytest.Advance(time.Second)
				if !first.stands.Load() {
					t.Fatalf("%s was not passed", tt.point)
				}

				next := &wire{}
				r.store, r.probe = store, nil
				r.startOn(gateway.Config{Replica: "r2"}, next)
				stopSecond := r.stop
				gatewaytest.Advance(30 * time.Second) // leases last 15 s, and are asked for every 5 s
				diff(t, "sent by the next owner", p.taken(), tt.sent)
				diff(t, "shown by the next owner", shownTexts(next.lines()), tt.shown)

				close(first.woken)
				gatewaytest.Advance(time.Minute)
				stopFirst()
				stopSecond()
				diff(t, "sent", p.taken(), tt.sent)
				diff(t, "shown", shownTexts(slices.Concat(r.wire.lines(), next.lines())), tt.shown)
				if given, put := p.uploads, len(files.Published()); given+put != 2 {
					t.Errorf("got %d uploads to the platform and %d from it, want two: one by each owner", given, put)
				}
				if n := files.Open(); n != 0 {
					t.Errorf("got %d files left open", n)
				}
			})
		})
	}
}
