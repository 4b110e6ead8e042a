package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"strings"
	"testing"

	"postern/gateway"
)

// TestStages: the frame header says how much memory a JPEG needs.
func TestStages(t *testing.T) {
	const soi, app, table = "\xff\xd8", "\xff\xe0\x00\x06\xff\xc2xx", "\xff\xdb\x00\x03\x00"
	for head, want := range map[string]bool{
		soi + app + table + "\xff\xc2\x00\x11": true, soi + app + table + "\xff\xc0\x00\x11": false, soi + "\xff\xff\xff\xc2": true,
		soi + app: false, "": false, soi + "\xff\xda\x00\x02\xff\xc2": false,
	} {
		if got := readFrame(bufio.NewReader(strings.NewReader(head))).staged; got != want {
			t.Errorf("%q: got %v, want %v", head, got, want)
		}
	}
}

// exif is a segment that says how a picture is to be shown, among other fields.
func exif(order string, turn byte) string {
	tiff := "II*\x00\x08\x00\x00\x00\x02\x00\x0f\x01\x02\x00\x02\x00\x00\x00A\x00\x00\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(rune(turn)) + "\x00\x00\x00\x00\x00\x00\x00"
	if order == "MM" {
		tiff = "MM\x00*\x00\x00\x00\x08\x00\x02\x01\x0f\x00\x02\x00\x00\x00\x02A\x00\x00\x00\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(rune(turn)) + "\x00\x00\x00\x00\x00\x00"
	}
	body := "Exif\x00\x00" + tiff
	return "\xff\xe1\x00" + string(append([]byte(nil), byte(len(body)+2))) + body
}

// TestPhotosStandUpright: a phone stores what its sensor saw, and beside it which way up it was held.
func TestPhotosStandUpright(t *testing.T) {
	// Stored 64 wide and 32 high, the top left red, the top right blue, else white.
	img := image.NewNRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			c := color.NRGBA{255, 255, 255, 255}
			if y < 16 && x < 32 {
				c = color.NRGBA{255, 0, 0, 255}
			} else if y < 16 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	raw := string(asJPEG(t, img))
	// Where red and blue are shown (Exif 2.3 §4.6.4): t and b for top and bottom, l and r for left and right.
	for turn, want := range []string{"tl tr", "tl tr", "tr tl", "br bl", "bl br", "tl bl", "tr br", "br tr", "bl tl", "tl tr"} {
		for _, order := range []string{"II", "MM"} {
			f := open(t, Config{}, nil)
			src := spoolImage(t, f, []byte(raw[:2]+exif(order, byte(turn))+raw[2:]))
			w, h := 64, 32
			if turn >= 5 && turn <= 8 {
				w, h = 32, 64
			}
			if m := src.Media(); m.Width != w || m.Height != h || m.Kind != gateway.MediaImage || m.Thumb == "" {
				t.Errorf("%s %d: got %+v, want an image of %dx%d", order, turn, m, w, h)
			}
			p, err := f.Picture(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			small, err := jpeg.Decode(bytes.NewReader(p.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]string{}
			for at, pt := range map[string]image.Point{"tl": {4, 4}, "tr": {27, 4}, "bl": {4, 27}, "br": {27, 27}} {
				switch r, g, b, _ := small.At(pt.X, pt.Y).RGBA(); {
				case r > 0xC000 && g < 0x4000:
					found["red"] = at
				case b > 0xC000 && g < 0x4000:
					found["blue"] = at
				}
			}
			if got := found["red"] + " " + found["blue"]; got != want {
				t.Errorf("%s %d: got red and blue at %q, want %q", order, turn, got, want)
			}
		}
	}
}

// TestBrokenExif: what is cut off or points anywhere says nothing.
func TestBrokenExif(t *testing.T) {
	whole := exif("II", 6)[4:]
	if got := orientation([]byte(whole)); got != 6 {
		t.Fatalf("whole: got %d, want 6", got)
	}
	for n := range len(whole) - 4 - 12 {
		if got := orientation([]byte(whole[:n])); got != 0 {
			t.Errorf("first %d bytes: got %d", n, got)
		}
	}
	for _, raw := range []string{
		strings.Replace(whole, "\x08\x00\x00\x00", "\xff\xff\xff\xff", 1), strings.Replace(whole, "\x02\x00\x0f", "\xff\xff\x0f", 1)[:30],
		strings.Replace(whole, "II*", "XX*", 1), "Exif\x00\x00", "",
	} {
		if got := orientation([]byte(raw)); got != 0 {
			t.Errorf("%q: got %d", raw, got)
		}
	}
}

// endlessly is a JPEG that goes over its megapixel again and again, each time for a dozen bytes.
func endlessly(scans int) []byte {
	const (
		head  = "\xff\xd8\xff\xc2\x00\x0b\x08\x04\x00\x04\x00\x01\x01\x11\x00"
		table = "\xff\xc4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe0"
		scan  = "\xff\xda\x00\x08\x01\x01\x00\x01\x01\x00\x00\x01" // 16384 blocks are as they were
	)
	return []byte(head + table + strings.Repeat(scan, scans) + "\xff\xd9")
}

// watched is a file of which is told how far it was read.
type watched struct {
	*bytes.Reader
	at func(int64)
}

func (w watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	w.at(w.Size() - int64(w.Len()))
	return n, err
}

func (watched) Close() error { return nil }

func (watched) Media() gateway.Media { return gateway.Media{MIME: "image/jpeg"} }

func (w watched) Open() (io.ReadSeekCloser, error) { return w, nil }

// TestDecodingEnds: a small file that keeps a decoder busy for minutes is given up when the time is over.
func TestDecodingEnds(t *testing.T) {
	f := open(t, Config{}, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const over, slack = 8 << 10, 8 << 10
	far := int64(0)
	_, err := f.Picture(ctx, watched{bytes.NewReader(endlessly(1 << 20)), func(at int64) {
		if far = max(far, at); far > over {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || far <= over || far > over+slack {
		t.Errorf("got %v after %d bytes, want to stop soon after %d", err, far, over)
	}
	if _, err := f.Picture(t.Context(), watched{bytes.NewReader(endlessly(3)), func(int64) {}}); err != nil {
		t.Errorf("three times: got %v, want a picture", err)
	}
}
