package chaos

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

// FileName is what the file of a message is called, where the message is a file.
func (k Key) FileName() string { return strings.ReplaceAll(k.String(), " ", "-") + ".txt" }

// ParseFileName reads the name of a file, or the last segment of its address; ok is false for any other name.
func ParseFileName(name string) (k Key, ok bool) {
	name = path.Base(name)
	k, ok = ParseKey(strings.ReplaceAll(strings.TrimSuffix(name, ".txt"), "-", " "))
	return k, ok && name == k.FileName()
}

// FileBody is what the file holds: one to four KiB that no other message's file has.
func (k Key) FileBody() []byte {
	line := fmt.Appendf(nil, "This is the file of the message %s.\n", k)
	size := 1024 * (1 + (k.Chat+k.N)%4)
	return bytes.Repeat(line, size/len(line)+1)[:size]
}

// FileSum is the SHA-256 of bytes as Sent and Arrival have it.
func FileSum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
