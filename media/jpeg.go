package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// frame is what the head of a JPEG says beside its size.
type frame struct {
	// staged: it comes in stages, since its frame header is SOF2 (ITU-T T.81 B.1.1.3).
	staged bool
	// turn is how it is to be shown: 1 to 8, 0 when it does not say (Exif 2.3 §4.6.4, Orientation).
	turn int
}

// sideways says whether what was stored as width is shown as height.
func (f frame) sideways() bool { return f.turn >= 5 }

// readFrame reads the segments before the image itself.
func readFrame(r *bufio.Reader) (f frame) {
	if _, err := r.Discard(2); err != nil { // SOI
		return f
	}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return f
		}
		if b != 0xFF {
			continue
		}
		for b == 0xFF {
			if b, err = r.ReadByte(); err != nil {
				return f
			}
		}
		switch {
		case b == 0xC2:
			f.staged = true
			return f
		case b == 0xC0, b == 0xC1, b == 0xDA:
			return f
		case b == 0, b >= 0xD0 && b <= 0xD8:
			continue
		}
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return f
		}
		left := max(0, int(binary.BigEndian.Uint16(size[:]))-2)
		if b == 0xE1 && f.turn == 0 { // APP1, where Exif stands
			exif := make([]byte, left)
			if _, err := io.ReadFull(r, exif); err != nil {
				return f
			}
			f.turn = orientation(exif)
			continue
		}
		if _, err := r.Discard(left); err != nil {
			return f
		}
	}
}

// orientation reads the tag of that name in the first directory of an Exif segment, 0 when there is none (TIFF 6.0 §2).
func orientation(exif []byte) int {
	tiff, ok := bytes.CutPrefix(exif, []byte("Exif\x00\x00"))
	if !ok || len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	fields := tiff[at+2:]
	for n := order.Uint16(tiff[at:]); n > 0 && len(fields) >= 12; n, fields = n-1, fields[12:] {
		const tag, short = 0x0112, 3
		if order.Uint16(fields) != tag || order.Uint16(fields[2:]) != short {
			continue
		}
		if turn := int(order.Uint16(fields[8:])); turn >= 1 && turn <= 8 {
			return turn
		}
		return 0
	}
	return 0
}

// turned shows a picture as its frame asks.
func (f frame) turned(img *image.NRGBA) *image.NRGBA {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	// Where a stored pixel is shown.
	var to func(x, y int) (int, int)
	switch f.turn {
	case 2:
		to = func(x, y int) (int, int) { return w - 1 - x, y }
	case 3:
		to = func(x, y int) (int, int) { return w - 1 - x, h - 1 - y }
	case 4:
		to = func(x, y int) (int, int) { return x, h - 1 - y }
	case 5:
		to = func(x, y int) (int, int) { return y, x }
	case 6:
		to = func(x, y int) (int, int) { return h - 1 - y, x }
	case 7:
		to = func(x, y int) (int, int) { return h - 1 - y, w - 1 - x }
	case 8:
		to = func(x, y int) (int, int) { return y, w - 1 - x }
	default:
		return img
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if f.sideways() {
		out = image.NewNRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := to(x, y)
			out.SetNRGBA(tx, ty, img.NRGBAAt(x, y))
		}
	}
	return out
}
