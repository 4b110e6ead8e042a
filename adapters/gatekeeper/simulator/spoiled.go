package simulator

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"postern/adapters/internal/sandbox"
)

// spoiled is what goes wrong with every download of a file; at most one of its kinds is of use. What a message says of the file stays
// true.
type spoiled struct {
	// Cut breaks the connection off after that many bytes.
	Cut int64 `json:"cut"`
	// Length is what Content-Length says instead of the size.
	Length int64 `json:"length"`
	// Endless gives the bytes over and over, without a Content-Length.
	Endless bool `json:"endless"`
	// SlowMS gives the bytes one by one, so many milliseconds apart.
	SlowMS int `json:"slow_ms"`
	// Redirect sends whoever asks to another address.
	Redirect string `json:"redirect"`
}

func (s spoiled) validate() error {
	if s.Cut < 0 || s.Length < 0 || s.SlowMS < 0 || s.SlowMS > 60_000 {
		return errors.New("cut, length, slow_ms: want no negative number, and at most 60000 ms")
	}
	return nil
}

// serve spoils one download, and reports whether there was anything to spoil. What was written so far tells the client; whoever left
// early does not see the rest.
func (s spoiled) serve(w http.ResponseWriter, r *http.Request, f io.ReadSeeker, size int64) bool {
	switch {
	case s.Cut > 0:
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.CopyN(w, f, s.Cut)
		panic(http.ErrAbortHandler)
	case s.Length > 0: // net/http ends the connection where a body is shorter than announced
		w.Header().Set("Content-Length", fmt.Sprint(s.Length))
		_, _ = io.CopyN(w, f, min(s.Length, size))
	case s.Endless:
		for {
			if _, err := io.Copy(w, f); err != nil || size == 0 {
				return true
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return true
			}
		}
	case s.SlowMS > 0:
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for range size {
			if _, err := io.CopyN(w, f, 1); err != nil || http.NewResponseController(w).Flush() != nil {
				return true
			}
			if !sandbox.Pause(r.Context(), time.Duration(s.SlowMS)*time.Millisecond) {
				return true
			}
		}
	case s.Redirect != "":
		http.Redirect(w, r, s.Redirect, http.StatusFound)
	default:
		return false
	}
	return true
}
