package xmpp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits of one stanza. Both servers' defaults for a component are 512 KiB or
// more; nesting in stanzas that clients really send stays below 20.
const (
	defaultMaxStanza = 1 << 20 // bytes
	defaultMaxDepth  = 64      // elements, the stanza itself being 1
	maxHead          = 8 << 10 // bytes of a start tag kept of a skipped stanza
	readChunk        = 32 << 10
	maxEmptyReads    = 100 // reads in a row that yield neither data nor an error
)

// Reasons why the framer steps over a stanza instead of yielding it.
var (
	errTooLong    = errors.New("xmpp: frame: stanza exceeds the size limit")
	errTooDeep    = errors.New("xmpp: frame: stanza exceeds the depth limit")
	errRestricted = errors.New("xmpp: frame: comment or processing instruction") // RFC 6120 §11.1
)

// errNotWellFormed ends the stream: the framer no longer knows where a stanza begins.
var errNotWellFormed = errors.New("xmpp: frame: not well-formed")

type frameKind uint8

const (
	frameOpen   frameKind = iota // the stream's start tag
	frameStanza                  // one whole top-level element
	frameClose                   // </stream:stream>
)

// frame is one unit of the stream. raw is valid until the next call of next.
// With skipped set, raw is the stanza's start tag alone, or nil when that was
// too long to keep.
type frame struct {
	kind    frameKind
	raw     []byte
	skipped error
}

type framerState uint8

const (
	inText framerState = iota
	afterLT
	inStartTag
	inQuote
	inEndTag
	afterBang
	inCDATA
	inComment
	inPI
)

// framer cuts a byte stream into top-level elements without decoding them, so
// that whatever is wrong with one stanza costs that stanza and never the stream.
type framer struct {
	r        io.Reader
	maxBytes int
	maxDepth int

	buf        []byte
	start, pos int // buf[start:pos] is the scanned part of the current frame

	state   framerState
	quote   byte
	prev    byte // last byte of a tag outside quotes: '/' before '>' means empty
	match   int  // progress inside a multi-byte delimiter
	bang    [7]byte
	opened  bool
	depth   int
	headEnd int // length of the current stanza's start tag, 0 while unknown
	skipped error
	head    []byte
}

func newFramer(r io.Reader, maxBytes, maxDepth int) *framer {
	if maxBytes <= 0 {
		maxBytes = defaultMaxStanza
	}
	if maxDepth <= 0 {
		maxDepth = defaultMaxDepth
	}
	return &framer{r: r, maxBytes: maxBytes, maxDepth: maxDepth}
}

// next returns the next frame. Whitespace between stanzas is consumed in
// silence. The error is io.EOF at the end of input between frames,
// io.ErrUnexpectedEOF inside one, errNotWellFormed, or the reader's own.
func (f *framer) next() (frame, error) {
	f.start, f.headEnd, f.skipped, f.head = f.pos, 0, nil, nil
	for {
		fr, done, err := f.scan()
		if err != nil || done {
			return fr, err
		}
		if f.pos-f.start > f.maxBytes {
			f.skip(errTooLong)
		}
		if err := f.fill(); err != nil {
			if err == io.EOF && (f.depth > 0 || f.state != inText) { //nolint:errorlint // io.Reader: the end is io.EOF itself
				err = io.ErrUnexpectedEOF
			}
			return frame{}, err
		}
	}
}

// skip marks the current stanza as not to be yielded; its bytes are dropped from now on.
func (f *framer) skip(reason error) {
	if f.skipped != nil {
		return
	}
	f.skipped = reason
	if f.headEnd > 0 && f.headEnd <= maxHead {
		f.head = bytes.Clone(f.buf[f.start : f.start+f.headEnd])
	}
}

func (f *framer) fill() error {
	if f.skipped != nil {
		f.start = f.pos
	}
	if f.start > 0 && (f.start == len(f.buf) || cap(f.buf)-len(f.buf) < readChunk/2) {
		n := copy(f.buf, f.buf[f.start:])
		f.buf, f.pos, f.start = f.buf[:n], f.pos-f.start, 0
	}
	if cap(f.buf)-len(f.buf) < readChunk/2 {
		grown := make([]byte, len(f.buf), 2*cap(f.buf)+readChunk)
		copy(grown, f.buf)
		f.buf = grown
	}
	for range maxEmptyReads {
		n, err := f.r.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		if n > 0 {
			return nil // an error that came with data comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// scan advances over the buffered bytes until a frame ends or they run out.
func (f *framer) scan() (frame, bool, error) {
	for f.pos < len(f.buf) {
		rest := f.buf[f.pos:]
		switch f.state {
		case inText:
			i, err := f.text(rest)
			f.pos += i
			if err != nil {
				return frame{}, false, err
			}
		case afterLT:
			f.pos++
			if err := f.markup(rest[0]); err != nil {
				return frame{}, false, err
			}
		case inStartTag:
			end := f.startTag(rest)
			if !end {
				continue
			}
			if fr, done := f.startTagDone(); done {
				return fr, true, nil
			}
		case inQuote:
			i := bytes.IndexByte(rest, f.quote)
			if i < 0 {
				f.pos = len(f.buf)
				continue
			}
			f.pos += i + 1
			f.state = inStartTag
		case inEndTag:
			i := bytes.IndexByte(rest, '>')
			if i < 0 {
				f.pos = len(f.buf)
				continue
			}
			f.pos += i + 1
			f.state = inText
			if fr, done := f.endTagDone(); done {
				return fr, true, nil
			}
		default:
			if err := f.rare(rest); err != nil {
				return frame{}, false, err
			}
		}
	}
	return frame{}, false, nil
}

// text consumes character data up to and including the next '<'.
func (f *framer) text(rest []byte) (int, error) {
	i := bytes.IndexByte(rest, '<')
	n := i
	if i < 0 {
		n = len(rest)
	}
	if f.depth == 0 {
		for _, c := range rest[:n] {
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return 0, fmt.Errorf("%w: text between stanzas", errNotWellFormed)
			}
		}
		f.start = f.pos + n // whitespace keepalives belong to no frame
	}
	if i < 0 {
		return n, nil
	}
	f.state = afterLT
	return n + 1, nil
}

// markup decides what the byte after '<' begins.
func (f *framer) markup(c byte) error {
	switch c {
	case '/':
		if !f.opened {
			return fmt.Errorf("%w: end tag before the stream opens", errNotWellFormed)
		}
		f.state = inEndTag
	case '!':
		if f.depth == 0 {
			return fmt.Errorf("%w: markup declaration between stanzas", errNotWellFormed)
		}
		f.state, f.match = afterBang, 0
	case '?':
		// The XML declaration may precede the stream header and nothing else.
		if f.opened && f.depth == 0 {
			return fmt.Errorf("%w: processing instruction between stanzas", errNotWellFormed)
		}
		f.state, f.match = inPI, 0
		if f.opened {
			f.skip(errRestricted)
		}
	case '>', '<', '=', '"', '\'', ' ', '\t', '\r', '\n':
		return fmt.Errorf("%w: unexpected %q after <", errNotWellFormed, c)
	default:
		f.state, f.prev = inStartTag, c
	}
	return nil
}

// startTag consumes a start tag outside quotes; true when its '>' was met.
func (f *framer) startTag(rest []byte) bool {
	for i, c := range rest {
		switch c {
		case '>':
			f.pos += i + 1
			f.state = inText
			return true
		case '"', '\'':
			f.pos += i + 1
			f.state, f.quote, f.prev = inQuote, c, c
			return false
		}
		f.prev = c
	}
	f.pos = len(f.buf)
	return false
}

func (f *framer) startTagDone() (frame, bool) {
	if !f.opened {
		f.opened = true
		return frame{kind: frameOpen, raw: f.buf[f.start:f.pos], skipped: f.skipped}, true
	}
	empty := f.prev == '/'
	if f.depth == 0 && f.skipped == nil {
		f.headEnd = f.pos - f.start
	}
	if f.depth+1 > f.maxDepth {
		f.skip(errTooDeep)
	}
	if !empty {
		f.depth++
		return frame{}, false
	}
	return f.stanzaDone()
}

func (f *framer) endTagDone() (frame, bool) {
	if f.depth == 0 {
		return frame{kind: frameClose, raw: f.buf[f.start:f.pos]}, true
	}
	f.depth--
	return f.stanzaDone()
}

func (f *framer) stanzaDone() (frame, bool) {
	if f.depth > 0 {
		return frame{}, false
	}
	if f.pos-f.start > f.maxBytes {
		f.skip(errTooLong)
	}
	if f.skipped != nil {
		return frame{kind: frameStanza, raw: f.head, skipped: f.skipped}, true
	}
	return frame{kind: frameStanza, raw: f.buf[f.start:f.pos]}, true
}

// rare handles what stanzas hardly ever contain: CDATA, comments, instructions.
func (f *framer) rare(rest []byte) error {
	for _, c := range rest {
		f.pos++
		switch f.state {
		case afterBang:
			if err := f.bangByte(c); err != nil {
				return err
			}
		case inCDATA:
			f.delimiter(c, ']')
		case inComment:
			f.delimiter(c, '-')
		case inPI:
			if c == '>' && f.match == 1 {
				f.state = inText
				if !f.opened {
					f.start = f.pos
				}
			}
			f.match = 0
			if c == '?' {
				f.match = 1
			}
		case inText, afterLT, inStartTag, inQuote, inEndTag: // scan handles these
		}
		if f.state == inText || f.state == afterLT {
			return nil
		}
	}
	return nil
}

// delimiter follows the three-byte ends "]]>" and "-->".
func (f *framer) delimiter(c, mark byte) {
	switch {
	case c == mark:
		f.match++
	case c == '>' && f.match >= 2:
		f.state = inText
	default:
		f.match = 0
	}
}

func (f *framer) bangByte(c byte) error {
	f.bang[f.match] = c
	f.match++
	got := string(f.bang[:f.match])
	switch {
	case got == "--":
		f.skip(errRestricted)
		f.state, f.match = inComment, 0
	case got == "[CDATA[":
		f.state, f.match = inCDATA, 0
	case got != "-" && got != "[CDATA["[:f.match]:
		return fmt.Errorf("%w: document type declaration", errNotWellFormed)
	}
	return nil
}
