package media

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	"go.n16f.net/thumbhash"
	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"postern/gateway"
)

// What is decoded at all. The size on the wire says nothing: a few kilobytes can announce gigabytes of pixels.
const (
	maxPixels   = 40_000_000
	maxSide     = 16 << 10
	bombPixels  = maxSide * maxSide // more than any camera makes: the largest sensors of telephones have 200 megapixels
	bombRatio   = 32                // pixels a byte: a photo of any quality has fewer than ten, what is made to harm has thousands
	thumbMost   = 16 << 20          // bytes of memory for a picture of which a thumbnail is wanted: 5 megapixels of a usual photo
	pictureMost = 64 << 20          // bytes of memory for one of which an avatar is wanted
	decodeTime  = 5 * time.Second   // for a decoder; a usual photo takes a tenth of one
	thumbSide   = 100               // pixels; thumbhash looks at no more
	avatarSide  = 192               // XEP-0084 §3: small; clients show it at most at this size
	avatarBytes = 60 << 10
)

// codec reads one format. Which one is decided by the sniffed type, not again by the decoder.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func codecOf(is string) (codec, bool) {
	switch is {
	case "image/jpeg":
		return codec{jpeg.DecodeConfig, jpeg.Decode}, true
	case "image/png":
		return codec{png.DecodeConfig, png.Decode}, true
	case "image/gif":
		return codec{gif.DecodeConfig, gif.Decode}, true
	case "image/webp":
		return codec{webp.DecodeConfig, webp.Decode}, true
	}
	return codec{}, false
}

// measure fills in width and height, and says what is wrong with an image. What would harm whoever opens it is refused. What is
// only larger than usual, or ends before its end, is passed on as a file, so that no client lays out a picture.
func measure(m *gateway.Media, r io.ReadSeeker) error {
	c, ok := codecOf(m.MIME)
	if !ok {
		return nil
	}
	m.Incomplete = cutShort(m.MIME, r, m.Size)
	if err := rewind(r); err != nil {
		return err
	}
	cfg, err := c.config(bufio.NewReader(r))
	if err == nil && explodes(cfg, m.Size) {
		return because(gateway.FileBomb, "%d x %d pixels in %d bytes", cfg.Width, cfg.Height, m.Size)
	}
	if err != nil || !sane(cfg) {
		m.Width, m.Height, m.Kind, m.Thumb = 0, 0, gateway.MediaFile, ""
		return nil
	}
	m.Width, m.Height = cfg.Width, cfg.Height
	if m.Incomplete {
		m.Kind, m.Thumb = gateway.MediaFile, ""
	}
	if m.MIME != "image/jpeg" {
		return nil
	}
	if err := rewind(r); err != nil {
		return err
	}
	if readFrame(bufio.NewReader(r)).sideways() {
		m.Width, m.Height = m.Height, m.Width
	}
	return nil
}

func rewind(r io.Seeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return because(gateway.FileAway, "spool: %w", err)
	}
	return nil
}

// explodes says whether an image is a decompression bomb: what it unpacks to is out of all proportion to its bytes, or to any picture.
// A photo of more megapixels than are decoded here is none.
func explodes(cfg image.Config, size int64) bool {
	pixels := int64(cfg.Width) * int64(cfg.Height)
	return pixels > bombPixels || pixels > maxPixels && pixels > bombRatio*size
}

func sane(cfg image.Config) bool {
	return cfg.Width > 0 && cfg.Height > 0 && cfg.Width <= maxSide && cfg.Height <= maxSide && cfg.Width*cfg.Height <= maxPixels
}

var (
	errNotDecoded = errors.New("not decoded: too many pixels, or too much work for them")
	errNoImage    = errors.New("not an image of a known format")
)

// decode reads an image from the disk if that takes at most so many bytes of memory, and decodeTime. The caller holds
// f.decoding. What the image says of how it is to be shown is for the caller to do, once it is small.
func decode(ctx context.Context, f gateway.File, most int64) (img image.Image, how frame, err error) {
	is := f.Media().MIME
	c, ok := codecOf(is)
	if !ok {
		return nil, how, errNoImage
	}
	r, err := f.Open()
	if err != nil {
		return nil, how, err
	}
	defer r.Close()
	// A stranger wrote these bytes: should they trip up a decoder, they cost a thumbnail, not the message around them.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder of %s: %T", is, p)
		}
	}()
	cfg, err := c.config(bufio.NewReader(r))
	if err != nil {
		return nil, how, err
	}
	if is == "image/jpeg" {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, how, err
		}
		how = readFrame(bufio.NewReader(r))
	}
	if !sane(cfg) || int64(cfg.Width)*int64(cfg.Height)*perPixel(is, cfg.ColorModel, how.staged) > most {
		return nil, how, errNotDecoded
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, how, err
	}
	ctx, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	img, err = c.decode(bufio.NewReader(during(ctx, r)))
	return img, how, err
}

// during reads until ctx ends. A JPEG of a megabyte may go over all its pixels a hundred thousand times.
func during(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, errNotDecoded
		}
		return r.Read(b)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// perPixel is the most bytes of memory that a pixel takes while its image is decoded.
func perPixel(is string, m color.Model, staged bool) int64 {
	switch {
	case is == "image/webp":
		return 10
	case m == color.RGBA64Model, m == color.NRGBA64Model:
		return 16
	case is == "image/png":
		return 8
	case is == "image/gif":
		return 2
	}
	// JPEG: planes of a byte, and the image that CMYK and RGB become. In stages all coefficients wait, 4 bytes a sample.
	n, samples := int64(3), int64(3)
	switch m {
	case color.GrayModel:
		n, samples = 1, 1
	case color.CMYKModel:
		n, samples = 9, 4
	case color.RGBAModel:
		n = 7
	}
	if staged {
		n += 4 * samples
	}
	return n
}

// thumb adds a thumbhash as a data: URI (XEP-0264; the form that Movim shows). An image that turns out to be broken is from
// then on a file: what a client makes of it is its own affair.
func (f *Files) thumb(ctx context.Context, got *file) {
	m := &got.media
	if m.Kind != gateway.MediaImage || f.hold(ctx) != nil {
		return
	}
	defer f.letGo()
	img, how, err := decode(ctx, got, thumbMost)
	if err != nil {
		m.Incomplete = errors.Is(err, io.ErrUnexpectedEOF)
		// An animated WebP is whole, and not for this decoder.
		if (m.MIME == "image/jpeg" || m.MIME == "image/png" || m.MIME == "image/gif") && !errors.Is(err, errNotDecoded) {
			m.Kind, m.Thumb = gateway.MediaFile, ""
		}
		return
	}
	b := img.Bounds()
	w, h := fit(b.Dx(), b.Dy(), thumbSide)
	hash := thumbhash.EncodeImage(how.turned(scale(img, b, w, h)))
	m.Thumb = "data:image/thumbhash;base64," + base64.StdEncoding.EncodeToString(hash)
}

func (f *Files) hold(ctx context.Context) error {
	select {
	case f.decoding <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Files) letGo() { <-f.decoding }

// fit returns the size of w by h within a square, never larger than it was.
func fit(w, h, side int) (int, int) {
	if long := max(w, h); long > side {
		w, h = max(1, w*side/long), max(1, h*side/long)
	}
	return w, h
}

// scale draws a part of an image at w by h. Large ones go through a rough step first: the fine one needs memory by their height.
func scale(img image.Image, part image.Rectangle, w, h int) *image.NRGBA {
	if part.Dx() > 4*w || part.Dy() > 4*h {
		rough := image.NewNRGBA(image.Rect(0, 0, min(part.Dx(), 4*w), min(part.Dy(), 4*h)))
		draw.ApproxBiLinear.Scale(rough, rough.Bounds(), img, part, draw.Src, nil)
		img, part = rough, rough.Bounds()
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(out, out.Bounds(), img, part, draw.Src, nil)
	return out
}

// Picture implements gateway.Files: the middle square of an image, as PNG where something shows through, else as JPEG.
func (f *Files) Picture(ctx context.Context, src gateway.File) (gateway.Picture, error) {
	if err := f.hold(ctx); err != nil {
		return gateway.Picture{}, err
	}
	defer f.letGo()
	img, how, err := decode(ctx, src, pictureMost)
	if ctx.Err() != nil {
		return gateway.Picture{}, ctx.Err()
	}
	if err != nil {
		if known, ok := errors.AsType[*gateway.FileError](err); ok {
			return gateway.Picture{}, known
		}
		return gateway.Picture{}, &gateway.FileError{Reason: gateway.FileType, Err: err}
	}
	b := img.Bounds()
	edge := min(b.Dx(), b.Dy())
	at := b.Min.Add(image.Pt((b.Dx()-edge)/2, (b.Dy()-edge)/2))
	square := image.Rectangle{at, at.Add(image.Pt(edge, edge))}
	side := min(edge, avatarSide)
	small := how.turned(scale(img, square, side, side))
	p := gateway.Picture{Width: side, Height: side}
	if p.MIME, p.Bytes, err = encode(small); err != nil {
		return gateway.Picture{}, &gateway.FileError{Reason: gateway.FileType, Err: err}
	}
	sum := sha1.Sum(p.Bytes) // XEP-0084 §4.2.1: the name of an avatar; no security rests on it
	p.SHA1 = hex.EncodeToString(sum[:])
	return p, nil
}

// encode writes an avatar. What is too large as PNG goes onto white.
func encode(img *image.NRGBA) (is string, raw []byte, err error) {
	var b bytes.Buffer
	if !img.Opaque() {
		err := png.Encode(&b, img)
		if err == nil && b.Len() <= avatarBytes {
			return "image/png", b.Bytes(), nil
		}
	}
	flat := image.NewRGBA(img.Bounds())
	draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), img, img.Bounds().Min, draw.Over)
	for _, quality := range []int{85, 70, 50, 30, 10} {
		b.Reset()
		if err := jpeg.Encode(&b, flat, &jpeg.Options{Quality: quality}); err != nil {
			return "", nil, err
		}
		if b.Len() <= avatarBytes {
			break
		}
	}
	return "image/jpeg", b.Bytes(), nil
}
