// Package browser opens web pages in headless Chromium, so that tests see what a person sees: one tab, steps in it, and screenshots.
package browser

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a page may take until it shows what is waited for.
const patience = 20 * time.Second

// Tab is a page in a Chromium of its own.
type Tab struct {
	testing.TB
	Ctx context.Context //nolint:containedctx // chromedp keeps the browser in it

	dir string // of screenshots
}

// Open starts Chromium with an empty profile, which asks nothing of anybody but the page, and ends it with the test, or after
// life. Screenshots go to dir.
func Open(t testing.TB, dir string, life time.Duration, more ...chromedp.ExecAllocatorOption) *Tab {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()), chromedp.ExecPath("chromium"))
	ctx, endAlloc := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	t.Cleanup(endAlloc)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, life)
	t.Cleanup(cancel)
	return &Tab{TB: t, Ctx: ctx, dir: dir}
}

// Do is one step, with its result.
func Do[T any](b *Tab, what string, a chromedp.Action[T]) T {
	b.Helper()
	out, err := chromedp.Run(b.Ctx, a)
	if err != nil {
		b.Shot("failed")
		b.Fatalf("browser: %s: %v", what, err)
	}
	return out
}

// Until waits for an expression of the page, through whatever pages come and go meanwhile.
func (b *Tab) Until(expression string) {
	b.Helper()
	if err := b.wait(expression); err != nil {
		b.Shot("failed")
		b.Fatalf("browser: not within %s: %s: %v", patience, expression, err)
	}
}

// Shows waits for an expression and keeps a picture of what is there then.
func (b *Tab) Shows(what, expression string) {
	b.Helper()
	b.Until(expression)
	b.Shot(what)
}

func (b *Tab) wait(expression string) error {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		got, err := chromedp.Run(b.Ctx, chromedp.Evaluate[bool](expression))
		if err == nil && got {
			return nil
		}
		select {
		case <-tick.C:
		case <-b.Ctx.Done():
			return b.Ctx.Err()
		case <-over.C:
			if err == nil {
				err = context.DeadlineExceeded
			}
			return err
		}
	}
}

// Click presses what a selector finds at that moment: lists of a live page are drawn anew at every change.
func (b *Tab) Click(selector string) {
	b.Helper()
	b.Until(`(() => { const n = document.querySelector('` + selector + `'); if (!n) return false; n.click(); return true; })()`)
}

// Shot keeps a picture of what is seen of the page.
func (b *Tab) Shot(name string) {
	b.Helper()
	b.keep(name, chromedp.CaptureScreenshot())
}

// ShotWhole keeps a picture of the whole page.
func (b *Tab) ShotWhole(name string) {
	b.Helper()
	b.keep(name, chromedp.FullScreenshot(100))
}

// keep waits until the page has been laid out, since one whose style is still on its way has no size, and no picture.
func (b *Tab) keep(name string, a chromedp.Action[[]byte]) {
	b.Helper()
	err := b.wait(`document.readyState === 'complete' && document.documentElement.getBoundingClientRect().width > 0`)
	var png []byte
	if err == nil {
		png, err = chromedp.Run(b.Ctx, a)
	}
	if err == nil {
		err = os.MkdirAll(b.dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, name+".png"), png, 0o600)
	}
	if err != nil {
		b.Errorf("browser: screenshot %s: %v", name, err)
	}
}
