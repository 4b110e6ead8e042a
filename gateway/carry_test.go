package gateway_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// carrier is a platform that takes a file with its message alone.
type carrier struct {
	*mediaPlatform
	carried []string
}

func (c *carrier) Upload(context.Context, gateway.Credentials, gateway.Media, io.Reader) (gateway.Media, error) {
	panic("uploaded")
}

func (c *carrier) SendMedia(ctx context.Context, a gateway.Credentials, op gateway.Op, body io.ReadSeeker) (gateway.Sent, error) {
	raw, err := io.ReadAll(body)
	c.mu.Lock()
	c.carried = append(c.carried, string(raw))
	if err == nil {
		err = c.next()
	}
	c.mu.Unlock()
	if err != nil {
		return gateway.Sent{}, err
	}
	return c.Send(ctx, a, op)
}

// TestFileGoesWithItsMessage: what fails is sent once more with all its bytes, what is gone costs the whole message, and no
// file stays.
func TestFileGoesWithItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &carrier{mediaPlatform: newMediaPlatform()}
		r, files := newMediaRig(t, p.mediaPlatform)
		r.stop()
		r.adapter = p
		r.start(gateway.Config{MediaParallel: 2})
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		p.fails = []error{&gateway.SendError{Class: gateway.Retryable, Code: "away"}}
		juliet := r.contact("juliet")
		r.askFile(juliet, "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet https://up.example/cat.png", "juliet caption"})
		diff(t, "carried", p.carried, []string{gif, gif})
		got := p.got[len(p.got)-1]
		if got.MIME != "image/gif" || got.Size != int64(len(gif)) || len(got.SHA256) != 32 {
			t.Errorf("got %+v, want type, size and hash as found", got)
		}
		r.askFile(juliet, "s2", "https://up.example/gone.png")
		gatewaytest.Advance(time.Second)
		diff(t, "told", spoken(r.wire.lines()), []string{"error item-not-found for s2"})
		diff(t, "sent", len(p.taken()), 2)
		p.fails = []error{&gateway.SendError{Class: gateway.Unsupported, Code: "unsupported_type"}}
		r.askFile(juliet, "s3", "https://up.example/cat.png")
		gatewaytest.Advance(time.Second)
		if got := spoken(r.wire.lines()); len(got) != 2 {
			t.Errorf("got %q, want an error about s3 too", got)
		}
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}
