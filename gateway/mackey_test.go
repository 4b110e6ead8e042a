package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
)

// TestMacKey compares with HMAC-SHA256 as crypto/hmac computes it, from many goroutines: names stand in stores for years.
func TestMacKey(t *testing.T) {
	key := []byte(strings.Repeat("k", KeySize))
	k := newMacKey(key)
	var wg sync.WaitGroup
	for _, parts := range [][]string{{""}, {"a"}, {"a", "b"}, {"ab"}, {"purpose", strings.Repeat("long ", 50), "é"}} {
		want := hmac.New(sha256.New, key)
		for _, p := range parts {
			_ = binary.Write(want, binary.BigEndian, uint32(len(p)))
			want.Write([]byte(p))
		}
		sum := want.Sum(nil)
		name := strings.ToLower(base32.StdEncoding.EncodeToString(sum))[:20]
		for range 8 {
			wg.Go(func() {
				for range 100 {
					if got := k.sum(parts[0], parts[1:]...); string(got[:]) != string(sum) {
						t.Errorf("%q: got %x, want %x", parts, got, sum)
					}
					if got := k.text(20, parts[0], parts[1:]...); got != name {
						t.Errorf("%q: got %s, want %s", parts, got, name)
					}
				}
			})
		}
	}
	wg.Wait()
}
