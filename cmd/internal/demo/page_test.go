//go:build servers

package demo

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postern/deploy/lab/browser"
)

var pageURL = regexp.MustCompile(`what the gateway counts:\s+(http://127\.0\.0\.1:\d+/)`)

// seesPhones opens the page in Chromium: Romeo writes on the left, Anna has it on the right, and the strip counts it.
func seesPhones(t *testing.T, out string) {
	t.Helper()
	found := pageURL.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no address of the page in\n%s", out)
	}
	tab := browser.Open(t, filepath.Join("../../..", "bin", "artefacts", "demo"), time.Minute,
		chromedp.Flag("disable-site-isolation-trials", true), chromedp.Flag("disable-web-security", true)) // the test looks into the frame of another origin
	browser.Do(tab, "size", chromedp.EmulateViewport(1400, 900))
	browser.Do(tab, "open", chromedp.Navigate(found[1]))
	const left, right = `document.querySelectorAll('iframe')[0].contentDocument`, `document.querySelectorAll('iframe')[1].contentDocument`
	tab.Until(`Number(document.getElementById('from_users').textContent) > 0 && document.getElementById('memory_mb').textContent.endsWith(' MB')`)
	tab.Until(`[...` + left + `.querySelectorAll('.list-item.open-chat, .open-chat, .contact-name')].some(e => e.textContent.includes('Anna'))`)
	tab.Until(right + `.getElementById('app').dataset.view === 'chat'`)
	browser.Do(tab, "open the chat", chromedp.Evaluate[any](`[...`+left+`.querySelectorAll('.contact-name')].find(e => e.textContent.includes('Anna')).click()`))
	tab.Until(`!!` + left + `.querySelector('textarea.chat-textarea')`)
	browser.Do(tab, "focus", chromedp.Evaluate[any](left+`.querySelector('textarea.chat-textarea').focus()`))
	browser.Do(tab, "write", chromedp.KeyEvent("Hello from the left phone"+kb.Enter))
	tab.Until(right + `.body.textContent.includes('Hello from the left phone')`)
	tab.Shot("phones")
}
