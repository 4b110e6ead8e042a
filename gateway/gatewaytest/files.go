package gatewaytest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

var _ gateway.Files = (*Files)(nil)

// Files moves small files in memory. The zero value publishes everything for a day and fetches nothing; it is safe for
// concurrent use.
type Files struct {
	// Lasts is how long what is published can be got; 0 is a day. Set it before use.
	Lasts time.Duration
	// Brief is said of everything that is published. Set it before use.
	Brief bool

	mu     sync.Mutex
	hosted map[string][]byte
	put    []string
	open   int
	fail   error
}

// Host puts a file where Fetch finds it.
func (f *Files) Host(url string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hosted == nil {
		f.hosted = map[string][]byte{}
	}
	f.hosted[url] = body
}

// Fail lets Publish and Fetch fail until it is called with nil.
func (f *Files) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// Published returns "name for user" of each file that was published, in order.
func (f *Files) Published() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.put...)
}

// Open returns how many files have not been closed yet.
func (f *Files) Open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

// Spool implements gateway.Files.
func (f *Files) Spool(ctx context.Context, m gateway.Media, body io.Reader, most int64) (gateway.File, error) {
	raw, err := io.ReadAll(body)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &gateway.FileError{Reason: gateway.FileBroken, Err: err}
	case most > 0 && int64(len(raw)) > most:
		return nil, &gateway.FileError{Reason: gateway.FileTooLarge, Max: most}
	}
	sum := sha256.Sum256(raw)
	m.MIME, m.Size, m.SHA256 = http.DetectContentType(raw), int64(len(raw)), sum[:]
	if !strings.HasPrefix(m.Thumb, "data:") {
		m.Thumb = ""
	}
	image := strings.HasPrefix(m.MIME, "image/")
	m.Incomplete = image && len(raw) <= 6
	switch {
	case m.Kind == gateway.MediaFile: // sent as a document on purpose
	case image && len(raw) > 6: // more than its header
		m.Kind = gateway.MediaImage
	default:
		m.Kind, m.Width, m.Height, m.Thumb = gateway.MediaFile, 0, 0, ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	return &file{m, raw, f}, nil
}

// Fetch implements gateway.Files.
func (f *Files) Fetch(ctx context.Context, m gateway.Media, most int64) (gateway.File, error) {
	f.mu.Lock()
	raw, ok := f.hosted[m.Handle]
	fail := f.fail
	f.mu.Unlock()
	switch {
	case fail != nil:
		return nil, fail
	case !ok:
		return nil, &gateway.FileError{Reason: gateway.FileGone}
	}
	return f.Spool(ctx, m, bytes.NewReader(raw), most)
}

// Publish implements gateway.Files.
func (f *Files) Publish(_ context.Context, to gateway.Recipient, in gateway.File) (gateway.Published, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return gateway.Published{}, f.fail
	}
	f.put = append(f.put, fmt.Sprintf("%s for %s", in.Media().Name, to.User))
	return gateway.Published{
		URL: fmt.Sprintf("https://up.example/%d/%s", len(f.put), in.Media().Name), Until: time.Now().Add(cmp.Or(f.Lasts, 24*time.Hour)), Brief: f.Brief,
	}, nil
}

// Picture implements gateway.Files: the file as it is.
func (f *Files) Picture(_ context.Context, in gateway.File) (gateway.Picture, error) {
	own, ok := in.(*file)
	if !ok {
		return gateway.Picture{}, errors.New("gatewaytest: not a file of these")
	}
	if own.media.Kind != gateway.MediaFile { // nobody sees the file itself
		return gateway.Picture{}, errors.New("gatewaytest: a thumbnail was made for nothing")
	}
	sum := sha1.Sum(own.raw)
	return gateway.Picture{MIME: own.media.MIME, Bytes: own.raw, SHA1: hex.EncodeToString(sum[:]), Width: 1, Height: 1}, nil
}

type file struct {
	media gateway.Media
	raw   []byte
	from  *Files
}

func (f *file) Media() gateway.Media { return f.media }

func (f *file) Open() (io.ReadSeekCloser, error) { return seeker{bytes.NewReader(f.raw)}, nil }

func (f *file) Close() error {
	f.from.mu.Lock()
	defer f.from.mu.Unlock()
	f.from.open--
	return nil
}

type seeker struct{ *bytes.Reader }

func (seeker) Close() error { return nil }
