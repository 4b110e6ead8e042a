package gateway_test

import (
	"context"
	"errors"
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

// TestFileThatMayHaveGone: where a platform took a file and its answer was lost, what tells of it is waited for before the file is fetched
// once more: its host may have none any more.
func TestFileThatMayHaveGone(t *testing.T) {
	const address = "https://up.example/cat.png"
	for _, tt := range []struct {
		name   string
		later  error // of the file's host
		killed bool  // instead of an answer that was lost
		asked  bool  // for what came of it, rather than that being told
		told   time.Duration
	}{
		{"gone", &gateway.FileError{Reason: gateway.FileGone}, false, false, 5 * time.Second},
		{"broken", &gateway.FileError{Reason: gateway.FileBroken}, false, false, 5 * time.Second},
		{"away, and told of late", &gateway.FileError{Reason: gateway.FileAway}, false, false, 30 * time.Second},
		{"gone after a kill", &gateway.FileError{Reason: gateway.FileGone}, true, false, 5 * time.Second},
		{"gone, from a platform that can be asked", &gateway.FileError{Reason: gateway.FileGone}, false, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &carrier{mediaPlatform: newMediaPlatform()}
				p.caps.Idempotent, p.caps.Echo = false, !tt.asked
				var tried []gateway.OpID
				dead := make(chan struct{})
				p.send = func(op gateway.Op) (gateway.Sent, error) {
					tried = append(tried, op.ID)
					switch {
					case len(tried) > 1:
						return gateway.Sent{}, nil
					case tt.killed:
						<-dead
					}
					return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
				}
				r, files := newMediaRig(t, p.mediaPlatform)
				r.stop()
				if r.adapter = p; tt.asked {
					r.adapter = askedCarrier{p, &tried}
				}
				store := &unheard{Store: r.store}
				r.store = store
				r.start(gateway.Config{MediaParallel: 2, SendTimeout: time.Hour})
				juliet, stop := r.contact("juliet"), r.stop
				files.Host(address, []byte(gif))
				r.askFile(juliet, "s1", address)
				gatewaytest.Advance(time.Second / 4)
				files.Fail(tt.later)
				if tt.killed { // as far as others can tell
					store.now.Store(true)
					defer func() { close(dead); stop() }()
					r.store = store.Store
					r.start(gateway.Config{Replica: "r2", MediaParallel: 2})
					gatewaytest.Advance(20 * time.Second)
				}
				defer func() { r.stop() }()
				if !tt.asked {
					gatewaytest.Advance(tt.told)
					r.mustEvent(gateway.Event{
						Dedupe: "e1", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
						Body: gateway.Status{IDs: ids("native1"), Ref: tried[0], State: gateway.StatusAccepted},
					})
				}
				gatewaytest.Advance(time.Minute)
				if len(tried) != 2 || tried[1] == tried[0] {
					t.Errorf("got %d sends, want one of the file and one of its caption", len(tried))
				}
				diff(t, "told", spoken(r.wire.lines()), []string(nil))
				if n := files.Open(); n != 0 && !tt.killed {
					t.Errorf("got %d files left open", n)
				}
			})
		})
	}
}

// askedCarrier has taken what was sent first, and says so.
type askedCarrier struct {
	*carrier
	tried *[]gateway.OpID
}

func (a askedCarrier) Reconcile(_ context.Context, _ gateway.Credentials, op gateway.Op) ([]gateway.Sent, error) {
	if op.ID != (*a.tried)[0] {
		return nil, nil
	}
	return []gateway.Sent{{IDs: ids("native1")}}, nil
}

// fileless is a store that remembers no file, as after gateway.FileTTL.
type fileless struct{ gateway.Store }

func (f fileless) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	got, err := f.Store.Load(ctx, keys...)
	for i := range got {
		if keys[i].Kind == gateway.RecordFile {
			got[i] = nil
		}
	}
	return got, err
}

// TestFileOfAPieceThatIsThere: what is left of a message goes out also where the file of a piece that has gone is not there any more.
func TestFileOfAPieceThatIsThere(t *testing.T) {
	for _, carries := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newMediaPlatform()
			p.desc.Limits = []gateway.Limit{{Scope: gateway.LimitChat, Every: 5 * time.Minute, Burst: 1}}
			r, files := newMediaRig(t, p)
			r.stop()
			want := []string{"juliet native:" + gif, "juliet caption"}
			if carries {
				r.adapter, want[0] = &carrier{mediaPlatform: p}, "juliet https://up.example/cat.png"
			}
			r.store = fileless{r.store}
			r.start(gateway.Config{})
			defer func() { r.stop() }()
			files.Host("https://up.example/cat.png", []byte(gif))
			r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
			gatewaytest.Advance(time.Minute)
			diff(t, "sent at first", p.taken(), want[:1])
			files.Fail(&gateway.FileError{Reason: gateway.FileGone})
			gatewaytest.Advance(10 * time.Minute)
			diff(t, "sent", p.taken(), want)
			diff(t, "told", spoken(r.wire.lines()), []string(nil))
		})
	}
}
