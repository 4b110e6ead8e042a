//go:build servers

package simulator_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/adapters/gatekeeper/simulator"
	"postern/deploy/lab/browser"
)

const hostile = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`

// act makes a step of an action whose result does not matter.
func act[T any](a chromedp.Action[T]) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := chromedp.Run(ctx, a)
		return err
	}
}

// poll waits until an expression of the page is true.
func poll(expression string) func(context.Context) error {
	return act(chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second), chromedp.WithPollingInterval(50*time.Millisecond)))
}

// A person accepts a request on the page, chats, edits and sets a fault; names and texts of strangers stay text.
func TestPageInBrowser(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.Name = "Verona Messenger" })
	defer b.run()()
	server := httptest.NewServer(b.sim.Handler())
	defer server.Close()
	defer server.CloseClientConnections() // the page holds its stream open
	usr := b.enlist(romeo)
	body := enlistment("mallory@evil.example")
	body["display"] = hostile
	b.must(201, "POST", "/v1/enlistments", "mallory@evil.example", body)
	b.must(201, "POST", "/v1/contact-requests", romeo, obj{"to": "gku_juliet", "message": "But soft, what light through yonder window breaks?"})

	tab := browser.Open(t, t.ArtifactDir(), 90*time.Second)
	step := func(what string, actions ...func(context.Context) error) {
		t.Helper()
		for _, do := range actions {
			if err := do(tab.Ctx); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	step("open", act(chromedp.EmulateViewport(1180, 760)), act(chromedp.Navigate(server.URL+"/#juliet")), act(chromedp.WaitVisible(".request")))
	b.must(201, "POST", "/v1/contact-requests", "mallory@evil.example", obj{"to": "gku_juliet", "message": hostile})
	step("hostile request arrives", poll(`document.querySelectorAll('.request').length === 2`))
	_, code := b.begin("phone", number)
	step("code arrives", poll(`document.getElementById('codes').textContent.includes('`+code+`')`), poll(`!document.body.textContent.includes('`+number+`')`))
	tab.Shot("requests")
	step("accept", act(chromedp.Click(`.request .buttons button:last-child`)), act(chromedp.WaitVisible("#compose")))

	sent := b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_juliet", "It is the east, and Juliet is the sun."))
	b.must(202, "POST", "/v1/messages", romeo, message("c2", usr, "gku_juliet", hostile))
	step("messages arrive", poll(`document.querySelectorAll('#messages li[data-id]').length === 2`))
	step("the chat is listed", poll(`document.querySelectorAll('#chats button.row').length === 1`))
	got := b.control("POST", "/wait", obj{"kind": "message", "person": "juliet", "status": "read", "direction": "to_person", "min": 2, "timeout_ms": 10000})
	if got["ok"] != true {
		t.Errorf("got %v, want both messages read because the page shows them", got)
	}
	step("answer", act(chromedp.SendKeys("#text", "O Romeo, Romeo! wherefore art thou Romeo?")), act(chromedp.Click("#compose button")), poll(`document.querySelectorAll('#messages li.mine').length === 1`))
	mine := b.control("POST", "/wait", obj{"kind": "message", "person": "juliet", "direction": "to_user", "text": "O Romeo, Romeo! wherefore art thou Romeo?", "timeout_ms": 10000})
	if mine["ok"] != true {
		t.Fatalf("got %v, want the message of the page", mine)
	}
	b.must(202, "POST", "/v1/receipts", romeo, obj{"receipts": []obj{{"conversation": sent.str("conversation"), "state": "read", "up_to": mine["items"].([]any)[0].(obj)["id"]}}})
	b.must(204, "PUT", "/v1/messages/"+sent.str("message_id")+"/reactions/%E2%9D%A4%EF%B8%8F", romeo, nil)
	b.must(204, "POST", "/v1/conversations/gku_juliet/typing", romeo, obj{"state": "composing"}, "Idempotency-Key", "")
	step("read mark and typing", poll(`!!document.querySelector('#messages .status.read')`), poll(`document.getElementById('typing').textContent.includes('typing')`))
	tab.Shot("chat")

	step("edit", act(chromedp.Click(`#messages li.mine .act`)), act(chromedp.SetValue("#text", "Deny thy father and refuse thy name.")), act(chromedp.Click("#compose button")),
		poll(`document.querySelector('#messages li.mine .body').textContent.startsWith('Deny')`))
	step("fault", act(chromedp.Click("#faults-open")), act(chromedp.WaitVisible("#faults")), act(chromedp.SetValue(`#faults input[name=error_rate]`, "0.25")))
	tab.Shot("faults")
	step("apply", act(chromedp.Click("#faults-apply")), poll(`!document.getElementById('faults-on').hidden`))
	if got := b.control("GET", "/faults", nil)["error_rate"]; got != 0.25 {
		t.Errorf("got error_rate %v, want 0.25", got)
	}
	b.control("PUT", "/faults", obj{})

	drawn(t, b, usr)
	step("everything is drawn", poll(`document.querySelectorAll('#messages figure img').length === 3 && [...document.querySelectorAll('#messages figure img')].every((i) => { i.loading = 'eager'; return i.complete && i.naturalWidth > 0; })`),
		poll(`!!document.querySelector('#messages audio') && !!document.querySelector('#messages a.file')`),
		poll(`document.querySelectorAll('#messages .card').length >= 3 && !!document.querySelector('#messages .spoiler') && !!document.querySelector('#messages li.native')`))
	tab.Shot("content")
	step("answer a poll", act(chromedp.Click(`#messages .option:not(:disabled)`)), poll(`document.querySelector('#messages .option:not(:disabled)').getAttribute('aria-pressed') === 'true'`))
	if got := b.control("POST", "/wait", obj{"kind": "message", "person": "juliet", "has": "answer", "timeout_ms": 10000}); got["ok"] != true {
		t.Errorf("got %v, want the answer that was clicked", got)
	}
	step("switch", act(chromedp.Click("#switches-open")), act(chromedp.WaitVisible("#switches")), act(chromedp.Click(`#switches input[name=edit_out]`)), poll(`!document.getElementById('switches-on').hidden`))
	tab.Shot("features")
	if got := b.control("GET", "/capabilities", nil)["features"].(obj)["edit_out"]; got != "unavailable" {
		t.Errorf("got edit %v, want unavailable", got)
	}
	step("close", act(chromedp.Click("#switches-close")))

	if title := browser.Do(tab, "title", chromedp.Title()); title != "Verona Messenger" {
		t.Errorf("got title %q, want Verona Messenger: a stranger's name ran as markup", title)
	}
	if html := browser.Do(tab, "html", chromedp.InnerHTML("body")); strings.Contains(html, "<img src=\"x\"") || !strings.Contains(html, "&lt;img src=x onerror=") {
		t.Error("the hostile name is not shown as text")
	}
	step("phone", act(chromedp.EmulateViewport(390, 780, chromedp.EmulateScale(2))), poll(`document.documentElement.scrollWidth <= 390`))
	tab.Shot("phone-chat")
	step("back", act(chromedp.Click("#back")), poll(`document.getElementById('app').dataset.view === 'list'`))
	tab.Shot("phone-list")
	step("opt out", act(chromedp.Click("#optin")), poll(`document.getElementById('optin-text').textContent.includes('cannot be found')`))
	if got := b.must(404, "POST", "/v1/messages", romeo, message("c3", usr, "gku_juliet", "Wilt thou leave me so unsatisfied?")); got.str("code") != "unavailable" {
		t.Errorf("got code %q, want unavailable", got.str("code"))
	}
}

// drawn fills a chat with content of every kind.
func drawn(t *testing.T, b *sandbox, usr string) {
	t.Helper()
	picture := b.control("POST", "/media", obj{"width": 320, "height": 200, "seed": 3, "name": "verona.png"})
	b.control("PATCH", "/people/juliet", obj{"avatar": picture["media_id"]})
	sticker := b.control("POST", "/media", obj{"width": 120, "height": 120, "seed": 5, "kind": "sticker", "emoji": "🌹"})
	voice := b.control("POST", "/media", obj{"type": "audio/ogg", "size": 4000, "kind": "voice", "duration_ms": 4200})
	folio := b.control("POST", "/media", obj{"type": "application/pdf", "size": 20 << 20, "name": "folio.pdf"})
	for _, content := range []obj{
		{"media": []obj{picture}, "text": "a picture with its caption"},
		{"media": []obj{sticker}},
		{"media": []obj{voice}},
		{"media": []obj{folio}},
		{"location": obj{"latitude": 45.4419, "longitude": 10.9988, "name": "Balcony"}},
		{"contact": obj{"name": "Friar Laurence", "phones": []string{"+390451230002"}}},
		{"text": "The butler did it", "spans": []obj{{"start": 4, "length": 6, "style": "spoiler"}, {"start": 0, "length": 3, "style": "bold"}}, "previews": []obj{{"url": "https://verona.example/", "title": hostile}}},
	} {
		b.say("juliet", usr, content)
	}
	b.control("POST", "/users/"+usr+"/messages", obj{"to": "juliet", "text": "from my own app"})
	small := b.control("POST", "/media", obj{"width": 64, "height": 48, "seed": 9})
	b.say("juliet", usr, obj{"media": []obj{small}})
	poll := obj{"poll": obj{"question": "Balcony?", "options": []obj{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}}
	b.must(202, "POST", "/v1/messages", romeo, obj{"client_id": "d1", "sender": usr, "to": "gku_juliet", "mode": "plaintext", "content": poll})
}
