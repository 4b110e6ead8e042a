package storetest

import (
	"time"

	"postern/gateway"
)

var leaseCases = []testCase{
	{"lease/acquire, hold, release", (*kit).leaseHold},
	{"lease/runs out and is taken over", (*kit).leaseTakeOver},
	{"lease/renewal keeps it", (*kit).leaseRenew},
	{"lease/the same replica takes its own up at once", (*kit).leaseOwn},
	{"lease/releasing a lost lease is no error and no harm", (*kit).leaseReleaseLost},
	{"lease/partitions are apart", (*kit).leaseApart},
}

func (k *kit) leaseHold() {
	before := time.Now()
	a := k.acquire("r1", long)
	k.want("lease", []any{a.Partition, a.Replica}, []any{shard, "r1"})
	if a.Until.Before(before.Add(long-time.Minute)) || a.Until.After(time.Now().Add(long+time.Minute)) {
		k.Errorf("until: got %v, want %v from now", a.Until, long)
	}
	_, err := k.Acquire(k.Context(), shard, "r2", long)
	k.wantErr("acquire by another", err, gateway.ErrHeld)
	k.check("release", k.Release(k.Context(), a))
	b := k.acquire("r2", long)
	if b.Epoch <= a.Epoch {
		k.Errorf("epoch: got %d after %d, want a greater one", b.Epoch, a.Epoch)
	}
	_, err = k.Renew(k.Context(), a, long)
	k.wantErr("renew of a released lease", err, gateway.ErrFenced)
}

func (k *kit) leaseTakeOver() {
	a := k.acquire("r1", k.o.Short)
	k.o.Advance(2 * k.o.Short)
	_, err := k.Renew(k.Context(), a, long)
	k.wantErr("renew after the end", err, gateway.ErrFenced)
	_, err = k.Begin(k.Context(), a, in, k.put(in, "l", "a")[0], nil)
	k.wantErr("begin after the end, before anybody took over", err, gateway.ErrFenced)
	b := k.acquire("r2", long)
	if b.Epoch <= a.Epoch {
		k.Errorf("epoch: got %d after %d, want a greater one", b.Epoch, a.Epoch)
	}
	_, err = k.Acquire(k.Context(), shard, "r1", long)
	k.wantErr("acquire by the one before", err, gateway.ErrHeld)
}

func (k *kit) leaseRenew() {
	a := k.acquire("r1", k.o.Short)
	b, err := k.Renew(k.Context(), a, long)
	k.check("renew", err)
	k.want("epoch", b.Epoch, a.Epoch)
	if !b.Until.After(a.Until) {
		k.Errorf("until: got %v, want later than %v", b.Until, a.Until)
	}
	k.o.Advance(2 * k.o.Short)
	_, err = k.Acquire(k.Context(), shard, "r2", long)
	k.wantErr("acquire by another", err, gateway.ErrHeld)
	k.finish(b, in)
	k.finish(a, in) // the same epoch: the lease from before its renewal still names the holder
}

func (k *kit) leaseOwn() {
	a := k.acquire("r1", long)
	b := k.acquire("r1", long)
	if b.Epoch <= a.Epoch {
		k.Errorf("epoch: got %d after %d, want a greater one", b.Epoch, a.Epoch)
	}
	_, err := k.Renew(k.Context(), a, long)
	k.wantErr("renew of the lease from before the restart", err, gateway.ErrFenced)
	k.wantErr("finish under it", k.Finish(k.Context(), a, in, nil, nil), gateway.ErrFenced)
	k.finish(b, in)
}

func (k *kit) leaseReleaseLost() {
	a := k.acquire("r1", k.o.Short)
	k.o.Advance(2 * k.o.Short)
	b := k.acquire("r2", long)
	k.check("release of a lost lease", k.Release(k.Context(), a))
	k.finish(b, in)
	k.check("release", k.Release(k.Context(), b))
	k.check("second release", k.Release(k.Context(), b))
}

func (k *kit) leaseApart() {
	k.acquire("r1", long)
	if _, err := k.Acquire(k.Context(), "s08", "r2", long); err != nil {
		k.Errorf("acquire of another partition: got %v, want a lease", err)
	}
	if _, err := k.Acquire(k.Context(), "c:telegram", "r3", long); err != nil {
		k.Errorf("acquire of an outbox: got %v, want a lease", err)
	}
}
