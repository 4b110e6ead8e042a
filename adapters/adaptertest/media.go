package adaptertest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

const (
	// bigFile is large beside every buffer that a stream may have.
	bigFile = 8 << 20
	// buffered is how much of a file may be on its way before the far side sees any of it.
	buffered = 1 << 20
)

// file is something to upload.
type file struct {
	media gateway.Media
	bytes []byte
}

func newFile(size int, name, mime string) file {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	sum := sha256.Sum256(b)
	return file{bytes: b, media: gateway.Media{Kind: gateway.MediaFile, Handle: "https://upload.example.org/" + name, MIME: mime, Name: name, Size: int64(size), SHA256: sum[:]}}
}

func (b *bench) mustUpload(i int, f file) gateway.Media {
	b.t.Helper()
	store, ok := b.Adapter.(gateway.MediaStore)
	if !ok {
		b.t.Fatal("the adapter offers media and is no MediaStore")
	}
	m, err := store.Upload(b.t.Context(), b.Accounts[i], f.media, bytes.NewReader(f.bytes))
	if err != nil {
		b.tellError(err)
		b.t.Fatalf("Upload: %v", err)
	}
	return m
}

// media moves files both ways as streams.
func (h Harness) media(t *testing.T) {
	t.Run("upload", h.upload)
	t.Run("fetch", h.fetch)
}

// watched notes whether a request had begun when the first part of a file was read.
type watched struct {
	io.Reader
	read  int64
	wire  *Wire
	late  bool
	begun int
}

func (w *watched) Read(p []byte) (int, error) {
	if w.read > buffered && w.wire.begunStreams() == w.begun {
		w.late = true
	}
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func (h Harness) upload(t *testing.T) {
	b := h.open(t)
	store, ok := b.Adapter.(gateway.MediaStore)
	if !ok || b.Stored == nil {
		return
	}
	if _, carries := b.Adapter.(gateway.MediaSender); carries {
		b.carry()
		return
	}
	big := newFile(bigFile, "big.pdf", "application/pdf")
	source := &watched{Reader: bytes.NewReader(big.bytes), wire: b.wire, begun: b.wire.begunStreams()}
	up, err := store.Upload(t.Context(), b.Accounts[0], big.media, source)
	if err != nil {
		b.tellError(err)
		t.Fatalf("Upload: %v", err)
	}
	if source.late {
		t.Errorf("Upload read more than %d bytes before its request began: the file is held in memory", buffered)
	}
	sum, size := b.Stored(up.Handle)
	if !bytes.Equal(sum, big.media.SHA256) || size != bigFile {
		t.Errorf("the platform holds %d bytes with hash %x, want %d with %x", size, sum, bigFile, big.media.SHA256)
	}
	want := big.media
	want.Handle = up.Handle
	if diff := cmp.Diff(want, up); up.Handle == "" || up.Handle == big.media.Handle || diff != "" {
		t.Errorf("Upload: got handle %q, want the platform's; beside it nothing changes:\n%s", up.Handle, diff)
	}
	caps := b.Adapter.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect})
	// Where an op that is sent once more is the same op, it names the same file, or the platform takes it for another.
	if again := b.mustUpload(0, big); caps.Idempotent && again.Handle != up.Handle {
		t.Errorf("the same file again: got handle %q, want %q", again.Handle, up.Handle)
	}
	other := newFile(bigFile, "big.pdf", "application/pdf")
	if theirs := b.mustUpload(1, other); theirs.Handle == up.Handle {
		t.Error("the same file of another account has the same handle: one account would read the other's")
	}
	short := newFile(buffered, "short.pdf", "application/pdf")
	if _, err := store.Upload(t.Context(), b.Accounts[0], short.media, bytes.NewReader(short.bytes[:100])); err == nil {
		t.Error("Upload of a stream that ends early: got success, want an error")
	} else {
		b.tellError(err)
	}
	if !caps.Has(gateway.FeatureMedia) {
		return
	}
	op := b.opTo(0, gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{up}}})
	first := b.mustSend(0, op)
	if again := b.mustSend(0, op); caps.Idempotent && !slices.Equal(first.IDs, again.IDs) {
		t.Errorf("the same op with the same file: got %v, then %v", first.IDs, again.IDs)
	}
}

func (h Harness) fetch(t *testing.T) {
	b := h.open(t)
	store, ok := b.Adapter.(gateway.MediaStore)
	if !ok || b.File == nil {
		return
	}
	m := b.File(0, bigFile)
	before := b.wire.pulledBytes()
	body, got, err := store.Fetch(t.Context(), b.Accounts[0], m)
	if err != nil {
		b.tellError(err)
		t.Fatalf("Fetch: %v", err)
	}
	if n := b.wire.pulledBytes() - before; n > buffered {
		t.Errorf("Fetch had read %d bytes when it returned, want a stream", n)
	}
	hash := sha256.New()
	n, err := io.Copy(hash, body)
	if err != nil || n != bigFile || !bytes.Equal(hash.Sum(nil), m.SHA256) {
		t.Errorf("Fetch: got %d bytes with hash %x and %v, want %d with %x", n, hash.Sum(nil), err, bigFile, m.SHA256)
	}
	if err := body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got.MIME == "" || got.Size != bigFile {
		t.Errorf("Fetch: got type %q and size %d, want both", got.MIME, got.Size)
	}
	if stolen, _, err := store.Fetch(t.Context(), b.Accounts[1], m); err == nil {
		_ = stolen.Close()
		t.Error("another account reads the file: want an error")
	} else {
		b.tellError(err)
	}
	if _, _, err := store.Fetch(t.Context(), b.Accounts[0], gateway.Media{Handle: "../../v1/webhook"}); err == nil {
		t.Error("Fetch of a handle that is none: got success, want an error")
	}
}
