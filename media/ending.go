package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// cutShort says whether an image ends before its end, as one does whose upload broke off: by how its format is built, without
// decoding it, so that no image is too large to be looked at. What is odd in another way is not cut short.
func cutShort(is string, r io.Reader, size int64) bool {
	var err error
	switch b := bufio.NewReaderSize(r, bufferSize); is {
	case "image/png":
		err = endPNG(b, size)
	case "image/jpeg":
		err = endJPEG(b)
	case "image/gif":
		err = endGIF(b)
	case "image/webp":
		err = endWebP(b, size)
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// endPNG goes from chunk to chunk up to the last (ISO/IEC 15948 §5.3, §11.2.5 IEND).
func endPNG(r *bufio.Reader, size int64) error {
	if _, err := r.Discard(8); err != nil { // signature
		return err
	}
	for at := int64(8); ; {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		long := int64(binary.BigEndian.Uint32(head[:4])) + 4 // with its CRC
		if at += 8 + long; at > size {
			return io.ErrUnexpectedEOF
		}
		if string(head[4:]) == "IEND" {
			return nil
		}
		if _, err := r.Discard(int(long)); err != nil {
			return err
		}
	}
}

// endJPEG goes from marker to marker up to the end of the image. Between the scan's own bytes an 0xFF is followed by a zero or
// the number of a restart (ITU-T T.81 B.1.1.2, B.1.1.5).
func endJPEG(r *bufio.Reader) error {
	for {
		if err := skipTo(r, 0xFF); err != nil {
			return err
		}
		b := byte(0xFF)
		for b == 0xFF {
			var err error
			if b, err = r.ReadByte(); err != nil {
				return err
			}
		}
		switch {
		case b == 0xD9: // EOI
			return nil
		case b <= 0x01, b >= 0xD0 && b <= 0xD8: // without a segment
			continue
		}
		var long [2]byte
		if _, err := io.ReadFull(r, long[:]); err != nil {
			return err
		}
		if _, err := r.Discard(max(0, int(binary.BigEndian.Uint16(long[:]))-2)); err != nil {
			return err
		}
	}
}

// skipTo reads up to a byte and past it.
func skipTo(r *bufio.Reader, b byte) error {
	for {
		if _, err := r.ReadSlice(b); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// endGIF goes from block to block up to the trailer (GIF89a §17 to §27).
func endGIF(r *bufio.Reader) error {
	if err := skipColors(r, 13, 10); err != nil { // header and logical screen
		return err
	}
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case 0x21: // an extension: its label, then its data
			_, err = r.Discard(1)
		case 0x2C: // an image: its descriptor and colours, the size of its first code, then its data
			if err = skipColors(r, 9, 8); err == nil {
				_, err = r.Discard(1)
			}
		default: // the trailer, 0x3B, or what no GIF has
			return nil
		}
		for more := byte(1); err == nil && more > 0; {
			if more, err = r.ReadByte(); err == nil {
				_, err = r.Discard(int(more))
			}
		}
		if err != nil {
			return err
		}
	}
}

// skipColors skips a block of so many bytes and the colour table that the flags in one of them announce.
func skipColors(r *bufio.Reader, long, flags int) error {
	block := make([]byte, long)
	if _, err := io.ReadFull(r, block); err != nil {
		return err
	}
	if f := block[flags]; f&0x80 != 0 {
		_, err := r.Discard(3 << (f&0x07 + 1))
		return err
	}
	return nil
}

// endWebP compares how long the file says to be (RFC 9649 §2.4). The last byte may be padding that nobody wrote.
func endWebP(r *bufio.Reader, size int64) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if int64(binary.LittleEndian.Uint32(head[4:]))+8 > size+1 {
		return io.ErrUnexpectedEOF
	}
	return nil
}
