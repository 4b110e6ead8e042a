package sandbox

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Media is a file: bytes, or bytes that are made while they are read.
type Media struct {
	ID     string
	Type   string
	Name   string
	Size   int64
	SHA256 string // hex
	// Cut breaks every download off after that many bytes.
	Cut int64
	At  time.Time
	// Account is whose upload it was; nil for files of people.
	Account *Account
	// Own is the platform's to use.
	Own any

	bytes   []byte
	pattern *Pattern
}

// Open gives the bytes.
func (m *Media) Open() io.ReadSeekCloser {
	if m.pattern != nil {
		return m.pattern.Reader(m.Size)
	}
	return nopCloser{bytes.NewReader(m.bytes)}
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// Serve writes the bytes, with ranges, as the given type (empty: its own). A file that is cut breaks its connection off.
func (m *Media) Serve(w http.ResponseWriter, r *http.Request, typ string) {
	f := m.Open()
	defer func() { _ = f.Close() }()
	or(&typ, m.Type)
	w.Header().Set("Content-Type", typ)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if m.Cut > 0 && m.Cut < m.Size {
		w.Header().Set("Content-Length", fmt.Sprint(m.Size))
		_, _ = io.CopyN(w, f, m.Cut) // whoever left early does not see the break
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, f)
}

// mediaStore keeps files and the links to them, the oldest go first.
type mediaStore struct {
	limits Limits
	files  map[string]*Media
	order  []string
	total  int64 // bytes that are kept
	links  *Expiring[string]
}

func newMediaStore(l Limits) mediaStore {
	return mediaStore{limits: l, files: map[string]*Media{}, links: NewExpiring[string](l.Links)}
}

func (ms *mediaStore) keep(m *Media) {
	ms.files[m.ID] = m
	ms.order = append(ms.order, m.ID)
	ms.total += int64(len(m.bytes))
	for len(ms.order) > 1 && (len(ms.order) > ms.limits.Media || ms.total > ms.limits.MediaBytes) {
		old := ms.files[ms.order[0]]
		ms.total -= int64(len(old.bytes))
		delete(ms.files, old.ID)
		ms.order = ms.order[1:]
	}
}

// Media finds a file; nil when there is none any more.
func (st *State) Media(id string) *Media { return st.media.files[id] }

// Link makes a name of a file that holds for so long (scaled), for a download address.
func (st *State) Link(m *Media, life time.Duration) string {
	token := strings.ToLower(rand.Text())
	now := st.Now()
	st.media.links.Add(token, m.ID, now.Add(st.Scale(life)), now)
	return token
}

// Linked finds the file of a link; nil when the link or the file is not there any more.
func (st *State) Linked(token string) *Media {
	id, ok := st.media.links.Get(token, st.Now())
	if !ok {
		return nil
	}
	return st.media.files[id]
}

// ErrTooLarge says that a file is longer than it may be.
var ErrTooLarge = errors.New("sandbox: the file is too large")

// Upload reads a file of at most limit bytes and keeps it. It takes the lock only in the end.
func (s *Server) Upload(a *Account, r io.Reader, typ, name string, limit int64) (*Media, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, ErrTooLarge
	}
	return s.keep(&Media{Type: typ, Name: name, Account: a, bytes: raw}), nil
}

// Make keeps a file of any size whose bytes are made while they are read; they begin like the type.
func (s *Server) Make(typ, name string, size int64, seed uint64) *Media {
	return s.keep(&Media{Type: typ, Name: name, Size: size, pattern: NewPattern(typ, seed)})
}

// keep hashes a file without the lock and stores it.
func (s *Server) keep(m *Media) *Media {
	or(&m.Type, "application/octet-stream")
	m.ID = "f" + strings.ToLower(rand.Text())
	if m.pattern == nil {
		m.Size = int64(len(m.bytes))
	}
	h := sha256.New()
	_, _ = io.Copy(h, m.Open()) // neither reads from outside nor fails
	m.SHA256 = hex.EncodeToString(h.Sum(nil))
	s.Do(func(st *State) {
		m.At = st.Now()
		st.media.keep(m)
	})
	return m
}

// KindOf is how a media type is shown when nobody says: image, video, audio or file.
func KindOf(typ string) string {
	switch major, _, _ := strings.Cut(typ, "/"); major {
	case "image", "video", "audio":
		return major
	}
	return "file"
}

// Part is a file as a part of a message.
func (m *Media) Part(kind string) MediaPart {
	or(&kind, KindOf(m.Type))
	return MediaPart{MediaID: m.ID, Kind: kind, Type: m.Type, Size: m.Size, SHA256: m.SHA256, Name: m.Name}
}
