package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// deal gives partitions out to replicas: each replica gets an equal share, rounded down or up. Everybody who knows the same
// replicas comes to the same answer, and one replica more or less moves little besides its own share: of all pairs, those that
// draw the highest score by a hash of both come first (rendezvous hashing), as far as a replica has room. may says which
// replica can carry a partition; one that only full replicas can carry goes to one of them, and one that nobody can to nobody.
func deal(parts []Partition, replicas []string, may func(Partition, string) bool) map[Partition]string {
	type pair struct {
		score   uint64
		part    Partition
		replica string
	}
	var pairs []pair
	for _, p := range parts {
		for _, r := range replicas {
			if may(p, r) {
				sum := sha256.Sum256([]byte(string(p) + "|" + r))
				pairs = append(pairs, pair{binary.BigEndian.Uint64(sum[:]), p, r})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.part, b.part), cmp.Compare(a.replica, b.replica))
	})
	n := max(len(replicas), 1)
	least, more := len(parts)/n, len(parts)%n // so many replicas get one above the least
	load := map[string]int{}
	owner := make(map[Partition]string, len(parts))
	for _, x := range pairs {
		if _, dealt := owner[x.part]; dealt || load[x.replica] > least || load[x.replica] == least && more == 0 {
			continue
		}
		if load[x.replica] == least {
			more--
		}
		load[x.replica]++
		owner[x.part] = x.replica
	}
	for _, x := range pairs {
		if _, dealt := owner[x.part]; !dealt {
			owner[x.part] = x.replica
		}
	}
	return owner
}
