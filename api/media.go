package api

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// MediaStore holds files that clients fetch from here because no upload service takes them; *media.Files is one.
type MediaStore interface {
	// Stored opens a file by what its URL says. MIME and Name of the Media are what it is served as; until is when it
	// goes. Every miss is the same error.
	Stored(token, name string) (content io.ReadSeekCloser, m gateway.Media, until time.Time, err error)
}

// Limits of serving files. The server's own write timeout is for short answers.
const (
	downloads     = 256              // at the same time
	downloadRate  = 16 << 10         // bytes a second: who reads more slowly is cut off
	downloadLeast = 30 * time.Second // however small the file is
)

// served returns the handler for GET and HEAD of files of the own store.
func served(from MediaStore) http.HandlerFunc {
	places := make(chan struct{}, downloads)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			refuseForNow(w, retrySoon, "Too many files are being fetched at this moment.")
			return
		}
		content, m, until, err := from.Stored(chi.URLParam(r, "token"), chi.URLParam(r, "name"))
		left := time.Until(until)
		if err == nil && left <= 0 {
			content.Close()
		}
		if err != nil || left <= 0 {
			notFound(w, r)
			return
		}
		defer content.Close()
		// A recorder in a test has no deadline to set; a connection has.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadLeast + time.Duration(m.Size/downloadRate)*time.Second))
		h := w.Header()
		h.Set("Content-Type", m.MIME)
		h.Set("Content-Disposition", mime.FormatMediaType(disposition(m.MIME), map[string]string{"filename": m.Name}))
		h.Set("Content-Security-Policy", "default-src 'none'") // also replaces what stands there for answers to programs
		h.Set("Access-Control-Allow-Origin", "*")              // web clients show it in pages of their own
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", "private, max-age="+strconv.Itoa(int(left/time.Second)))
		h.Set("ETag", `"`+m.Handle+`"`) // the content of a URL never changes
		http.ServeContent(w, r, "", time.Time{}, content)
	}
}

// disposition lets a browser show what it can only show, and save everything else (RFC 6266 §4.2).
func disposition(is string) string {
	top, sub, _ := strings.Cut(is, "/")
	if (top == "image" || top == "audio" || top == "video") && !strings.Contains(sub, "xml") {
		return "inline"
	}
	return "attachment"
}
