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
	"postern/deploy/lab/browser"
	"postern/xmpp/conformance"
)

// artefacts is where screenshots stay after a run; git ignores it.
const artefacts = "../../../bin/artefacts"

// screen is a Chromium that shows the web client of one user, or the console.
type screen struct {
	*stage
	tab   *browser.Tab
	proof *conformance.Proof
	shots int
}

// browse opens the web client and logs in.
func (s *stage) browse(jid, password string) *screen {
	s.Helper()
	handler, err := webclient.Site(filepath.Join("../../..", webclient.Dist), "/", webclient.Login{JID: jid, Password: password, Socket: s.xmpp.WebSocketURL()})
	if err != nil {
		s.Fatal(err)
	}
	b := s.screen("converse")
	site := httptest.NewServer(handler)
	s.Cleanup(site.Close)
	b.do("open the client", act(chromedp.EmulateViewport(1100, 800)), act(chromedp.Navigate(site.URL)))
	return b
}

// screen opens an empty page; its pictures have a folder of their own, from which those of an earlier run go.
func (s *stage) screen(name string) *screen {
	s.Helper()
	dir, err := filepath.Abs(filepath.Join(artefacts, name+"-"+string(s.kind)))
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Logf("screenshots in %s", dir)
	return &screen{stage: s, tab: browser.Open(s.T, dir, storyTimeout, chromedp.IgnoreCertErrors)}
}

// act makes a step of an action whose result does not matter.
func act[T any](a chromedp.Action[T]) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := chromedp.Run(ctx, a)
		return err
	}
}

// do goes through steps; what went wrong is on the last screenshot.
func (b *screen) do(what string, steps ...func(context.Context) error) {
	b.Helper()
	for _, step := range steps {
		if err := step(b.tab.Ctx); err != nil {
			b.shot("failed")
			b.Fatalf("browser: %s: %v\n%s", what, err, b.log.tail())
		}
	}
}

// shows waits until an expression of the page is true, and keeps a screenshot of it.
func (b *screen) shows(what, expression string) {
	b.Helper()
	seen := act(chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second), chromedp.WithPollingInterval(50*time.Millisecond)))(b.tab.Ctx)
	b.shot(what)
	b.proof.Must(seen == nil, "browser: %s: %v: %s\n%s", what, seen, expression, b.log.tail())
}

// types writes into the open chat.
func (b *screen) types(line string) {
	b.Helper()
	b.do("type", act(chromedp.SendKeys("textarea.chat-textarea", line)))
}

func (b *screen) enter() {
	b.Helper()
	b.do("enter", act(chromedp.SendKeys("textarea.chat-textarea", kb.Enter)))
}

// shot keeps a picture, numbered as the story goes.
func (b *screen) shot(name string) {
	b.Helper()
	b.shots++
	b.tab.Shot(fmt.Sprintf("%02d-%s", b.shots, name))
}
