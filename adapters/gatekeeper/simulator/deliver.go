package simulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// endpoint is where a partner wants its webhooks.
type endpoint struct {
	url           string
	disabled      bool
	secret        []byte
	previous      []byte
	previousUntil time.Time
	events        []string
	maxParallel   int
	updated       time.Time
}

func (e *endpoint) active() bool { return e.url != "" && !e.disabled }

func (e *endpoint) wants(typ string) bool {
	return len(e.events) == 0 || slices.Contains(e.events, typ)
}

func (e *endpoint) parallel() int {
	if e.maxParallel == 0 {
		return maxFlying
	}
	return e.maxParallel
}

// set takes a URL and a secret that was checked before.
func (e *endpoint) set(url, secret string, now time.Time) {
	key, err := decodeSecret(secret)
	if err != nil {
		return
	}
	e.url, e.secret, e.disabled, e.updated = url, key, false, now
}

func (e *endpoint) disable(now time.Time) { e.disabled, e.updated = true, now }

// signers are the HMAC keys in force (GIA, webhook:rotate: both during the overlap).
func (e *endpoint) signers(now time.Time) [][]byte {
	if e.previous != nil && now.Before(e.previousUntil) {
		return [][]byte{e.secret, e.previous}
	}
	return [][]byte{e.secret}
}

// attempt is one HTTP request to be made, decided on with the lock held and made without it.
type attempt struct {
	url       string
	event     *event
	at        time.Time
	signature string
	fault     string
}

// prepare draws the faults of one attempt. gone is set when nothing is to be sent.
func (s *Server) prepare(p *partner, ship *shipment, now time.Time) (a attempt, gone string) {
	e, f := ship.Load, s.faults
	switch {
	case !e.kept() && now.Sub(e.at) > staleTyping:
		return a, "late"
	case e.chat != "" && s.users[e.to] == nil: // the user left: traffic stops at once
		return a, "withdrawn"
	case !ship.Replay && ship.Attempt == 0 && s.dice.Hit(f.WebhookDropRate):
		return a, "dropped"
	}
	a = attempt{url: p.hook.url, event: e, at: now}
	if ship.Replay {
		a.fault = "replay"
	}
	if s.dice.Hit(f.WebhookStaleRate) {
		a.fault, a.at = "stale", now.Add(-10*time.Minute)
	}
	var list []string
	for _, key := range p.hook.signers(now) {
		list = append(list, signV1(key, e.id, a.at, e.body))
	}
	list = append(list, signV1a(s.cfg.SigningKey, e.id, a.at, e.body))
	if s.dice.Hit(f.WebhookBadSignatureRate) {
		a.fault, list = "bad_signature", []string{signV1([]byte("not the secret"), e.id, a.at, e.body)}
	}
	a.signature = strings.Join(list, " ")
	return a, ""
}

// send makes one attempt.
func (s *Server) send(ctx context.Context, a attempt) delivered {
	began := s.cfg.Now()
	out := delivered{At: began, Fault: a.fault}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.WebhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(a.event.body))
	if err != nil {
		out.Result, out.Error = "error", err.Error()
		return out
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gatekeeper-sandbox/1")
	req.Header.Set("webhook-id", a.event.id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(a.at.Unix(), 10))
	req.Header.Set("webhook-signature", a.signature)
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		out.Result, out.Error = "error", err.Error()
	} else {
		io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)) //nolint:errcheck // the body does not matter, only that the connection can be used again
		resp.Body.Close()
		out.Result = strconv.Itoa(resp.StatusCode)
	}
	out.DurationMS = s.cfg.Now().Sub(began).Milliseconds()
	return out
}

func (d delivered) taken() bool { return len(d.Result) == 3 && d.Result[0] == '2' }

// record writes an outcome into the ledger.
func (s *Server) record(ship *shipment, d delivered) {
	e := ship.Load
	d.N, d.EventID, d.Type, d.Conversation, d.Seq, d.Attempt = s.deliveries.Total+1, e.id, e.typ, e.chat, e.seq, ship.Attempt+1
	s.deliveries.Add(d)
	s.touch()
}
