package gateway

import (
	"context"
	"errors"
	"io"
	"time"
)

// Files moves media between platforms and users' clients, as streams by way of the disk: no file is ever whole in memory.
// Package media implements it. Every error is a *FileError or the context's.
type Files interface {
	// Spool takes a platform's stream to disk: hashed, its type sniffed, at most max bytes (0 is the configured most).
	// m is what the platform said of it: its size and type are hints, its SHA256 must be true. A body that is an io.Closer is
	// closed early when it comes too slowly.
	Spool(ctx context.Context, m Media, body io.Reader, max int64) (File, error)
	// Fetch gets what a user's client uploaded by its URL, m.Handle, through the one client that refuses private addresses.
	// Where m says a Size or SHA256, they must be true.
	Fetch(ctx context.Context, m Media, max int64) (File, error)
	// Publish puts a file where the recipient's clients can fetch it.
	Publish(ctx context.Context, to Recipient, f File) (Published, error)
	// Picture makes an avatar of an image: PNG or JPEG of at most 192 pixels a side and 60 KiB (XEP-0084).
	Picture(ctx context.Context, f File) (Picture, error)
}

// File is a file on disk that Close removes.
type File interface {
	// Media says what it is: MIME as sniffed, Kind corrected where it is none of that kind, a Name without anything that
	// fools a file system or a reader (letters of any script; ASCII in URLs), Size, SHA256, Width and Height of an image,
	// Thumb; Incomplete where an image ends before its end, which makes its Kind that of a file. Handle is what it was asked for by.
	Media() Media
	Open() (io.ReadSeekCloser, error)
	Close() error
}

// Published is where clients fetch a file.
type Published struct {
	URL string // https
	// Until is how long that is expected to last.
	Until time.Time
	// Brief: it may go before, for want of room. The same bytes are put there anew for each message.
	Brief bool
}

// Recipient is for whom a file is published.
type Recipient struct {
	Adapter AdapterID
	User    UserID
	Lang    string
}

// Picture is an avatar as clients are given it.
type Picture struct {
	MIME          string
	Bytes         []byte
	SHA1          string // lower-case hex of Bytes
	Width, Height int
}

// FileError is why a file went nowhere.
type FileError struct {
	Reason FileReason
	// Max is the limit that was exceeded, in bytes, where one was.
	Max int64
	Err error
}

// FileReason is a kind of FileError.
type FileReason string

// Reasons of a FileError.
const (
	FileTooLarge  FileReason = "too_large"
	FileType      FileReason = "type"      // not a type that may pass, or not what it says it is
	FileBroken    FileReason = "broken"    // truncated on its way, or more or less than announced
	FileBomb      FileReason = "bomb"      // an image that unpacks to more than any picture has
	FileForbidden FileReason = "forbidden" // an address that is never fetched, or an encrypted file
	FileGone      FileReason = "gone"      // the host says that there is none
	FileAway      FileReason = "away"      // not reached or too slow: a later try may work
	FileQuota     FileReason = "quota"     // more than the user's plan allows
	FileNowhere   FileReason = "nowhere"   // no place to put it: no upload service and no public_url
)

func (e *FileError) Error() string {
	if e.Err != nil {
		return "file: " + string(e.Reason) + ": " + e.Err.Error()
	}
	return "file: " + string(e.Reason)
}

func (e *FileError) Unwrap() error { return e.Err }

// SlotRequest asks a server for a place to upload to (XEP-0363 §5).
type SlotRequest struct {
	To   Recipient
	Name string
	Size int64
	MIME string
}

// Slot is where to PUT a file and where it can then be got (XEP-0363 §5). Header holds what the PUT must carry.
type Slot struct {
	Put, Get string
	Header   map[string]string
}

// Slots asks the XMPP server for upload slots: on the user's own quota where the server lets us (XEP-0356), else on the
// gateway's. ErrNoSlot when there is no upload service here, or it refuses: in a *FileError with the limit where the file is too
// large. ErrElsewhere when the component is not connected. Any other error is for now.
type Slots interface {
	Slot(ctx context.Context, r SlotRequest) (Slot, error)
}

// ErrNoSlot: there is no upload slot to be had.
var ErrNoSlot = errors.New("no upload slot")
