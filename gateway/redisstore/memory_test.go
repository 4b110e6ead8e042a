//go:build servers

package redisstore

import (
	"crypto/rand"
	"fmt"
	"testing"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestMemory measures what Redis needs for the mapping, with values as large as sealing makes them.
func TestMemory(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "p", Options{}) // a prefix about as long as the default
	usage := func(keys ...string) (sum int64) {
		t.Helper()
		for _, k := range keys {
			n, err := s.client.MemoryUsage(t.Context(), k, 0).Result()
			if err != nil {
				t.Fatalf("memory usage of %s: %v", k, err)
			}
			sum += n
		}
		return sum
	}
	sealed := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}

	for _, contacts := range []int{10, 5000} {
		const contactMax = 400 // bytes, for the whole mapping of a contact
		owner := gateway.Owner(fmt.Sprintf("a:01J0ABCDEFGHJKMNPQRSTV%04d", contacts))
		for range contacts {
			c := gateway.Change{Kind: gateway.RecordContact, Name: rand.Text()[:16], Value: sealed(250)} // with a picture: gateway.TestContactWithPictureIsShort
			if err := s.Save(t.Context(), owner, c); err != nil {
				t.Fatal(err)
			}
		}
		each := usage(s.records(owner, gateway.RecordContact)) / int64(contacts)
		t.Logf("contact among %d: %d bytes", contacts, each)
		if each > contactMax {
			t.Errorf("contact among %d: got %d bytes, want at most %d", contacts, each, contactMax)
		}
	}

	l, err := s.Acquire(t.Context(), shard, "r1", 1e12)
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range []int{20, 100, 5000} {
		const idMax = 130 // bytes for a mapped message id
		lane := rand.Text()
		for range ids {
			m := []gateway.MapEntry{{Lane: lane, Field: string(sealed(8)), Value: sealed(64)}}
			if err := s.Finish(t.Context(), l, gateway.QueueIn, nil, m); err != nil {
				t.Fatal(err)
			}
		}
		hashes, err := s.client.Keys(t.Context(), s.part(shard, "m:"+lane+"*")).Result()
		if err != nil {
			t.Fatal(err)
		}
		each := usage(hashes...) / int64(ids)
		t.Logf("message id among %d of a chat: %d bytes", ids, each)
		if each > idMax {
			t.Errorf("message id among %d of a chat: got %d bytes, want at most %d", ids, each, idMax)
		}
	}
}
