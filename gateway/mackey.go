package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// macKey computes HMAC-SHA256 under one key. Nearly every name in the store is one, a dozen for a message: what a key makes of
// the hash is done once and kept, which saves 7 allocations each time.
type macKey struct{ idle sync.Pool }

type macState struct {
	hash hash.Hash
	in   []byte
	out  [sha256.Size]byte
}

func newMacKey(key []byte) *macKey {
	k := &macKey{}
	k.idle.New = func() any { return &macState{hash: hmac.New(sha256.New, key)} }
	return k
}

// sum authenticates the parts, each preceded by its length so that no two lists of parts collide.
func (k *macKey) sum(first string, rest ...string) [sha256.Size]byte {
	s, _ := k.idle.Get().(*macState)
	s.in = appendPart(s.in[:0], first)
	for _, p := range rest {
		s.in = appendPart(s.in, p)
	}
	s.hash.Reset()
	s.hash.Write(s.in)
	s.hash.Sum(s.out[:0])
	out := s.out
	k.idle.Put(s)
	return out
}

func appendPart(b []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(part))), part...)
}

// text is the first n characters of sum in lower-case base32, of which it has 51.
func (k *macKey) text(n int, first string, rest ...string) string {
	var room [56]byte
	sum := k.sum(first, rest...)
	return string(lowerBase32.AppendEncode(room[:0], sum[:])[:n])
}
