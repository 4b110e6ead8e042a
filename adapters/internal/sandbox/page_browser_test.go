//go:build servers

package sandbox_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
	"postern/deploy/lab/browser"
)

const hostile = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`

// A person opens an invite link on the page by the keyboard, chats, edits, takes back, reacts, sends a file; what strangers write stays text.
func TestPageInBrowser(t *testing.T) {
	g := newRig(t, func(c *sandbox.Config, _ *sandbox.Spec) { c.Accounts[0].Name = "Romeo " + hostile })
	defer g.run()()
	server := httptest.NewServer(g.sim.Handler())
	defer server.Close()
	defer server.CloseClientConnections() // the page holds its stream open
	ctx := t.Context()

	b := browser.Open(t, t.ArtifactDir(), 90*time.Second)
	browser.Do(b, "size", chromedp.EmulateViewport(1180, 760))
	browser.Do(b, "open", chromedp.Navigate(server.URL+"/#juliet"))
	b.Until(`document.getElementById('who').value === 'juliet' && !document.getElementById('empty').hidden`)
	b.Shot("empty")
	browser.Do(b, "focus", chromedp.Focus("#link"))
	browser.Do(b, "link", chromedp.SendKeys("#link", "https://toy.example/romeo_bot?start=abcdefgh\r"))
	b.Until(`!document.getElementById('conversation').hidden && document.activeElement.id === 'text'`)
	must[control.Waited](t)(g.client.Wait(ctx, control.Condition{Kind: "opened", Person: "juliet"}, 10*time.Second))
	browser.Do(b, "write", chromedp.SendKeys("#text", "O Romeo, Romeo\r"))
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
	b.Until(`document.querySelectorAll('#messages li[data-id]').length === 3 && !!document.querySelector('#messages .status.read')`)
	b.Until(`document.getElementById('typing').textContent.includes('typing')`)
	must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Direction: "to_person", Status: "read", Min: 2}, 10*time.Second))

	b.Click(`#messages li.mine .act`)
	browser.Do(b, "new text", chromedp.SetValue("#text", "Deny thy father"))
	b.Click("#compose button")
	b.Until(`document.querySelector('#messages li.mine .body').textContent.startsWith('Deny')`)
	b.Click(`#messages li:not(.mine) .act[aria-label^="React"]`)
	b.Until(`!!document.querySelector('#messages .reactions')`)
	picture := filepath.Join(t.TempDir(), "verona.png")
	drawn, err := sandbox.Picture(120, 80, 3, false)
	g.ok(err)
	g.ok(os.WriteFile(picture, drawn, 0o600))
	browser.Do(b, "file", chromedp.SetUploadFiles("#file", []string{picture}))
	b.Until(`[...document.querySelectorAll('#messages figure img')].some((i) => { i.loading = 'eager'; return i.complete && i.naturalWidth === 120; })`)
	b.Shot("chat")
	b.Click(`#messages li.mine .act:nth-of-type(2)`)
	must[[]control.Message](t)(g.client.Messages(ctx, control.Condition{Person: "juliet", Retracted: true}, 10*time.Second))
	b.Until(`document.querySelector('#messages li.mine .body').classList.contains('gone')`)
	if m := must[control.Chat](t)(g.client.Chat(ctx, mineOf(g))).Messages[0]; m.ID != mine.ID || m.Revision != 1 || !m.Retracted {
		t.Errorf("got %+v, want the first message edited and taken back", m)
	}

	b.Click("#faults-open")
	browser.Do(b, "rate", chromedp.SetValue(`#faults input[name=error_rate]`, "0.25"))
	b.Click("#faults-apply")
	b.Until(`!document.getElementById('faults-on').hidden`)
	if got := must[control.State](t)(g.client.State(ctx)).Faults.ErrorRate; got != 0.25 {
		t.Errorf("got error_rate %v, want 0.25", got)
	}
	if title := browser.Do(b, "title", chromedp.Title()); title != "Toy Messenger" {
		t.Errorf("got title %q, want Toy Messenger: what a stranger wrote ran as markup", title)
	}
	if html := browser.Do(b, "html", chromedp.InnerHTML("body")); strings.Contains(html, `<img src="x"`) || !strings.Contains(html, "&lt;img src=x onerror=") {
		t.Error("the hostile name is not shown as text")
	}
	browser.Do(b, "phone", chromedp.EmulateViewport(390, 780, chromedp.EmulateScale(2)))
	b.Until(`document.documentElement.scrollWidth <= 390`)
	b.Shot("phone-chat")
	b.Click("#back")
	b.Until(`document.getElementById('app').dataset.view === 'list'`)
	b.Shot("phone-list")
}

// mineChat is the chat of juliet.
func mineChat(st *sandbox.State) string {
	return st.ChatOf(st.Account("42"), st.Person("juliet").Native).ID
}

func mineOf(g *rig) (id string) {
	g.sim.Do(func(st *sandbox.State) { id = mineChat(st) })
	return id
}
