package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"postern/adapters/control"
)

// maxMade bounds a file that is made while it is read; what is kept as bytes is bounded by Limits.MediaBytes.
const maxMade = 1 << 30

// serveMakeMedia gives a person a file. The body is a control.MediaIn as JSON, or the bytes themselves with their Content-Type and ?name=.
// The answer is a part for content.media.
func (s *Server) serveMakeMedia(w http.ResponseWriter, r *http.Request) {
	s.met(r)
	var in control.MediaIn
	var raw io.Reader
	if typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && typ != "application/json" {
		in.Type, in.Name, in.Kind, raw = typ, r.URL.Query().Get("name"), r.URL.Query().Get("kind"), r.Body
	} else {
		dec := json.NewDecoder(io.LimitReader(r.Body, 32<<20))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			WriteControl(w, http.StatusBadRequest, map[string]string{"error": "body: " + err.Error()})
			return
		}
	}
	m, err := s.make(in, raw)
	if err != nil {
		WriteControl(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	part := m.Part(in.Kind)
	part.Emoji, part.Thumb, part.Width, part.Height, part.DurationMS, part.ViewOnce = in.Emoji, in.Thumb, in.Width, in.Height, in.DurationMS, in.ViewOnce
	WriteControl(w, http.StatusOK, part)
}

// make stores what was ordered; raw, when given, is the bytes.
func (s *Server) make(in control.MediaIn, raw io.Reader) (*Media, error) {
	var m *Media
	var err error
	switch {
	case raw != nil:
	case in.Base64 != nil:
		raw = bytes.NewReader(in.Base64)
	case in.Width > 0 || in.Height > 0:
		drawn, err := Picture(in.Width, in.Height, in.Seed, in.Noise)
		if err != nil {
			return nil, err
		}
		or(&in.Type, "image/png")
		raw = bytes.NewReader(drawn)
	case in.Size > 0 && in.Size <= maxMade:
		m = s.Make(in.Type, in.Name, in.Size, in.Seed)
	default:
		return nil, errors.New("want base64, width and height, or size")
	}
	if raw != nil {
		if m, err = s.Upload(nil, raw, in.Type, in.Name, s.cfg.Limits.MediaBytes/2); err != nil {
			return nil, err
		}
	}
	s.Do(func(*State) { m.Cut = in.Cut })
	return m, nil
}

// serveMediaBytes shows a file to the page and to tests: pictures, sound and video inline, all else as a download.
func (s *Server) serveMediaBytes(w http.ResponseWriter, r *http.Request) {
	var m *Media
	s.Do(func(st *State) { m = st.Media(strings.TrimPrefix(r.URL.Path, "/sandbox/v1/media/")) })
	if m == nil {
		WriteControl(w, http.StatusNotFound, map[string]string{"error": "no such file"})
		return
	}
	// What strangers upload is never run: only types that a browser shows without scripts are shown.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if KindOf(m.Type) == "file" || strings.Contains(m.Type, "svg") {
		w.Header().Set("Content-Disposition", "attachment")
	}
	m.Serve(w, r, "")
}
