package sandbox

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"postern/adapters/control"
)

// attempt is one HTTP request to be made, decided on with the lock held and made without it.
type attempt struct {
	delivery Delivery
	request  Request
	fault    string
}

// prepare draws the faults of one attempt. gone is set when nothing is to be sent.
func (st *State) prepare(a *Account, ship *shipment, now time.Time) (out attempt, gone string) {
	first := ship.Load[0]
	f := st.faults
	switch {
	case st.expired(first, now):
		return out, "expired"
	case !ship.Replay && ship.Attempt == 0 && st.dice.Hit(f.WebhookDropRate):
		return out, "dropped"
	}
	d := Delivery{Account: a, Updates: ship.Load, At: now, Attempt: ship.Attempt + 1}
	if ship.Replay {
		out.fault = "replay"
	}
	if st.dice.Hit(f.WebhookStaleRate) {
		out.fault, d.At = "stale", now.Add(-10*time.Minute)
	}
	if st.dice.Hit(f.WebhookBadSignatureRate) {
		out.fault, d.Forged = "bad_signature", true
	}
	out.delivery, out.request = d, st.s.platform.Request(st, d)
	if out.request.URL == "" {
		return out, "withdrawn"
	}
	or(&out.request.Method, http.MethodPost)
	return out, ""
}

// expired says that an update is not worth sending any more.
func (st *State) expired(u *Update, now time.Time) bool {
	life := u.Life
	or(&life, st.s.spec.Ladder.Keep)
	return life > 0 && now.Sub(u.At) > st.Scale(life)
}

const maxAnswer = 64 << 10 // bytes of an answer that the platform looks at

// send makes one attempt.
func (s *Server) send(ctx context.Context, a attempt) (Answer, control.Delivery) {
	began := s.cfg.Now()
	out := control.Delivery{At: began, Fault: a.fault}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.WebhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.request.Method, a.request.URL, bytes.NewReader(a.request.Body))
	if err != nil {
		out.Result, out.Error = "error", err.Error()
		return Answer{Err: err}, out
	}
	maps.Copy(req.Header, a.request.Header)
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		out.Result, out.Error, out.DurationMS = "error", err.Error(), s.cfg.Now().Sub(began).Milliseconds()
		return Answer{Err: err}, out
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		out.Error = err.Error()
	}
	out.Result, out.DurationMS = strconv.Itoa(resp.StatusCode), s.cfg.Now().Sub(began).Milliseconds()
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, out
}

// record writes an outcome into the ledger, once for each update.
func (st *State) record(ship *shipment, d control.Delivery) {
	for _, u := range ship.Load {
		d.N, d.Type, d.Seq, d.Attempt = st.deliveries.Total+1, u.Type, u.N, ship.Attempt+1
		d.EventID, d.Conversation, d.Batch = u.Account.ID+"/"+strconv.FormatInt(u.N, 10), "", 0
		if u.Chat != nil {
			d.Conversation = u.Chat.ID
		}
		if len(ship.Load) > 1 {
			d.Batch = len(ship.Load)
		}
		st.deliveries.Add(d)
	}
}

// landed books the outcome of an attempt and decides about repeating it.
func (st *State) landed(a *Account, l *lane, ship *shipment, d Delivery, answer Answer, out control.Delivery) {
	ladder := st.s.spec.Ladder
	l.Flying--
	a.lanes.Flying--
	st.record(ship, out)
	if st.s.spec.Answered != nil {
		st.s.spec.Answered(st, d, answer)
	}
	switch {
	case answer.Err == nil && ladder.taken(answer.Status):
		ladder.succeeds(a)
		a.waiting -= len(ship.Load)
		if !ship.Replay {
			for _, u := range ship.Load {
				st.taken[u.Type]++
			}
			if st.dice.Hit(st.faults.WebhookReplayRate) {
				l.Add(&shipment{Load: ship.Load, NotBefore: st.Now(), Replay: true})
				a.waiting += len(ship.Load)
			}
		}
	case ship.Replay || ship.Load[0].Fleeting:
		a.waiting -= len(ship.Load)
	default:
		a.Hook.LastError = out.Result + " " + out.Error
		ladder.fails(st, a, answer)
		l.Repeat(ship, st.Now().Add(st.Scale(ladder.step(ship.Attempt+1, answer, st.dice))))
	}
	st.settle(a, l)
	st.Touch()
}
