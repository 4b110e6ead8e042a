//go:build servers

package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/xmpp/conformance"
)

// converseDist is where deploy/dev/install.sh puts the web client.
const converseDist = "../../../.cache/converse-14.0.0/dist"

// artefacts is where screenshots stay after a run; git ignores it.
const artefacts = "../../../bin/artefacts"

// conversePage is all that a site needs to embed the client. It logs in by itself and writes to nobody but the server.
const conversePage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Converse</title>
<link rel="stylesheet" href="/dist/converse.min.css">
<script type="module" src="/dist/converse.min.js"></script></head>
<body class="converse-fullscreen"><script type="module">
converse.initialize(%s);
</script></body></html>`

// browser is a Chromium with the web client of one user.
type browser struct {
	*stage
	page  context.Context //nolint:containedctx // chromedp keeps the tab in it
	proof *conformance.Proof
	dir   string // of screenshots
	shots int
}

// browse opens the web client and logs in.
func (s *stage) browse(jid, password string) *browser {
	s.Helper()
	if _, err := os.Stat(filepath.Join(converseDist, "converse.min.js")); err != nil {
		s.Fatalf("Converse.js is missing: run deploy/dev/install.sh test: %v", err)
	}
	dir, err := filepath.Abs(filepath.Join(artefacts, "converse-"+string(s.kind)))
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		s.Fatal(err)
	}
	b := &browser{stage: s, dir: dir}
	s.Logf("screenshots in %s", dir)
	site := httptest.NewServer(converseSite(s.T, jid, password, s.xmpp.WebSocketURL()))
	s.Cleanup(site.Close)
	b.page = chromium(s)
	b.do("open the client", act(chromedp.EmulateViewport(1100, 800)), act(chromedp.Navigate(site.URL)))
	return b
}

func converseSite(t *testing.T, jid, password, socket string) http.Handler {
	t.Helper()
	settings, err := json.Marshal(map[string]any{
		"authentication": "login", "auto_login": true, "jid": jid, "password": password, "websocket_url": socket,
		"discover_connection_methods": false, "view_mode": "fullscreen", "assets_path": "/dist", "i18n": "en", "play_sounds": false,
		"persistent_store": "sessionStorage", "auto_away": 0, "theme": "classic", "show_client_info": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/dist/", http.StripPrefix("/dist/", http.FileServer(http.Dir(converseDist))))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, conversePage, settings) // a browser that left is its own loss
	})
	return mux
}

// chromium opens headless Chromium with an empty profile, which asks nothing of anybody but the page.
func chromium(s *stage) context.Context {
	s.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(s.TempDir()), chromedp.ExecPath("chromium"))
	ctx, endAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	s.Cleanup(endAlloc)
	ctx, end := chromedp.NewContext(ctx)
	s.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, storyTimeout)
	s.Cleanup(cancel)
	return ctx
}

// act makes a step of an action whose result does not matter.
func act[T any](a chromedp.Action[T]) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := chromedp.Run(ctx, a)
		return err
	}
}

// do goes through steps; what went wrong is on the last screenshot.
func (b *browser) do(what string, steps ...func(context.Context) error) {
	b.Helper()
	for _, step := range steps {
		if err := step(b.page); err != nil {
			b.shot("failed")
			b.Fatalf("browser: %s: %v\n%s", what, err, b.log.tail())
		}
	}
}

// shows waits until an expression of the page is true, and keeps a screenshot of it.
func (b *browser) shows(what, expression string) {
	b.Helper()
	seen := act(chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second), chromedp.WithPollingInterval(50*time.Millisecond)))(b.page)
	b.shot(what)
	b.proof.Must(seen == nil, "browser: %s: %v: %s\n%s", what, seen, expression, b.log.tail())
}

// types writes into the open chat.
func (b *browser) types(line string) {
	b.Helper()
	b.do("type", act(chromedp.SendKeys("textarea.chat-textarea", line)))
}

func (b *browser) enter() {
	b.Helper()
	b.do("enter", act(chromedp.SendKeys("textarea.chat-textarea", kb.Enter)))
}

func (b *browser) shot(name string) {
	b.Helper()
	png, err := chromedp.Run(b.page, chromedp.CaptureScreenshot())
	if err != nil {
		b.Errorf("screenshot %s: %v", name, err)
		return
	}
	b.shots++
	if err := os.WriteFile(filepath.Join(b.dir, fmt.Sprintf("%02d-%s.png", b.shots, name)), png, 0o600); err != nil {
		b.Error(err)
	}
}
