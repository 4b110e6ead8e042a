//go:build servers

package doctor

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/cmd/internal/app"
	"postern/deploy/lab"
	"postern/gateway"
)

// TestRedis provokes each miss on a real Redis.
func TestRedis(t *testing.T) {
	r, err := lab.ForTest(t).StartRedis(t.Context(), lab.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) {
		t.Helper()
		if _, err := r.Do(t.Context(), "CONFIG", "SET", key, value); err != nil {
			t.Fatal(err)
		}
	}
	look := func(v *visit) *visit {
		t.Helper()
		v.findings = nil
		v.redis(t.Context())
		if s := v.store; s != nil {
			t.Cleanup(func() { _ = s.Close() })
		}
		return v
	}
	v := rig(t, r.URL(), "p:", "", Options{Now: time.Now})
	look(v).want(t, OK, "the store is empty")
	if Worst(v.findings) != OK {
		t.Errorf("of a good Redis: got %+v", v.findings)
	}
	if err := v.parts.OpenKeys(t.Context(), v.store); !errors.Is(err, gateway.ErrNoSchema) {
		t.Errorf("a look at an empty store made keys: got %v", err)
	}

	set("appendonly", "no")
	set("maxmemory-policy", "allkeys-lru")
	look(v).want(t, Loss, "appendonly of")
	v.want(t, Loss, "is allkeys-lru")
	set("maxmemory-policy", "noeviction")
	v.cfg.Store.WaitReplicas = 1
	look(v).want(t, Fault, "has 0 replica(s), store.wait_replicas wants 1")
	v.cfg.Store.WaitReplicas = 0

	// Writes are refused: there is no room for any.
	set("maxmemory", "1")
	look(v).want(t, Fault, "Redis takes no writes")
	set("maxmemory", "0")

	owner := rig(t, r.URL(), "p:", "", Options{Now: time.Now})
	s := look(owner).store
	vault, err := app.OpenVault(t.Context(), owner.cfg) // makes the keys, as a start does
	if err != nil {
		t.Fatal(err)
	}
	vault.Close()
	look(owner).want(t, OK, "the store's key opens this store")
	look(v).want(t, Fault, "the store key does not open this store")

	// A name that somebody is, is nobody else's.
	i := v.parts.Instances[0]
	lease, err := s.Acquire(t.Context(), gateway.OutboxPartition(i.ID), "somebody", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if j := v.join(t.Context(), i, "x"); j.how == "" || j.level != OK || !v.held {
		t.Errorf("while a gateway runs: got %+v, want that nobody joins", j)
	}
	if err := s.Release(context.WithoutCancel(t.Context()), lease); err != nil {
		t.Fatal(err)
	}
	if j := v.join(t.Context(), i, "x"); j.how != "" || j.err == nil { // nobody listens there
		t.Errorf("while none runs: got %+v, want a try", j)
	}
	if _, err := s.Acquire(t.Context(), gateway.OutboxPartition(i.ID), "somebody", time.Minute); err != nil {
		t.Errorf("after the visit: got %v, want the name free", err)
	}
}
