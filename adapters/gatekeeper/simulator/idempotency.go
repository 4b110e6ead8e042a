package simulator

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// idempotencyLife is how long a key is remembered (GIA, Idempotency: at least 24 hours).
const idempotencyLife = 24 * time.Hour

// remembered is the first answer under an idempotency key and the fingerprint of the request that got it.
type remembered struct {
	request [sha256.Size]byte
	reply   reply
	post    *posted
}

// once runs an operation, or gives its remembered answer. Callers hold the lock, so two requests with one key never run both.
func (s *Server) once(op *operation, c *call, do implementation, id string) reply {
	var key string
	var fingerprint [sha256.Size]byte
	if op.keyed {
		key = c.partner.ClientID + "\x00" + c.r.Header.Get("Idempotency-Key")
		// The user is part of the request: one partner user never gets the answer meant for another.
		fingerprint = sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", c.r.Method, c.r.URL.RequestURI(), c.subject, c.body))
		if old, ok := s.remembered.Get(key, c.now); ok {
			if old.request != fingerprint {
				return fail("idempotency_conflict", "the key was used for another request").reply(id)
			}
			if old.post != nil {
				old.post.Replays++
				s.touch()
			}
			out := old.reply
			out.header = append([][2]string{{"Idempotent-Replayed", "true"}}, out.header...)
			return out
		}
	}
	before := s.posts.Total
	out, prob := s.run(op, c, do, id)
	if prob != nil {
		out = prob.reply(id)
	}
	if op.keyed && out.status != 429 && out.status < 500 {
		r := remembered{request: fingerprint, reply: out}
		if s.posts.Total > before {
			r.post = s.posts.Last()
			r.post.IdempotencyKey = c.r.Header.Get("Idempotency-Key")
		}
		s.remembered.Add(key, r, c.now.Add(idempotencyLife), c.now)
	}
	return out
}

func (s *Server) run(op *operation, c *call, do implementation, id string) (reply, *problem) {
	if prob := s.mayUse(op, c); prob != nil {
		return reply{}, prob
	}
	ans, prob := do(c)
	if prob != nil {
		return reply{}, prob
	}
	out, err := ans.reply()
	if err != nil {
		return reply{}, fail("internal", err.Error())
	}
	if c.user != nil {
		out.header = append(out.header, c.user.quota.headers(s.cfg.MessagesPerMinute, c.now)...)
	}
	return out, nil
}

// mayUse says whether the user takes part and the directory offers what the operation needs.
func (s *Server) mayUse(op *operation, c *call) *problem {
	switch {
	case op.asUser && c.user == nil && op.id != "createEnlistment":
		return fail("not_enlisted", "the user of the assertion is not enlisted")
	case op.asUser && c.user != nil && c.user.state == "suspended":
		return fail("suspended", "the enlistment is suspended")
	case !s.has(opFeature[op.id]):
		return lacks(opFeature[op.id], "")
	}
	return nil
}

// take uses one unit of the quota and says how long to wait when there is none.
func (w *window) take(quota int, now time.Time) (ok bool, retryAfter int) {
	if now.Sub(w.start) >= time.Minute {
		*w = window{start: now}
	}
	if w.used >= quota {
		return false, int((time.Minute - now.Sub(w.start) + time.Second - 1) / time.Second)
	}
	w.used++
	return true, 0
}

// headers are RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).
func (w *window) headers(quota int, now time.Time) [][2]string {
	left, reset := quota, 60
	if since := now.Sub(w.start); since < time.Minute {
		left, reset = quota-w.used, int((time.Minute-since)/time.Second)
	}
	return [][2]string{
		{"RateLimit", `"messages";r=` + strconv.Itoa(left) + `;t=` + strconv.Itoa(reset)},
		{"RateLimit-Policy", `"messages";q=` + strconv.Itoa(quota) + `;w=60`},
	}
}
