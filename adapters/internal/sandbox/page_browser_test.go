//go:build servers

package sandbox_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

const hostile = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`

// tab is a page in headless Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it
}

func newTab(t *testing.T) *tab {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()), chromedp.ExecPath("chromium"))
	ctx, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancelTime)
	return &tab{t, ctx}
}

// do is one step.
func do[T any](b *tab, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, a)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return out
}

// until waits for an expression of the page.
func (b *tab) until(expression string) {
	b.t.Helper()
	wait := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second), chromedp.WithPollingInterval(50*time.Millisecond))
	if _, err := chromedp.Run(b.ctx, wait); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// click presses what is there at that moment; the lists of the page are drawn anew at every change.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until(`(() => { const n = document.querySelector('` + selector + `'); if (!n) return false; n.click(); return true; })()`)
}

// shot keeps a picture when the test runs with -artifacts.
func (b *tab) shot(name string) {
	b.t.Helper()
	png := do(b, name, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// A person opens an invite link on the page by the keyboard, chats, edits, takes back, reacts, sends a file; what strangers write stays text.
func TestPageInBrowser(t *testing.T) {
	g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) { c.Accounts[0].Name = "Romeo " + hostile })
	defer g.run()()
	server := httptest.NewServer(g.sim.Handler())
	defer server.Close()
	defer server.CloseClientConnections() // the page holds its stream open
	ctx := t.Context()

	b := newTab(t)
	do(b, "size", chromedp.EmulateViewport(1180, 760))
	do(b, "open", chromedp.Navigate(server.URL+"/#juliet"))
	b.until(`document.getElementById('who').value === 'juliet' && !document.getElementById('empty').hidden`)
	b.shot("empty")
	do(b, "focus", chromedp.Focus("#link"))
	do(b, "link", chromedp.SendKeys("#link", "https://toy.example/romeo_bot?start=abcdefgh\r"))
	b.until(`!document.getElementById('conversation').hidden && document.activeElement.id === 'text'`)
	must[control.Waited](t)(g.client.Wait(ctx, control.Condition{Kind: "opened", Person: "juliet"}, 10*time.Second))
	do(b, "write", chromedp.SendKeys("#text", "O Romeo, Romeo\r"))
	mine := must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Direction: "to_user", Text: "O Romeo, Romeo"}, 10*time.Second))[0]
	for _, text := range []string{"But soft", hostile} {
		if status, _ := g.send(g.native("juliet"), text); status != 200 {
			t.Fatalf("send: got %d, want 200", status)
		}
	}
	g.sim.Do(func(st *sandbox.State) {
		chat := st.Chat(mineChat(st))
		st.ReadOwn(chat, nil)
		st.TypingOwn(chat, time.Minute)
	})
	b.until(`document.querySelectorAll('#messages li[data-id]').length === 3 && !!document.querySelector('#messages .status.read')`)
	b.until(`document.getElementById('typing').textContent.includes('typing')`)
	must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Direction: "to_person", Status: "read", Min: 2}, 10*time.Second))

	b.click(`#messages li.mine .act`)
	do(b, "new text", chromedp.SetValue("#text", "Deny thy father"))
	b.click("#compose button")
	b.until(`document.querySelector('#messages li.mine .body').textContent.startsWith('Deny')`)
	b.click(`#messages li:not(.mine) .act[aria-label^="React"]`)
	b.until(`!!document.querySelector('#messages .reactions')`)
	picture := filepath.Join(t.TempDir(), "verona.png")
	drawn, err := sandbox.Picture(120, 80, 3, false)
	g.ok(err)
	g.ok(os.WriteFile(picture, drawn, 0o600))
	do(b, "file", chromedp.SetUploadFiles("#file", []string{picture}))
	b.until(`[...document.querySelectorAll('#messages figure img')].some((i) => { i.loading = 'eager'; return i.complete && i.naturalWidth === 120; })`)
	b.shot("chat")
	b.click(`#messages li.mine .act:nth-of-type(2)`)
	must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Retracted: true}, 10*time.Second))
	b.until(`document.querySelector('#messages li.mine .body').classList.contains('gone')`)
	if m := must[control.Chat](t)(g.client.Chat(ctx, mineOf(g))).Messages[0]; m.ID != mine.ID || m.Revision != 1 || !m.Retracted {
		t.Errorf("got %+v, want the first message edited and taken back", m)
	}

	b.click("#faults-open")
	do(b, "rate", chromedp.SetValue(`#faults input[name=error_rate]`, "0.25"))
	b.click("#faults-apply")
	b.until(`!document.getElementById('faults-on').hidden`)
	if got := must[control.State](t)(g.client.State(ctx)).Faults.ErrorRate; got != 0.25 {
		t.Errorf("got error_rate %v, want 0.25", got)
	}
	if title := do(b, "title", chromedp.Title()); title != "Toy Messenger" {
		t.Errorf("got title %q, want Toy Messenger: what a stranger wrote ran as markup", title)
	}
	if html := do(b, "html", chromedp.InnerHTML("body")); strings.Contains(html, `<img src="x"`) || !strings.Contains(html, "&lt;img src=x onerror=") {
		t.Error("the hostile name is not shown as text")
	}
	do(b, "phone", chromedp.EmulateViewport(390, 780, chromedp.EmulateScale(2)))
	b.until(`document.documentElement.scrollWidth <= 390`)
	b.shot("phone-chat")
	b.click("#back")
	b.until(`document.getElementById('app').dataset.view === 'list'`)
	b.shot("phone-list")
}

// mineChat is the chat of juliet.
func mineChat(st *sandbox.State) string {
	return st.ChatOf(st.Account("42"), st.Person("juliet").Native).ID
}

func mineOf(g *rig) (id string) {
	g.sim.Do(func(st *sandbox.State) { id = mineChat(st) })
	return id
}
