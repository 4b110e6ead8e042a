package media

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"net/http"
	"testing"

	"postern/gateway"
)

// TestCutShort: an image is told from its own beginnings, wherever they end, whatever it holds and however large it is.
func TestCutShort(t *testing.T) {
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.Black, color.White, color.Transparent})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	webp, err := base64.StdEncoding.DecodeString("UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAwA0JaQAA3AA/vuUAAA=")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		is   string
		raw  []byte
		lack int // bytes at the end that nobody misses
	}{
		{"image/jpeg", asJPEG(t, noise(100, 60, 255)), 0},
		{"image/png", asPNG(t, noise(20, 20, 255)), 0},
		{"image/gif", moving.Bytes(), 0},
		{"image/webp", webp, 1},
	} {
		t.Run(tt.is, func(t *testing.T) {
			for n := range tt.raw {
				if got, want := cutShort(tt.is, bytes.NewReader(tt.raw[:n]), int64(n)), n < len(tt.raw)-tt.lack; got != want {
					t.Fatalf("%d of %d bytes: got %v, want %v", n, len(tt.raw), got, want)
				}
			}
			whole := append(bytes.Clone(tt.raw), "and what some cameras put behind it"...)
			for _, raw := range [][]byte{tt.raw, whole} {
				if cutShort(tt.is, bytes.NewReader(raw), int64(len(raw))) {
					t.Errorf("a whole image of %d bytes counts as cut short", len(raw))
				}
			}
		})
	}
	for _, is := range []string{"image/heic", "video/mp4", unknown} {
		if cutShort(is, bytes.NewReader(nil), 0) {
			t.Errorf("%s: of this format nothing is known", is)
		}
	}
}

// TestIncompleteEitherWay: an image that is cut short travels as a file, said to be incomplete; what the sender says of that is nothing.
func TestIncompleteEitherWay(t *testing.T) {
	whole := asPNG(t, noise(2500, 2500, 255)) // too large for a thumbnail
	for n, raw := range [][]byte{whole[:len(whole)-20], whole} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) })
			f := open(t, Config{}, nil, srv)
			in := gateway.Media{Kind: gateway.MediaImage, Handle: srv.URL, Incomplete: n == 1}
			spooled, err := f.Spool(t.Context(), in, bytes.NewReader(raw), 0)
			if err != nil {
				t.Fatal(err)
			}
			fetched, err := f.Fetch(t.Context(), in, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range []gateway.File{spooled, fetched} {
				m := got.Media()
				if want := n == 0; m.Incomplete != want || (m.Kind == gateway.MediaFile) != want || m.Width != 2500 {
					t.Errorf("got %s %d wide, incomplete %v, want that %v", m.Kind, m.Width, m.Incomplete, want)
				}
				if err := got.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
