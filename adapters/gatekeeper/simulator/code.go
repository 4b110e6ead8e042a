package simulator

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"
)

// Bounds of codes: 25 guesses an hour at one number, of a million.
const (
	codeTries    = 5 // wrong answers that end a code
	codesPerHour = 5 // to one number or address
	maxCodes     = 1_000
)

// identifierProofs says by what users are enlisted: their provider gives out JIDs and user names and vouches for them; numbers and
// mail addresses are proved by a code.
func identifierProofs() map[string]string {
	return map[string]string{"jid": "assertion", "username": "assertion", "phone": "code", "email": "code"}
}

// codeProof is the code as the user gave it back.
type codeProof struct {
	VerificationID string `json:"verification_id"`
	Code           string `json:"code"`
}

// sentCode is a code on its way to whom an identifier belongs, and back.
type sentCode struct {
	partner    *partner
	identifier Identifier // folded
	code       string
	tries      int // that are left
}

// codeView is the message that the owner of the identifier would get.
type codeView struct {
	VerificationID string     `json:"verification_id"`
	ClientID       string     `json:"client_id"`
	Identifier     Identifier `json:"identifier"`
	Code           string     `json:"code"`
	ExpiresAt      string     `json:"expires_at"`
	TriesLeft      int        `json:"tries_left"`
}

// randomCode is six digits.
func randomCode() string {
	var raw [8]byte
	rand.Read(raw[:]) // crypto/rand.Read never fails
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(raw[:])%1_000_000)
}

// sendCode answers the same whether the identifier is enlisted or not. The code before is dead.
func (c *call) sendCode(to Identifier) (answer, *problem) {
	to = to.fold()
	key := c.partner.ClientID + "\x00" + to.Type + "\x00" + to.Value
	sent, known := c.codeQuotas.Get(key, c.now)
	if !known {
		sent = new(int)
		c.codeQuotas.Add(key, sent, c.now.Add(time.Hour), c.now)
	}
	if *sent >= codesPerHour {
		left := c.codeQuotas.Until(key).Sub(c.now)
		return answer{}, fail("rate_limited", "too many codes for that identifier").withRetry("after", int((left+time.Second-1)/time.Second))
	}
	*sent++
	for id, old := range c.codes.All(c.now) {
		if old.partner == c.partner && old.identifier == to {
			c.codes.Drop(id)
		}
	}
	id, until := newID("ver"), c.now.Add(c.cfg.CodeTTL)
	c.codes.Add(id, &sentCode{partner: c.partner, identifier: to, code: c.cfg.NewCode(), tries: codeTries}, until, c.now)
	c.touch()
	return answer{status: http.StatusAccepted, body: map[string]any{"verification": map[string]string{"id": id, "expires_at": stamp(until)}}}, nil
}

// checkCode takes a right code once. Everything that is not a wrong guess at a living code looks the same.
func (c *call) checkCode(of Identifier, proof codeProof) *problem {
	sent, known := c.codes.Get(proof.VerificationID, c.now)
	if !known || sent.partner != c.partner || sent.identifier != of.fold() || sent.tries == 0 {
		p := fail("verification_expired", "the code is not in force")
		p.Param = "/proof/verification_id"
		return p
	}
	c.touch()
	if subtle.ConstantTimeCompare([]byte(sent.code), []byte(proof.Code)) != 1 {
		sent.tries--
		p := fail("verification_failed", itoa(sent.tries)+" tries are left")
		p.Param = "/proof/code"
		return p
	}
	sent.tries = 0
	return nil
}

// codeViews are the codes that can still be used, oldest first.
func (s *Server) codeViews() []codeView {
	out := []codeView{}
	for id, sent := range s.codes.All(s.cfg.Now()) {
		if sent.tries == 0 {
			continue
		}
		out = append(out, codeView{id, sent.partner.ClientID, sent.identifier, sent.code, stamp(s.codes.Until(id)), sent.tries})
	}
	return out
}
