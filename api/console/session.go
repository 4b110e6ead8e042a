package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

const (
	// A session ends when nobody used it for a while, and in any case after a working day.
	sessionIdle = 30 * time.Minute
	sessionMost = 12 * time.Hour
	// maxSessions bounds memory. One more takes the place of the one that was used least lately.
	maxSessions = 256
)

// session is somebody who signed in. It knows no secret.
type session struct {
	token gateway.Token
	// form is in every form of the session's pages, and in nobody else's.
	form string

	began, used time.Time
	said        string // is shown on the next page, once
}

// sessions are those of this process, by a hash of what the cookie holds: finding one tells by its time nothing of any other.
type sessions struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]*session
}

// word is one that nobody guesses: 256 random bits.
func word() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

// begin starts a session and returns the word that names it.
func (s *sessions) begin(t gateway.Token) string {
	id, now := word(), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[[sha256.Size]byte]*session{}
	}
	for len(s.by) >= maxSessions {
		var oldest [sha256.Size]byte
		found := false
		for key, other := range s.by {
			if !found || other.used.Before(s.by[oldest].used) {
				oldest, found = key, true
			}
		}
		delete(s.by, oldest)
	}
	s.by[sha256.Sum256([]byte(id))] = &session{token: t, form: word(), began: now, used: now}
	return id
}

// seen returns a copy of the session that a word names, nil when there is none or it is over. Somebody who is there keeps it from
// ending; a page that keeps itself fresh does not.
func (s *sessions) seen(id string, somebody bool) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, other := range s.by {
		if now.Sub(other.used) >= sessionIdle || now.Sub(other.began) >= sessionMost {
			delete(s.by, key)
		}
	}
	got := s.by[sha256.Sum256([]byte(id))]
	if got == nil {
		return nil
	}
	if somebody {
		got.used = now
	}
	out := *got
	return &out
}

// end ends a session.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, sha256.Sum256([]byte(id)))
}

// say leaves a word for the session's next page.
func (s *sessions) say(id, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.by[sha256.Sum256([]byte(id))]; got != nil {
		got.said = what
	}
}

// said takes it.
func (s *sessions) said(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.by[sha256.Sum256([]byte(id))]
	if got == nil {
		return ""
	}
	what := got.said
	got.said = ""
	return what
}
