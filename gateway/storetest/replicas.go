package storetest

import (
	"fmt"
	"time"
)

var replicaCases = []testCase{
	{"replicas/can be asked for by who is none", (*kit).replicasAsked},
	{"replicas/see each other and their notes", (*kit).replicasSee},
	{"replicas/an announcement runs out", (*kit).replicasRunOut},
	{"replicas/announcing again keeps it", (*kit).replicasKeep},
	{"replicas/withdrawing ends it at once", (*kit).replicasWithdraw},
	{"replicas/one that withdrew or ran out comes back", (*kit).replicasReturn},
}

// announce returns the notes that a replica sees, as text.
func (k *kit) announce(replica, note string, ttl time.Duration) map[string]string {
	k.Helper()
	all, err := k.Announce(k.Context(), replica, []byte(note), ttl)
	k.check("announce", err)
	out := map[string]string{}
	for r, n := range all {
		out[r] = string(n)
	}
	return out
}

func (k *kit) replicasSee() {
	k.want("alone", k.announce("r1", "a:1\x00\xff", long), map[string]string{"r1": "a:1\x00\xff"})
	k.want("two", k.announce("r2", "", long), map[string]string{"r1": "a:1\x00\xff", "r2": ""})
	k.want("another note", k.announce("r1", "b", long), map[string]string{"r1": "b", "r2": ""})
	want := map[string]string{"r1": "b", "r2": ""}
	for n := range 20 {
		name := fmt.Sprint("more", n)
		want[name] = name
		k.want("one more", k.announce(name, name, long), want)
	}
}

// replicasAsked: who is there may be asked without being among them.
func (k *kit) replicasAsked() {
	k.want("nobody", k.announce("r1", "", 0), map[string]string{})
	k.announce("r2", "b", long)
	k.want("another", k.announce("r1", "", 0), map[string]string{"r2": "b"})
	k.want("nor afterwards", k.announce("r2", "b", long), map[string]string{"r2": "b"})
}

func (k *kit) replicasRunOut() {
	k.announce("r1", "", k.o.Short)
	k.want("before", k.announce("r2", "", long), map[string]string{"r1": "", "r2": ""})
	k.o.Advance(2 * k.o.Short)
	k.want("after", k.announce("r2", "", long), map[string]string{"r2": ""})
}

func (k *kit) replicasKeep() {
	k.announce("r1", "old", k.o.Short)
	k.announce("r1", "new", long)
	k.announce("r2", "", k.o.Short)
	k.o.Advance(2 * k.o.Short)
	k.want("after", k.announce("r3", "", long), map[string]string{"r1": "new", "r3": ""})
}

func (k *kit) replicasWithdraw() {
	k.announce("r1", "", long)
	k.announce("r2", "", long)
	k.check("withdraw", k.Withdraw(k.Context(), "r1"))
	k.check("withdraw again", k.Withdraw(k.Context(), "r1"))
	k.check("withdraw of one that never was", k.Withdraw(k.Context(), "r9"))
	k.want("after", k.announce("r2", "", long), map[string]string{"r2": ""})
}

func (k *kit) replicasReturn() {
	k.announce("r1", "", k.o.Short)
	k.announce("r2", "", long)
	k.o.Advance(2 * k.o.Short)
	k.check("withdraw", k.Withdraw(k.Context(), "r2"))
	k.want("r1", k.announce("r1", "again", long), map[string]string{"r1": "again"})
	k.want("r2", k.announce("r2", "too", long), map[string]string{"r1": "again", "r2": "too"})
}
