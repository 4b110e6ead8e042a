package messenger_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

// TestMediaByLink: Meta fetches a file from where the user put it, and gets it by the form where it cannot.
func TestMediaByLink(t *testing.T) {
	b := newSandbox(t, simulator.InstagramLogin)
	a, account, chat := b.rig(func(c *messenger.Config) { c.Media = messenger.MediaLink })
	served := 0
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		if r.URL.Path == "/gone.png" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "rose")
	}))
	defer up.Close()
	// The address that a user's server gives is https; the sandbox is told another that it can reach.
	plain := strings.Replace(up.URL, "http://", "https://", 1)
	sandboxed := b.open(func() *messenger.Config {
		c := config(t, simulator.InstagramLogin, b.URL)
		c.Media = messenger.MediaLink
		return c
	}(), &http.Client{Transport: sandboxtest.RoundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Content-Type") == "application/json" {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			raw = []byte(strings.ReplaceAll(string(raw), plain, up.URL))
			r = r.Clone(r.Context())
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(raw))), int64(len(raw))
		}
		return http.DefaultTransport.RoundTrip(r)
	})})
	if c := a.Caps(gateway.ChatFacts{}); !slices.Contains(c.MediaTypes, "application/pdf") || slices.Contains(c.MediaTypes, "application/zip") {
		t.Errorf("media types: got %v", c.MediaTypes)
	}
	for _, name := range []string{"rose.png", "gone.png"} {
		op := say(chat, "")
		op.Body = gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{
			gateway.Media{Kind: gateway.MediaImage, Handle: plain + "/" + name, MIME: "image/png", Name: name, Size: 4},
		}}}
		sent, err := sandboxed.SendMedia(t.Context(), account, op, strings.NewReader("rose"))
		if err != nil || len(sent.IDs) != 1 {
			t.Fatalf("%s: got %v, %v, want one message", name, sent.IDs, err)
		}
		all := b.Messages("juliet", pages[0])
		if got := all[len(all)-1].Content.Media; len(got) != 1 || got[0].Size != 4 || got[0].Kind != "image" {
			t.Errorf("%s: got %+v, want the picture", name, got)
		}
	}
	if served != 2 {
		t.Errorf("got %d fetches by the platform, want one for each file", served)
	}
}

// TestFetchAgain: the address of a file ends after a day; then it is asked for once more. That of a picture is asked for each time.
func TestFetchAgain(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin} {
		t.Run(string(kind), func(t *testing.T) {
			b := newSandbox(t, kind)
			a, account, _ := b.rig(nil)
			for _, typ := range []string{"image/png", "video/mp4", "application/pdf"} {
				part := b.Make(control.MediaIn{Type: typ, Size: 1000})
				b.Offset.Store(0)
				m := b.Arrived(a, b.Say("juliet", pages[0], control.Content{Media: []control.MediaPart{part}}))
				for _, after := range []time.Duration{0, 25 * time.Hour} {
					b.Offset.Store(int64(after))
					body, got, err := a.Fetch(t.Context(), account, m)
					if err != nil {
						t.Fatalf("Fetch of %s after %s: %v", typ, after, err)
					}
					raw, err := io.ReadAll(body)
					if err != nil || len(raw) != 1000 || got.MIME != typ || body.Close() != nil {
						t.Errorf("Fetch of %s after %s: got %d bytes of %s, %v", typ, after, len(raw), got.MIME, err)
					}
				}
			}
			gone := gateway.Media{Handle: pages[0] + " m m_nobody/0 https://evil.example/x"}
			if _, _, err := a.Fetch(t.Context(), account, gone); gateway.ClassOf(err) != gateway.Permanent {
				t.Errorf("Fetch of what is gone, off the list of hosts: got %v, want class permanent", err)
			}
			b.Do(http.MethodPatch, "/people/juliet", map[string]any{"ids": map[string]string{"no_profile": "true"}}, nil)
			if _, err := a.Profile(t.Context(), account, b.chat("juliet", pages[0]).Contact); !errors.Is(err, gateway.ErrNoPerson) {
				t.Errorf("Profile of somebody who shows nothing: got %v, want nobody", err)
			}
		})
	}
}

// TestRedirects: a file may be on another host of the list, and on no other.
func TestRedirects(t *testing.T) {
	var to string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.png" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		if r.Header.Get("Authorization") != "" && r.URL.Path == "/b.png" {
			t.Error("the token went along to a file")
		}
		_, _ = io.WriteString(w, "rose")
	}))
	defer server.Close()
	h := graph.Hosts{HTTP: server.Client(), Base: server.URL, List: []string{".fbcdn.net"}, Timeout: time.Second, Agent: "test"}
	for target, want := range map[string]bool{"/b.png?oe=1": true, server.URL + "/b.png": true, "https://evil.example/b.png": false, "http://scontent.fbcdn.net/b.png": false, "/a.png": false} {
		to = target
		body, err := h.Open(t.Context(), "download", server.URL+"/a.png?oe=1")
		if (err == nil) != want {
			t.Errorf("redirect to %s: got %v, want it followed: %v", target, err, want)
		}
		if err == nil {
			_ = body.Close()
		}
	}
}
