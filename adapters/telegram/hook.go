package telegram

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"postern/gateway"
)

// headerSecret bears what setWebhook's secret_token said.
const headerSecret = "X-Telegram-Bot-Api-Secret-Token"

// proofLength is how much of a MAC stands in an address, in hex digits: 128 bits.
const proofLength = 32

var errUnverified = errors.New("telegram: verify: neither address nor secret is one of this instance")

// hookSecrets are what addresses and header secrets are made of; the first is in use, the others still count.
type hookSecrets []string

// pathToken is the last segment of a bot's webhook address.
func (h hookSecrets) pathToken(bot gateway.Endpoint) string {
	return string(bot) + "-" + derive(h[0], "path", string(bot))[:proofLength]
}

// headerToken is what Telegram is asked to send along ("1-256 characters", letters and digits among them).
func (h hookSecrets) headerToken(bot gateway.Endpoint) string {
	return derive(h[0], "header", string(bot))
}

// verify checks address and header in constant time and returns the bot that they belong to.
func (h hookSecrets) verify(token, header string) (gateway.Endpoint, bool) {
	bot, proof, _ := strings.Cut(token, "-")
	ok := false
	for _, secret := range h {
		path := hmac.Equal([]byte(proof), []byte(derive(secret, "path", bot)[:proofLength]))
		head := hmac.Equal([]byte(header), []byte(derive(secret, "header", bot)))
		ok = ok || path && head
	}
	return gateway.Endpoint(bot), ok
}

func derive(secret, purpose, bot string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("telegram webhook " + purpose + "\x00" + bot)) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

// botOf reads the bot from an address that Verify has checked.
func botOf(r gateway.Request) gateway.Endpoint {
	bot, _, _ := strings.Cut(first(r.Query["token"]...), "-")
	if !isID(bot) {
		return ""
	}
	return gateway.Endpoint(bot)
}

// isID reports whether s is an identifier of the platform, in canonical form: "at most 52 significant bits".
func isID(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) == 0 || len(digits) > 16 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// Challenge reports that Telegram checks no address.
func (a *Adapter) Challenge(gateway.Request) ([]byte, bool) { return nil, false }

// Verify checks what Telegram was told by setWebhook: the address and the secret in the header. Nothing signs the body, and nothing
// says when it was made.
func (a *Adapter) Verify(r gateway.Request) error {
	if len(a.hooks) == 0 || len(r.Query["token"]) != 1 {
		return errUnverified
	}
	if _, ok := a.hooks.verify(r.Query["token"][0], r.Header.Get(headerSecret)); !ok || botOf(r) == "" {
		return errUnverified
	}
	return nil
}

// Parse turns one update into events.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	return parse(r.Body, botOf(r))
}
