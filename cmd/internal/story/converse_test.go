//go:build servers

package story

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"postern/deploy"
)

// TestInBrowser looks at a conversation with a person's eyes: Converse.js in Chromium.
func TestInBrowser(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		jid := c.JID()
		if err := c.Close(); err != nil {
			s.Fatal(err)
		}
		b := s.browse(jid, "p")
		b.proof = s.prove(52, 54, 63)
		b.seesContact(nurse)
		b.seesTexts(jid)
		b.seesChanges(jid)
		b.corrects(jid)
		b.reacts(jid)
		b.retracts(jid)
		b.seesPictures(nurse, jid)
	})
}

// hasText is an expression: some element of the selector holds the text.
func hasText(selector, text string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%s)].some(e => e.textContent.includes(%s))", strconv.Quote(selector), strconv.Quote(text))
}

func (b *screen) seesContact(jid string) {
	b.Helper()
	link := ".open-chat[data-jid=" + strconv.Quote(jid) + "]"
	b.shows("contact", hasText(link+" .contact-name", "The Nurse"))
	b.shows("contact online", "!!document.querySelector("+strconv.Quote(link+" .chat-status--avatar[title*=online]")+")")
	b.do("open the chat", act(chromedp.Click(link)), act(chromedp.WaitVisible("textarea.chat-textarea")))
}

// seesTexts is a text each way.
func (b *screen) seesTexts(jid string) {
	b.Helper()
	b.control(http.MethodPost, "/people/nurse/typing", map[string]any{"to": jid, "state": "composing"}, nil)
	b.shows("typing", hasText(".chat-content__notifications", "typing"))
	b.say("nurse", jid, "Madam, your mother craves a word with you.")
	b.shows("text", hasText(".chat-msg__text", "craves a word"))
	hold[message](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_user", Text: "Madam, your mother craves a word with you.", Status: "read"})

	b.types("What is her mother?")
	hold[any](b.sandbox, wait{Kind: "typing", Person: "nurse", User: jid})
	b.enter()
	hold[message](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "What is her mother?"})
	b.shows("receipt", "!!document.querySelector('.chat-msg__content--me .chat-msg__receipt')")
}

// seesChanges are a correction, a reaction, a reply and a retraction of the person's.
func (b *screen) seesChanges(jid string) {
	b.Helper()
	told := b.say("nurse", jid, "Her mother is the lady of the hose")
	b.shows("text to correct", hasText(".chat-msg__text", "lady of the hose"))
	b.control(http.MethodPatch, "/messages/"+told.MessageID, map[string]any{"text": "Her mother is the lady of the house"}, nil)
	b.shows("correction", hasText(".chat-msg__text", "lady of the house")+" && !"+hasText(".chat-msg__text", "of the hose")+" && !!document.querySelector('.chat-msg__edit-modal')")

	b.types("Is she a Capulet?")
	b.enter()
	mine := hold[message](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "Is she a Capulet?"})[0]
	b.control(http.MethodPut, "/messages/"+mine.ID+"/reactions", map[string]any{"emojis": []string{"😢"}}, nil)
	b.shows("reaction", hasText("converse-reactions", "😢"))
	if b.kind != deploy.Ejabberd {
		// Not there: ejabberd 23.01 writes <body/> behind its siblings, and Converse 14 reads the first one of the whole stanza, which
		// then is the empty one that says where the quotation ends. It shows nothing of any reply, whoever sent it.
		b.control(http.MethodPost, "/people/nurse/messages", map[string]any{"to": jid, "text": "Ay, sir.", "reply_to": mine.ID}, nil)
		b.shows("reply", hasText("converse-reply-context", "Is she a Capulet?")+" && "+hasText(".chat-msg__text", "Ay, sir."))
	}

	b.control(http.MethodDelete, "/messages/"+told.MessageID, nil, nil)
	b.shows("retraction", "!!document.querySelector('.chat-msg--retracted, .chat-msg .retraction') && !"+hasText(".chat-msg__text", "lady of the house"))
}

// last clicks something in the menu of the newest message of one side, me or them.
func (b *screen) last(side, action string) {
	b.Helper()
	b.do(action, act(chromedp.Evaluate[bool](fmt.Sprintf("[...document.querySelectorAll('.chat-msg__content--%s')].pop().querySelector('%s').click(), true", side, action))))
}

// corrects is a correction of the user's, by the buttons of the client.
func (b *screen) corrects(jid string) {
	b.Helper()
	b.types("O dear")
	b.enter()
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "O dear"})
	b.shows("own text", hasText(".chat-msg__content--me .chat-msg__text", "O dear"))
	b.last("me", ".chat-msg__action-edit")
	// The key has left a line in the box, which the client does not give up without being asked.
	b.do("confirm", act(chromedp.WaitVisible(".modal.show .btn-primary")), act(chromedp.Click(".modal.show .btn-primary")))
	b.shows("own message again", "document.querySelector('textarea.chat-textarea').value === 'O dear'")
	b.types(" account!")
	b.enter()
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "O dear account!", Edited: true})
	b.shows("own correction", hasText(".chat-msg__content--me .chat-msg__text", "O dear account!"))
}

// reacts is a reaction of the user's, by the buttons of the client, and the same taken back.
func (b *screen) reacts(jid string) {
	b.Helper()
	const line = "I nursed her daughter"
	b.say("nurse", jid, line)
	b.shows("text to react to", hasText(".chat-msg__text", line))
	b.last("them", ".chat-msg__action-reaction")
	// The picker comes with the emojis, which the client loads when they are first asked for.
	b.shows("picker", "!!document.querySelector('.reaction-picker .reaction-item:not(.more)')")
	var emoji string
	b.do("react", func(ctx context.Context) (err error) {
		emoji, err = chromedp.Run(ctx, chromedp.Evaluate[string]("(() => { const e = document.querySelector('.reaction-picker .reaction-item:not(.more)'); e.click(); return e.textContent.trim() })()"))
		return err
	})
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_user", Text: line, Reaction: emoji})
	b.shows("own reaction", hasText("converse-reactions", emoji))
}

// retracts are retractions of the user's, by the buttons of the client: of what was corrected, and of what was not.
func (b *screen) retracts(jid string) {
	b.Helper()
	b.retractsLast(jid, "O dear account!", 1)
	b.types("Is she not here?")
	b.enter()
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Text: "Is she not here?"})
	b.retractsLast(jid, "Is she not here?", 2)
}

// retractsLast takes the user's newest message back, the n-th that the sandbox has lost so.
func (b *screen) retractsLast(jid, line string, n int) {
	b.Helper()
	text := hasText(".chat-msg__content--me .chat-msg__text", line)
	b.shows("text to retract", text)
	b.last("me", ".chat-msg__action-retract")
	b.do("confirm", act(chromedp.WaitVisible(".modal.show .btn-primary")), act(chromedp.Click(".modal.show .btn-primary")))
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Retracted: true, Min: n})
	b.shows("own retraction", "!"+text+" && !document.querySelector('.modal.show')")
}

// loaded is an expression: a picture of the selector has come whole.
func loaded(selector string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%s)].some(e => e.complete && e.naturalWidth > 0)", strconv.Quote(selector))
}

// seesPictures is a picture each way, and the person's own.
func (b *screen) seesPictures(contact, jid string) {
	b.Helper()
	b.shares("nurse", jid, "My lady, as a child", b.drawn(3))
	b.shows("image", loaded(".chat-msg__content--them img.chat-image")+" && "+hasText(".chat-msg__text", "My lady, as a child")+" && !"+hasText(".chat-msg__text", "https://"))

	file := filepath.Join(b.TempDir(), "rose.png")
	if err := os.WriteFile(file, b.bytesOf(b.drawn(4)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.do("share a file", act(chromedp.SetUploadFiles("input.fileupload", []string{file})))
	hold[any](b.sandbox, wait{Kind: "message", Person: "nurse", User: jid, Direction: "to_person", Has: "media"})
	b.shows("own image", loaded(".chat-msg__content--me img.chat-image"))

	b.control(http.MethodPatch, "/people/nurse", map[string]any{"avatar": b.drawn(5).MediaID}, nil)
	link := ".open-chat[data-jid=" + strconv.Quote(contact) + "]"
	b.shows("avatar", "!!document.querySelector("+strconv.Quote(link+" converse-avatar image, "+link+" converse-avatar img")+")")
}

// bytesOf fetches a file of the sandbox.
func (b *screen) bytesOf(part mediaPart) []byte {
	b.Helper()
	status, raw := b.get(b.url + "/sandbox/v1/media/" + part.MediaID)
	if status != http.StatusOK {
		b.Fatalf("sandbox: file: %d", status)
	}
	return raw
}
