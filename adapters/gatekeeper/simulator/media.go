package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"postern/adapters/internal/sandbox"
)

const (
	mediaBytes = 64 << 20           // limits.media_bytes
	mediaLife  = 7 * 24 * time.Hour // of a slot; longer than an Idempotency-Key is remembered
)

// mediaObject is a file that the gatekeeper holds: bytes on disk, or a pattern that is made while it is read.
type mediaObject struct {
	id, typ, name, sha256 string
	size                  int64
	ciphertext            bool
	owner                 *user // who uploaded it; nil for what a person has
	path                  string
	pattern               *sandbox.Pattern
	stored                int64 // bytes on disk so far
	busy                  bool  // somebody is putting bytes
	done                  bool
	spoiled               spoiled
	readers               map[string]bool // users who were shown it
	created               time.Time
}

type mediaView struct {
	MediaID    string `json:"media_id"`
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"`
	Name       string `json:"name,omitempty"`
	Ciphertext bool   `json:"ciphertext,omitempty"`
	URL        string `json:"url,omitempty"`
	ExpiresAt  string `json:"expires_at,omitempty"`
}

func (m *mediaObject) view() mediaView {
	return mediaView{MediaID: m.id, Type: m.typ, Size: m.size, SHA256: m.sha256, Name: m.name, Ciphertext: m.ciphertext}
}

// keep adds an object; the oldest give way beyond the limits of number and of bytes.
func (s *Server) keep(m *mediaObject) {
	s.media[m.id] = m
	s.mediaOrder = append(s.mediaOrder, m.id)
	s.mediaTotal += m.size
	for len(s.mediaOrder) > s.cfg.Limits.Media || s.mediaTotal > s.cfg.Limits.MediaBytes && len(s.mediaOrder) > 1 {
		s.discard(s.media[s.mediaOrder[0]])
		s.mediaOrder = s.mediaOrder[1:]
	}
}

func (s *Server) discard(m *mediaObject) {
	delete(s.media, m.id)
	s.mediaTotal -= m.size
	if m.path != "" && !m.busy {
		_ = os.Remove(m.path)
	}
}

// mediaDir is made when the first file comes.
func (s *Server) makeMediaDir() (string, error) {
	if s.mediaDir == "" {
		dir, err := os.MkdirTemp(s.cfg.MediaDir, "gatekeeper-sandbox-")
		if err != nil {
			return "", fmt.Errorf("simulator: media: %w", err)
		}
		s.mediaDir = dir
	}
	return s.mediaDir, nil
}

// dropMedia forgets all files.
func (s *Server) dropMedia() {
	if s.mediaDir != "" {
		_ = os.RemoveAll(s.mediaDir)
	}
	s.mediaDir, s.media, s.mediaOrder, s.mediaTotal = "", map[string]*mediaObject{}, nil, 0
}

// mayRead says whether a user uploaded a media object or was shown it, in a message or as the picture of somebody they know.
func (s *Server) mayRead(u *user, m *mediaObject) bool {
	if m.owner == u || m.readers[u.internalID] {
		return true
	}
	for _, c := range u.chats {
		if c.person.Avatar == m.id && s.knows(u, c.person) {
			return true
		}
	}
	for _, p := range s.people {
		if p.Avatar == m.id && s.knows(u, p) {
			return true
		}
	}
	return false
}

// share lets the user of a chat read what a message in it names.
func (s *Server) share(c *chat, in content) {
	for _, part := range in.Media {
		if m := s.media[part.MediaID]; m != nil {
			m.readers[c.user.internalID] = true
		}
	}
}

func createMedia(c *call) (answer, *problem) {
	var in struct {
		Type, Name, SHA256 string
		Size               int64
		Ciphertext         bool
	}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	switch {
	case in.Size > c.offer.MediaBytes:
		p := fail("too_large", "larger than limits.media_bytes")
		p.Param = "/size"
		return answer{}, p
	case !c.offer.takesType(in.Type):
		p := fail("unsupported_type", "not among limits.media_types")
		p.Param = "/type"
		return answer{}, p
	}
	m := &mediaObject{
		id: newID("med"), typ: in.Type, name: in.Name, sha256: in.SHA256, size: in.Size, ciphertext: in.Ciphertext, owner: c.user,
		readers: map[string]bool{}, created: c.now,
	}
	c.keep(m)
	return answer{status: http.StatusCreated, body: map[string]string{
		"media_id": m.id, "upload_url": c.issuer(c.r) + "/v1/media/" + m.id + "/content", "expires_at": stamp(c.now.Add(mediaLife)),
	}}, nil
}

// ownMedia finds a media object that the user may read.
func (c *call) ownMedia() (*mediaObject, *problem) {
	m := c.media[c.param("media_id")]
	if m == nil || !c.mayRead(c.user, m) {
		return nil, fail("not_found", "no such media object")
	}
	return m, nil
}

func readMedia(c *call) (answer, *problem) {
	m, p := c.ownMedia()
	if p != nil {
		return answer{}, p
	}
	v := m.view()
	v.URL, v.ExpiresAt = c.issuer(c.r)+"/v1/media/"+m.id+"/content", stamp(m.created.Add(mediaLife))
	return answer{status: http.StatusOK, body: v}, nil
}

// streamed are the operations whose bodies are never whole in memory; serveMedia carries them out, not their implementation.
func streamed(*call) (answer, *problem) { return answer{}, fail("internal", "a stream") }

func isStream(op *operation) bool { return op.id == "uploadMedia" || op.id == "downloadMedia" }

// serveMedia is process for the two operations that stream.
func (s *Server) serveMedia(op *operation, w http.ResponseWriter, r *http.Request, id string) reply {
	c, prob := s.admit(op, r)
	if prob != nil {
		return prob.reply(id)
	}
	s.mu.Lock()
	m, prob := c.ownMedia()
	if prob == nil && op.id == "uploadMedia" && m.owner != c.user {
		prob = fail("not_permitted", "not the user's own media object")
	}
	if prob == nil && op.id == "downloadMedia" && !m.done {
		prob = fail("not_found", "the bytes are not there yet")
	}
	s.mu.Unlock()
	if prob != nil {
		return prob.reply(id)
	}
	if op.id == "downloadMedia" {
		if err := m.serve(w, r); err != nil {
			return fail("internal", err.Error()).reply(id)
		}
		return reply{}
	}
	out, prob := s.upload(m, r)
	if prob != nil {
		return prob.reply(id)
	}
	return out
}

// admit is the beginning of process for a request whose body is not read: the document is shown one byte of it.
func (s *Server) admit(op *operation, r *http.Request) (*call, *problem) {
	c := &call{Server: s, r: r, now: s.cfg.Now()}
	p, prob := s.bearer(r)
	if prob != nil {
		return nil, prob
	}
	c.partner = p
	shown := r.Clone(r.Context())
	var stub []byte
	if op.hasBody {
		stub = []byte{0}
	}
	shown.Body, shown.ContentLength = io.NopCloser(bytes.NewReader(stub)), int64(len(stub))
	if prob := s.contract.check(op, shown, stub); prob != nil {
		return nil, prob
	}
	if c.subject, prob = s.userOf(r, p); prob != nil {
		return nil, prob
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.user = s.activeUser(c)
	return c, s.mayUse(op, c)
}

// upload puts bytes into a slot, whole or by ranges in their order.
func (s *Server) upload(m *mediaObject, r *http.Request) (reply, *problem) {
	first, last := int64(0), m.size-1
	if given := r.Header.Get("Content-Range"); given != "" {
		var total int64
		if n, err := fmt.Sscanf(given, "bytes %d-%d/%d", &first, &last, &total); n != 3 || err != nil || total != m.size || last < first || last >= total {
			return reply{}, invalid("Content-Range", "not a range of the object")
		}
	}
	s.mu.Lock()
	if m.done {
		out := m.view()
		s.mu.Unlock()
		return jsonReply(http.StatusOK, out), nil
	}
	dir, err := s.makeMediaDir()
	if m.busy || err != nil || first != 0 && first != m.stored {
		s.mu.Unlock()
		return reply{}, invalid("Content-Range", "ranges come one after the other")
	}
	m.busy, m.path = true, filepath.Join(dir, m.id)
	s.mu.Unlock()

	stored, err := put(m.path, first, io.LimitReader(r.Body, last-first+2))

	s.mu.Lock()
	defer s.mu.Unlock()
	m.busy, m.stored = false, stored
	switch {
	case err != nil:
		return reply{}, fail("upstream_down", "the bytes did not arrive").withRetry("backoff", 0)
	case stored != last+1:
		m.stored = first
		return reply{}, invalid("body", "not as many bytes as were announced")
	case stored < m.size:
		return reply{status: http.StatusAccepted, header: [][2]string{{"Range", fmt.Sprintf("bytes=0-%d", stored-1)}}}, nil
	}
	sum, err := hashFile(m.path)
	if err != nil || sum != m.sha256 {
		m.stored = 0
		return reply{}, invalid("body", "the bytes do not have the sha256 of the slot")
	}
	m.done = true
	s.touch()
	return jsonReply(http.StatusOK, m.view()), nil
}

// put writes a stream into a file from an offset on and returns where it ended.
func put(path string, at int64, from io.Reader) (end int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(at); err != nil {
		return at, err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return at, err
	}
	n, err := io.Copy(f, from)
	return at + n, err
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return hashOf(f)
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func jsonReply(status int, body any) reply {
	return reply{status: status, contentType: "application/json", body: encoded(body)}
}

// open gives the bytes.
func (m *mediaObject) open() (io.ReadSeekCloser, error) {
	if m.pattern != nil {
		return m.pattern.Reader(m.size), nil
	}
	return os.Open(m.path)
}

// serve writes the bytes, with ranges, unless they are spoiled.
func (m *mediaObject) serve(w http.ResponseWriter, r *http.Request) error {
	f, err := m.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w.Header().Set("Content-Type", m.typ)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !m.spoiled.serve(w, r, f, m.size) {
		http.ServeContent(w, r, "", time.Time{}, f)
	}
	return nil
}
