package media

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.n16f.net/thumbhash"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// noise is an image that compresses badly; alpha below 255 lets something show through.
func noise(w, h int, alpha uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.Uint32())
		if i%4 == 3 {
			img.Pix[i] = alpha
		}
	}
	return img
}

func asJPEG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunk is one of a PNG (ISO/IEC 15948 §5.3).
func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// bomb is a PNG of a few bytes that announces w by h pixels.
func bomb(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 6, 0, 0, 0))...)
	return append(append(out, chunk("IDAT", []byte{0x78, 0x9c, 0x01})...), chunk("IEND", nil)...)
}

func spoolImage(t *testing.T, f *Files, raw []byte) gateway.File {
	t.Helper()
	got, err := f.Spool(t.Context(), gateway.Media{Kind: gateway.MediaImage}, bytes.NewReader(raw), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Close() })
	return got
}

func TestImagesAreMeasured(t *testing.T) {
	whole := asJPEG(t, noise(300, 200, 255))
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		raw   []byte
		w, h  int
		kind  gateway.MediaKind
		mime  string
		thumb bool
	}{
		{"jpeg", whole, 300, 200, gateway.MediaImage, "image/jpeg", true},
		{"png that shows through", asPNG(t, noise(64, 128, 100)), 64, 128, gateway.MediaImage, "image/png", true},
		{"one pixel", asPNG(t, noise(1, 1, 255)), 1, 1, gateway.MediaImage, "image/png", true},
		{"a line", asPNG(t, noise(3000, 1, 255)), 3000, 1, gateway.MediaImage, "image/png", true},
		{"animation", moving.Bytes(), 30, 20, gateway.MediaImage, "image/gif", true},
		{"truncated jpeg", whole[:len(whole)/2], 300, 200, gateway.MediaFile, "image/jpeg", false},
		{"jpeg that is only a header", whole[:30], 0, 0, gateway.MediaFile, "image/jpeg", false},
		{"truncated png", asPNG(t, noise(100, 100, 255))[:2000], 100, 100, gateway.MediaFile, "image/png", false},
		{"photo of 200 megapixels", slices.Concat(bomb(16320, 12240), make([]byte, 7<<20)), 0, 0, gateway.MediaFile, "image/png", false},
		{"long screenshot", bomb(1080, 20000), 0, 0, gateway.MediaFile, "image/png", false},
		{"photo too large for a thumbnail", bomb(6000, 6000), 6000, 6000, gateway.MediaImage, "image/png", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, Config{}, nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m := spoolImage(t, f, tt.raw).Media()
			runtime.ReadMemStats(&after)
			if m.Width != tt.w || m.Height != tt.h || m.Kind != tt.kind || m.MIME != tt.mime || (m.Thumb != "") != tt.thumb {
				t.Errorf("got %dx%d %s %s thumb %q, want %dx%d %s %s thumb %v", m.Width, m.Height, m.Kind, m.MIME, m.Thumb, tt.w, tt.h, tt.kind, tt.mime, tt.thumb)
			}
			if want := strings.HasPrefix(tt.name, "truncated") || strings.HasSuffix(tt.name, "only a header"); m.Incomplete != want {
				t.Errorf("incomplete: got %v, want %v", m.Incomplete, want)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
				t.Errorf("allocated %d KiB", got>>10)
			}
			if !tt.thumb {
				return
			}
			code, ok := strings.CutPrefix(m.Thumb, "data:image/thumbhash;base64,")
			hash, err := base64.StdEncoding.DecodeString(code)
			if !ok || err != nil || len(m.Thumb) > maxThumb {
				t.Fatalf("thumb %q: %v", m.Thumb, err)
			}
			if _, err := thumbhash.DecodeImage(hash); err != nil {
				t.Errorf("thumb: %v", err)
			}
		})
	}
}

// TestBombs: what would harm whoever opens it passes in neither direction, not as a document either, and leaves nothing behind.
func TestBombs(t *testing.T) {
	for name, raw := range map[string][]byte{
		"bomb": bomb(60000, 60000), "flat bomb": bomb(2_000_000_000, 1), "light for a photo": bomb(8000, 8000),
		"padded": slices.Concat(bomb(60000, 60000), make([]byte, 20<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) })
			f := open(t, Config{}, nil, srv)
			for _, k := range []gateway.MediaKind{"", gateway.MediaImage, gateway.MediaFile} {
				_, err := f.Spool(t.Context(), gateway.Media{Kind: k}, bytes.NewReader(raw), 0)
				wantReason(t, f, err, gateway.FileBomb)
				_, err = f.Fetch(t.Context(), gateway.Media{Kind: k, Handle: srv.URL}, 0)
				wantReason(t, f, err, gateway.FileBomb)
			}
		})
	}
}

func TestThumbsOfOthers(t *testing.T) {
	f := open(t, Config{}, nil)
	for thumb, kept := range map[string]bool{
		"data:image/jpeg;base64,AA==": true, "https://example.org/a": false, "cid:sha1+0@bob.xmpp.org": false,
		"data:text/html,<script>": false, "data:image/jpeg;base64," + strings.Repeat("A", maxThumb): false,
	} {
		got, err := f.Spool(t.Context(), gateway.Media{Kind: gateway.MediaVideo, Thumb: thumb}, strings.NewReader(box("isom")), 0)
		if err != nil {
			t.Fatal(err)
		}
		if (got.Media().Thumb != "") != kept {
			t.Errorf("%.30q: got %q, want kept %v", thumb, got.Media().Thumb, kept)
		}
		_ = got.Close()
	}
}

func TestPicture(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 38)
	red := image.NewNRGBA(image.Rect(0, 0, 600, 200)) // red in the middle square, blue beside it
	for y := range 200 {
		for x := range 600 {
			c := color.NRGBA{0, 0, 255, 255}
			if x >= 200 && x < 400 {
				c = color.NRGBA{255, 0, 0, 255}
			}
			red.SetNRGBA(x, y, c)
		}
	}
	tests := []struct {
		name string
		raw  []byte
		side int
		mime string
	}{
		{"photo", asJPEG(t, noise(1000, 700, 255)), 192, "image/jpeg"},
		{"opaque png", asPNG(t, red), 192, "image/jpeg"},
		{"logo", asPNG(t, clear(400)), 192, "image/png"},
		{"noise that shows through", asPNG(t, noise(400, 400, 100)), 192, "image/jpeg"},
		{"small", asPNG(t, noise(50, 40, 255)), 40, "image/jpeg"},
		{"one pixel", asPNG(t, noise(1, 1, 255)), 1, "image/jpeg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, Config{}, nil)
			got, err := f.Picture(t.Context(), spoolImage(t, f, tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha1.Sum(got.Bytes)
			p.That(got.SHA1 == hex.EncodeToString(sum[:]), "sha1: got %s, want that of the bytes", got.SHA1)
			p.That(len(got.Bytes) <= avatarBytes, "got %d bytes, want at most %d", len(got.Bytes), avatarBytes)
			cfg, format, err := image.DecodeConfig(bytes.NewReader(got.Bytes))
			p.That(err == nil && "image/"+format == tt.mime && got.MIME == tt.mime, "got %s said to be %s, %v, want %s", format, got.MIME, err, tt.mime)
			p.That(cfg.Width == tt.side && cfg.Height == tt.side && got.Width == tt.side && got.Height == tt.side, "got %dx%d said to be %dx%d, want %d a side", cfg.Width, cfg.Height, got.Width, got.Height, tt.side)
			if tt.name != "opaque png" {
				return
			}
			img, err := jpeg.Decode(bytes.NewReader(got.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []image.Point{{3, 3}, {96, 96}, {188, 188}} {
				if r, _, b, _ := img.At(at.X, at.Y).RGBA(); r < 0xE000 || b > 0x2000 {
					t.Errorf("at %v: got %v, want the red middle", at, img.At(at.X, at.Y))
				}
			}
		})
	}
}

// clear is a disc on nothing.
func clear(side int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			if dx, dy := x-side/2, y-side/2; dx*dx+dy*dy < side*side/4 {
				img.SetNRGBA(x, y, color.NRGBA{0, 128, 0, 255})
			}
		}
	}
	return img
}

func TestNoPicture(t *testing.T) {
	whole := asJPEG(t, noise(300, 200, 255))
	for name, raw := range map[string][]byte{
		"text": []byte("hello"), "too much memory": bomb(6000, 6000), "truncated": whole[:len(whole)/2],
		"svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, Config{}, nil)
			_, err := f.Picture(t.Context(), spoolImage(t, f, raw))
			if fe, ok := errors.AsType[*gateway.FileError](err); !ok || fe.Reason != gateway.FileType {
				t.Errorf("got %v, want that the type is wrong", err)
			}
		})
	}
}

func TestOneImageAtATime(t *testing.T) {
	f := open(t, Config{}, nil)
	src := spoolImage(t, f, asPNG(t, noise(10, 10, 255)))
	if err := f.hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer f.letGo()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := f.Picture(ctx, src); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want to wait for the other one until the context ends", err)
	}
}
