//go:build servers

package story

import (
	"fmt"
	"net/http"
	"time"
)

const (
	tooMuch = 33 << 20 // bytes; the gateway takes 32 MiB
	page    = "<!DOCTYPE html><html><head><script>steal()</script></head></html>"
)

// badFiles are the ways in which a file goes wrong.
var badFiles = []badMedia{
	{
		name: "too large", proof: 67,
		host: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(tooMuch))
			repeat(w, tooMuch)
		},
		condition: "not-acceptable", out: []string{"was not sent", "too large", "32 MB"},
		order: made(map[string]any{"type": "video/mp4", "size": tooMuch, "name": "play.mp4"}),
		in:    []string{"too large to be shown here", "Video", "play.mp4", "33 MB", "32 MB"},
	},
	{
		name: "wrong type", proof: 67,
		host: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte(page))
		},
		condition: "not-acceptable", out: []string{"was not sent", "does not take files of this type", "rose.html"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": []byte(page)}),
		in:    []string{"as what it is not", "Picture: rose.png", "text/html"}, comes: true,
	},
	{
		name: "fewer bytes than announced", proof: 67,
		host: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(2*len(drawn)))
			_, _ = w.Write(drawn)
		},
		condition: "not-acceptable", out: []string{"was not sent", "damaged or incomplete"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn, "length": 2 * len(drawn)}),
		in:    []string{"damaged or incomplete", "Picture: rose.png"},
	},
	{
		name: "more bytes than announced", proof: 67,
		// What is behind the announced length is never read: what is left of a picture is no whole one.
		host: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack() // net/http does not let a handler lie like this
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(drawn)/2, drawn)
		},
		out:   []string{"was sent to", "its end is missing", "as a file", "Picture: rose.png"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn, "length": len(drawn) / 2}),
		in:    []string{"damaged or incomplete", "Picture: rose.png"}, // its hash is another than the message says
	},
	{
		name: "a terabyte announced", proof: 67,
		host: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(int64(1)<<40))
			_, _ = w.Write(drawn)
		},
		condition: "not-acceptable", out: []string{"was not sent", "too large", "32 MB"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn, "length": int64(1) << 40}),
		in:    []string{"damaged or incomplete", "Picture: rose.png"}, // the message says how long it is
	},
	{
		name: "endless stream", proof: 67,
		host:      func(w http.ResponseWriter, _ *http.Request) { repeat(w, 1<<40) },
		condition: "not-acceptable", out: []string{"was not sent", "too large", "32 MB"},
		order: made(map[string]any{"type": "video/mp4", "size": 1 << 20, "name": "play.mp4", "endless": true}),
		in:    []string{"too large to be shown here", "play.mp4", "32 MB"},
	},
	{
		name: "slow loris", proof: 67,
		host: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(drawn)))
			for _, b := range drawn {
				_, _ = w.Write([]byte{b})
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		},
		condition: "remote-server-timeout", out: []string{"was not sent", "does not answer"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn, "slow_ms": 50}),
		in:    []string{"could not be brought here in time", "Picture: rose.png"},
	},
	{
		name: "redirect to loopback", proof: 68, // no host: the lair's redirect
		condition: "not-acceptable", out: []string{"was not sent", "not fetched from this address"},
		order: func(l *lair) map[string]any {
			return map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn, "redirect": l.beside.URL + "/metadata.png"}
		},
		in: []string{"could not be brought here in time", "Picture: rose.png"},
	},
	{
		name: "decompression bomb", proof: 67,
		host:      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb) },
		condition: "not-acceptable", out: []string{"was not sent", "far larger than any picture"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": bomb}),
		in:    []string{"far larger than any picture", "Picture: rose.png"},
	},
	{
		name: "truncated image", proof: 67,
		host:  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(drawn[:len(drawn)-100]) },
		out:   []string{"was sent to", "its end is missing", "as a file", "Picture: rose.png"},
		order: made(map[string]any{"type": "image/png", "name": "rose.png", "base64": drawn[:len(drawn)-100]}),
		in:    []string{"came incomplete from", "Picture: rose.png"}, comes: true,
	},
}

// made is an order that is the same wherever the lair is.
func made(order map[string]any) func(*lair) map[string]any {
	return func(*lair) map[string]any { return order }
}

// repeat writes until that many bytes are written or nobody takes them.
func repeat(w http.ResponseWriter, size int) {
	chunk := make([]byte, 64<<10)
	for ; size > 0; size -= len(chunk) {
		if _, err := w.Write(chunk[:min(size, len(chunk))]); err != nil {
			return
		}
	}
}
