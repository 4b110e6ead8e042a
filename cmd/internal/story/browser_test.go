//go:build servers

package story

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/cmd/internal/webclient"
	"postern/xmpp/conformance"
)

// artefacts is where screenshots stay after a run; git ignores it.
const artefacts = "../../../bin/artefacts"

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
	handler, err := webclient.Site(filepath.Join("../../..", webclient.Dist), "/", webclient.Login{JID: jid, Password: password, Socket: s.xmpp.WebSocketURL()})
	if err != nil {
		s.Fatal(err)
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
	site := httptest.NewServer(handler)
	s.Cleanup(site.Close)
	b.page = chromium(s)
	b.do("open the client", act(chromedp.EmulateViewport(1100, 800)), act(chromedp.Navigate(site.URL)))
	return b
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
