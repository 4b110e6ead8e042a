package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
)

// Pattern is content of any size that is never whole anywhere: a head by which its type is recognised, then noise that repeats.
type Pattern struct {
	head  []byte
	noise []byte
}

const noiseBytes = 64 << 10

// magic are the first bytes of types whose content nobody decodes.
var magic = map[string]string{
	"application/pdf": "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "video/mp4": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
	"audio/ogg": "OggS\x00\x02", "audio/mpeg": "ID3\x04", "application/zip": "PK\x03\x04", "image/jpeg": "\xff\xd8\xff\xe0\x00\x10JFIF\x00",
}

// NewPattern makes content that begins like a media type.
func NewPattern(typ string, seed uint64) *Pattern {
	p := &Pattern{head: []byte(magic[typ]), noise: make([]byte, noiseBytes)}
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	_, _ = source.Read(p.noise) // never fails
	return p
}

// Reader reads so many bytes of it.
func (p *Pattern) Reader(size int64) io.ReadSeekCloser { return &patternReader{p: p, size: size} }

type patternReader struct {
	p        *Pattern
	at, size int64
}

func (r *patternReader) Close() error { return nil }

func (r *patternReader) Read(b []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), r.size-r.at)]
	n := 0
	if r.at < int64(len(r.p.head)) {
		n = copy(b, r.p.head[r.at:])
	}
	for n < len(b) {
		n += copy(b[n:], r.p.noise[(r.at+int64(n))%noiseBytes:])
	}
	r.at += int64(n)
	return n, nil
}

func (r *patternReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("sandbox: seek before the beginning")
	}
	r.at = offset
	return offset, nil
}

// maxSide bounds generated pictures, in pixels.
const maxSide = 4000

// Picture draws a PNG that one tells from others: two colours of the seed with a disc, or noise, which does not compress.
func Picture(width, height int, seed uint64, noisy bool) ([]byte, error) {
	if width < 1 || height < 1 || width > maxSide || height > maxSide {
		return nil, fmt.Errorf("width and height: want 1 to %d", maxSide)
	}
	random := rand.New(rand.NewPCG(seed, 0x70696374))
	shade := func() color.RGBA {
		return color.RGBA{uint8(40 + random.IntN(180)), uint8(40 + random.IntN(180)), uint8(40 + random.IntN(180)), 255}
	}
	back, disc := shade(), shade()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	radius := min(width, height) / 3
	for y := range height {
		for x := range width {
			c := back
			if dx, dy := x-width/2, y-height/2; dx*dx+dy*dy < radius*radius {
				c = disc
			}
			if noisy {
				n := random.Uint32()
				c = color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := encoder.Encode(&out, img)
	return out.Bytes(), err
}
