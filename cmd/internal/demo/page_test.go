//go:build servers

package demo

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var pageURL = regexp.MustCompile(`what the gateway counts:\s+(http://127\.0\.0\.1:\d+/)`)

// seesPhones opens the page in Chromium: Romeo writes on the left, Anna has it on the right, and the strip counts it.
func seesPhones(t *testing.T, out string) {
	t.Helper()
	found := pageURL.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no address of the page in\n%s", out)
	}
	ctx, end := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-site-isolation-trials", true), chromedp.Flag("disable-web-security", true), // the test looks into the frame of another origin
		chromedp.UserDataDir(t.TempDir()), chromedp.ExecPath("chromium"))...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, end = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(end)
	shot := func() {
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		dir := filepath.Join("../../..", "bin", "artefacts", "demo")
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "phones.png"), png, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
	sees := func(what, expression string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second), chromedp.WithPollingInterval(100*time.Millisecond))); err != nil {
			shot()
			t.Fatalf("page: %s: %v", what, err)
		}
	}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			shot()
			t.Fatalf("page: %s: %v", what, err)
		}
	}
	_, err := chromedp.Run(ctx, chromedp.EmulateViewport(1400, 900))
	do("size", err)
	_, err = chromedp.Run(ctx, chromedp.Navigate(found[1]))
	do("open", err)
	const left, right = `document.querySelectorAll('iframe')[0].contentDocument`, `document.querySelectorAll('iframe')[1].contentDocument`
	sees("the strip counts", `Number(document.getElementById('from_users').textContent) > 0 && document.getElementById('memory_mb').textContent.endsWith(' MB')`)
	sees("Anna in Romeo's contact list", `[...`+left+`.querySelectorAll('.list-item.open-chat, .open-chat, .contact-name')].some(e => e.textContent.includes('Anna'))`)
	sees("Anna's chat, open", right+`.getElementById('app').dataset.view === 'chat'`)
	_, err = chromedp.Run(ctx, chromedp.Evaluate[any](`[...`+left+`.querySelectorAll('.contact-name')].find(e => e.textContent.includes('Anna')).click()`))
	do("open the chat", err)
	sees("a place to write", `!!`+left+`.querySelector('textarea.chat-textarea')`)
	_, err = chromedp.Run(ctx, chromedp.Evaluate[any](left+`.querySelector('textarea.chat-textarea').focus()`))
	do("focus", err)
	_, err = chromedp.Run(ctx, chromedp.KeyEvent("Hello from the left phone"+kb.Enter))
	do("write", err)
	sees("what was written, on the right", right+`.body.textContent.includes('Hello from the left phone')`)
	shot()
}
