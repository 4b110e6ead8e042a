package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"strings"

	"postern/adapters/internal/sandbox"
)

// mediaOrder says what file to make: the bytes themselves, or a description of bytes that are made.
type mediaOrder struct {
	Type   string `json:"type"` // media type; image/png when a picture is drawn
	Name   string `json:"name"`
	Kind   string `json:"kind"`   // of the message part: image, video, audio, voice, file, sticker; by the type when empty
	Base64 []byte `json:"base64"` // the bytes
	// Size makes that many bytes that begin like the type; Width and Height draw a PNG, of noise when Noise is set.
	Size          int64 `json:"size"`
	Width, Height int
	Noise         bool   `json:"noise"`
	Seed          uint64 `json:"seed"`
	DurationMS    int    `json:"duration_ms"`
	Emoji         string `json:"emoji"`
	Thumb         string `json:"thumb"`
	ViewOnce      bool   `json:"view_once"`
	spoiled
}

// maxMade bounds a file that the control API takes or makes.
const maxMade = 1 << 30

// serveMakeMedia gives a person a file. The body is a mediaOrder as JSON, or the bytes themselves with their Content-Type and ?name=.
// The answer is a part for content.media.
func (s *Server) serveMakeMedia(w http.ResponseWriter, r *http.Request) {
	var in mediaOrder
	var raw io.Reader
	if typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && typ != "application/json" {
		in.Type, in.Name, in.Kind, raw = typ, r.URL.Query().Get("name"), r.URL.Query().Get("kind"), io.LimitReader(r.Body, maxMade)
	} else {
		dec := json.NewDecoder(io.LimitReader(r.Body, 32<<20))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			sandbox.WriteControl(w, http.StatusBadRequest, map[string]string{"error": "body: " + err.Error()})
			return
		}
	}
	part, err := s.makeMedia(in, raw)
	if err != nil {
		sandbox.WriteControl(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	sandbox.WriteControl(w, http.StatusOK, part)
}

// makeMedia stores what was ordered; raw, when given, is the bytes.
func (s *Server) makeMedia(in mediaOrder, raw io.Reader) (map[string]any, error) {
	m := &mediaObject{id: newID("med"), name: in.Name, typ: in.Type, spoiled: in.spoiled, readers: map[string]bool{}, done: true, created: s.cfg.Now()}
	if err := in.validate(); err != nil {
		return nil, err
	}
	switch {
	case raw != nil:
	case in.Base64 != nil:
		raw = bytes.NewReader(in.Base64)
	case in.Width > 0 || in.Height > 0:
		drawn, err := sandbox.Picture(in.Width, in.Height, in.Seed, in.Noise)
		if err != nil {
			return nil, err
		}
		raw = bytes.NewReader(drawn)
		or(&m.typ, "image/png")
	case in.Size > 0 && in.Size <= maxMade:
		or(&m.typ, "application/octet-stream")
		m.pattern, m.size = sandbox.NewPattern(m.typ, in.Seed), in.Size
	default:
		return nil, errors.New("want base64, width and height, or size")
	}
	or(&m.typ, "application/octet-stream")
	if err := s.fill(m, raw); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(m)
	part := map[string]any{"media_id": m.id, "kind": orString(in.Kind, sandbox.KindOf(m.typ)), "type": m.typ, "size": m.size, "sha256": m.sha256}
	for name, v := range map[string]any{
		"name": in.Name, "emoji": in.Emoji, "thumb": in.Thumb, "width": in.Width, "height": in.Height, "duration_ms": in.DurationMS, "view_once": in.ViewOnce,
	} {
		if v != "" && v != 0 && v != false {
			part[name] = v
		}
	}
	return part, nil
}

// fill puts the bytes of an object on disk, unless it is a pattern, and hashes them.
func (s *Server) fill(m *mediaObject, raw io.Reader) error {
	var err error
	if m.pattern == nil {
		s.mu.Lock()
		dir, dirErr := s.makeMediaDir()
		s.mu.Unlock()
		if dirErr != nil {
			return dirErr
		}
		m.path = filepath.Join(dir, m.id)
		if m.size, err = put(m.path, 0, raw); err != nil {
			return err
		}
		m.stored = m.size
	}
	f, err := m.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	m.sha256, err = hashOf(f)
	return err
}

// serveMediaBytes shows a file to the page and to tests: pictures, sound and video inline, all else as a download.
func (s *Server) serveMediaBytes(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m := s.media[strings.TrimPrefix(r.URL.Path, "/sandbox/v1/media/")]
	s.mu.Unlock()
	if m == nil || !m.done {
		sandbox.WriteControl(w, http.StatusNotFound, map[string]string{"error": "no such media object"})
		return
	}
	// What strangers upload is never run: only types that a browser shows without scripts are shown.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if kind := sandbox.KindOf(m.typ); kind == "file" || strings.Contains(m.typ, "svg") {
		w.Header().Set("Content-Disposition", "attachment")
	}
	if err := m.serve(w, r); err != nil {
		sandbox.WriteControl(w, http.StatusInternalServerError, map[string]string{"error": "the file is gone"})
	}
}
