package api

import (
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
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
	downloadsEach = downloads / 4    // of them by one caller
	downloadRate  = 16 << 10         // bytes a second: who reads more slowly is cut off
	downloadLeast = 30 * time.Second // before that counts
)

// served returns the handler for GET and HEAD of files of the own store.
func served(from MediaStore, trusted func() []netip.Prefix) http.HandlerFunc {
	room := &places{by: map[string]int{}}
	return func(w http.ResponseWriter, r *http.Request) {
		leave, ok := room.enter(neighbours(callerBehind(r, trusted)))
		if !ok {
			refuseForNow(w, retrySoon, "Too many files are being fetched at this moment.")
			return
		}
		defer leave()
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
		h := w.Header()
		h.Set("Content-Type", m.MIME)
		h.Set("Content-Disposition", mime.FormatMediaType(disposition(m.MIME), map[string]string{"filename": m.Name}))
		h.Set("Content-Security-Policy", "default-src 'none'") // also replaces what stands there for answers to programs
		h.Set("Access-Control-Allow-Origin", "*")              // web clients show it in pages of their own
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", "private, max-age="+strconv.Itoa(int(left/time.Second)))
		h.Set("ETag", `"`+m.Handle+`"`) // the content of a URL never changes
		http.ServeContent(w, r, "", time.Time{}, &unhurried{ReadSeeker: content, began: time.Now(), wire: http.NewResponseController(w)})
	}
}

// unhurried gives what is written the time that it has at downloadRate, in place of the server's write timeout.
type unhurried struct {
	io.ReadSeeker
	began time.Time
	read  int64
	wire  *http.ResponseController
}

func (u *unhurried) Read(b []byte) (int, error) {
	n, err := u.ReadSeeker.Read(b)
	u.read += int64(n)
	// A recorder in a test has no deadline to set; a connection has.
	_ = u.wire.SetWriteDeadline(u.began.Add(downloadLeast + time.Duration(u.read/downloadRate)*time.Second))
	return n, err
}

// places bounds the downloads, so that one caller leaves room for others.
type places struct {
	mu  sync.Mutex
	all int
	by  map[string]int
}

func (p *places) enter(who string) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= downloads || p.by[who] >= downloadsEach {
		return nil, false
	}
	p.all++
	p.by[who]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.by[who]--; p.by[who] == 0 {
			delete(p.by, who)
		}
	}, true
}

// neighbours stands for all addresses that a caller surely has: of IPv6 a network of 64 bits (RFC 6177 §2).
func neighbours(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() {
		return addr
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// disposition lets a browser show what it can only show, and save everything else (RFC 6266 §4.2).
func disposition(is string) string {
	top, sub, _ := strings.Cut(is, "/")
	if (top == "image" || top == "audio" || top == "video") && !strings.Contains(sub, "xml") {
		return "inline"
	}
	return "attachment"
}
