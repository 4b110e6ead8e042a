//go:build servers

package story

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

// badMedia is a file that goes wrong, either way, and what the user gets to read.
type badMedia struct {
	name  string
	proof int // the statement of the conformance table that it belongs to

	// A client shares an address under which this is.
	host func(w http.ResponseWriter, r *http.Request)
	// The message comes back as an error with this condition; empty: it goes to the platform, and a line tells of it.
	condition string
	out       []string // what the text says

	// A person of the sandbox shares this.
	order func(*lair) map[string]any
	comes bool     // the file is there all the same
	in    []string // what the line from the contact says
}

// lair is the host of bad files: one that the gateway may call, and beside it one that it may not, on another port of loopback.
type lair struct {
	*httptest.Server
	files  map[string]func(http.ResponseWriter, *http.Request)
	beside *httptest.Server
	robbed atomic.Int64 // requests to it
}

const secretPath = "/a-secret-of-the-user/"

func newLair(s *stage) *lair {
	l := &lair{files: map[string]func(http.ResponseWriter, *http.Request){}}
	cert, key, err := ground.lab.Certificate(s.TempDir())
	if err != nil {
		s.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		s.Fatal(err)
	}
	serve := func(h http.HandlerFunc) *httptest.Server {
		web := httptest.NewUnstartedServer(h)
		web.Config.ErrorLog = log.New(io.Discard, "", 0)
		web.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		web.StartTLS()
		s.Cleanup(web.Close)
		return web
	}
	l.beside = serve(func(http.ResponseWriter, *http.Request) { l.robbed.Add(1) })
	l.Server = serve(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, secretPath), "/")
		if h := l.files[name]; h != nil {
			h(w, r)
			return
		}
		http.Redirect(w, r, l.beside.URL+"/metadata.png", http.StatusFound)
	})
	return l
}

// address is where a client shares the nth bad file.
func (l *lair) address(n int) string { return l.URL + secretPath + strconv.Itoa(n) + "/rose.png" }

// TestBadMedia: what is wrong with a file costs that file, in words: nothing stays on the disk, memory does not grow, and the chat goes on.
func TestBadMedia(t *testing.T) {
	processes(t, func(s *stage) {
		l := newLair(s)
		for n, b := range badFiles {
			l.files[strconv.Itoa(n)] = b.host
		}
		s.file("postern.yaml", strings.Replace(s.config(), "media: {internal_hosts: [",
			fmt.Sprintf("media: {max: 32MiB, stall: 2s, tries: 2, patience: 1s, internal_hosts: [%q, ", l.Listener.Addr().String()), 1))
		s.control(http.MethodPatch, "/limits", map[string]any{"media_types": []string{"image/*", "application/pdf"}}, nil)
		s.exec(binary(s.T), s.yaml)
		s.ready()
		c := s.member("romeo")
		x := &scene{stage: s, c: c, jid: s.befriend(c, "nurse")}
		x.goodMedia()
		s.flat(func() {
			for n, b := range badFiles {
				s.act(b.name, func(s *stage) {
					(&scene{stage: s, c: c, jid: x.jid}).bad(l, n, b)
				})
			}
		})
		if strings.Contains(s.log.String(), strings.Trim(secretPath, "/")) || strings.Contains(s.log.String(), "panic") {
			s.Errorf("the log repeats an address, or tells of a panic:\n%s", s.log.tail())
		}
		s.discreet()
	})
}

// bad plays one bad file both ways at once: the lanes of a chat are two.
func (s *scene) bad(l *lair, n int, b badMedia) {
	s.Helper()
	proof := s.prove(b.proof)
	began := time.Now()
	at, posts := s.c.Count(), s.posts()
	id := s.share(s.c, s.jid, l.address(n))
	if b.order != nil {
		s.shares("nurse", s.c.JID(), "words beside "+b.name, s.made(b.order(l)))
	}
	if b.condition != "" {
		e := s.see(s.c, at, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
		proof.That(e.Condition == b.condition && holdsAll(e.ErrorText, b.out), "got %s %q, want %s and %q", e.Condition, e.ErrorText, b.condition, b.out)
		proof.That(s.posts() == posts, "the platform got a message of it")
	} else {
		s.see(s.c, at, "receipt", func(m *user.Stanza) bool { return m.Received == id })
		line := s.see(s.c, at, "a line about what was sent", saysOf(s.jid, b.out[0]))
		proof.That(holdsAll(line.Body, b.out), "got %q, want %q", line.Body, b.out)
		sent := hold[mediaMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person"})
		last := sent[len(sent)-1].Content.Media
		proof.That(s.posts() == posts+1 && len(last) == 1 && last[0].Kind == "file" && last[0].Type == "image/png", "got %d messages more, the last with %+v, want one with a plain file", s.posts()-posts, last)
	}
	if b.order != nil {
		s.see(s.c, at, "the words beside it", saysOf(s.jid, "words beside "+b.name))
		line := s.see(s.c, at, "a line about what came", saysOf(s.jid, b.in[0]))
		proof.That(holdsAll(line.Body, b.in), "got %q, want %q", line.Body, b.in)
	}
	s.talks(s.c, s.jid, "nurse")
	files := 0
	for _, st := range s.c.Stanzas(at) {
		if fileFrom(s.jid)(st) {
			files++
		}
	}
	proof.That(files == map[bool]int{true: 1}[b.comes], "got %d files, want one: %v", files, b.comes)
	s.until("the spool is empty", func() bool { return len(s.spool()) == 0 })
	proof.That(l.robbed.Load() == 0, "a host that may not be called was called %d times", l.robbed.Load())
	s.Logf("%s: %s", b.name, time.Since(began).Round(time.Millisecond))
}

func holdsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// goodMedia passes both ways, so that what is loaded once is there.
func (s *scene) goodMedia() {
	s.Helper()
	n := s.c.Count()
	s.shares("nurse", s.c.JID(), "", s.made(map[string]any{"width": 320, "height": 200, "name": "balcony.png"}))
	s.see(s.c, n, "a picture", fileFrom(s.jid))
	id := s.share(s.c, s.jid, s.upload(s.c, "rose.png", "image/png", int64(len(drawn)), bytes.NewReader(drawn)))
	s.see(s.c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	s.talks(s.c, s.jid, "nurse")
}

// drawn is a whole picture.
var drawn = func() []byte {
	img := image.NewGray(image.Rect(0, 0, 200, 100))
	for i := range img.Pix {
		img.Pix[i] = byte(rand.IntN(256))
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // into memory
	return b.Bytes()
}()

// bomb is a PNG of some seventy bytes that announces 14 GB of pixels (ISO/IEC 15948 §5.3).
var bomb = func() []byte {
	chunk := func(kind, data string) string {
		raw := kind + data
		return fmt.Sprintf("%s%s%s", be32(uint32(len(data))), raw, be32(crc32.ChecksumIEEE([]byte(raw))))
	}
	return []byte("\x89PNG\r\n\x1a\n" + chunk("IHDR", be32(60_000)+be32(60_000)+"\x08\x06\x00\x00\x00") + chunk("IDAT", "\x78\x9c\x01") + chunk("IEND", ""))
}()

func be32(n uint32) string {
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
