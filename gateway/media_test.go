package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

const gif = "GIF89a a picture"

// mediaPlatform is a platform that keeps media.
type mediaPlatform struct {
	*platform
	mu      sync.Mutex
	held    map[string]string // handle to bytes
	fetched int
	fails   []error // of the next fetches and uploads
	got     []gateway.Media
	hold    chan struct{} // a fetch waits for it
	panics  bool          // every upload
	uploads int
}

func newMediaPlatform() *mediaPlatform {
	p := &mediaPlatform{platform: &platform{caps: textCaps()}, held: map[string]string{}}
	p.caps.Levels[gateway.FeatureMedia] = gateway.Native
	return p
}

func (p *mediaPlatform) next() error {
	if len(p.fails) == 0 {
		return nil
	}
	err := p.fails[0]
	p.fails = p.fails[1:]
	return err
}

func (p *mediaPlatform) Fetch(ctx context.Context, _ gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, m, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched++
	if err := p.next(); err != nil {
		return nil, m, err
	}
	return io.NopCloser(strings.NewReader(p.held[m.Handle])), gateway.Media{Name: "said.png"}, nil
}

func (p *mediaPlatform) Upload(_ context.Context, _ gateway.Credentials, m gateway.Media, body io.Reader) (gateway.Media, error) {
	if p.panics {
		panic("upload")
	}
	raw, err := io.ReadAll(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uploads++
	if err == nil {
		err = p.next()
	}
	if err != nil {
		return m, err
	}
	m.Handle = "native:" + string(raw)
	return m, nil
}

func (p *mediaPlatform) Send(ctx context.Context, a gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	if m, ok := op.Body.(gateway.OpMessage); ok {
		if file, ok := m.Content.Parts[0].(gateway.Media); ok {
			p.mu.Lock()
			p.got = append(p.got, file)
			p.mu.Unlock()
			op.Body = gateway.OpMessage{Content: gateway.PlainText(file.Handle), ReplyTo: m.ReplyTo}
		}
	}
	return p.platform.Send(ctx, a, op)
}

func (p *mediaPlatform) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

// showMedia is gatewaytest's renderer that shows a file by its address and name.
type showMedia struct{ gatewaytest.Renderer }

func (s showMedia) Render(r gateway.Rendering) ([][]byte, error) {
	if m, ok := r.What.(gateway.ShowMessage); ok {
		m.Content.Parts = slices.Clone(m.Content.Parts)
		for i, p := range m.Content.Parts {
			if f, ok := p.(gateway.Media); ok {
				m.Content.Parts[i] = gateway.Text{Text: f.Handle + " " + f.MIME + " " + string(f.Kind)}
				if f.Width > 0 || f.Thumb != "" {
					m.Content.Parts[i] = gateway.Text{Text: fmt.Sprint(f.Kind, " ", f.Width, " wide, thumb ", f.Thumb)}
				}
			}
		}
		r.What = m
	}
	return s.Renderer.Render(r)
}

func newMediaRig(t *testing.T, p *mediaPlatform) (*rig, *gatewaytest.Files) {
	t.Helper()
	files := &gatewaytest.Files{}
	r := newRig(t, p.platform, gateway.Config{})
	r.stop()
	r.adapter, r.renderer, r.files = p, showMedia{}, files
	r.start(gateway.Config{MediaParallel: 2})
	r.contact("juliet")
	return r, files
}

func picture(id, handle string, more ...gateway.Part) gateway.Event {
	ev := said("juliet", id, "", 0)
	parts := append([]gateway.Part{gateway.Media{Kind: gateway.MediaImage, Handle: handle, Name: "cat.png", Size: 20 << 20}}, more...)
	ev.Body = gateway.Message{ID: gateway.MessageID(id), Content: gateway.Content{Parts: parts}}
	return ev
}

// spoken leaves out what the gateway says at the start of a chat.
func spoken(lines []string) []string {
	return slices.DeleteFunc(texts(lines), func(l string) bool { return strings.Contains(l, "Who can read this chat") })
}

// shownTexts returns what message lines show, without their ids.
func shownTexts(lines []string) []string {
	var out []string
	for _, l := range spoken(lines) {
		_, text, _ := strings.Cut(l, ` "`)
		out = append(out, strings.TrimSuffix(text, `"`))
	}
	return out
}

func (r *rig) mustEvent(evs ...gateway.Event) {
	r.t.Helper()
	if err := r.event(evs...); err != nil {
		r.t.Fatal(err)
	}
}

func TestFileIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Lasts = 20 * time.Minute
		p.held["h1"], p.held["h2"], p.held["h3"] = gif, gif, "something else"
		r.mustEvent(picture("n1", "h1", gateway.Text{Text: "my cat"}))
		gatewaytest.Advance(time.Second)
		r.mustEvent(picture("n2", "h2")) // the same bytes once more
		r.mustEvent(picture("n3", "h3"))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{
			"https://up.example/1/cat.png image/gif image|my cat", "https://up.example/1/cat.png image/gif image", "https://up.example/2/cat.png text/plain; charset=utf-8 file",
			"[Picture: cat.png, 14 B] This came from Wall as what it is not: it is a file of the type text/plain; charset=utf-8. Open it only if you know what it is.",
		})
		diff(t, "published", files.Published(), []string{"cat.png for romeo@example.org", "cat.png for romeo@example.org"})
		gatewaytest.Advance(11 * time.Minute) // the upload goes soon, and the memory of it has gone before
		r.mustEvent(picture("n4", "h1"))
		gatewaytest.Advance(time.Second)
		if got := len(files.Published()); got != 3 {
			t.Errorf("got %d uploads, want a new one after the first expired", got)
		}
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}

// TestFileInAsFound: what was found out about a file counts, not what the platform said.
func TestFileInAsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, _ := newMediaRig(t, p)
		defer func() { r.stop() }()
		p.held["broken"], p.held["whole"] = "GIF89a", gif
		said := func(id, handle string, kind gateway.MediaKind) gateway.Event {
			ev := picture(id, handle)
			ev.Body = gateway.Message{ID: gateway.MessageID(id), Content: gateway.Content{Parts: []gateway.Part{
				gateway.Media{Kind: kind, Handle: handle, Name: "cat.gif", Width: 640, Height: 480, Thumb: "https://evil.example/t.png"},
			}}}
			return ev
		}
		r.mustEvent(said("n1", "broken", gateway.MediaImage))
		gatewaytest.Advance(time.Second)
		r.mustEvent(said("n2", "whole", gateway.MediaFile))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{
			"https://up.example/1/cat.gif image/gif file",
			"[Picture: cat.gif, 6 B] This picture came incomplete from Wall: its end is missing. It is here as a file.",
			"file 640 wide, thumb ",
		})
	})
}

// TestFileInDisguised: what was said to be shown or heard, and is something else, comes with a warning.
func TestFileInDisguised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, _ := newMediaRig(t, p)
		defer func() { r.stop() }()
		p.held["page"], p.held["data"] = "<html><script>", "\x00\x01\x02\x03"
		for n, part := range []gateway.Part{
			gateway.Media{Kind: gateway.MediaVoice, Handle: "page"},
			gateway.Media{Kind: gateway.MediaImage, Handle: "data"},
			gateway.Media{Kind: gateway.MediaVideo, Handle: "data"},
			gateway.Media{Kind: gateway.MediaFile, Handle: "page"},
			gateway.Sticker{Media: gateway.Media{Kind: gateway.MediaImage, Handle: "data"}},
		} {
			ev := picture(fmt.Sprint("n", n), "")
			ev.Body = gateway.Message{ID: gateway.MessageID(fmt.Sprint("n", n)), Content: gateway.Content{Parts: []gateway.Part{part}}}
			r.mustEvent(ev)
			gatewaytest.Advance(time.Second)
		}
		got := slices.DeleteFunc(shownTexts(r.wire.lines()), func(l string) bool { return !strings.Contains(l, "as what it is not") })
		diff(t, "warnings", got, []string{
			"[Voice message: 14 B] This came from Wall as what it is not: it is a file of the type text/html; charset=utf-8. Open it only if you know what it is.",
			"[Picture: 4 B] This came from Wall as what it is not: it is a file of the type application/octet-stream. Open it only if you know what it is.",
		})
	})
}

// TestFileInBrief: what may go from the own store before its time is put there anew, not trusted to be there still.
func TestFileInBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Brief = true
		p.held["h1"] = gif
		r.mustEvent(picture("n1", "h1"))
		gatewaytest.Advance(time.Second)
		r.mustEvent(picture("n2", "h1"))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{"https://up.example/1/cat.png image/gif image", "https://up.example/2/cat.png image/gif image"})
	})
}

func TestFileInReplayUploadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		p.held["h1"] = gif[:6]
		r.stop()
		var once sync.Once
		r.probe = func(point string) { // the process ends after the upload, before anything is shown
			if point == "after-render" {
				once.Do(func() { panic("killed") })
			}
		}
		r.start(gateway.Config{})
		r.mustEvent(picture("n1", "h1"))
		gatewaytest.Advance(10 * time.Second)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{
			"https://up.example/1/cat.png image/gif file", "[Picture: cat.png, 6 B] This picture came incomplete from Wall: its end is missing. It is here as a file.",
		})
		if got := len(files.Published()); got != 1 || p.fetches() != 1 {
			t.Errorf("got %d uploads and %d fetches, want one each", got, p.fetches())
		}
	})
}

func TestFileInFailures(t *testing.T) {
	down := &gateway.SendError{Class: gateway.Retryable}
	for _, tt := range []struct {
		name  string
		fails []error
		files error
		after time.Duration
		want  string
		tries int
	}{
		{"comes back", []error{down, down}, nil, time.Minute, "https://up.example/1/cat.png image/gif image|and text", 3},
		{"gone", []error{&gateway.SendError{Class: gateway.Permanent}}, nil, time.Second, "[Picture: cat.png, 20 MB] This file is no longer there on Wall.|and text", 1},
		{"too large", []error{&gateway.FileError{Reason: gateway.FileTooLarge}}, nil, time.Second, "[Picture: cat.png, 20 MB] This file is too large to be shown here. At most 100 MB are possible.|and text", 1},
		{"nowhere", nil, &gateway.FileError{Reason: gateway.FileNowhere}, time.Second, "[Picture: cat.png, 20 MB] This file cannot be shown here. Please open it on Wall.|and text", 1},
		{"the server takes nothing", nil, &gateway.FileError{Reason: gateway.FileAway}, 20 * time.Minute, "[Picture: cat.png, 20 MB] Your server did not take this file. Please open it on Wall.|and text", 0},
		{"the upload host may not be called", nil, &gateway.FileError{Reason: gateway.FileForbidden}, time.Second, "[Picture: cat.png, 20 MB] Your server did not take this file. Please open it on Wall.|and text", 1},
		{"a bomb", []error{&gateway.FileError{Reason: gateway.FileBomb}}, nil, time.Second, "[Picture: cat.png, 20 MB] This picture was not brought here from Wall: opened, it is far larger than any picture, and would bring down the app that shows it.|and text", 1},
		{"too large for the server", nil, &gateway.FileError{Reason: gateway.FileTooLarge, Max: 1 << 20}, time.Second, "[Picture: cat.png, 20 MB] This file is too large to be shown here. At most 1 MB are possible.|and text", 1},
		{"never comes back", slices.Repeat([]error{down}, 100), nil, 20 * time.Minute, "[Picture: cat.png, 20 MB] This file could not be brought here in time. Please open it on Wall.|and text", 0},
		{"something unknown, once", []error{errors.New("odd")}, nil, time.Minute, "https://up.example/1/cat.png image/gif image|and text", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newMediaPlatform()
				p.held["h1"], p.fails = gif, tt.fails
				r, files := newMediaRig(t, p)
				defer func() { r.stop() }()
				files.Fail(tt.files)
				r.mustEvent(picture("n1", "h1", gateway.Text{Text: "and text"}))
				gatewaytest.Advance(tt.after)
				diff(t, "shown", shownTexts(r.wire.lines()), []string{tt.want})
				if got := p.fetches(); tt.tries > 0 && got != tt.tries {
					t.Errorf("got %d fetches, want %d", got, tt.tries)
				}
				if n := files.Open(); n != 0 {
					t.Errorf("got %d files left open", n)
				}
			})
		})
	}
}

// TestFileWaitsForTheServer: while the user's server is away a file waits for it as a text does, once and in order.
func TestFileWaitsForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		p.held["h1"] = gif
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Fail(&gateway.FileError{Reason: gateway.FileAway, Err: gateway.ErrElsewhere})
		r.mustEvent(picture("n1", "h1"), said("juliet", "n2", "after it", 0))
		gatewaytest.Advance(3 * time.Hour)
		diff(t, "shown meanwhile", shownTexts(r.wire.lines()), []string(nil))
		files.Fail(nil)
		gatewaytest.Advance(10 * time.Minute)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{"https://up.example/1/cat.png image/gif image", "after it"})
		files.Fail(&gateway.FileError{Reason: gateway.FileAway, Err: gateway.ErrElsewhere})
		p.held["h2"] = gif + "2"
		r.mustEvent(picture("n3", "h2"))
		gatewaytest.Advance(25 * time.Hour)
		if got := shownTexts(r.wire.lines()); !strings.Contains(got[len(got)-1], "Your server did not take this file") {
			t.Errorf("got %q, want a line about the file after a day", got)
		}
	})
}

func TestFilesThatAreNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		p.held["h1"] = gif
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Second)
		echo := picture("m1", "native:"+gif) // the platform tells us what we sent
		echo.FromMe, echo.From = true, ""
		r.mustEvent(echo, picture("n1", "h1", gateway.Text{Text: "my cat"}))
		gatewaytest.Advance(time.Second)
		edit := picture("", "h1", gateway.Text{Text: "her cat"})
		edit.Dedupe = "edit:n1"
		edit.Body = gateway.Edited{Target: gateway.Target{IDs: []gateway.MessageID{"n1"}}, Content: edit.Body.(gateway.Message).Content}
		r.mustEvent(edit)
		gatewaytest.Advance(time.Second)
		if got := len(files.Published()); got != 1 || p.fetches() != 1 {
			t.Errorf("got %d uploads and %d fetches, want one each: of the picture that is shown", got, p.fetches())
		}
		got := spoken(r.wire.lines())
		if len(got) != 2 || !strings.HasPrefix(got[1], "edit of ") || !strings.HasSuffix(got[1], `"her cat"`) {
			t.Errorf("got %q, want the picture and the edit of its caption", got)
		}
	})
}

func TestFileInWithoutMediaStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, _ := newMediaRig(t, p)
		r.stop()
		r.adapter = p.platform
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		r.mustEvent(picture("n1", "h1"))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{"[Picture: cat.png, 20 MB] This file cannot be shown here. Please open it on Wall."})
	})
}

func TestSlowFileBlocksItsChatOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, _ := newMediaRig(t, p)
		defer func() { r.stop() }()
		p.held["h1"], p.hold = gif, make(chan struct{})
		r.mustEvent(picture("n1", "h1"), said("juliet", "n2", "after it", 0))
		gatewaytest.Advance(time.Second)
		r.contact("mercutio")
		second := picture("n3", "h1") // the account's second file at once waits for its turn, without a slot
		second.Chat.Contact, second.From = "mercutio", "mercutio"
		r.contact("benvolio")
		r.mustEvent(second, said("benvolio", "n4", "meanwhile", 0))
		gatewaytest.Advance(time.Minute)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{"meanwhile"})
		close(p.hold)
		gatewaytest.Advance(2 * time.Second)
		got := shownTexts(r.wire.lines())
		if len(got) != 4 || slices.Index(got, "after it") < slices.Index(got, "https://up.example/1/cat.png image/gif image") {
			t.Errorf("got %q, want all four, the text after its picture", got)
		}
	})
}

func TestStopCutsTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		p.held["h1"], p.hold = gif, make(chan struct{})
		r.mustEvent(picture("n1", "h1"))
		gatewaytest.Advance(time.Second)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %v, want no wait for a file", took)
		}
		close(p.hold)
		p.hold = nil
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(time.Minute)
		diff(t, "shown", shownTexts(r.wire.lines()), []string{"https://up.example/1/cat.png image/gif image"})
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}
