package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func (r *rig) askFile(alias gateway.Alias, stanza, url string) {
	r.t.Helper()
	r.askMedia(alias, stanza, gateway.Media{Handle: url, Name: "cat.png"})
}

func (r *rig) askMedia(alias gateway.Alias, stanza string, m gateway.Media) {
	r.t.Helper()
	err := r.gw.Ask(r.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: alias, User: romeo, Resource: "phone", Stanza: gateway.StanzaID(stanza), Receipt: true,
		Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{m, gateway.Text{Text: "caption"}}}}},
	}, []byte(m.Handle))
	if err != nil {
		r.t.Fatalf("ask %s: %v", stanza, err)
	}
}

func TestFileOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		p.caps.MediaTypes = []string{"image/*"}
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		n := 0
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if n++; n == 1 { // the message fails after its file was taken
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
			}
			return gateway.Sent{}, nil
		}
		p.fails = []error{&gateway.SendError{Class: gateway.Uncertain, Code: "lost"}}
		r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet native:" + gif, "juliet caption"})
		if p.uploads != 2 {
			t.Errorf("got %d uploads, want two: one whose answer was lost, and none after the message failed", p.uploads)
		}
		got := p.got[len(p.got)-1]
		if got.MIME != "image/gif" || got.Name != "cat.png" || got.Kind != gateway.MediaImage || got.Size != int64(len(gif)) || len(got.SHA256) != 32 {
			t.Errorf("got %+v, want type, name, kind, size and hash", got)
		}
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
		diff(t, "told", spoken(r.wire.lines()), []string(nil))
	})
}

// TestFileOutBroken: a server that ends while a file comes from it is asked again before the sender is told.
func TestFileOutBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		files.Fail(&gateway.FileError{Reason: gateway.FileBroken})
		r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Second / 4)
		files.Fail(nil)
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", p.taken(), []string{"juliet native:" + gif, "juliet caption"})
		files.Fail(&gateway.FileError{Reason: gateway.FileBroken})
		r.askFile(r.contact("juliet"), "s2", "https://up.example/cat.png")
		gatewaytest.Advance(time.Minute)
		if got := spoken(r.wire.lines()); len(got) != 1 || !strings.Contains(got[0], "s2") {
			t.Errorf("got %q, want one error once it stays so", got)
		}
	})
}

// TestFileOutIncomplete: a picture that ends before its end goes as a file; the sender is told of each, once.
func TestFileOutIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif[:6]))
		n := 0
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if n++; n == 1 {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
			}
			return gateway.Sent{}, nil
		}
		juliet := r.contact("juliet")
		for _, id := range []string{"s1", "s2"} {
			r.askFile(juliet, id, "https://up.example/cat.png")
			gatewaytest.Advance(time.Minute)
		}
		diff(t, "sent", p.taken(), []string{"juliet native:GIF89a", "juliet caption", "juliet native:GIF89a", "juliet caption"})
		if got := p.got[len(p.got)-1]; got.Kind != gateway.MediaFile || got.MIME != "image/gif" {
			t.Errorf("got %+v, want a picture as a file", got)
		}
		line := "[Picture: cat.png, 6 B] This picture is incomplete: its end is missing. It was sent to Wall as a file. If you have it whole, please send it again."
		diff(t, "told", shownTexts(r.wire.lines()), []string{line, line})
	})
}

// TestFileOutBomb: a picture that would harm whoever opens it is refused at once.
func TestFileOutBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Fail(&gateway.FileError{Reason: gateway.FileBomb})
		r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Second / 4)
		diff(t, "sent", p.taken(), []string(nil))
		diff(t, "told", spoken(r.wire.lines()), []string{"error not-acceptable for s1"})
	})
}

// TestFileOutReplanned: what the platform refuses beside a file does not upload the file again.
func TestFileOutReplanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		p.caps.Levels[gateway.FeatureReply] = gateway.Native
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if m, ok := op.Body.(gateway.OpMessage); ok && m.ReplyTo != nil {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Unsupported, Code: "reply"}
			}
			return gateway.Sent{}, nil
		}
		juliet := r.contact("juliet")
		r.mustEvent(said("juliet", "n1", "what?", 0))
		gatewaytest.Advance(time.Second)
		err := r.gw.Ask(t.Context(), gateway.Outbound{
			Adapter: wall, Alias: juliet, User: romeo, Resource: "phone", Stanza: "s1",
			Op: gateway.Op{Body: gateway.OpMessage{
				Content: gateway.Content{Parts: []gateway.Part{gateway.Media{Handle: "https://up.example/cat.png", Name: "cat.png"}}},
				ReplyTo: &gateway.Target{Stanza: r.account.Keys.StanzaID("n1", 0), Excerpt: "what?"},
			}},
		}, []byte("s1"))
		if err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Minute)
		if got := p.taken(); len(got) == 0 || p.uploads != 1 {
			t.Errorf("got %d uploads and %q sent, want one", p.uploads, got)
		}
	})
}

// TestDocumentOut: what was sent as a document is handed over as one, so that nobody makes it smaller.
func TestDocumentOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat", []byte(gif))
		r.askMedia(r.contact("juliet"), "s1", gateway.Media{Kind: gateway.MediaFile, Handle: "https://up.example/cat"})
		gatewaytest.Advance(time.Second)
		if len(p.got) != 1 || p.got[0].Kind != gateway.MediaFile || p.got[0].MIME != "image/gif" {
			t.Errorf("got %+v, want a picture as a file", p.got)
		}
	})
}

// TestFilesOfPanics: a panic costs its entry and leaves nothing behind.
func TestFilesOfPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		p.panics = true
		r, files := newMediaRig(t, p)
		defer func() { r.stop() }()
		files.Host("https://up.example/cat.png", []byte(gif))
		juliet := r.contact("juliet")
		r.askFile(juliet, "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Minute)
		dead := r.dead(gateway.LaneKey{Adapter: wall, Local: juliet}.Shard())
		if len(dead) != 1 || dead[0].Why.Code != "panic" {
			t.Errorf("got %v, want one dead letter", dead)
		}
		p.panics = false
		r.askFile(juliet, "s2", "https://up.example/cat.png") // its place among the transfers was given back
		gatewaytest.Advance(time.Second)
		diff(t, "sent", p.taken(), []string{"juliet native:" + gif, "juliet caption"})
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}

func TestFileOutRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fetch  error
		upload error
		types  []string
		most   int64
		want   string
	}{
		{"gone", &gateway.FileError{Reason: gateway.FileGone}, nil, nil, 0, "error item-not-found for s1"},
		{"forbidden", &gateway.FileError{Reason: gateway.FileForbidden}, nil, nil, 0, "error not-acceptable for s1"},
		{"too large", nil, nil, nil, 3, "error not-acceptable for s1"},
		{"type", nil, nil, []string{"video/mp4"}, 0, "error not-acceptable for s1"},
		{"away", &gateway.FileError{Reason: gateway.FileAway}, nil, nil, 0, "error remote-server-timeout for s1"},
		{"platform refuses", nil, &gateway.SendError{Class: gateway.Unsupported}, nil, 0, "error not-acceptable for s1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newMediaPlatform()
				p.caps.MediaTypes, p.caps.MediaMax = tt.types, tt.most
				r, files := newMediaRig(t, p)
				defer func() { r.stop() }()
				files.Host("https://up.example/cat.png", []byte(gif))
				files.Fail(tt.fetch)
				if tt.upload != nil {
					p.fails = []error{tt.upload}
				}
				r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
				gatewaytest.Advance(map[bool]time.Duration{true: 20 * time.Minute, false: time.Second}[tt.name == "away"])
				got := spoken(r.wire.lines())
				if tt.name == "away" { // given up on late: said in words
					if len(got) != 1 || !strings.Contains(got[0], "the server that it lies on does not answer") {
						t.Errorf("got %q, want a line about it", got)
					}
				} else {
					diff(t, "told", got, []string{tt.want})
				}
				diff(t, "sent", p.taken(), []string(nil))
				if n := files.Open(); n != 0 {
					t.Errorf("got %d files left open", n)
				}
			})
		})
	}
}

func TestFileOutWithoutFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMediaPlatform()
		delete(p.caps.Levels, gateway.FeatureMedia)
		r, _ := newMediaRig(t, p)
		defer func() { r.stop() }()
		r.askFile(r.contact("juliet"), "s1", "https://up.example/cat.png")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", p.taken(), []string{"juliet https://up.example/cat.png", "juliet caption"})
	})
}
