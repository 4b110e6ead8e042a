package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"postern/gateway"
)

// proofLength is how much of a MAC stands in an address, in hex digits: 128 bits.
const proofLength = 32

// pathToken is the last segment of a number's webhook address. What Meta tells of a whole business account names no number: the
// address does.
func (a *Adapter) pathToken(number gateway.Endpoint) string {
	return string(number) + "-" + a.pathProof(string(number))
}

func (a *Adapter) pathProof(number string) string {
	m := hmac.New(sha256.New, []byte(a.verifyToken))
	m.Write([]byte("whatsapp webhook path\x00" + number)) // never fails
	return hex.EncodeToString(m.Sum(nil))[:proofLength]
}

// numberOf reads the number from the address that a call came to; empty where it names none of ours.
func (a *Adapter) numberOf(r gateway.Request) gateway.Endpoint {
	if len(r.Query["token"]) != 1 {
		return ""
	}
	number, proof, _ := strings.Cut(r.Query["token"][0], "-")
	if !hmac.Equal([]byte(proof), []byte(a.pathProof(number))) {
		return ""
	}
	return gateway.Endpoint(number)
}
