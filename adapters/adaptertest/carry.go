package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"postern/gateway"
)

// hosted returns the file of an op that a user's client put somewhere.
func hosted(op gateway.Op) (gateway.Media, bool) {
	m, ok := op.Body.(gateway.OpMessage)
	if !ok {
		return gateway.Media{}, false
	}
	for _, p := range m.Content.Parts {
		media, ok := p.(gateway.Media)
		if s, sticker := p.(gateway.Sticker); sticker {
			media, ok = s.Media, true
		}
		if ok && strings.HasPrefix(media.Handle, "https://") {
			return media, true
		}
	}
	return gateway.Media{}, false
}

// hand sends an op, and its file with it where the platform wants them together, as the core does.
func (b *bench) hand(ctx context.Context, a gateway.Adapter, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	sender, ok := a.(gateway.MediaSender)
	m, has := hosted(op)
	if !ok || !has {
		return a.Send(ctx, account, op)
	}
	return sender.SendMedia(ctx, account, op, bytes.NewReader(newFile(int(m.Size), m.Name, m.MIME).bytes))
}

// carry sends a file with its message: as a stream, whole or not at all.
func (b *bench) carry() {
	b.t.Helper()
	sender, _ := b.Adapter.(gateway.MediaSender)
	big := newFile(bigFile, "big.pdf", "application/pdf")
	message := func(f file) gateway.Op {
		return b.opTo(0, gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{f.media}}})
	}
	source := &watched{Reader: bytes.NewReader(big.bytes), wire: b.wire, begun: b.wire.begunStreams()}
	sent, err := sender.SendMedia(b.t.Context(), b.Accounts[0], message(big), struct {
		io.Reader
		io.Seeker
	}{source, bytes.NewReader(nil)})
	if err != nil || len(sent.IDs) == 0 {
		b.tellError(err)
		b.t.Fatalf("SendMedia: got %v and ids %v, want a message", err, sent.IDs)
	}
	if source.late {
		b.t.Errorf("SendMedia read more than %d bytes before its request began: the file is held in memory", buffered)
	}
	if sum, size := b.Stored(string(sent.IDs[0])); !bytes.Equal(sum, big.media.SHA256) || size != bigFile {
		b.t.Errorf("the platform holds %d bytes with hash %x, want %d with %x", size, sum, bigFile, big.media.SHA256)
	}
	before := len(b.Received())
	wrong := func(name string, body io.ReadSeeker, fault Fault, want ...gateway.Class) {
		b.t.Helper()
		b.wire.SetAll(always(fault))
		defer b.wire.SetAll(nil)
		_, err := sender.SendMedia(b.t.Context(), b.Accounts[0], message(big), body)
		b.tellError(err)
		if se, ok := errors.AsType[*gateway.SendError](err); !ok || !slices.Contains(want, se.Class) {
			b.t.Errorf("%s: got %v, want class %v", name, err, want)
		}
	}
	wrong("a stream that ends early", bytes.NewReader(big.bytes[:bigFile/2]), Fault{}, gateway.Retryable)
	wrong("a file that is too large there", bytes.NewReader(big.bytes), Fault{Kind: FaultAnswer, Status: http.StatusRequestEntityTooLarge}, gateway.Unsupported)
	if n := len(b.Received()) - before; n != 0 {
		b.t.Errorf("got %d messages of sends that failed, want none", n)
	}
}
